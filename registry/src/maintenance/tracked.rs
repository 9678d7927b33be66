//! What is referred to or queued, as a set small enough for memory.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use super::listing::for_each_key;
use crate::{
    Result,
    records::{self, Manifest, Upload},
    service::Registry,
    storage::{Family, Key, Prefix},
};

/// Hashes held at a time, of 8 bytes each; larger registries are gone through in parts.
const HASHES: u64 = 2_000_000;
/// What a manifest refers to, on average.
const CHILDREN: u64 = 6;

/// One part of all hashes of what is referred to or queued. Two that collide hide one finding.
pub(super) struct Tracked {
    hashes: HashSet<u64>,
    part: u64,
    parts: u64,
}

impl Tracked {
    /// Into how many parts the hashes are divided.
    pub(super) async fn parts(registry: &Registry) -> Result<u64> {
        let mut hashes = 0;
        let manifests = Prefix::Family(Family::Manifests);
        for_each_key(registry, &manifests, async |_| {
            hashes += CHILDREN;
            Ok(())
        })
        .await?;
        for_each_key(registry, &Prefix::Candidates, async |_| {
            hashes += 2;
            Ok(())
        })
        .await?;
        Ok(hashes / HASHES + 1)
    }

    pub(super) async fn read(
        registry: &Registry,
        hasher: &RandomState,
        (part, parts): (u64, u64),
    ) -> Result<Self> {
        let mut tracked = Self {
            hashes: HashSet::new(),
            part,
            parts,
        };
        for_each_key(registry, &Prefix::Candidates, async |key| {
            if let Ok(Key::Candidate { candidate, .. }) = key {
                let (repository, digest) = (candidate.repository(), candidate.digest());
                tracked.insert(hasher.hash_one((repository, digest)));
                tracked.insert(hasher.hash_one(digest));
            }
            Ok(())
        })
        .await?;
        for_each_key(registry, &Prefix::Uploads, async |key| {
            let Ok(key @ Key::Upload(_)) = key else {
                return Ok(());
            };
            let Some(entry) = registry.metadata.get(&key).await? else {
                return Ok(());
            };
            let (upload, _): (Upload, _) = records::decode(&key, &entry)?;
            if let Some(digest) = &upload.finishing {
                tracked.insert(hasher.hash_one((&upload.repository, digest)));
                tracked.insert(hasher.hash_one(digest));
            }
            Ok(())
        })
        .await?;
        let manifests = Prefix::Family(Family::Manifests);
        for_each_key(registry, &manifests, async |key| {
            let Ok(key) = key else {
                return Ok(());
            };
            let (Key::Manifest(repository, _), Some(entry)) =
                (&key, registry.metadata.get(&key).await?)
            else {
                return Ok(());
            };
            let (manifest, _): (Manifest, _) = records::decode(&key, &entry)?;
            for child in &manifest.children {
                tracked.insert(hasher.hash_one((repository, child)));
            }
            Ok(())
        })
        .await?;
        Ok(tracked)
    }

    fn insert(&mut self, hash: u64) {
        if hash % self.parts == self.part {
            self.hashes.insert(hash);
        }
    }

    /// It is tracked, or belongs to another part.
    pub(super) fn covers(&self, hash: u64) -> bool {
        hash % self.parts != self.part || self.hashes.contains(&hash)
    }
}
