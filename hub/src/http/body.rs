//! Bodies: no larger than they may be, in no more time than they may take, and inflated no further.

use std::{borrow::Cow, io::Read as _, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body as _;

use crate::{Error, Hub};

/// Reads a body as it is sent.
pub(super) async fn read(hub: &Hub, body: Body, limit_bytes: usize) -> Result<Bytes, Error> {
    if body.size_hint().lower() > limit_bytes as u64 {
        return Err(too_large(limit_bytes));
    }
    let time = Duration::from_secs(hub.limits.body_timeout_s);
    match tokio::time::timeout(time, Limited::new(body, limit_bytes).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(too_large(limit_bytes))
        }
        Ok(Err(_)) => Err(Error::Malformed("the body ends early".to_owned())),
        Err(_) => Err(Error::Malformed("the body takes too long".to_owned())),
    }
}

/// The body as it is meant. Whoever sent it is known by now.
pub(super) fn inflated<'b>(
    headers: &HeaderMap,
    sent: &'b Bytes,
    limit_bytes: usize,
) -> Result<Cow<'b, [u8]>, Error> {
    match super::text(headers, &header::CONTENT_ENCODING) {
        None | Some("identity") => Ok(Cow::Borrowed(sent)),
        Some("gzip") => {
            let mut body = Vec::new();
            let limit = u64::try_from(limit_bytes).unwrap_or(u64::MAX);
            MultiGzDecoder::new(&sent[..])
                .take(limit.saturating_add(1))
                .read_to_end(&mut body)
                .map_err(|_| Error::Malformed("the body is not gzip".to_owned()))?;
            if body.len() > limit_bytes {
                return Err(too_large(limit_bytes));
            }
            Ok(Cow::Owned(body))
        }
        Some(_) => Err(Error::Malformed(
            "`Content-Encoding` is not `gzip`".to_owned(),
        )),
    }
}

fn too_large(limit_bytes: usize) -> Error {
    Error::TooLarge {
        what: "body",
        limit: limit_bytes as u64,
        unit: "bytes",
    }
}
