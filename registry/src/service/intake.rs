//! The way of an upload's bytes: from the request in blocks, hashed and written side by side.
//!
//! At most a few blocks of an upload are in memory at a time, whatever its size.

use bytes::{Bytes, BytesMut};
use cairn_spec::Digest;
use futures_util::StreamExt;
use tokio::task::JoinHandle;
use ulid::Ulid;

use super::{
    Registry,
    hashes::{HashPipeline, Hashes},
};
use crate::{
    Error, Result,
    records::{self, Upload},
    storage::{Batch, Chunks, Key, PayloadKey, PayloadWriter, Version, Write},
};

/// How many bytes are hashed and written at once: enough that handing them to another thread
/// costs little beside the work.
const BLOCK_BYTES: usize = 512 * 1024;

/// An upload while one request works on it.
pub(super) struct Session {
    pub(super) id: Ulid,
    /// The record as it is stored, or as it will be.
    pub(super) record: Upload,
    /// The stored record's body.
    pub(super) body: Bytes,
    /// The stored record's version, if it is stored.
    pub(super) version: Option<Version>,
    /// A client was told the identifier and may come back with it.
    pub(super) is_known_to_client: bool,
    /// What this request has received is counted here and in `hashes` and `content` only.
    pub(super) received_bytes: u64,
    pub(super) hashes: Hashes,
    pub(super) content: Content,
    /// The record being written while the bytes come in.
    pub(super) announcement: Option<JoinHandle<Result<Version>>>,
}

/// Where an upload's bytes go.
pub(super) enum Content {
    /// Little was received so far; it is kept with the record.
    Inline(BytesMut),
    /// More was received.
    Payload(Box<dyn PayloadWriter>),
}

/// How a request's body ended.
#[derive(Debug)]
pub(super) enum Received {
    /// At its end.
    Whole,
    /// Before its end. What came before is good.
    Broken(Error),
    /// Before its end, for there is no room for more. The upload cannot succeed.
    Refused(Error),
}

impl Session {
    /// The upload's record among the others.
    pub(super) fn key(&self) -> Key {
        Key::Upload(self.id)
    }

    /// The write that stores the record as it is now.
    pub(super) fn write(&self, body: &[u8]) -> Result<Write> {
        let value = records::encode(&self.record, body)?;
        Ok(match self.version.clone() {
            None => Write::put_new(self.key(), value),
            Some(version) => Write::put_if(self.key(), version, value),
        })
    }

    /// The key of the upload's payload, should it need one.
    pub(super) fn payload_key(&self) -> PayloadKey {
        PayloadKey(self.id)
    }
}

impl Registry {
    /// Takes in a request's body.
    ///
    /// Fails when the body is too large or the store fails; the upload then stands where it stood
    /// before this request.
    pub(super) async fn receive(
        &self,
        session: &mut Session,
        body: &mut Chunks,
        limit_bytes: u64,
    ) -> Result<Received> {
        let received = self.take_in(session, body, limit_bytes).await;
        if received.is_err() {
            // The next request must not find this one's announcement under way.
            self.settle(session).await?;
        }
        received.map_err(|error| match error {
            Error::PayloadMissing { .. } => Error::UploadUnknown(session.id.to_string()),
            error => error,
        })
    }

    async fn take_in(
        &self,
        session: &mut Session,
        body: &mut Chunks,
        limit_bytes: u64,
    ) -> Result<Received> {
        let mut pipeline: Option<HashPipeline> = None;
        let mut taken_bytes = 0;
        loop {
            let block = next_block(body).await;
            taken_bytes += block.size_bytes;
            session.received_bytes += block.size_bytes;
            if taken_bytes > limit_bytes {
                return Err(Error::BlobTooLarge { limit_bytes });
            }
            if session.received_bytes > self.limits.blob_bytes {
                let limit_bytes = self.limits.blob_bytes;
                return Err(Error::BlobTooLarge { limit_bytes });
            }
            if matches!(block.end, BlockEnd::More) {
                // Far from its end, an upload that cannot succeed is not taken in.
                let to = &session.record.repository;
                match self.reserve(to, session.received_bytes).await {
                    Err(error @ Error::QuotaExceeded { .. }) => {
                        return Ok(Received::Refused(error));
                    }
                    reserved => drop(reserved?),
                }
            }
            if pipeline.is_none() && matches!(block.end, BlockEnd::More) {
                pipeline = Some(std::mem::take(&mut session.hashes).into_pipeline());
            }
            match &pipeline {
                Some(pipeline) => pipeline.update(&block.chunks).await?,
                // All of it is here: one block is hashed sooner than another thread wakes up.
                None => session.hashes.update(&block.chunks),
            }
            self.store(session, block.chunks).await?;
            let received = match block.end {
                BlockEnd::More => continue,
                BlockEnd::Last => Received::Whole,
                BlockEnd::Broken(error) => Received::Broken(error),
            };
            if let Some(pipeline) = pipeline {
                session.hashes = pipeline.finish().await?;
            }
            return Ok(received);
        }
    }

    async fn store(&self, session: &mut Session, chunks: Vec<Bytes>) -> Result<()> {
        if chunks.is_empty() {
            return Ok(());
        }
        match &mut session.content {
            Content::Payload(writer) => writer.write(chunks).await,
            Content::Inline(bytes) if session.received_bytes <= self.limits.inline_blob_bytes => {
                for chunk in chunks {
                    bytes.extend_from_slice(&chunk);
                }
                Ok(())
            }
            Content::Inline(bytes) => {
                let mut all = vec![std::mem::take(bytes).freeze()];
                all.extend(chunks);
                let mut writer = self.payloads.begin(session.payload_key()).await?;
                self.announce(session, None).await?;
                writer.write(all).await?;
                session.content = Content::Payload(writer);
                Ok(())
            }
        }
    }

    /// Makes the record durable, with the blob that the upload is about to become: what it says
    /// must be known before the payload is committed.
    ///
    /// The write goes on while bytes come in; [`Registry::settle`] waits for it.
    pub(super) async fn announce(
        &self,
        session: &mut Session,
        finishing: Option<&Digest>,
    ) -> Result<()> {
        self.settle(session).await?;
        if let Some(finishing) = finishing {
            session.record.finishing = Some(finishing.clone());
        }
        session.record.updated_unix_s = self.now_unix_s();
        let write = session.write(&session.body)?;
        let metadata = std::sync::Arc::clone(&self.metadata);
        session.announcement = Some(self.tasks.spawn(async move {
            let versions = metadata.write(Batch::durable([write])).await?;
            versions.into_iter().next().flatten().ok_or(Error::Closed)
        }));
        Ok(())
    }

    /// Waits until what was announced is durable.
    pub(super) async fn settle(&self, session: &mut Session) -> Result<()> {
        let Some(announcement) = session.announcement.take() else {
            return Ok(());
        };
        match announcement.await.map_err(|_| Error::Closed)? {
            Ok(version) => {
                session.version = Some(version);
                Ok(())
            }
            // The upload was cancelled meanwhile.
            Err(Error::Conflict { .. }) => Err(Error::UploadUnknown(session.id.to_string())),
            Err(error) => Err(error),
        }
    }
}

struct Block {
    chunks: Vec<Bytes>,
    size_bytes: u64,
    end: BlockEnd,
}

enum BlockEnd {
    More,
    Last,
    Broken(Error),
}

async fn next_block(body: &mut Chunks) -> Block {
    let mut chunks = Vec::new();
    let mut size = 0;
    let end = loop {
        match body.next().await {
            None => break BlockEnd::Last,
            Some(Err(error)) => break BlockEnd::Broken(error),
            Some(Ok(chunk)) if chunk.is_empty() => {}
            Some(Ok(chunk)) => {
                size += chunk.len();
                chunks.push(chunk);
                if size >= BLOCK_BYTES {
                    break BlockEnd::More;
                }
            }
        }
    };
    Block {
        chunks,
        size_bytes: size as u64,
        end,
    }
}
