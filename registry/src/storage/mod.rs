//! The two stores below the registry: opaque payloads, and small records under ordered keys.
//!
//! Everything above speaks only to these traits. They are shaped so that a bucket with conditional
//! requests can stand behind them as well as a directory and an embedded database: payloads are
//! written once under a key nobody reuses and never copied; records change only by
//! compare-and-swap. Nothing here knows what a blob or a manifest is.

mod buffers;
pub(crate) mod checks;
mod embedded;
mod files;
mod key;
mod memory;
pub(crate) mod s3;

#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
pub(crate) mod faults;
#[cfg(test)]
pub(crate) mod home;
#[cfg(test)]
pub(crate) mod turns;

use std::{fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::{self, BoxFuture},
    stream::BoxStream,
};
use serde::{Deserialize, Serialize};

use crate::Result;

pub use checks::{Answer, Check};
pub use embedded::EmbeddedMetadata;
pub use files::FilePayloads;
pub use key::{Candidate, Family, Key, PayloadKey, Prefix, Task};
pub use memory::{MemoryMetadata, MemoryPayloads};
pub use s3::{S3Metadata, S3Payloads};

/// The bytes of a payload, in order, in pieces.
pub type Chunks = BoxStream<'static, Result<Bytes>>;

/// Opaque byte strings, each written once and then immutable.
pub trait Payloads: fmt::Debug + Send + Sync + 'static {
    /// Starts a payload. Nothing is readable under `key` before [`PayloadWriter::commit`].
    ///
    /// Starting an uncommitted key again discards what was written under it.
    fn begin(&self, key: PayloadKey) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>>;

    /// Continues a payload from a parked state; bytes written after that state are dropped.
    ///
    /// Fails with [`crate::Error::PayloadMissing`] when the state is no longer there.
    fn resume(
        &self,
        key: PayloadKey,
        parked: Parked,
    ) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>>;

    /// Reads `range` of a committed payload; the range must lie within it.
    ///
    /// A payload shorter than the range ends in an error, never in silence.
    fn read(&self, key: PayloadKey, range: Range<u64>) -> BoxFuture<'_, Result<Chunks>>;

    /// A URL by which whoever knows it can read a committed payload from the store itself, for some
    /// time; `None` if the store gives none.
    fn signed_url(&self, _key: PayloadKey) -> BoxFuture<'_, Result<Option<String>>> {
        future::ready(Ok(None)).boxed()
    }

    /// Removes a committed payload. Removing what is not there succeeds.
    fn delete(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>>;

    /// Removes an uncommitted payload. Removing what is not there succeeds.
    fn discard(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>>;

    /// The payloads that were begun and not committed, as far as they left anything in the store:
    /// some are being written, some are parked, and some were lost by a crash, which only this
    /// finds.
    fn uncommitted(&self) -> BoxFuture<'_, Result<Vec<PayloadKey>>>;
}

/// One payload being written. Dropping it leaves the payload uncommitted, as a crash would.
pub trait PayloadWriter: Send {
    /// Appends bytes. They need not be durable yet.
    fn write(&mut self, chunks: Vec<Bytes>) -> BoxFuture<'_, Result<()>>;

    /// Makes everything written durable and returns the state to resume from.
    fn park(self: Box<Self>) -> BoxFuture<'static, Result<Parked>>;

    /// Makes the payload durable and readable.
    ///
    /// Fails with [`crate::Error::PayloadMissing`] or [`crate::Error::Conflict`] when what was
    /// written before is no longer there or never will be a payload: only a new one helps.
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<Committed>>;

    /// Removes everything written.
    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>>;
}

/// When a payload was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// Now, as it was written.
    Now,
    /// Before, by a writer that did not get to say so. What it had written need not be the same.
    Before,
}

/// What an implementation of [`Payloads`] needs to continue a payload; opaque to everyone else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parked(pub String);

/// Small records under ordered keys, changed by compare-and-swap.
///
/// A read sees every write acknowledged before it began. Keys are ordered by their UTF-8 bytes.
pub trait Metadata: fmt::Debug + Send + Sync + 'static {
    /// The record under a key.
    fn get(&self, key: &Key) -> BoxFuture<'_, Result<Option<Entry>>>;

    /// Applies the writes of a batch in order; the versions returned stand in the same order.
    ///
    /// A failure or a crash leaves some prefix of the batch applied (none of it counts as one), so
    /// a batch is ordered such that each prefix is harmless. [`crate::Error::Conflict`] names the
    /// key whose condition did not hold. A batch names each key at most once.
    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Option<Version>>>>;

    /// Up to `limit` names below a prefix that follow `start_after`, in order, without the prefix.
    fn list(
        &self,
        prefix: &Prefix,
        start_after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>>>;
}

/// Single writes, for callers of [`Metadata`].
pub trait MetadataExt: Metadata {
    /// Writes a record that must not exist yet.
    fn put_new(&self, key: Key, value: Bytes) -> impl Future<Output = Result<Version>> + Send {
        single(self.write(Batch::durable([Write::put_new(key, value)])))
    }

    /// Replaces a record that must still have `version`.
    fn put_if(
        &self,
        key: Key,
        version: Version,
        value: Bytes,
    ) -> impl Future<Output = Result<Version>> + Send {
        single(self.write(Batch::durable([Write::put_if(key, version, value)])))
    }

    /// Deletes a record that must still have `version`. It may succeed if the record is gone.
    fn delete_if(&self, key: Key, version: Version) -> impl Future<Output = Result<()>> + Send {
        let deleted = self.write(Batch::durable([Write::delete_if(key, version)]));
        async move { deleted.await.map(drop) }
    }
}

impl<M: Metadata + ?Sized> MetadataExt for M {}

async fn single(written: BoxFuture<'_, Result<Vec<Option<Version>>>>) -> Result<Version> {
    let version = written.await?.into_iter().next().flatten();
    Ok(version.expect("a put returns its version"))
}

/// A record as it was read.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The record.
    pub value: Bytes,
    /// Its version, for the next compare-and-swap.
    pub version: Version,
}

/// Names one state of one record. Two different values of a key never share a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub Arc<str>);

/// Writes that belong together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The writes, in the order they take effect.
    pub writes: Vec<Write>,
    /// When the batch is acknowledged.
    pub durability: Durability,
}

impl Batch {
    /// A batch acknowledged once it survives a crash.
    pub fn durable(writes: impl Into<Vec<Write>>) -> Self {
        Self {
            writes: writes.into(),
            durability: Durability::Durable,
        }
    }

    /// A batch acknowledged once it is visible.
    pub fn eventual(writes: impl Into<Vec<Write>>) -> Self {
        Self {
            writes: writes.into(),
            durability: Durability::Eventual,
        }
    }
}

/// When a batch is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Once it survives a crash.
    Durable,
    /// Once it is visible. A crash may take it back, but never if a later durable batch survived.
    Eventual,
}

/// One conditional change of one record.
#[derive(Debug, Clone)]
pub struct Write {
    /// The record.
    pub key: Key,
    /// What happens to it.
    pub change: Change,
}

impl Write {
    /// Writes a record whatever was there; only for hints and candidates, where the last one is as
    /// good as any.
    pub fn put(key: Key, value: Bytes) -> Self {
        let change = Change::Put(value);
        Self { key, change }
    }

    /// Writes a record that must not exist yet.
    pub fn put_new(key: Key, value: Bytes) -> Self {
        let change = Change::PutNew(value);
        Self { key, change }
    }

    /// Replaces a record that must still have `version`.
    pub fn put_if(key: Key, version: Version, value: Bytes) -> Self {
        let change = Change::PutIf(version, value);
        Self { key, change }
    }

    /// Deletes a record that must still have `version`.
    pub fn delete_if(key: Key, version: Version) -> Self {
        let change = Change::DeleteIf(version);
        Self { key, change }
    }

    /// Creates a record, or replaces the one that was read.
    pub fn upsert(key: Key, read: Option<&Entry>, value: Bytes) -> Self {
        match read {
            None => Self::put_new(key, value),
            Some(entry) => Self::put_if(key, entry.version.clone(), value),
        }
    }
}

/// What a write does, and under which condition.
#[derive(Debug, Clone)]
pub enum Change {
    /// Unconditional.
    Put(Bytes),
    /// The key must be absent.
    PutNew(Bytes),
    /// The key must have this version.
    PutIf(Version, Bytes),
    /// The key must have this version, or be absent: stores differ on whether that is a conflict.
    DeleteIf(Version),
}

impl Change {
    /// The condition holds for a record in its present state.
    fn applies_to(&self, present: Option<&str>) -> bool {
        match self {
            Self::Put(_) => true,
            Self::PutNew(_) => present.is_none(),
            Self::PutIf(version, _) | Self::DeleteIf(version) => present == Some(&*version.0),
        }
    }
}
