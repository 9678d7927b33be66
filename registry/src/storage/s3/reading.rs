//! Reading a range of a payload: streamed, its length verified, and a body that breaks resumed.

use std::{ops::Range, sync::Arc};

use aws_sdk_s3::{operation::get_object::GetObjectOutput, primitives::ByteStream};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use super::{
    attempts::{Failure, Kind, pause},
    bucket::{Bucket, failed},
};
use crate::{
    Error, Result,
    storage::{Chunks, PayloadKey},
};

struct Reading {
    bucket: Arc<Bucket>,
    key: PayloadKey,
    rest: Range<u64>,
    body: ByteStream,
    /// Bodies that broke off since the last byte arrived.
    broken: u32,
}

/// Streams a range of a payload.
pub(super) async fn read(
    bucket: Arc<Bucket>,
    key: PayloadKey,
    range: Range<u64>,
) -> Result<Chunks> {
    if range.is_empty() {
        return Ok(stream::empty().boxed());
    }
    let body = open(&bucket, key, &range).await?;
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
    Ok(chunks.boxed())
}

async fn open(bucket: &Bucket, key: PayloadKey, range: &Range<u64>) -> Result<ByteStream> {
    let name = key.to_string();
    let opened = bucket.open(&name, range.start, range.end - 1).await;
    let output = opened.map_err(|failure| match failure.kind {
        Kind::NotFound => Error::PayloadMissing { key },
        Kind::RangeInvalid => too_short(key),
        _ => failed("read", &name, failure),
    })?;
    if length_bytes(&output) != Some(range.end - range.start) {
        return Err(too_short(key));
    }
    Ok(output.body)
}

fn length_bytes(output: &GetObjectOutput) -> Option<u64> {
    u64::try_from(output.content_length()?).ok()
}

fn too_short(key: PayloadKey) -> Error {
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
                return Err(failed("read", &self.key.to_string(), failure));
            }
            tracing::debug!(s3.key = %self.key, error = why, "a body broke off: asking for the rest");
            pause(self.broken).await;
            self.body = open(&self.bucket, self.key, &self.rest).await?;
        }
        Ok(None)
    }
}
