//! Reading a range of an object: streamed, its length verified, and a body that breaks resumed.

use std::{ops::Range, sync::Arc};

use aws_sdk_s3::{operation::get_object::GetObjectOutput, primitives::ByteStream};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use super::{
    attempts::{Failure, Kind, pause},
    bucket::{Bucket, failed},
};
use crate::{Error, Result, storage::Chunks};

struct Reading {
    bucket: Arc<Bucket>,
    key: String,
    rest: Range<u64>,
    body: ByteStream,
    /// Bodies that broke off since the last byte arrived.
    broken: u32,
}

/// Streams a range of an object; `None` if there is none.
pub(super) async fn read(
    bucket: Arc<Bucket>,
    key: String,
    range: Range<u64>,
) -> Result<Option<Chunks>> {
    if range.is_empty() {
        return Ok(Some(stream::empty().boxed()));
    }
    let Some(body) = open(&bucket, &key, &range).await? else {
        return Ok(None);
    };
    let reading = Reading {
        bucket,
        key,
        rest: range,
        body,
        broken: 0,
    };
    let chunks = stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        match reading.next().await {
            Ok(None) => None,
            Ok(Some(chunk)) => Some((Ok(chunk), Some(reading))),
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(Some(chunks.boxed()))
}

async fn open(bucket: &Bucket, key: &str, range: &Range<u64>) -> Result<Option<ByteStream>> {
    let output = match bucket.open(key, range.start, range.end - 1).await {
        Ok(output) => output,
        Err(failure) => {
            return match failure.kind {
                Kind::NotFound => Ok(None),
                Kind::RangeInvalid => Err(too_short(key)),
                _ => Err(failed("read", key, failure)),
            };
        }
    };
    if length_bytes(&output) != Some(range.end - range.start) {
        return Err(too_short(key));
    }
    Ok(Some(output.body))
}

fn length_bytes(output: &GetObjectOutput) -> Option<u64> {
    u64::try_from(output.content_length()?).ok()
}

fn too_short(key: &str) -> Error {
    Error::corrupt(key, "it is shorter than its record says")
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.rest.is_empty() {
            let why = match timeout(self.bucket.timeout, self.body.next()).await {
                Ok(Some(Ok(chunk))) if chunk.is_empty() => continue,
                Ok(Some(Ok(chunk))) => {
                    self.broken = 0;
                    self.rest.start += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                Ok(Some(Err(error))) => error.to_string(),
                Ok(None) => "the body ended too early".to_owned(),
                Err(_) => "the body stalled".to_owned(),
            };
            self.broken += 1;
            if self.broken >= self.bucket.attempts {
                let failure = Failure::new(Kind::Transient, why);
                return Err(failed("read", &self.key, failure));
            }
            tracing::debug!(s3.key = %self.key, error = why, "a body broke off: asking for the rest");
            pause(self.broken).await;
            let body = open(&self.bucket, &self.key, &self.rest).await?;
            self.body =
                body.ok_or_else(|| Error::corrupt(&self.key, "it was removed meanwhile"))?;
        }
        Ok(None)
    }
}
