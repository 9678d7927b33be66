//! Responses: the headers of the specification, and errors as its JSON.

use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use cairn_spec::Digest;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use super::uploads;
use crate::Error;

pub(super) const DOCKER_CONTENT_DIGEST: HeaderName =
    HeaderName::from_static("docker-content-digest");
pub(super) const DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
pub(super) const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
pub(super) const OCI_NAMESPACE: HeaderName = HeaderName::from_static("oci-namespace");
pub(super) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
pub(super) const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");

/// What a digest names never changes: a year, the longest time that caches heed.
pub(super) const IMMUTABLE: HeaderValue = HeaderValue::from_static("max-age=31536000, immutable");
/// What a tag names may change any time.
pub(super) const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// How long a client waits that was told to try again, in seconds.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// How long whoever failed to log in too often waits, in seconds.
const RETRY_LOGIN_AFTER_S: HeaderValue = HeaderValue::from_static("60");

/// A header's value from text that has none but visible ASCII characters.
pub(super) fn value(text: impl AsRef<str>) -> HeaderValue {
    HeaderValue::from_str(text.as_ref()).unwrap_or(HeaderValue::from_static(""))
}

/// The entity tag of content is its digest.
pub(super) fn etag(digest: &Digest) -> HeaderValue {
    value(format!("\"{digest}\""))
}

/// The client has the content already.
pub(super) fn is_known(headers: &HeaderMap, digest: &Digest) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag.trim_matches('"') == digest.as_str())
}

/// The longest text of a warning, in bytes: clients show it, and headers are bounded.
const WARNING_BYTES: usize = 1024;

/// A warning as the specification has it: code 299, no agent, no date.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#warnings>
pub(super) fn warning(text: &str) -> HeaderValue {
    let shown = |c: char| match c {
        '"' | '\\' => '\'',
        c if c.is_ascii_graphic() || c == ' ' => c,
        _ => '?',
    };
    let text: String = text.chars().take(WARNING_BYTES).map(shown).collect();
    value(format!("299 - \"{text}\""))
}

/// All warnings of a response together, in bytes.
///
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#warnings>
const WARNINGS_BYTES: usize = 4096;

/// Adds warnings to a response, as many as there may be.
pub(super) fn with_warnings(mut response: Response, texts: Vec<String>) -> Response {
    let mut rest_bytes = WARNINGS_BYTES;
    for text in texts {
        let warning = warning(&text);
        let Some(rest) = rest_bytes.checked_sub(warning.len()) else {
            break;
        };
        rest_bytes = rest;
        response.headers_mut().append(header::WARNING, warning);
    }
    response
}

/// A response without body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// Sets headers of a response.
pub(super) fn with_headers<const N: usize>(
    mut response: Response,
    headers: [(HeaderName, HeaderValue); N],
) -> Response {
    response.headers_mut().extend(headers);
    response
}

/// A JSON body whose type has no parameters: some clients compare it by equality.
pub(super) fn json_body(media_type: &'static str, body: &serde_json::Value) -> Response {
    json_bytes(media_type, body.to_string().into_bytes())
}

/// The same, written already.
pub(super) fn json_bytes(media_type: &'static str, body: Vec<u8>) -> Response {
    let response = Response::new(Body::from(body));
    let media_type = HeaderValue::from_static(media_type);
    with_headers(response, [(header::CONTENT_TYPE, media_type)])
}

/// An error on its way out, for the access log.
#[derive(Debug, Clone)]
pub(super) struct Failure(pub(super) Arc<Error>);

impl IntoResponse for Error {
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>
    fn into_response(self) -> Response {
        let (status, code) = self.wire();
        let error = json!({"code": code.as_str(), "message": self.public_message()});
        let body = json!({ "errors": [error] });
        let mut response = json_body("application/json", &body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        match &self {
            Self::MethodNotAllowed { allowed } => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::RangeNotSatisfiable { size_bytes } => {
                let range = value(format!("bytes */{size_bytes}"));
                headers.insert(header::CONTENT_RANGE, range);
            }
            Self::UploadOutOfOrder {
                upload,
                repository,
                received_bytes,
            } => headers.extend(uploads::position(repository, upload, *received_bytes)),
            Self::Unauthenticated { challenge, .. } => {
                headers.insert(header::WWW_AUTHENTICATE, value(challenge));
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            _ => {}
        }
        if matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            let retry_after = match &self {
                Self::RateLimited { retry_after_s } | Self::UpstreamBusy { retry_after_s, .. } => {
                    HeaderValue::from(*retry_after_s)
                }
                Self::TooManyFailures => RETRY_LOGIN_AFTER_S,
                _ => RETRY_AFTER_S,
            };
            headers.insert(header::RETRY_AFTER, retry_after);
        }
        response.extensions_mut().insert(Failure(Arc::new(self)));
        response
    }
}
