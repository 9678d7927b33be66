//! Records as objects: one each, its entity tag as its version.
//!
//! Entity tags may follow from the content alone, but a version must not come back with an old
//! value: so each record ends in a number of its own, which also tells whether a write that was
//! tried twice is ours.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{
    FutureExt, StreamExt, TryStreamExt,
    future::{self, BoxFuture},
    stream,
};
use moka::future::Cache;
use ulid::Ulid;

use super::{
    attempts::Kind,
    bucket::{Bucket, Condition, failed},
};
use crate::{
    Error, Result,
    storage::{Batch, Change, Entry, Key, Metadata, Prefix, Version, Write},
};

/// Ends the name of each record's object, so that none is the path to another: many stores keep
/// objects in folders, and there the repositories `a` and `a/b` would exclude or hide each other.
/// It sorts before all that names are made of, so that lists keep their order.
const END: char = '!';
/// The number at the end of each record.
const NUMBER_BYTES: usize = size_of::<u128>();
/// Unconditional writes of one batch that are under way at a time.
const PARALLEL_WRITES: usize = 8;
/// Manifests whose bytes need not be sent again when they have not changed, in bytes.
const KNOWN_BYTES: u64 = 16 * 1024 * 1024;

/// Records in a bucket.
#[derive(Debug)]
pub struct S3Metadata {
    bucket: Arc<Bucket>,
    /// Manifests as they were read last: a read asks for them only if they have changed.
    known: Cache<String, Entry>,
}

impl S3Metadata {
    pub(super) fn new(bucket: Arc<Bucket>) -> Self {
        let known = Cache::builder()
            .max_capacity(KNOWN_BYTES)
            .weigher(|key: &String, entry: &Entry| {
                u32::try_from(key.len() + entry.value.len()).unwrap_or(u32::MAX)
            })
            .build();
        Self { bucket, known }
    }

    async fn read(&self, key: &str, known: Option<Entry>) -> Result<Option<Entry>> {
        let etag = known.as_ref().map(|entry| &*entry.version.0);
        let object = match self.bucket.get(key, etag).await.outcome {
            Ok(None) => return Ok(None),
            Ok(Some(object)) => object,
            Err(failure) if failure.kind == Kind::NotModified => return Ok(known),
            Err(failure) => return Err(failed("read", key, failure)),
        };
        if object.bytes.is_empty() {
            return Ok(None);
        }
        let length = object.bytes.len().checked_sub(NUMBER_BYTES);
        let length = length.ok_or_else(|| Error::corrupt(key, "it is cut off"))?;
        Ok(Some(Entry {
            value: object.bytes.slice(..length),
            version: Version(object.etag.into()),
        }))
    }

    async fn apply(&self, write: Write) -> Result<Option<Version>> {
        let key = object_key(&write.key);
        let (value, condition) = match &write.change {
            Change::Put(value) => (value, Condition::None),
            Change::PutNew(value) => (value, Condition::Absent),
            Change::PutIf(version, value) => (value, Condition::Is(&version.0)),
            Change::DeleteIf(version) => {
                let deleted = self.bucket.delete_if(&key, &version.0).await?;
                let lost = (!deleted).then(|| Error::conflict(&write.key));
                return lost.map_or(Ok(None), Err);
            }
        };
        let bytes = numbered(value);
        let mut written = self.bucket.put(&key, &bytes, condition).await?;
        if written.is_none() && condition == Condition::Absent {
            // What is there may stand for nothing.
            if let Some(tombstone) = self.bucket.read(&key).await?
                && tombstone.bytes.is_empty()
            {
                let condition = Condition::Is(&tombstone.etag);
                written = self.bucket.put(&key, &bytes, condition).await?;
            }
        }
        let etag = written.ok_or_else(|| Error::conflict(&write.key))?;
        Ok(Some(Version(etag.into())))
    }
}

impl Metadata for S3Metadata {
    fn get(&self, key: &Key) -> BoxFuture<'_, Result<Option<Entry>>> {
        let is_large = matches!(key, Key::Manifest(..));
        let key = object_key(key);
        async move {
            if !is_large {
                return self.read(&key, None).await;
            }
            let read = self.read(&key, self.known.get(&key).await).await?;
            match &read {
                Some(entry) => self.known.insert(key, entry.clone()).await,
                None => self.known.invalidate(&key).await,
            }
            Ok(read)
        }
        .boxed()
    }

    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Option<Version>>>> {
        async move {
            let mut writes = batch.writes;
            let leading = writes
                .iter()
                .take_while(|write| matches!(write.change, Change::Put(_)))
                .count();
            let guarded = writes.split_off(leading);
            // What comes first in a batch may be there without the rest, in any order.
            let mut versions: Vec<Option<Version>> = stream::iter(writes)
                .map(|write| self.apply(write))
                .buffered(PARALLEL_WRITES)
                .try_collect()
                .await?;
            for write in guarded {
                versions.push(self.apply(write).await?);
            }
            Ok(versions)
        }
        .boxed()
    }

    fn list(
        &self,
        prefix: &Prefix,
        start_after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>>> {
        let prefix = prefix.to_string();
        let mut after = match start_after {
            None => String::new(),
            Some(name) => format!("{prefix}{name}{END}"),
        };
        if limit == 0 {
            return future::ready(Ok(Vec::new())).boxed();
        }
        async move {
            let mut names = Vec::new();
            loop {
                let missing = limit - names.len();
                let page = self.bucket.list(&prefix, &after, missing).await?;
                if let Some((last, _)) = page.objects.last() {
                    after.clone_from(last);
                }
                let found = page
                    .objects
                    .iter()
                    .filter(|(_, size_bytes)| *size_bytes > 0);
                names.extend(found.filter_map(|(key, _)| {
                    let name = key.strip_prefix(&prefix)?.strip_suffix(END)?;
                    Some(name.to_owned())
                }));
                if names.len() >= limit || !page.has_more || page.objects.is_empty() {
                    return Ok(names);
                }
            }
        }
        .boxed()
    }
}

fn object_key(key: &Key) -> String {
    format!("{key}{END}")
}

/// A value as it is stored: no two writes store the same bytes.
fn numbered(value: &Bytes) -> Bytes {
    let mut bytes = BytesMut::with_capacity(value.len() + NUMBER_BYTES);
    bytes.put_slice(value);
    bytes.put_u128(Ulid::new().0);
    bytes.freeze()
}
