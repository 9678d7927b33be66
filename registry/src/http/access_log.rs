//! One log line a request, after what every request is checked for.

use std::{error::Error as _, fmt::Write as _, sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tracing::Instrument;
use ulid::Ulid;

use super::{
    Server,
    response::{self, Failure},
};
use crate::{Error, Limits, Result, auth::Actor};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request identifier taken over from a client or a proxy, in bytes.
const REQUEST_ID_BYTES: usize = 128;

/// Refuses oversized requests, names each request, and logs it when its response begins.
pub(super) async fn limit_and_log(
    State(server): State<Server>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let agent = request.headers().get(header::USER_AGENT).cloned();
    let span = tracing::info_span!("request", request.id = %id);
    let mut response = match within_limits(&request, &server.registry.limits) {
        Ok(()) => next.run(request).instrument(span.clone()).await,
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, response::value(&id));
    // Lets clients of older protocols recognise the registry.
    let version = HeaderName::from_static("docker-distribution-api-version");
    headers.insert(version, HeaderValue::from_static("registry/2.0"));

    let _entered = span.enter();
    let status = response.status();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let agent = agent.as_ref().and_then(|agent| agent.to_str().ok());
    let failure = response.extensions().get::<Failure>();
    let actor = response.extensions().get::<Arc<Actor>>();
    let user = actor.filter(|actor| !actor.is_anonymous());
    let user = user.map(|actor| actor.name.as_str());
    if let Some(Failure(error)) = failure.filter(|_| status.is_server_error()) {
        tracing::error!(
            http.method = %method, http.path = %path, http.status = status.as_u16(),
            http.agent = agent, http.user = user, duration_ms, error = %chain(error),
            "{method} {path}: {status}",
        );
    } else {
        let error = failure.map(|Failure(error)| error.to_string());
        tracing::info!(
            http.method = %method, http.path = %path, http.status = status.as_u16(),
            http.agent = agent, http.user = user, duration_ms, error,
            "{method} {path}: {status}",
        );
    }
    response
}

fn within_limits(request: &Request, limits: &Limits) -> Result<()> {
    let target = request.uri().path_and_query();
    if target.is_some_and(|target| target.as_str().len() > limits.target_bytes) {
        let limit_bytes = limits.target_bytes;
        return Err(Error::TargetTooLong { limit_bytes });
    }
    let headers = request.headers().iter();
    let header_bytes: usize = headers
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if header_bytes > limits.header_bytes {
        let limit_bytes = limits.header_bytes;
        return Err(Error::HeadersTooLarge { limit_bytes });
    }
    Ok(())
}

/// The identifier that came with the request, so that logs of several servers meet, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| (1..=REQUEST_ID_BYTES).contains(&id.len()))
        .filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()))
        .map_or_else(|| Ulid::new().to_string(), str::to_owned)
}

/// An error with its causes.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
