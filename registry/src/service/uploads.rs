//! Upload sessions: a blob arrives in one request or in many, and perhaps across a restart.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs>

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use cairn_spec::{Digest, DigestAlgorithm, Hasher, RepositoryName};
use futures_util::StreamExt;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::{
    BlobContent, BlobInfo, Registry,
    blobs::{Published, Tracking},
    hashes::Hashes,
    intake::{Content, Received, Session},
    locks::KeyedGuard,
    upload_id::UploadId,
};
use crate::{
    Error, Result,
    records::{self, Location, Upload},
    storage::{Batch, Chunks, Committed, Key, PayloadKey, PayloadWriter, Version},
};

/// Where an upload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadStatus {
    pub(crate) id: UploadId,
    pub(crate) received_bytes: u64,
}

/// Which bytes of a blob a request says it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) first: u64,
    /// Inclusive.
    pub(crate) last: u64,
}

/// An upload's record as it was read.
struct StoredUpload {
    version: Version,
    record: Upload,
    body: Bytes,
}

impl Registry {
    /// Opens an upload. Nothing is written: the identifier alone stands for an empty one.
    pub(crate) async fn start_upload(
        &self,
        repository: &RepositoryName,
        algorithm: DigestAlgorithm,
    ) -> Result<UploadStatus> {
        self.require_room(repository).await?;
        Ok(UploadStatus {
            id: self.issue_upload_id(repository, algorithm).await?,
            received_bytes: 0,
        })
    }

    /// Where an upload stands; waits for a request that is adding to it.
    pub(crate) async fn upload_status(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
    ) -> Result<UploadStatus> {
        let _lock = self.lock_upload(id).await?;
        let stored = self.stored_upload(repository, id).await?;
        Ok(UploadStatus {
            id: id.clone(),
            received_bytes: stored.map_or(0, |stored| stored.record.received_bytes),
        })
    }

    /// Adds to an upload. When the body breaks off, what arrived of it counts.
    pub(crate) async fn append(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
        chunk: Option<Chunk>,
        body: &mut Chunks,
    ) -> Result<UploadStatus> {
        let _lock = self.lock_upload(id).await?;
        let _slot = self.upload_slot().await?;
        let mut session = self.open_session(repository, id, chunk).await?;
        let before_bytes = session.received_bytes;
        let limit_bytes = self.limits.upload_chunk_bytes;
        let received = match self.receive(&mut session, body, limit_bytes).await? {
            Received::Whole => {
                fits(chunk, session.received_bytes - before_bytes)?;
                Ok(())
            }
            Received::Broken(error) => Err(error),
            Received::Refused(error) => {
                self.abandon(session).await?;
                return Err(error);
            }
        };
        let status = UploadStatus {
            id: id.clone(),
            received_bytes: session.received_bytes,
        };
        if session.received_bytes > before_bytes {
            self.park(session).await?;
        }
        received.map(|()| status)
    }

    /// Adds the last bytes to an upload and makes it a blob, if it has the digest announced.
    ///
    /// Content with another digest ends the upload.
    pub(crate) async fn finish(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
        digest: &Digest,
        (chunk, body): (Option<Chunk>, &mut Chunks),
    ) -> Result<()> {
        let _lock = self.lock_upload(id).await?;
        let _slot = self.upload_slot().await?;
        let mut session = self.open_session(repository, id, chunk).await?;
        // What was received may be a committed payload that is about to become the other blob.
        let finishing = session.record.finishing.clone();
        if finishing.as_ref().is_some_and(|other| other != digest) {
            return Err(Error::UploadUnknown(id.to_string()));
        }
        let before_bytes = session.received_bytes;
        if before_bytes == 0 && digest.algorithm() == DigestAlgorithm::Sha512 {
            session.hashes = Hashes::new(DigestAlgorithm::Sha512);
        }
        session.record.finishing = Some(digest.clone());
        if session.record.payload.is_some() {
            self.announce(&mut session, Some(digest)).await?;
        }
        let limit_bytes = self.limits.upload_chunk_bytes;
        match self.receive(&mut session, body, limit_bytes).await? {
            Received::Whole => {
                fits(chunk, session.received_bytes - before_bytes)?;
                self.conclude(session, digest).await
            }
            Received::Refused(error) => {
                self.abandon(session).await?;
                Err(error)
            }
            Received::Broken(error) => {
                session.record.finishing = finishing;
                if session.received_bytes > before_bytes {
                    self.park(session).await?;
                }
                Err(error)
            }
        }
    }

    /// Takes a whole blob in one request, without a session the client knows of.
    pub(crate) async fn push_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        body: &mut Chunks,
    ) -> Result<()> {
        let _slot = self.upload_slot().await?;
        let mut session = self.new_session(repository, digest.algorithm());
        session.record.finishing = Some(digest.clone());
        let limit_bytes = self.limits.upload_chunk_bytes;
        match self.receive(&mut session, body, limit_bytes).await? {
            Received::Whole => self.conclude(session, digest).await,
            Received::Broken(error) | Received::Refused(error) => {
                self.abandon(session).await?;
                Err(error)
            }
        }
    }

    /// Ends an upload without a blob.
    pub(crate) async fn cancel_upload(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
    ) -> Result<()> {
        let _lock = self.lock_upload(id).await?;
        let mut session = self.new_session(repository, id.algorithm());
        session.id = id.ulid;
        if let Some(stored) = self.stored_upload(repository, id).await? {
            self.payloads.discard(PayloadKey(id.ulid)).await?;
            session.record = stored.record;
            session.version = Some(stored.version);
        }
        session.record.ended = true;
        let write = session.write(&[])?;
        match self.metadata.write(Batch::durable([write])).await {
            Err(Error::Conflict { .. }) => Err(Error::UploadUnknown(id.to_string())),
            cancelled => cancelled.map(drop),
        }
    }

    /// Makes what was received durable, and the upload resumable.
    async fn park(&self, mut session: Session) -> Result<()> {
        self.settle(&mut session).await?;
        session.record.received_bytes = session.received_bytes;
        session.record.updated_unix_s = self.now_unix_s();
        session.record.hashes = session.hashes.states();
        let placeholder = Content::Inline(BytesMut::new());
        let body = match std::mem::replace(&mut session.content, placeholder) {
            Content::Inline(bytes) => bytes.freeze(),
            Content::Payload(writer) => {
                session.record.payload = Some(writer.park().await?);
                Bytes::new()
            }
        };
        let write = session.write(&body)?;
        match self.metadata.write(Batch::durable([write])).await {
            Err(Error::Conflict { .. }) => Err(Error::UploadUnknown(session.id.to_string())),
            parked => parked.map(drop),
        }
    }

    /// Verifies what was received and publishes it.
    async fn conclude(&self, mut session: Session, digest: &Digest) -> Result<()> {
        let repository = session.record.repository.clone();
        let size_bytes = session.received_bytes;
        let known = session.hashes.digest(digest.algorithm());
        let placeholder = Content::Inline(BytesMut::new());
        match std::mem::replace(&mut session.content, placeholder) {
            Content::Inline(bytes) => {
                let bytes = bytes.freeze();
                let actual = known.unwrap_or_else(|| digest_of(digest.algorithm(), &bytes));
                self.settle(&mut session).await?;
                if actual != *digest {
                    self.abandon(session).await?;
                    return Err(mismatch(digest, actual));
                }
                let content = BlobContent::Inline(bytes);
                let blob = BlobInfo {
                    size_bytes,
                    content,
                };
                let tracking = if session.is_known_to_client {
                    session.record.updated_unix_s = self.now_unix_s();
                    Tracking::Begin(session.write(&session.body)?)
                } else {
                    self.track_blob(&repository, digest)
                };
                let published = self.publish(&repository, digest, Some(&blob), tracking);
                match published.await {
                    Err(Error::Conflict { .. }) => {
                        Err(Error::UploadUnknown(session.id.to_string()))
                    }
                    published => published.map(drop),
                }
            }
            Content::Payload(writer) => self.commit(session, writer, digest, known).await,
        }
    }

    /// Makes a payload of what was received, and publishes it; `known` is its digest if it was
    /// hashed on its way.
    async fn commit(
        &self,
        mut session: Session,
        writer: Box<dyn PayloadWriter>,
        digest: &Digest,
        known: Option<Digest>,
    ) -> Result<()> {
        if let Some(actual) = known.as_ref().filter(|actual| *actual != digest) {
            let error = mismatch(digest, actual.clone());
            session.content = Content::Payload(writer);
            self.abandon(session).await?;
            return Err(error);
        }
        if known.is_some() && self.is_stored(digest).await? {
            writer.abort().await?;
            self.settle(&mut session).await?;
            let repository = &session.record.repository;
            let tracking = Tracking::UnderWay;
            let published = self.publish(repository, digest, None, tracking).await?;
            // Garbage collection was faster: the client has to send the bytes again.
            return published.map(drop).ok_or(Error::Contended {
                what: digest.to_string(),
            });
        }
        // From its commit on, only the upload's record says what the payload is for. That must not
        // have been taken for abandoned, nor be while the blob is published.
        if self.is_stale(session.record.updated_unix_s) {
            self.announce(&mut session, Some(digest)).await?;
        }
        self.settle(&mut session).await?;
        let required =
            self.require_blob(&session.record.repository, digest, session.received_bytes);
        if let Err(error) = required.await {
            session.content = Content::Payload(writer);
            self.abandon(session).await?;
            return Err(error);
        }
        match writer.commit().await {
            Ok(committed) => {
                let verified = known.is_some() && committed == Committed::Now;
                self.publish_payload(session, digest, verified).await
            }
            Err(Error::Conflict { .. } | Error::PayloadMissing { .. }) => self.lose(session).await,
            Err(error) => Err(error),
        }
    }

    /// Publishes a committed payload; reads it first if nobody hashed it on its way, or another
    /// request committed it.
    async fn publish_payload(
        &self,
        session: Session,
        digest: &Digest,
        verified: bool,
    ) -> Result<()> {
        let key = session.payload_key();
        let size_bytes = session.received_bytes;
        if !verified {
            let hashed = self.hash_payload(key, size_bytes, digest.algorithm());
            match hashed.await {
                Ok(actual) if actual == *digest => {}
                Ok(actual) => {
                    self.payloads.delete(key).await?;
                    self.end(session).await?;
                    return Err(mismatch(digest, actual));
                }
                // Another request had committed less, or has removed it.
                Err(Error::Corrupt { .. } | Error::PayloadMissing { .. }) => {
                    return self.lose(session).await;
                }
                Err(error) => return Err(error),
            }
        }
        let content = BlobContent::Payload(key);
        let blob = BlobInfo {
            size_bytes,
            content,
        };
        let repository = &session.record.repository;
        let published = self.publish(repository, digest, Some(&blob), Tracking::UnderWay);
        match published.await {
            Ok(Some(Published::Existing(location))) if location != Location::Payload(key) => {
                self.payloads.delete(key).await
            }
            Err(refused @ Error::QuotaExceeded { .. }) => {
                // Another request may have published it before the quota was used up.
                if !self.is_stored(digest).await? {
                    self.payloads.delete(key).await?;
                }
                self.end(session).await?;
                Err(refused)
            }
            published => published.map(drop),
        }
    }

    async fn hash_payload(
        &self,
        key: PayloadKey,
        size_bytes: u64,
        algorithm: DigestAlgorithm,
    ) -> Result<Digest> {
        let mut chunks = self.payloads.read(key, 0..size_bytes).await?;
        let pipeline = Hashes::new(algorithm).into_pipeline();
        while let Some(chunk) = chunks.next().await {
            pipeline.update(&[chunk?]).await?;
        }
        let hashes = pipeline.finish().await?;
        hashes.digest(algorithm).ok_or(Error::Closed)
    }

    /// Ends a session without a blob.
    async fn abandon(&self, mut session: Session) -> Result<()> {
        self.settle(&mut session).await?;
        let placeholder = Content::Inline(BytesMut::new());
        if let Content::Payload(writer) = std::mem::replace(&mut session.content, placeholder) {
            writer.abort().await?;
        }
        self.end(session).await
    }

    /// Ends a session that can no longer become a blob; the client has to start anew.
    async fn lose(&self, session: Session) -> Result<()> {
        let unknown = Error::UploadUnknown(session.id.to_string());
        self.end(session).await?;
        Err(unknown)
    }

    /// Writes down that a session ended without a blob.
    async fn end(&self, mut session: Session) -> Result<()> {
        if session.version.is_none() && !session.is_known_to_client {
            return Ok(());
        }
        session.record.ended = true;
        let write = session.write(&[])?;
        match self.metadata.write(Batch::durable([write])).await {
            Err(Error::Conflict { .. }) => Ok(()),
            ended => ended.map(drop),
        }
    }

    async fn open_session(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
        chunk: Option<Chunk>,
    ) -> Result<Session> {
        let Some(stored) = self.stored_upload(repository, id).await? else {
            if chunk.is_some_and(|chunk| chunk.first != 0) {
                return Err(Error::UploadOutOfOrder {
                    upload: id.clone(),
                    repository: repository.clone(),
                    received_bytes: 0,
                });
            }
            let mut session = self.new_session(repository, id.algorithm());
            session.id = id.ulid;
            session.is_known_to_client = true;
            return Ok(session);
        };
        let StoredUpload {
            version,
            record,
            body,
        } = stored;
        if chunk.is_some_and(|chunk| chunk.first != record.received_bytes) {
            return Err(Error::UploadOutOfOrder {
                upload: id.clone(),
                repository: repository.clone(),
                received_bytes: record.received_bytes,
            });
        }
        let hashes = Hashes::resume(&record.hashes)
            .ok_or_else(|| Error::corrupt(Key::Upload(id.ulid), "its hash states are damaged"))?;
        let content = match record.payload.clone() {
            None => Content::Inline(BytesMut::from(&body[..])),
            Some(parked) => match self.payloads.resume(PayloadKey(id.ulid), parked).await {
                // It was committed by a request that then failed: only a new upload helps.
                Err(Error::PayloadMissing { .. }) => {
                    return Err(Error::UploadUnknown(id.to_string()));
                }
                writer => Content::Payload(writer?),
            },
        };
        Ok(Session {
            id: id.ulid,
            is_known_to_client: true,
            received_bytes: record.received_bytes,
            record,
            body,
            version: Some(version),
            hashes,
            content,
            announcement: None,
        })
    }

    fn new_session(&self, repository: &RepositoryName, algorithm: DigestAlgorithm) -> Session {
        let now_unix_s = self.now_unix_s();
        let hashes = Hashes::new(algorithm);
        Session {
            id: self.new_id(),
            record: Upload {
                repository: repository.clone(),
                started_unix_s: now_unix_s,
                updated_unix_s: now_unix_s,
                received_bytes: 0,
                hashes: hashes.states(),
                payload: None,
                finishing: None,
                ended: false,
            },
            body: Bytes::new(),
            version: None,
            is_known_to_client: false,
            received_bytes: 0,
            hashes,
            content: Content::Inline(BytesMut::new()),
            announcement: None,
        }
    }

    /// What is stored of an upload that is under way; `None` if nothing has to be yet.
    async fn stored_upload(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
    ) -> Result<Option<StoredUpload>> {
        let unknown = || Error::UploadUnknown(id.to_string());
        self.check_upload_id(repository, id).await?;
        let key = Key::Upload(id.ulid);
        let Some(entry) = self.metadata.get(&key).await? else {
            return if self.may_be_empty(id) {
                Ok(None)
            } else {
                Err(unknown())
            };
        };
        let (record, body): (Upload, _) = records::decode(&key, &entry)?;
        if record.ended || record.repository != *repository {
            return Err(unknown());
        }
        // A closing request that failed halfway may be repeated; one that succeeded may not.
        if let Some(digest) = &record.finishing
            && self.holds_blob(repository, digest).await?
        {
            return Err(unknown());
        }
        Ok(Some(StoredUpload {
            version: entry.version,
            record,
            body,
        }))
    }

    async fn lock_upload(&self, id: &UploadId) -> Result<KeyedGuard<'_>> {
        let lock = self.locks.acquire(vec![Key::Upload(id.ulid).to_string()]);
        timeout(Duration::from_secs(self.limits.upload_wait_s), lock)
            .await
            .map_err(|_| Error::TooMany {
                what: "requests to this upload",
            })
    }

    async fn upload_slot(&self) -> Result<OwnedSemaphorePermit> {
        let slot = Arc::clone(&self.upload_slots).acquire_owned();
        timeout(Duration::from_secs(self.limits.upload_wait_s), slot)
            .await
            .map_err(|_| Error::TooMany { what: "uploads" })?
            .map_err(|_| Error::Closed)
    }
}

fn digest_of(algorithm: DigestAlgorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

fn mismatch(expected: &Digest, actual: Digest) -> Error {
    Error::DigestMismatch {
        expected: expected.clone(),
        actual,
    }
}

/// The body was as long as its `Content-Range` said.
fn fits(chunk: Option<Chunk>, received_bytes: u64) -> Result<()> {
    match chunk {
        Some(chunk) if chunk.last - chunk.first + 1 != received_bytes => {
            Err(Error::ChunkInvalid(format!(
                "its range has {} bytes, but its body {received_bytes}",
                chunk.last - chunk.first + 1
            )))
        }
        _ => Ok(()),
    }
}
