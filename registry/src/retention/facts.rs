//! What is known of a repository: its tags, its manifests, and when they were pulled.

use std::collections::HashMap;

use cairn_spec::{Digest, RepositoryName, Tag};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{
    judge::{Facts, ManifestFacts, TagFacts},
    pulls::recorded_pulls,
    rules::Rules,
};
use crate::{
    Error, Result,
    maintenance::NamePages,
    records::{self, Manifest},
    service::Registry,
    storage::{Key, Prefix, Version},
};

/// Records read side by side.
const READS: usize = 16;

/// What was read, and the versions of the records it was read from.
pub(super) struct Read {
    pub(super) facts: Facts,
    pub(super) tags: HashMap<Tag, Version>,
    pub(super) manifests: HashMap<Digest, Version>,
}

/// Reads a repository: its tags first, for whoever tags an old manifest then touches it.
pub(super) async fn read(
    registry: &Registry,
    rules: &Rules,
    repository: &RepositoryName,
    (now_unix_s, pulls_since_unix_s): (u64, Option<u64>),
) -> Result<Read> {
    let mut read = Read {
        facts: Facts {
            now_unix_s,
            pulls_since_unix_s,
            grace_s: registry.limits.grace_s,
            ..Facts::default()
        },
        tags: HashMap::new(),
        manifests: HashMap::new(),
    };
    let mut pages = NamePages::of(Prefix::Tags(repository.clone()));
    while let Some(names) = pages.next(registry).await? {
        // A name that nothing writes is fsck's to report, and must not stop anything here.
        let tags: Vec<Tag> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let mut found = stream::iter(tags)
            .map(|tag| async move {
                let found = registry.read_tag(repository, &tag).await?;
                Ok::<_, Error>(found.map(|(entry, record)| (tag, entry.version, record)))
            })
            .buffered(READS);
        while let Some(found) = found.try_next().await? {
            if let Some((tag, version, record)) = found {
                read.tags.insert(tag.clone(), version);
                read.facts.tags.push(TagFacts {
                    protection: protection(registry, rules, repository, &tag),
                    tag,
                    digest: record.digest,
                    pushed_unix_s: record.moved_unix_s,
                });
            }
        }
    }
    let pulls = if rules.ask_for_pulls(repository) {
        recorded_pulls(registry, repository).await?
    } else {
        HashMap::new()
    };
    let mut pages = NamePages::of(Prefix::Manifests(repository.clone()));
    while let Some(names) = pages.next(registry).await? {
        let digests: Vec<Digest> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let mut found = stream::iter(digests)
            .map(|digest| async move {
                let key = Key::Manifest(repository.clone(), digest.clone());
                let Some(entry) = registry.metadata.get(&key).await? else {
                    return Ok::<_, Error>(None);
                };
                let (record, _): (Manifest, _) = records::decode(&key, &entry)?;
                Ok(Some((digest, entry.version, record)))
            })
            .buffered(READS);
        while let Some(found) = found.try_next().await? {
            if let Some((digest, version, record)) = found {
                read.manifests.insert(digest.clone(), version);
                read.facts.manifests.push(ManifestFacts {
                    pulled_unix_s: pulls.get(&digest).copied(),
                    digest,
                    subject: record.subject,
                    children: record.children,
                    pushed_unix_s: record.pushed_unix_s,
                    touched_unix_s: record.touched_unix_s,
                });
            }
        }
    }
    Ok(read)
}

impl Facts {
    /// The latest time in any record.
    pub(super) fn newest_unix_s(&self) -> Option<u64> {
        let tags = self.tags.iter().map(|tag| tag.pushed_unix_s);
        let manifests = self.manifests.iter().map(|manifest| {
            let used_unix_s = manifest.pushed_unix_s.max(manifest.touched_unix_s);
            used_unix_s.max(manifest.pulled_unix_s.unwrap_or_default())
        });
        tags.chain(manifests).max()
    }
}

fn protection(
    registry: &Registry,
    rules: &Rules,
    repository: &RepositoryName,
    tag: &Tag,
) -> Option<&'static str> {
    if rules.protects(repository, tag) {
        Some("`protectedTags` protects it")
    } else if registry.is_immutable(repository, tag) {
        Some("it is immutable")
    } else if registry.guards(repository, tag) {
        Some("the trust policy guards it")
    } else {
        None
    }
}
