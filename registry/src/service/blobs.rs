//! Blobs: looking at them, reading, deleting, mounting, and the step that publishes one.

use std::ops::Range;

use bytes::Bytes;
use cairn_spec::{Digest, RepositoryName};
use futures_util::{StreamExt, stream};

use super::{Attempts, Registry};
use crate::{
    Error, Result,
    auth::Readable,
    records::{self, Blob, Location, State},
    storage::{Batch, Candidate, Change, Chunks, Entry, Key, PayloadKey, Prefix, Write},
};

/// Repositories looked at when a mount names none; any one that holds the blob will do.
const MOUNT_SOURCES: usize = 8;
/// How many of them are listed at once, and in all, to find some that the client may read.
const MOUNT_PAGE: usize = 64;
const MOUNT_SEARCHED: usize = 4096;

/// A blob that a repository holds.
#[derive(Debug, Clone)]
pub(crate) struct BlobInfo {
    pub(crate) size_bytes: u64,
    pub(crate) content: BlobContent,
}

/// A blob's bytes, or where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BlobContent {
    Inline(Bytes),
    Payload(PayloadKey),
}

impl BlobContent {
    fn location(&self) -> Location {
        match self {
            Self::Inline(_) => Location::Inline,
            Self::Payload(key) => Location::Payload(*key),
        }
    }

    fn body(&self) -> &[u8] {
        match self {
            Self::Inline(bytes) => bytes,
            Self::Payload(_) => &[],
        }
    }
}

/// Who provides the bytes of a published blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    /// The content offered with the request.
    Offered,
    /// Content that was there before, perhaps because another request for the same upload had
    /// published the same payload.
    Existing(Location),
}

/// How garbage collection will find a blob that is being published, should a crash leave it half
/// done or nobody refer to it.
#[derive(Debug, Clone)]
pub(super) enum Tracking {
    /// A record tells it already.
    UnderWay,
    /// This write is to come first.
    Begin(Write),
}

impl Tracking {
    fn is_of(&self, key: &str) -> bool {
        matches!(self, Self::Begin(write) if write.key.to_string() == key)
    }
}

/// A blob's record as it was read.
pub(crate) struct Read {
    pub(crate) entry: Entry,
    pub(crate) blob: Blob,
    pub(crate) body: Bytes,
}

impl Registry {
    /// The blob, for a client that may go on to rely on it.
    pub(crate) async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<BlobInfo> {
        let unknown = || Error::BlobUnknown {
            repository: repository.clone(),
            digest: digest.clone(),
        };
        let key = Key::RepositoryBlob(digest.clone(), repository.clone());
        let mut attempts = Attempts::at(&key);
        loop {
            attempts.next().await?;
            let read = self.read_blob(&key).await?.ok_or_else(unknown)?;
            if self.is_stale(read.blob.touched_unix_s) {
                match self.touch(&key, &read).await {
                    Err(Error::Conflict { .. }) => continue,
                    touched => touched?,
                }
            }
            let info = info(&read);
            if matches!(&info.content, BlobContent::Inline(bytes) if !digest.matches(bytes)) {
                return Err(Error::corrupt(&key, "its content has another digest"));
            }
            return Ok(info);
        }
    }

    /// Streams a range of a blob's bytes.
    pub(crate) async fn read_range(&self, blob: &BlobInfo, range: Range<u64>) -> Result<Chunks> {
        match &blob.content {
            BlobContent::Payload(key) => self.payloads.read(*key, range).await,
            BlobContent::Inline(bytes) => {
                let index = |position| usize::try_from(position).unwrap_or(usize::MAX);
                let piece = bytes.slice(index(range.start)..index(range.end));
                Ok(stream::iter((!piece.is_empty()).then_some(Ok(piece))).boxed())
            }
        }
    }

    /// A URL by which a client reads a blob from the store itself; `None` if it has to be served.
    pub(crate) async fn signed_url(&self, blob: &BlobInfo) -> Result<Option<String>> {
        match &blob.content {
            BlobContent::Payload(key) => self.payloads.signed_url(*key).await,
            BlobContent::Inline(_) => Ok(None),
        }
    }

    /// Takes a blob out of a repository; other repositories keep it.
    pub(crate) async fn delete_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<()> {
        let unknown = || Error::BlobUnknown {
            repository: repository.clone(),
            digest: digest.clone(),
        };
        let key = Key::RepositoryBlob(digest.clone(), repository.clone());
        let mut attempts = Attempts::at(&key);
        loop {
            attempts.next().await?;
            let read = self.read_blob(&key).await?.ok_or_else(unknown)?;
            let candidate = Candidate::Blob(repository.clone(), digest.clone());
            let writes = [
                self.review(candidate),
                Write::delete_if(key.clone(), read.entry.version),
            ];
            match self.metadata.write(Batch::durable(writes)).await {
                Err(Error::Conflict { .. }) => {}
                deleted => return deleted.map(drop),
            }
        }
    }

    /// Makes a blob that another repository holds visible in this one; false when none does that
    /// the client may read.
    pub(crate) async fn mount(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        from: Option<&RepositoryName>,
        readable: &Readable,
    ) -> Result<bool> {
        let sources = match from {
            Some(from) if readable.includes(from) => vec![from.clone()],
            Some(_) => Vec::new(),
            None => self.holders(digest, readable).await?,
        };
        for source in sources {
            let key = Key::RepositoryBlob(digest.clone(), source);
            if self.read_blob(&key).await?.is_some() {
                return self.mount_stored(repository, digest).await;
            }
        }
        Ok(false)
    }

    /// Some repositories that hold a blob and may be read.
    async fn holders(&self, digest: &Digest, readable: &Readable) -> Result<Vec<RepositoryName>> {
        let prefix = Prefix::BlobRepositories(digest.clone());
        let mut holders = Vec::new();
        let mut last: Option<String> = None;
        for _ in 0..MOUNT_SEARCHED / MOUNT_PAGE {
            let names = self
                .metadata
                .list(&prefix, last.as_deref(), MOUNT_PAGE)
                .await?;
            let names_read: Vec<RepositoryName> =
                names.iter().filter_map(|name| name.parse().ok()).collect();
            holders.extend(
                names_read
                    .into_iter()
                    .filter(|name| readable.includes(name)),
            );
            if holders.len() >= MOUNT_SOURCES || names.len() < MOUNT_PAGE {
                break;
            }
            last = names.last().cloned();
        }
        holders.truncate(MOUNT_SOURCES);
        Ok(holders)
    }

    /// Makes a stored blob visible in a repository; false when it is not stored.
    pub(crate) async fn mount_stored(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool> {
        let tracking = self.track_blob(repository, digest);
        let linked = self.publish(repository, digest, None, tracking).await;
        Ok(linked?.is_some())
    }

    /// The blob is stored, whichever repositories hold it.
    pub(crate) async fn is_stored(&self, digest: &Digest) -> Result<bool> {
        let stored = self.read_blob(&Key::Blob(digest.clone())).await?;
        Ok(stored.is_some())
    }

    /// Makes verified content a blob of a repository.
    ///
    /// If the blob is stored already, the content offered is not used; a payload is then left over
    /// for the caller to delete. Returns `None` if the blob is neither stored nor offered.
    pub(super) async fn publish(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        offered: Option<&BlobInfo>,
        mut tracking: Tracking,
    ) -> Result<Option<Published>> {
        let blob_key = Key::Blob(digest.clone());
        let mut started_s = self.clock.steady_s();
        let mut attempts = Attempts::at(&blob_key);
        loop {
            attempts.next().await?;
            let stored = self.read_any(&blob_key).await?;
            let live = stored
                .as_ref()
                .filter(|read| read.blob.state == State::Live);
            let (outcome, content) = match (live, offered) {
                (Some(read), _) => (Published::Existing(read.blob.location), info(read)),
                (None, Some(offered)) => (Published::Offered, offered.clone()),
                (None, None) => return Ok(None),
            };
            // A crash may stop between any two of these: the first one finds the blob, and a blob
            // without repository is invisible.
            let mut writes = Vec::new();
            if let Tracking::Begin(write) = &tracking {
                writes.push(write.clone());
            }
            let membership = self.join(repository, digest, &content).await?;
            let _reserved = match &membership {
                Some(write) if matches!(write.change, Change::PutNew(_)) => {
                    self.reserve(repository, content.size_bytes).await?
                }
                _ => None,
            };
            match outcome {
                Published::Offered => {
                    if let Some(read) = &stored {
                        self.delete_condemned(&read.blob).await?;
                    }
                    let value = live_record(&content, self.now_unix_s())?;
                    let present = stored.as_ref().map(|read| &read.entry);
                    writes.push(Write::upsert(blob_key.clone(), present, value));
                    writes.extend(membership);
                }
                // Garbage collection that has not seen the new member cannot take the blob: it was
                // touched since, or the touch fails and with it the membership.
                Published::Existing(_) => {
                    if let Some(read) = live.filter(|read| self.is_stale(read.blob.touched_unix_s))
                    {
                        writes.push(touched(&blob_key, read, self.now_unix_s())?);
                    }
                    writes.extend(membership);
                }
            }
            match self.metadata.write(Batch::durable(writes)).await {
                Err(Error::Conflict { key }) if tracking.is_of(&key) => {
                    return Err(Error::Conflict { key });
                }
                Err(Error::Conflict { .. }) => {
                    if self.has_begun(&tracking).await? {
                        tracking = Tracking::UnderWay;
                    }
                    continue;
                }
                written => {
                    written?;
                }
            }
            if !self.is_late(started_s) || self.verify_member(repository, digest).await? {
                return Ok(Some(outcome));
            }
            // An offered payload may have been collected as well: the client has to send it again.
            if outcome == Published::Offered {
                return Err(Error::Contended {
                    what: digest.to_string(),
                });
            }
            started_s = self.clock.steady_s();
        }
    }

    /// The candidate that lets garbage collection find a blob.
    pub(super) fn track_blob(&self, repository: &RepositoryName, digest: &Digest) -> Tracking {
        let candidate = Candidate::Blob(repository.clone(), digest.clone());
        Tracking::Begin(self.review(candidate))
    }

    /// Of a batch that met a conflict, the first write may have happened all the same.
    async fn has_begun(&self, tracking: &Tracking) -> Result<bool> {
        let Tracking::Begin(Write {
            key,
            change: Change::Put(value) | Change::PutNew(value) | Change::PutIf(_, value),
        }) = tracking
        else {
            return Ok(true);
        };
        let present = self.metadata.get(key).await?;
        Ok(present.is_some_and(|entry| entry.value == *value))
    }

    /// A repository holds a blob.
    pub(crate) async fn holds_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool> {
        let key = Key::RepositoryBlob(digest.clone(), repository.clone());
        Ok(self.read_blob(&key).await?.is_some())
    }

    /// Looks once more whether the blob is there that a repository was given after a long wait;
    /// takes it back if not.
    async fn verify_member(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool> {
        let key = Key::RepositoryBlob(digest.clone(), repository.clone());
        let Some(member) = self.read_any(&key).await? else {
            return Ok(false);
        };
        let stored = self.read_blob(&Key::Blob(digest.clone())).await?;
        if stored.is_some_and(|stored| stored.blob.location == member.blob.location) {
            return Ok(true);
        }
        let write = Write::delete_if(key, member.entry.version);
        match self.metadata.write(Batch::durable([write])).await {
            Err(Error::Conflict { .. }) => Ok(false),
            removed => removed.map(|_| false),
        }
    }

    /// Deletes the payload of a blob that garbage collection gave up. Payload keys are never used
    /// again, so this cannot hit live content, however late it comes.
    pub(crate) async fn delete_condemned(&self, blob: &Blob) -> Result<()> {
        match (blob.state, blob.location) {
            (State::Deleting, Location::Payload(payload)) => self.payloads.delete(payload).await,
            (State::Deleting, Location::Inline) | (State::Live, _) => Ok(()),
        }
    }

    /// The write that makes a blob a member of a repository, unless it is one.
    async fn join(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        content: &BlobInfo,
    ) -> Result<Option<Write>> {
        let key = Key::RepositoryBlob(digest.clone(), repository.clone());
        let present = self.read_any(&key).await?;
        if let Some(read) = &present
            && read.blob.state == State::Live
            && read.blob.location == content.content.location()
            && !self.is_stale(read.blob.touched_unix_s)
        {
            return Ok(None);
        }
        let entry = present.as_ref().map(|read| &read.entry);
        let value = live_record(content, self.now_unix_s())?;
        Ok(Some(Write::upsert(key, entry, value)))
    }

    async fn touch(&self, key: &Key, read: &Read) -> Result<()> {
        let write = touched(key, read, self.now_unix_s())?;
        self.metadata.write(Batch::durable([write])).await.map(drop)
    }

    /// A record in the state readers see.
    async fn read_blob(&self, key: &Key) -> Result<Option<Read>> {
        let read = self.read_any(key).await?;
        Ok(read.filter(|read| read.blob.state == State::Live))
    }

    pub(crate) async fn read_any(&self, key: &Key) -> Result<Option<Read>> {
        let Some(entry) = self.metadata.get(key).await? else {
            return Ok(None);
        };
        let (blob, body) = records::decode(key, &entry)?;
        Ok(Some(Read { entry, blob, body }))
    }
}

fn info(read: &Read) -> BlobInfo {
    BlobInfo {
        size_bytes: read.blob.size_bytes,
        content: match read.blob.location {
            Location::Inline => BlobContent::Inline(read.body.clone()),
            Location::Payload(key) => BlobContent::Payload(key),
        },
    }
}

fn live_record(blob: &BlobInfo, now_unix_s: u64) -> Result<Bytes> {
    let record = Blob {
        size_bytes: blob.size_bytes,
        location: blob.content.location(),
        touched_unix_s: now_unix_s,
        state: State::Live,
    };
    records::encode(&record, blob.content.body())
}

fn touched(key: &Key, read: &Read, now_unix_s: u64) -> Result<Write> {
    let mut blob = read.blob.clone();
    blob.touched_unix_s = now_unix_s;
    let value = records::encode(&blob, &read.body)?;
    Ok(Write::put_if(
        key.clone(),
        read.entry.version.clone(),
        value,
    ))
}
