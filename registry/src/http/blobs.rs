//! Blobs over HTTP.

use axum::{body::Body, response::Response};
use cairn_spec::{Digest, RepositoryName};
use http::{HeaderValue, Method, StatusCode, header};

use super::{
    Server, ranges,
    response::{self, DOCKER_CONTENT_DIGEST, IMMUTABLE, etag, is_known, value, with_headers},
    routes::Call,
};
use crate::{Result, upstream::Blob};

/// end-2: a blob, or a range of it, or only its headers.
pub(super) async fn get(
    server: &Server,
    repository: RepositoryName,
    digest: Digest,
    call: Call,
) -> Result<Response> {
    let is_head = call.method == Method::HEAD;
    let blob = match &server.pull_through {
        Some(pull_through) => pull_through.blob(&repository, &digest, is_head).await?,
        None => Blob::Stored(server.registry.blob(&repository, &digest).await?),
    };
    let mut response = Response::default();
    response = with_headers(
        response,
        [
            (header::ETAG, etag(&digest)),
            (header::CACHE_CONTROL, IMMUTABLE),
            (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
            (DOCKER_CONTENT_DIGEST, value(digest.as_str())),
        ],
    );
    if is_known(&call.headers, &digest) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let size_bytes = blob.size_bytes();
    if !is_head
        && server.redirects.includes(call.client)
        && let Blob::Stored(stored) = &blob
        && let Some(url) = server.registry.signed_url(stored).await?
    {
        // The client sends its range to the store as well.
        ranges::requested(&call.headers, size_bytes)?;
        return Ok(redirect(&digest, &url));
    }
    // A range of what the client has of other content is of no use to it.
    let if_range = call.headers.get(header::IF_RANGE);
    let may_be_range = !is_head && if_range.is_none_or(|tag| *tag == etag(&digest));
    let range = if may_be_range {
        ranges::requested(&call.headers, size_bytes)?
    } else {
        None
    };
    if let Some(range) = &range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let range = value(format!(
            "bytes {}-{}/{size_bytes}",
            range.start,
            range.end - 1
        ));
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    let range = range.unwrap_or(0..size_bytes);
    let length = HeaderValue::from(range.end - range.start);
    let media_type = HeaderValue::from_static("application/octet-stream");
    if !is_head {
        let chunks = blob.read(&server.registry, range).await?;
        *response.body_mut() = Body::from_stream(chunks);
    }
    Ok(with_headers(
        response,
        [
            (header::CONTENT_TYPE, media_type),
            (header::CONTENT_LENGTH, length),
        ],
    ))
}

/// The content is elsewhere for a while, so nobody may remember where.
fn redirect(digest: &Digest, url: &str) -> Response {
    let response = response::empty(StatusCode::TEMPORARY_REDIRECT);
    with_headers(
        response,
        [
            (header::LOCATION, value(url)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (DOCKER_CONTENT_DIGEST, value(digest.as_str())),
        ],
    )
}

/// end-10
pub(super) async fn delete(
    server: &Server,
    repository: RepositoryName,
    digest: Digest,
) -> Result<Response> {
    let registry = std::sync::Arc::clone(&server.registry);
    let deleting = async move { registry.delete_blob(&repository, &digest).await };
    server.detached(deleting).await?;
    Ok(response::empty(StatusCode::ACCEPTED))
}
