//! Manifests: pushing, with their tags and their place among referrers, reading and deleting.

use std::collections::HashSet;

use bytes::Bytes;
use cairn_spec::{Digest, RepositoryName, Tag};
use futures_util::{StreamExt, TryStreamExt, stream};
use moka::future::Cache;

use super::{
    Attempts, Reference, Registry,
    admission::digest_of,
    documents::{Child, Document},
};
use crate::{
    Error, Result,
    quota::Reserved,
    records::{self, Manifest, Repository},
    storage::{Batch, Candidate, Change, Entry, Key, Prefix, Version, Write},
};

/// Manifests kept in memory to answer for their tags, in bytes: some thousands of them.
const KNOWN_MANIFESTS_BYTES: u64 = 16 * 1024 * 1024;
/// Children of one manifest that are looked up at a time.
const CHILD_LOOKUPS: usize = 16;
/// Tags on one manifest that are removed with it in one batch.
const TAG_REMOVALS: usize = 1000;

/// A manifest as a client sends it.
#[derive(Debug, Clone)]
pub(crate) struct ManifestPush {
    pub(crate) repository: RepositoryName,
    pub(crate) reference: Reference,
    /// Tags to put on it besides.
    pub(crate) tags: Vec<Tag>,
    pub(crate) content_type: Option<String>,
    pub(crate) bytes: Bytes,
    /// The upstream that it comes from, if no client sends it. What it references need not be here
    /// then, and tags that clients set stay as they are.
    pub(crate) upstream: Option<String>,
}

/// A manifest as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) subject: Option<Digest>,
    pub(crate) bytes: Bytes,
}

/// A manifest that was read and verified.
#[derive(Debug, Clone)]
pub(super) struct KnownManifest {
    stored: Stored,
    touched_unix_s: u64,
}

impl KnownManifest {
    /// A cache of them that forgets what was not asked for.
    pub(super) fn cache() -> Cache<Key, Self> {
        Cache::builder()
            .max_capacity(KNOWN_MANIFESTS_BYTES)
            .weigher(|_, known: &Self| u32::try_from(known.stored.bytes.len()).unwrap_or(u32::MAX))
            .build()
    }
}

/// Which manifest may be deleted.
#[derive(Clone, Copy)]
enum Removal<'a> {
    /// Any, and its tags with it.
    WithTags,
    /// One without tags, at this version if one is given.
    Untagged(Option<&'a Version>),
}

/// A push that was understood and whose children are present.
struct Checked {
    repository: RepositoryName,
    digest: Digest,
    document: Document,
    tags: Vec<Tag>,
    bytes: Bytes,
    upstream: Option<String>,
}

impl Checked {
    fn stored(&self) -> Stored {
        Stored {
            digest: self.digest.clone(),
            media_type: self.document.media_type.clone(),
            subject: self.document.subject.clone(),
            bytes: self.bytes.clone(),
        }
    }
}

impl Registry {
    /// Stores a manifest and puts tags on it.
    pub(crate) async fn push_manifest(&self, push: ManifestPush) -> Result<Stored> {
        let started_s = self.clock.steady_s();
        let checked = self.check(push).await?;
        let (repository, tags) = (&checked.repository, &checked.tags);
        let stored = checked.stored();
        self.require_trust_for_tags(repository, tags, &stored)
            .await?;
        let key = Key::Manifest(checked.repository.clone(), checked.digest.clone());
        let locks = self.locks.acquire(lock_names(&checked, &key)).await;
        let mut attempts = Attempts::at(&key);
        loop {
            attempts.next().await?;
            let writes = self.plan_push(&checked, &key).await?;
            let _reserved = self.reserve_push(&checked, &writes).await?;
            let tagged = writes.iter().any(|write| matches!(write.key, Key::Tag(..)));
            if !writes.is_empty() {
                match self.metadata.write(Batch::durable(writes)).await {
                    Err(Error::Conflict { .. }) => continue,
                    written => written?,
                };
            }
            // Where batches are not atomic, a deletion may have come between manifest and tag.
            if tagged && self.metadata.get(&key).await?.is_none() {
                continue;
            }
            drop(locks);
            if self.is_late(started_s) {
                self.verify_push(&checked).await?;
            }
            self.signatures_arrived(repository, stored.subject.as_ref(), tags)
                .await;
            return Ok(stored);
        }
    }

    /// The manifest, for a client that may go on to rely on it.
    pub(crate) async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Stored> {
        let unknown = || Error::ManifestUnknown {
            repository: repository.clone(),
            reference: reference.to_string(),
        };
        let (digest, tagged) = match reference {
            Reference::Digest(digest) => (digest.clone(), None),
            Reference::Tag(tag) => {
                let tag = self.read_tag(repository, tag).await?;
                let tag = tag.ok_or_else(unknown)?.1;
                (tag.digest, Some(tag.media_type))
            }
        };
        let key = Key::Manifest(repository.clone(), digest.clone());
        // A tag proves that its manifest exists, and what a digest names never changes.
        if let Some(media_type) = tagged
            && let Some(known) = self.known_manifests.get(&key).await
            && known.stored.media_type == media_type
            && !self.is_stale(known.touched_unix_s)
        {
            return Ok(known.stored);
        }
        let (manifest, bytes) = self.present(&key).await?.ok_or_else(unknown)?;
        // Clients that only ask whether it is there, such as cosign, would never notice.
        if !digest.matches(&bytes) {
            return Err(Error::corrupt(&key, "its content has another digest"));
        }
        let known = KnownManifest {
            touched_unix_s: manifest.touched_unix_s,
            stored: Stored {
                digest,
                media_type: manifest.media_type,
                subject: manifest.subject,
                bytes,
            },
        };
        self.known_manifests.insert(key, known.clone()).await;
        Ok(known.stored)
    }

    /// A repository holds a manifest with all that it references.
    pub(crate) async fn holds_whole(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool> {
        let key = Key::Manifest(repository.clone(), digest.clone());
        let present = self.present(&key).await?;
        Ok(present.is_some_and(|(manifest, _)| manifest.upstream.is_none()))
    }

    /// Deletes a manifest with all tags on it.
    pub(crate) async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<()> {
        self.remove_manifest(repository, digest, Removal::WithTags)
            .await
            .map(drop)
    }

    /// Deletes a manifest if it has no tag and, if a version is given, only while its record still
    /// has it: whoever tags a manifest, or is told that it may rely on it, touches it. False if not.
    pub(crate) async fn delete_untagged_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        version: Option<&Version>,
    ) -> Result<bool> {
        self.remove_manifest(repository, digest, Removal::Untagged(version))
            .await
    }

    async fn remove_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        removal: Removal<'_>,
    ) -> Result<bool> {
        let key = Key::Manifest(repository.clone(), digest.clone());
        let _lock = self.locks.acquire(vec![key.to_string()]).await;
        let mut attempts = Attempts::at(&key);
        loop {
            let entry = self.metadata.get(&key).await?;
            let entry = entry.ok_or_else(|| Error::ManifestUnknown {
                repository: repository.clone(),
                reference: digest.to_string(),
            })?;
            match removal {
                Removal::WithTags => {
                    if self.untag(repository, digest).await? {
                        continue;
                    }
                }
                Removal::Untagged(version) => {
                    if version.is_some_and(|version| *version != entry.version)
                        || self.is_tagged(repository, digest).await?
                    {
                        return Ok(false);
                    }
                }
            }
            attempts.next().await?;
            let (manifest, _) = records::decode::<Manifest>(&key, &entry)?;
            let subject = manifest.subject.as_ref();
            let mut writes = self.review_after(repository, digest, &manifest);
            if let Some(subject) = subject {
                writes.extend(self.remove_referrer(repository, subject, digest).await?);
            }
            writes.extend(self.void_verdict(repository, subject).await?);
            writes.extend(self.void_verdict(repository, Some(digest)).await?);
            writes.push(Write::delete_if(key.clone(), entry.version));
            match self.metadata.write(Batch::durable(distinct(writes))).await {
                Err(Error::Conflict { .. }) => continue,
                deleted => deleted?,
            };
            self.signature_left(repository, subject).await?;
            return Ok(true);
        }
    }

    /// Everything that the deletion of a manifest may make garbage.
    pub(crate) fn review_after(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        manifest: &Manifest,
    ) -> Vec<Write> {
        let subject = manifest.subject.as_ref().unwrap_or(digest);
        let children = manifest.children.iter();
        children
            .map(|child| self.review(Candidate::Blob(repository.clone(), child.clone())))
            .chain([self.review_referrer(repository, digest, subject)])
            .collect()
    }

    /// Reads a manifest's record, and touches it when that is due.
    pub(super) async fn present(&self, key: &Key) -> Result<Option<(Manifest, Bytes)>> {
        let mut attempts = Attempts::at(key);
        loop {
            attempts.next().await?;
            let Some(entry) = self.metadata.get(key).await? else {
                return Ok(None);
            };
            let (manifest, bytes) = records::decode::<Manifest>(key, &entry)?;
            if self.is_stale(manifest.touched_unix_s) {
                let write = touched(key, &entry, self.now_unix_s())?;
                match self.metadata.write(Batch::durable([write])).await {
                    Err(Error::Conflict { .. }) => continue,
                    written => written?,
                };
            }
            return Ok(Some((manifest, bytes)));
        }
    }

    /// Understands a push, and makes sure that everything it references is there and stays.
    async fn check(&self, push: ManifestPush) -> Result<Checked> {
        let limit_bytes = self.limits.manifest_bytes;
        if push.bytes.len() as u64 > limit_bytes {
            return Err(Error::ManifestTooLarge { limit_bytes });
        }
        let mut tags = push.tags;
        let digest = match push.reference {
            Reference::Digest(digest) if digest.matches(&push.bytes) => digest,
            Reference::Digest(expected) => {
                let actual = Digest::sha256(&push.bytes);
                return Err(Error::DigestMismatch { expected, actual });
            }
            Reference::Tag(tag) => {
                tags.push(tag);
                Digest::sha256(&push.bytes)
            }
        };
        tags.sort_unstable();
        tags.dedup();
        let document = Document::parse(&push.bytes, push.content_type.as_deref())?;
        if push.upstream.is_none() {
            self.require_all(&push.repository, &document.children)
                .await?;
        }
        Ok(Checked {
            repository: push.repository,
            digest,
            document,
            tags,
            bytes: push.bytes,
            upstream: push.upstream,
        })
    }

    /// Looks once more for what a push that took too long relies on; takes it back if that is gone.
    async fn verify_push(&self, push: &Checked) -> Result<()> {
        if push.upstream.is_some() {
            return Ok(());
        }
        let children = &push.document.children;
        match self.require_all(&push.repository, children).await {
            Err(error @ Error::ManifestBlobUnknown(_)) => {
                match self.delete_manifest(&push.repository, &push.digest).await {
                    Ok(()) | Err(Error::ManifestUnknown { .. }) => Err(error),
                    Err(failed) => Err(failed),
                }
            }
            verified => verified,
        }
    }

    async fn require_all(&self, repository: &RepositoryName, children: &[Child]) -> Result<()> {
        stream::iter(children.to_vec())
            .map(|child| self.require(repository, child))
            .buffer_unordered(CHILD_LOOKUPS)
            .try_collect::<Vec<()>>()
            .await
            .map(drop)
    }

    async fn require(&self, repository: &RepositoryName, child: Child) -> Result<()> {
        if let Child::Entry(digest) = &child {
            let key = Key::Manifest(repository.clone(), digest.clone());
            if self.present(&key).await?.is_some() {
                return Ok(());
            }
        }
        match self.blob(repository, child.digest()).await {
            Err(Error::BlobUnknown { digest, .. }) => Err(Error::ManifestBlobUnknown(digest)),
            found => found.map(drop),
        }
    }

    /// The writes that complete a push, in an order of which each prefix is harmless: candidates,
    /// the manifest, its place among referrers, its tags.
    async fn plan_push(&self, push: &Checked, key: &Key) -> Result<Vec<Write>> {
        let repository = &push.repository;
        let present = self.metadata.get(key).await?;
        let mut tags = Vec::new();
        for tag in &push.tags {
            tags.extend(self.move_tag(repository, tag, &push.digest, push).await?);
        }
        let mut writes = Vec::new();
        let repository_key = Key::Repository(repository.clone());
        if self.metadata.get(&repository_key).await?.is_none() {
            let created_unix_s = self.now_unix_s();
            let value = records::encode(&Repository { created_unix_s }, &[])?;
            writes.push(Write::put_new(repository_key, value));
        }
        match &present {
            None => {
                let (repository, digest) = (repository.clone(), push.digest.clone());
                if let Some(subject) = &push.document.subject {
                    writes.push(self.review_referrer(&repository, &digest, subject));
                }
                writes.push(self.review(Candidate::Manifest(repository, digest)));
                writes.push(Write::put_new(
                    key.clone(),
                    new_record(push, self.now_unix_s())?,
                ));
            }
            // What a client pushes is no longer the upstream's: it stays.
            Some(entry) if push.upstream.is_none() && comes_from_upstream(key, entry)? => {
                let value = new_record(push, self.now_unix_s())?;
                writes.push(Write::put_if(key.clone(), entry.version.clone(), value));
            }
            // A deletion that has not seen the new tags must fail.
            Some(entry) if !tags.is_empty() || self.is_stale(touched_unix_s(key, entry)?) => {
                writes.push(touched(key, entry, self.now_unix_s())?);
            }
            Some(_) => {}
        }
        if let Some(subject) = &push.document.subject {
            let size_bytes = push.bytes.len() as u64;
            let descriptor = push.document.descriptor(&push.digest, size_bytes);
            let added = self.add_referrer(repository, subject, descriptor, present.is_none());
            writes.extend(added.await?);
        }
        writes.extend(tags);
        Ok(distinct(writes))
    }

    /// Fails if a quota does not allow what the writes of a push would add.
    async fn reserve_push(&self, push: &Checked, writes: &[Write]) -> Result<Option<Reserved>> {
        let is_new = |write: &&Write| matches!(write.change, Change::PutNew(_));
        let mut tags = Vec::new();
        let mut bytes = 0;
        for write in writes.iter().filter(is_new) {
            match &write.key {
                Key::Repository(repository) => self.require_repository(repository).await?,
                Key::Tag(_, tag) => tags.push(tag),
                Key::Manifest(..) => bytes = push.bytes.len() as u64,
                _ => {}
            }
        }
        self.require_tags(&push.repository, &tags).await?;
        if bytes == 0 {
            return Ok(None);
        }
        self.reserve(&push.repository, bytes).await
    }

    /// The writes that point a tag to a pushed manifest; none if it does already.
    async fn move_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        digest: &Digest,
        push: &Checked,
    ) -> Result<Vec<Write>> {
        let present = self.read_tag(repository, tag).await?;
        let previous = present.as_ref().map(|(_, tag)| tag.digest.clone());
        let mut writes = Vec::new();
        let is_of_upstream = present
            .as_ref()
            .is_some_and(|(_, tag)| tag.upstream.is_some());
        match &previous {
            // What clients set wins.
            Some(_) if push.upstream.is_some() && !is_of_upstream => return Ok(writes),
            Some(previous) if previous == digest && push.upstream.is_none() && is_of_upstream => {}
            Some(previous) if previous == digest => return Ok(writes),
            Some(existing) if self.is_immutable(repository, tag) => {
                return Err(Error::TagImmutable {
                    repository: repository.clone(),
                    tag: tag.clone(),
                    existing: existing.clone(),
                });
            }
            Some(previous) => {
                let candidate = Candidate::Manifest(repository.clone(), previous.clone());
                writes.push(self.review(candidate));
                writes.extend(self.touch_untagged(repository, previous).await?);
            }
            None => {}
        }
        let signed = digest_of(tag);
        writes.extend(self.void_verdict(repository, signed.as_ref()).await?);
        writes.push(self.hint(repository, digest, tag)?);
        let record = records::Tag {
            digest: digest.clone(),
            media_type: push.document.media_type.clone(),
            size_bytes: push.bytes.len() as u64,
            moved_unix_s: self.now_unix_s(),
            previous: previous.clone(),
            upstream: push.upstream.clone(),
        };
        let key = Key::Tag(repository.clone(), tag.clone());
        let entry = present.as_ref().map(|(entry, _)| entry);
        writes.push(Write::upsert(key, entry, records::encode(&record, &[])?));
        if let Some(previous) = previous.filter(|previous| previous != digest) {
            let hint = Key::ManifestTag(repository.clone(), previous, tag.clone());
            if let Some(entry) = self.metadata.get(&hint).await? {
                writes.push(Write::delete_if(hint, entry.version));
            }
        }
        Ok(writes)
    }

    /// Removes tags on a manifest; false when there were none.
    async fn untag(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool> {
        let prefix = Prefix::ManifestTags(repository.clone(), digest.clone());
        let names = self.metadata.list(&prefix, None, TAG_REMOVALS).await?;
        if names.is_empty() {
            return Ok(false);
        }
        let mut writes = Vec::new();
        let mut hints = Vec::new();
        for name in &names {
            let tag: Tag = name.parse()?;
            let signed = digest_of(&tag);
            writes.extend(self.void_verdict(repository, signed.as_ref()).await?);
            let hint = Key::ManifestTag(repository.clone(), digest.clone(), tag.clone());
            if let Some(entry) = self.metadata.get(&hint).await? {
                hints.push(Write::delete_if(hint, entry.version));
            }
            if let Some((entry, record)) = self.read_tag(repository, &tag).await?
                && record.digest == *digest
            {
                let key = Key::Tag(repository.clone(), tag);
                writes.push(Write::delete_if(key, entry.version));
            }
        }
        writes.extend(hints);
        match self.metadata.write(Batch::durable(writes)).await {
            // Somebody moved one of the tags: the caller looks again.
            Err(Error::Conflict { .. }) => Ok(true),
            removed => removed.map(|_| true),
        }
    }
}

/// Everything that a push may change, so that pushes in this process take turns.
fn lock_names(push: &Checked, key: &Key) -> Vec<String> {
    let tags = push.tags.iter().cloned();
    let tags = tags.map(|tag| Key::Tag(push.repository.clone(), tag));
    let subject = push.document.subject.iter().cloned();
    let subject = subject.map(|subject| Key::Referrers(push.repository.clone(), subject, 0));
    let names = tags.chain(subject).chain([key.clone()]);
    names.map(|key| key.to_string()).collect()
}

/// A batch names each key once; what is left out are candidates given twice.
fn distinct(writes: Vec<Write>) -> Vec<Write> {
    let mut seen = HashSet::new();
    let mut writes = writes;
    writes.retain(|write| seen.insert(write.key.clone()));
    writes
}

fn new_record(push: &Checked, now_unix_s: u64) -> Result<Bytes> {
    let children = push.document.children.iter();
    let record = Manifest {
        media_type: push.document.media_type.clone(),
        subject: push.document.subject.clone(),
        children: children.map(|child| child.digest().clone()).collect(),
        pushed_unix_s: now_unix_s,
        touched_unix_s: now_unix_s,
        upstream: push.upstream.clone(),
    };
    records::encode(&record, &push.bytes)
}

pub(super) fn touched(key: &Key, entry: &Entry, now_unix_s: u64) -> Result<Write> {
    let (mut manifest, bytes) = records::decode::<Manifest>(key, entry)?;
    manifest.touched_unix_s = now_unix_s;
    let value = records::encode(&manifest, &bytes)?;
    Ok(Write::put_if(key.clone(), entry.version.clone(), value))
}

fn comes_from_upstream(key: &Key, entry: &Entry) -> Result<bool> {
    let (manifest, _) = records::decode::<Manifest>(key, entry)?;
    Ok(manifest.upstream.is_some())
}

fn touched_unix_s(key: &Key, entry: &Entry) -> Result<u64> {
    let (manifest, _) = records::decode::<Manifest>(key, entry)?;
    Ok(manifest.touched_unix_s)
}
