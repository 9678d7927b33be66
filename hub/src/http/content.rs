//! `GET /agent/v1/content/DIGEST`: bundles, whole or in part.

use std::{ops::Range, sync::Arc};

use axum::{
    body::Body,
    extract::{Path, Request, State},
    response::Response,
};
use bytes::Bytes;
use cairn_spec::Digest;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::{
    answer::{problem, with_date},
    asked, text,
};
use crate::{
    Error, Hub,
    authentication::Expired,
    content::{self, Blob, Content},
};

pub(super) async fn get(
    State(hub): State<Arc<Hub>>,
    Path(digest): Path<String>,
    request: Request,
) -> Response {
    match answer(&hub, &digest, request).await {
        Ok(response) => with_date(&hub, response),
        Err(error) => problem(&hub, &error),
    }
}

async fn answer(hub: &Hub, digest: &str, request: Request) -> Result<Response, Error> {
    let (parts, _) = request.into_parts();
    let caller = hub.authenticate(&asked(&parts), Expired::Refused).await?;
    caller.check_body(b"")?;
    let digest: Digest = digest
        .parse()
        .map_err(|_| Error::NotFound("such content for this agent"))?;
    let content = hub.content_of(&caller, &digest).await?;
    let (media_type, size_bytes) = match &content {
        Content::Manifest(manifest) => (
            manifest.media_type().to_owned(),
            manifest.bytes().len() as u64,
        ),
        Content::Blob(blob) => ("application/octet-stream".to_owned(), blob.1.size),
    };
    let range = range(&parts.headers, size_bytes)?;
    let body = if parts.method == Method::HEAD {
        Body::empty()
    } else {
        let blob: Blob = match content {
            Content::Manifest(manifest) => {
                let bytes = Bytes::copy_from_slice(manifest.bytes());
                futures_util::stream::iter([Ok(bytes)]).boxed()
            }
            Content::Blob(found) => hub.blob(&found.0, &found.1).await?,
        };
        Body::from_stream(match range.clone() {
            Some(range) => content::cut(blob, range),
            None => blob,
        })
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    if let Ok(media_type) = HeaderValue::try_from(media_type) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let length = range
        .as_ref()
        .map_or(size_bytes, |range| range.end - range.start);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(range) = range {
        let part = format!("bytes {}-{}/{size_bytes}", range.start, range.end - 1);
        if let Ok(part) = HeaderValue::try_from(part) {
            headers.insert(header::CONTENT_RANGE, part);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// `bytes=FIRST-LAST` or `bytes=FIRST-`; anything else is ignored, as RFC 9110 §14.2 allows.
fn range(headers: &HeaderMap, size_bytes: u64) -> Result<Option<Range<u64>>, Error> {
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u64>().ok()).flatten()
    };
    let wanted = text(headers, &header::RANGE)
        .and_then(|value| value.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'));
    let Some((first, last)) = wanted else {
        return Ok(None);
    };
    let Some(first) = number(first) else {
        return Ok(None);
    };
    let end = match last {
        "" => size_bytes,
        last => match number(last) {
            Some(last) => last.saturating_add(1).min(size_bytes),
            None => return Ok(None),
        },
    };
    if first >= end {
        return Err(Error::RangeNotSatisfiable { size_bytes });
    }
    Ok(Some(first..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_bounded() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::try_from(text).unwrap());
            range(&headers, 10).map_err(|error| error.to_string())
        };
        assert_eq!(read("bytes=0-3"), Ok(Some(0..4)));
        assert_eq!(read("bytes=4-"), Ok(Some(4..10)));
        assert_eq!(read("bytes=4-100"), Ok(Some(4..10)));
        assert!(read("bytes=10-").is_err() && read("bytes=5-4").is_err());
        for ignored in [
            "bytes=-3",
            "bytes=a-b",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes=+1-2",
        ] {
            assert_eq!(read(ignored), Ok(None), "{ignored}");
        }
    }
}
