//! Repairs of single records, and the rebuilding of everything that follows from other records.

use std::time::Duration;

use cairn_spec::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};

use super::{fsck::Repair, listing::for_each_key};
use crate::{
    Error, Result, quota,
    records::{self, Blob, Location, Manifest, Referrers, Repository, State, Tag},
    service::{self, Registry},
    storage::{Batch, Candidate, Entry, Family, Key, MetadataExt, Prefix, Write},
};

/// How much was rebuilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Rebuilt {
    /// Manifests gone through.
    pub manifests: u64,
    /// Tags gone through.
    pub tags: u64,
    /// Blobs gone through.
    pub blobs: u64,
    /// Records of repositories that were missing.
    pub repositories: u64,
    /// Blobs given back to repositories whose manifests refer to them.
    pub memberships: u64,
    /// Entries of referrers lists added or removed.
    pub referrers: u64,
    /// Hints on tags written.
    pub hints: u64,
    /// Candidates queued for garbage collection.
    pub candidates: u64,
    /// Repositories that were counted wrong, for quotas.
    pub usages: u64,
}

/// Repairs one finding; false when that is impossible.
pub(super) async fn apply(registry: &Registry, repair: Repair) -> Result<bool> {
    match repair {
        Repair::Impossible => return Ok(false),
        Repair::Remove(key, entry) => return remove(registry, key, entry).await,
        Repair::Hint(repository, digest, tag) => {
            let write = registry.hint(&repository, &digest, &tag)?;
            registry.metadata.write(Batch::durable([write])).await?;
        }
        Repair::Referrer(repository, subject, referrer) => {
            let settled = registry.settle_referrer(&repository, &subject, &referrer);
            settled.await?;
        }
        Repair::Recount => {
            quota::recount(registry, Duration::ZERO).await?;
        }
        Repair::Queue(repository, digest) => {
            let write = registry.review(Candidate::Blob(repository, digest));
            registry.metadata.write(Batch::durable([write])).await?;
        }
    }
    Ok(true)
}

/// Removes a record that leads nowhere. A blob is handed to garbage collection with its payload.
async fn remove(registry: &Registry, key: Key, entry: Entry) -> Result<bool> {
    let mut writes = Vec::new();
    match &key {
        Key::Blob(digest) => {
            writes.push(registry.review(Candidate::Blob(nobody()?, digest.clone())));
            let (mut blob, _): (Blob, _) = records::decode(&key, &entry)?;
            blob.state = State::Deleting;
            let value = records::encode(&blob, &[])?;
            writes.push(Write::put_if(key, entry.version, value));
        }
        Key::RepositoryBlob(digest, repository) => {
            writes.push(registry.review(Candidate::Blob(repository.clone(), digest.clone())));
            writes.push(Write::delete_if(key, entry.version));
        }
        _ => writes.push(Write::delete_if(key, entry.version)),
    }
    match registry.metadata.write(Batch::durable(writes)).await {
        Err(Error::Conflict { .. }) => Ok(false),
        removed => removed.map(|_| true),
    }
}

/// The repository that a blob without one is queued under.
pub(super) fn nobody() -> Result<RepositoryName> {
    "nobody".parse().map_err(Error::Name)
}

/// The referrers that a page of a list names.
pub(super) fn entries(key: &Key, entry: &Entry) -> Result<Vec<Digest>> {
    let (_, body): (Referrers, _) = records::decode(key, entry)?;
    let entries = service::parse_list(key, &body)?;
    Ok(entries.into_iter().map(|it| it.digest).collect())
}

/// Recomputes what follows from manifests, tags and blobs: repositories, memberships, referrers,
/// hints, and the whole queue of garbage collection.
pub(super) async fn rebuild(registry: &Registry) -> Result<Rebuilt> {
    let mut rebuilt = Rebuilt::default();
    let family = Prefix::Family(Family::Manifests);
    for_each_key(registry, &family, async |key| match key {
        Ok(key) => after_manifest(registry, key, &mut rebuilt).await,
        Err(_) => Ok(()),
    })
    .await?;
    for_each_key(
        registry,
        &Prefix::Family(Family::Tags),
        async |key| match key {
            Ok(key) => after_tag(registry, key, &mut rebuilt).await,
            Err(_) => Ok(()),
        },
    )
    .await?;
    for_each_key(
        registry,
        &Prefix::Family(Family::Referrers),
        async |key| match key {
            Ok(key) => after_list(registry, key, &mut rebuilt).await,
            Err(_) => Ok(()),
        },
    )
    .await?;
    for_each_key(
        registry,
        &Prefix::Family(Family::Memberships),
        async |key| {
            if let Ok(Key::RepositoryBlob(digest, repository)) = key {
                let candidate = Candidate::Blob(repository, digest);
                queue(registry, candidate, &mut rebuilt).await?;
            }
            Ok(())
        },
    )
    .await?;
    for_each_key(registry, &Prefix::Family(Family::Blobs), async |key| {
        if let Ok(Key::Blob(digest)) = key {
            rebuilt.blobs += 1;
            let holders = Prefix::BlobRepositories(digest.clone());
            if registry.metadata.list(&holders, None, 1).await?.is_empty() {
                let candidate = Candidate::Blob(nobody()?, digest);
                queue(registry, candidate, &mut rebuilt).await?;
            }
        }
        Ok(())
    })
    .await?;
    rebuilt.usages = quota::recount(registry, Duration::ZERO).await?;
    Ok(rebuilt)
}

async fn after_manifest(registry: &Registry, key: Key, rebuilt: &mut Rebuilt) -> Result<()> {
    let (Key::Manifest(repository, digest), Some(entry)) =
        (&key, registry.metadata.get(&key).await?)
    else {
        return Ok(());
    };
    rebuilt.manifests += 1;
    let (manifest, _): (Manifest, _) = records::decode(&key, &entry)?;
    let repository_key = Key::Repository(repository.clone());
    if registry.metadata.get(&repository_key).await?.is_none() {
        let created_unix_s = manifest.pushed_unix_s;
        let value = records::encode(&Repository { created_unix_s }, &[])?;
        registry.metadata.put_new(repository_key, value).await?;
        rebuilt.repositories += 1;
    }
    for child in &manifest.children {
        let nested = Key::Manifest(repository.clone(), child.clone());
        if registry.metadata.get(&nested).await?.is_none()
            && !is_member(registry, repository, child).await?
            && registry.mount_stored(repository, child).await?
        {
            rebuilt.memberships += 1;
        }
    }
    if let Some(subject) = &manifest.subject {
        let settled = registry.settle_referrer(repository, subject, digest);
        rebuilt.referrers += u64::from(settled.await?);
    }
    let candidate = Candidate::Manifest(repository.clone(), digest.clone());
    queue(registry, candidate, rebuilt).await
}

/// The repository's membership in a blob is there and leads to it.
async fn is_member(
    registry: &Registry,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<bool> {
    let member = Key::RepositoryBlob(digest.clone(), repository.clone());
    let member = registry.read_any(&member).await?;
    let stored = registry.read_any(&Key::Blob(digest.clone())).await?;
    let location = |read: service::Read| -> Location { read.blob.location };
    Ok(member.is_some() && member.map(location) == stored.map(location))
}

async fn after_tag(registry: &Registry, key: Key, rebuilt: &mut Rebuilt) -> Result<()> {
    let (Key::Tag(repository, tag), Some(entry)) = (&key, registry.metadata.get(&key).await?)
    else {
        return Ok(());
    };
    rebuilt.tags += 1;
    let (record, _): (Tag, _) = records::decode(&key, &entry)?;
    let hint = Key::ManifestTag(repository.clone(), record.digest.clone(), tag.clone());
    if registry.metadata.get(&hint).await?.is_none() {
        let write = registry.hint(repository, &record.digest, tag)?;
        registry.metadata.write(Batch::durable([write])).await?;
        rebuilt.hints += 1;
    }
    Ok(())
}

async fn after_list(registry: &Registry, key: Key, rebuilt: &mut Rebuilt) -> Result<()> {
    let (Key::Referrers(repository, subject, _), Some(entry)) =
        (&key, registry.metadata.get(&key).await?)
    else {
        return Ok(());
    };
    for referrer in entries(&key, &entry)? {
        let settled = registry.settle_referrer(repository, subject, &referrer);
        rebuilt.referrers += u64::from(settled.await?);
    }
    Ok(())
}

async fn queue(registry: &Registry, candidate: Candidate, rebuilt: &mut Rebuilt) -> Result<()> {
    let write = registry.review(candidate);
    registry.metadata.write(Batch::eventual([write])).await?;
    rebuilt.candidates += 1;
    Ok(())
}
