//! Which content the manifests of a repository refer to.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use cairn_spec::{Digest, RepositoryName};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    Result,
    records::{self, Manifest},
    service::Registry,
    storage::{Key, Prefix},
};

/// Manifests listed, and read side by side, at a time.
const PAGE_NAMES: usize = 1000;
const READS: usize = 16;
/// References kept between passes, of 16 bytes each, because manifests never change: listing a
/// repository is cheap, reading all of it is not.
const CACHED_REFERENCES: usize = 1_000_000;

/// The first 16 bytes of a digest. Two that collide on purpose only keep each other alive.
pub(super) type Fingerprint = u128;

pub(super) fn fingerprint(digest: &Digest) -> Fingerprint {
    digest
        .hex()
        .get(..32)
        .and_then(|hex| u128::from_str_radix(hex, 16).ok())
        .unwrap_or_default()
}

/// What manifests refer to, as far as it was looked up before.
#[derive(Debug, Default)]
pub(super) struct References {
    cached: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    references: usize,
    repositories: HashMap<RepositoryName, HashMap<Fingerprint, Box<[Fingerprint]>>>,
}

impl References {
    /// Those of `wanted` that a manifest of the repository refers to.
    pub(super) async fn among(
        &self,
        registry: &Registry,
        repository: &RepositoryName,
        wanted: &HashSet<Fingerprint>,
    ) -> Result<HashSet<Fingerprint>> {
        let known = self.take(repository);
        let mut seen = HashMap::new();
        let mut seen_references = 0;
        let mut found = HashSet::new();
        let prefix = Prefix::Manifests(repository.clone());
        let mut last: Option<String> = None;
        loop {
            let page = registry.metadata.list(&prefix, last.as_deref(), PAGE_NAMES);
            let page = page.await?;
            let digests: Vec<Digest> = page.iter().filter_map(|name| name.parse().ok()).collect();
            let mut children = stream::iter(digests)
                .map(|digest| {
                    let cached = known.get(&fingerprint(&digest)).cloned();
                    async move {
                        let children = match cached {
                            Some(children) => Some(children),
                            None => children(registry, repository, &digest).await?,
                        };
                        Ok::<_, crate::Error>(children.map(|it| (fingerprint(&digest), it)))
                    }
                })
                .buffer_unordered(READS);
            while let Some(manifest) = children.try_next().await? {
                // One that was deleted meanwhile is not remembered, for it may come back.
                let Some((manifest, children)) = manifest else {
                    continue;
                };
                let of_interest = children.iter().filter(|child| wanted.contains(child));
                found.extend(of_interest.copied());
                if seen_references < CACHED_REFERENCES {
                    seen_references += children.len() + 1;
                    seen.insert(manifest, children);
                }
            }
            match page.into_iter().next_back() {
                Some(name) => last = Some(name),
                None => break,
            }
        }
        self.keep(repository, seen);
        Ok(found)
    }

    fn take(&self, repository: &RepositoryName) -> HashMap<Fingerprint, Box<[Fingerprint]>> {
        let mut cache = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cache.repositories.remove(repository).unwrap_or_default();
        cache.references -= size(&known);
        known
    }

    fn keep(&self, repository: &RepositoryName, seen: HashMap<Fingerprint, Box<[Fingerprint]>>) {
        let references = size(&seen);
        let mut cache = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.references + references > CACHED_REFERENCES {
            *cache = Cache::default();
        }
        cache.references += references;
        if let Some(old) = cache.repositories.insert(repository.clone(), seen) {
            cache.references -= size(&old);
        }
    }
}

/// How many fingerprints a part of the cache holds, those of the manifests included.
fn size(part: &HashMap<Fingerprint, Box<[Fingerprint]>>) -> usize {
    part.values().map(|children| children.len() + 1).sum()
}

async fn children(
    registry: &Registry,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Box<[Fingerprint]>>> {
    let key = Key::Manifest(repository.clone(), digest.clone());
    let Some(entry) = registry.metadata.get(&key).await? else {
        return Ok(None);
    };
    let (manifest, _): (Manifest, _) = records::decode(&key, &entry)?;
    Ok(Some(manifest.children.iter().map(fingerprint).collect()))
}
