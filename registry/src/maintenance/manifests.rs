//! Manifests that nothing refers to, the lists of referrers, and hints on tags that moved.

use cairn_spec::{Digest, RepositoryName, Tag};

use super::{
    Collector,
    gc::{Found, Next},
};
use crate::{
    Result, UntaggedManifests,
    records::{self, Manifest, TagHint},
    storage::{Batch, Candidate, Entry, Key, Prefix, Write},
};

/// Hints on the tags of one manifest, and referrers of one subject, looked at at a time.
const PAGE_NAMES: usize = 1000;

/// Whether a repository has to keep a manifest.
enum Standing {
    /// It does not hold it.
    None,
    /// Something refers to it, or the configuration keeps what nothing refers to.
    Needed,
    /// Somebody may be about to refer to it.
    Young {
        due_unix_s: u64,
    },
    Unused(Entry, Manifest),
}

impl Collector {
    /// Deletes a manifest that nothing refers to.
    pub(super) async fn review_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        is_referenced: bool,
    ) -> Result<Next> {
        let later = self.remove_stale_hints(repository, digest).await?;
        let standing = self.manifest_standing(repository, digest, is_referenced);
        match standing.await? {
            Standing::Young { due_unix_s } => return Ok(Next::Later { due_unix_s }),
            Standing::None | Standing::Needed => {}
            Standing::Unused(entry, manifest) => {
                let registry = &self.registry;
                if manifest.upstream.is_some() {
                    self.remove_tags(repository, digest).await?;
                }
                let mut writes = registry.review_after(repository, digest, &manifest);
                let key = Key::Manifest(repository.clone(), digest.clone());
                // Whoever tagged it, or was told that it is there, has changed its record.
                writes.push(Write::delete_if(key, entry.version));
                registry.metadata.write(Batch::durable(writes)).await?;
                registry.tally.add(|progress| progress.manifests += 1);
                if let Some(subject) = &manifest.subject {
                    let settled = registry.settle_referrer(repository, subject, digest);
                    self.count_referrer(settled.await?);
                }
            }
        }
        Ok(later.map_or(Next::Settled, |due_unix_s| Next::Later { due_unix_s }))
    }

    /// Makes a subject's list agree with whether the referrer exists, and looks after those that
    /// have lost their subject.
    pub(super) async fn review_referrer(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        candidate: &Key,
    ) -> Result<Next> {
        let registry = &self.registry;
        let entry = registry.metadata.get(candidate).await?;
        let subject = entry.and_then(|entry| {
            let subject = std::str::from_utf8(&entry.value).ok()?;
            subject.parse::<Digest>().ok()
        });
        if let Some(subject) = &subject {
            let settled = registry.settle_referrer(repository, subject, digest);
            self.count_referrer(settled.await?);
            registry.remove_empty_list(repository, subject).await?;
        }
        let key = Key::Manifest(repository.clone(), digest.clone());
        if registry.metadata.get(&key).await?.is_some() {
            return Ok(Next::Settled);
        }
        let mut last = None;
        loop {
            let page = registry.referrers(repository, digest, None, last.as_ref());
            let page = page.await?;
            let writes: Vec<Write> = page
                .entries
                .iter()
                .map(|referrer| Candidate::Manifest(repository.clone(), referrer.digest.clone()))
                .map(|candidate| registry.review(candidate))
                .collect();
            if !writes.is_empty() {
                registry.metadata.write(Batch::durable(writes)).await?;
            }
            last = page.entries.into_iter().next_back().map(|it| it.digest);
            if !page.has_more {
                return Ok(Next::Settled);
            }
        }
    }

    /// Removes the tags of an upstream's manifest that nobody asks for.
    async fn remove_tags(&self, repository: &RepositoryName, digest: &Digest) -> Result<()> {
        let registry = &self.registry;
        let prefix = Prefix::ManifestTags(repository.clone(), digest.clone());
        loop {
            let mut removed = false;
            for name in registry.metadata.list(&prefix, None, PAGE_NAMES).await? {
                let tag: Tag = name.parse()?;
                if registry.points_to(repository, &tag, digest).await? {
                    registry.delete_tag(repository, &tag).await?;
                    removed = true;
                }
            }
            if !removed {
                return Ok(());
            }
        }
    }

    fn count_referrer(&self, changed: bool) {
        let tally = &self.registry.tally;
        tally.add(|progress| progress.referrers += u64::from(changed));
    }

    /// Removes hints on tags that point elsewhere; returns when to look at a younger one.
    async fn remove_stale_hints(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<u64>> {
        let metadata = &self.registry.metadata;
        let prefix = Prefix::ManifestTags(repository.clone(), digest.clone());
        let mut last: Option<String> = None;
        let mut later = None;
        loop {
            let names = metadata.list(&prefix, last.as_deref(), PAGE_NAMES).await?;
            for name in &names {
                let tag: Tag = name.parse()?;
                if self.registry.points_to(repository, &tag, digest).await? {
                    continue;
                }
                let key = Key::ManifestTag(repository.clone(), digest.clone(), tag);
                let Some(entry) = metadata.get(&key).await? else {
                    continue;
                };
                let (hint, _): (TagHint, _) = records::decode(&key, &entry)?;
                // The tag is written after its hint, which may have happened just now.
                if let Some(due_unix_s) = self.due_later(hint.written_unix_s) {
                    later = later.max(Some(due_unix_s));
                    continue;
                }
                let write = Write::delete_if(key, entry.version);
                metadata.write(Batch::eventual([write])).await?;
                self.registry.tally.add(|progress| progress.hints += 1);
            }
            match names.into_iter().next_back() {
                Some(name) => last = Some(name),
                None => return Ok(later),
            }
        }
    }

    /// Why a manifest would be collected, if it would.
    pub(super) async fn explain_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        is_referenced: bool,
    ) -> Result<Option<Found>> {
        let standing = self.manifest_standing(repository, digest, is_referenced);
        let Standing::Unused(entry, manifest) = standing.await? else {
            return Ok(None);
        };
        Ok(Some(Found {
            kind: "manifest",
            repository: Some(repository.clone()),
            name: digest.to_string(),
            size_bytes: entry.value.len() as u64,
            since_unix_s: manifest.touched_unix_s,
            reason: if manifest.upstream.is_some() {
                "it came from an upstream, and nobody asked for it for long"
            } else if manifest.subject.is_some() {
                "its subject is gone, and no tag or index refers to it"
            } else {
                "no tag or index refers to it"
            },
        }))
    }

    async fn manifest_standing(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        is_referenced: bool,
    ) -> Result<Standing> {
        let metadata = &self.registry.metadata;
        let key = Key::Manifest(repository.clone(), digest.clone());
        let Some(entry) = metadata.get(&key).await? else {
            return Ok(Standing::None);
        };
        let (manifest, _): (Manifest, _) = records::decode(&key, &entry)?;
        let is_kept = self.config.untagged_manifests == UntaggedManifests::Keep;
        if is_referenced || (is_kept && manifest.upstream.is_none()) {
            return Ok(Standing::Needed);
        }
        if let Some(due_unix_s) = self.due_later(manifest.touched_unix_s) {
            return Ok(Standing::Young { due_unix_s });
        }
        if manifest.upstream.is_some() {
            let due_unix_s = manifest.touched_unix_s + self.config.upstream_ttl_s;
            if due_unix_s > self.clock.unix_now_s() {
                return Ok(Standing::Young { due_unix_s });
            }
        }
        if let Some(subject) = &manifest.subject {
            let subject = Key::Manifest(repository.clone(), subject.clone());
            if metadata.get(&subject).await?.is_some() {
                return Ok(Standing::Needed);
            }
        }
        // Tags of an upstream leave with what they name.
        let is_tagged = if manifest.upstream.is_some() {
            self.registry
                .is_tagged_by_clients(repository, digest)
                .await?
        } else {
            self.registry.is_tagged(repository, digest).await?
        };
        Ok(if is_tagged {
            Standing::Needed
        } else {
            Standing::Unused(entry, manifest)
        })
    }
}
