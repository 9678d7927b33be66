//! Objects of others, which are only read: where content comes from that is taken over.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, stream::BoxStream};

use super::{bucket::Bucket, connect, reading};
use crate::{Error, Result, config::S3Config, storage::Chunks};

/// A bucket, or what lies below a prefix of one.
#[derive(Debug, Clone)]
pub(crate) struct ForeignBucket {
    bucket: Arc<Bucket>,
}

impl ForeignBucket {
    pub(crate) async fn open(config: &S3Config) -> Result<Self> {
        let bucket = Arc::new(connect(config).await?);
        Ok(Self { bucket })
    }

    /// `s3://BUCKET/PREFIX`, for people.
    pub(crate) fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket.name, self.bucket.prefix)
    }

    /// The object exists.
    pub(crate) async fn has(&self, key: &str) -> Result<bool> {
        Ok(self.bucket.head(key).await?.is_some())
    }

    /// All of an object, if there is one; fails if it is larger than the limit.
    pub(crate) async fn read(&self, key: &str, limit_bytes: u64) -> Result<Option<Bytes>> {
        let Some(head) = self.bucket.head(key).await? else {
            return Ok(None);
        };
        if head.size_bytes > limit_bytes {
            let reason = format!("it is larger than {limit_bytes} bytes");
            let path = format!("{}{key}", self.name());
            return Err(Error::Folder { path, reason });
        }
        let Some(mut chunks) = self.chunks(key, head.size_bytes).await? else {
            return Ok(None);
        };
        let mut content = BytesMut::new();
        while let Some(chunk) = chunks.try_next().await? {
            content.extend_from_slice(&chunk);
        }
        Ok(Some(content.freeze()))
    }

    /// An object in pieces, if there is one.
    pub(crate) async fn stream(&self, key: &str) -> Result<Option<Chunks>> {
        match self.bucket.head(key).await? {
            Some(head) => self.chunks(key, head.size_bytes).await,
            None => Ok(None),
        }
    }

    async fn chunks(&self, key: &str, size_bytes: u64) -> Result<Option<Chunks>> {
        reading::read(Arc::clone(&self.bucket), key.to_owned(), 0..size_bytes).await
    }

    /// The objects below a prefix with their sizes in bytes, in order.
    pub(crate) fn list(&self, prefix: &str) -> BoxStream<'_, Result<(String, u64)>> {
        self.bucket.list_all(prefix.to_owned())
    }
}
