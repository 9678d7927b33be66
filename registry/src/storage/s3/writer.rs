//! One payload on its way into the bucket. At most one part of it is in memory.

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, future::BoxFuture};
use ulid::Ulid;

use super::{
    attempts::{Failure, Kind},
    bucket::{Condition, Joined, failed},
    payloads::{Parts, S3Payloads, State},
};
use crate::{
    Error, Result,
    storage::{Committed, Parked, PayloadKey, PayloadWriter},
};

/// Parts of one object, at most, on every store.
const MOST_PARTS: usize = 10_000;

pub(super) struct S3Writer {
    pub(super) payloads: S3Payloads,
    pub(super) key: PayloadKey,
    /// What was stored so far.
    pub(super) state: State,
    /// What follows it, always less than a part between two calls. The tail holds a prefix of it.
    pub(super) buffer: BytesMut,
}

impl S3Writer {
    async fn append(&mut self, chunks: Vec<Bytes>) -> Result<()> {
        let part_bytes = self.payloads.part_bytes;
        for mut chunk in chunks {
            while self.buffer.len() + chunk.len() >= part_bytes {
                let missing = part_bytes - self.buffer.len();
                self.buffer.extend_from_slice(&chunk.split_to(missing));
                let part = self.buffer.split().freeze();
                self.put_part(part).await?;
            }
            self.buffer.extend_from_slice(&chunk);
        }
        Ok(())
    }

    async fn put_part(&mut self, bytes: Bytes) -> Result<()> {
        let key = self.key.to_string();
        let bucket = &self.payloads.bucket;
        let parts = match &mut self.state.parts {
            Some(parts) => parts,
            none => {
                let writer = Ulid::new().to_string();
                let upload_id = bucket.start_parts(&key, &writer).await?;
                none.insert(Parts {
                    upload_id,
                    writer,
                    etags: Vec::new(),
                })
            }
        };
        if parts.etags.len() == MOST_PARTS {
            let detail = format!("it has more than {MOST_PARTS} parts: configure larger ones");
            return Err(failed("write", &key, Failure::new(Kind::Final, detail)));
        }
        let number = i32::try_from(parts.etags.len() + 1).unwrap_or(i32::MAX);
        let etag = bucket
            .put_part(&key, &parts.upload_id, number, &bytes)
            .await?;
        let etag = etag.ok_or(Error::PayloadMissing { key: self.key })?;
        parts.etags.push(etag);
        Ok(())
    }

    async fn store_tail(mut self) -> Result<Parked> {
        let bucket = &self.payloads.bucket;
        if let Some(unused) = self.state.replaced_tail.take() {
            let tail = S3Payloads::tail_key(self.key, unused);
            bucket.delete(&tail).await?;
        }
        self.state.replaced_tail = self.state.tail.take();
        if !self.buffer.is_empty() {
            let tail = Ulid::new();
            let key = S3Payloads::tail_key(self.key, tail);
            let bytes = self.buffer.freeze();
            bucket.put(&key, &bytes, Condition::None).await?;
            self.state.tail = Some(tail);
        }
        let state = serde_json::to_string(&self.state)
            .map_err(|source| Error::storage(format!("park the payload {}", self.key), source))?;
        Ok(Parked(state))
    }

    async fn publish(mut self) -> Result<Committed> {
        let key = self.key.to_string();
        let Some(writer) = self.state.parts.as_ref().map(|parts| parts.writer.clone()) else {
            self.put_whole(&key).await?;
            self.remove_tails().await;
            return Ok(Committed::Now);
        };
        let joined = match self.join_parts(&key).await {
            // Parts go away when they are joined, too.
            Err(Error::PayloadMissing { .. }) => {
                let bucket = &self.payloads.bucket;
                bucket.joined_before(&key, &writer).await?
            }
            joined => joined?,
        };
        let committed = match joined {
            Joined::Now => Committed::Now,
            Joined::Before => Committed::Before,
            Joined::Never => {
                self.give_up().await?;
                return Err(Error::Conflict { key });
            }
        };
        self.remove_tails().await;
        Ok(committed)
    }

    async fn put_whole(&mut self, key: &str) -> Result<()> {
        let bucket = &self.payloads.bucket;
        let bytes = self.buffer.split().freeze();
        if bucket.put(key, &bytes, Condition::Absent).await?.is_some() {
            return Ok(());
        }
        // Another request ended the same upload: harmless only if its bytes are the same.
        match bucket.read(key).await? {
            Some(object) if object.bytes == bytes => Ok(()),
            _ => Err(Error::Conflict {
                key: key.to_owned(),
            }),
        }
    }

    async fn join_parts(&mut self, key: &str) -> Result<Joined> {
        let rest = self.buffer.split().freeze();
        if !rest.is_empty() {
            self.put_part(rest).await?;
        }
        let Some(parts) = &self.state.parts else {
            return Ok(Joined::Never);
        };
        let bucket = &self.payloads.bucket;
        bucket
            .join_parts(key, &parts.upload_id, &parts.etags, &parts.writer)
            .await
    }

    /// What is left over is found again, and nobody needs it.
    async fn remove_tails(&mut self) {
        let tails = [self.state.tail.take(), self.state.replaced_tail.take()];
        for tail in tails.into_iter().flatten() {
            let key = S3Payloads::tail_key(self.key, tail);
            if let Err(error) = self.payloads.bucket.delete(&key).await {
                tracing::debug!(%error, "failed to remove the tail of a payload");
            }
        }
    }

    async fn give_up(mut self) -> Result<()> {
        if let Some(parts) = self.state.parts.take() {
            let key = self.key.to_string();
            let bucket = &self.payloads.bucket;
            bucket.abort_parts(&key, &parts.upload_id).await?;
        }
        self.remove_tails().await;
        Ok(())
    }
}

impl PayloadWriter for S3Writer {
    fn write(&mut self, chunks: Vec<Bytes>) -> BoxFuture<'_, Result<()>> {
        self.append(chunks).boxed()
    }

    fn park(self: Box<Self>) -> BoxFuture<'static, Result<Parked>> {
        self.store_tail().boxed()
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<Committed>> {
        self.publish().boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        self.give_up().boxed()
    }
}
