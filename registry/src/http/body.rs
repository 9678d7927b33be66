//! Request bodies: bounded in size where they are kept, and in silence where they stream.

use std::{future, time::Duration};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use crate::{Error, Result, storage::Chunks};

/// How much of an unwanted body is read after all, in bytes, and for how long: a client that is
/// still sending when the connection closes may never see the response.
const DRAIN_BYTES: usize = 8 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// A body as a stream that fails when nothing arrives for `idle_s` seconds.
pub(super) fn chunks(body: Body, idle_s: u64) -> Chunks {
    let idle = Duration::from_secs(idle_s);
    stream::unfold(Some(body.into_data_stream()), move |body| async move {
        let mut body = body?;
        match timeout(idle, body.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(body))),
            Ok(Some(Err(error))) => Some((Err(Error::Body(error.into())), None)),
            Err(_) => Some((Err(Error::BodyIdle { limit_s: idle_s }), None)),
        }
    })
    // A body that has ended may be drained all the same.
    .fuse()
    .boxed()
}

/// A whole body of at most `limit_bytes`.
pub(super) async fn collect(body: &mut Chunks, limit_bytes: u64) -> Result<Bytes> {
    let mut collected = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        if (collected.len() + chunk.len()) as u64 > limit_bytes {
            return Err(Error::ManifestTooLarge { limit_bytes });
        }
        collected.extend_from_slice(&chunk);
    }
    Ok(collected.freeze())
}

/// Reads the rest of a body that a failed request did not want.
pub(super) async fn drain(body: &mut Chunks) {
    let mut left = DRAIN_BYTES;
    let rest = body.take_while(|chunk| {
        let length = chunk.as_ref().map_or(usize::MAX, Bytes::len);
        let within = length <= left;
        left = left.saturating_sub(length);
        future::ready(within)
    });
    // Whether it ended is the client's concern.
    let _ = timeout(DRAIN_TIME, rest.for_each(|_| future::ready(()))).await;
}
