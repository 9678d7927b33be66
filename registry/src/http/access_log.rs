//! One log line a request, after what every request is checked for.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Instant,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use cairn_oci::chain;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tracing::Instrument;
use ulid::Ulid;

use super::{
    Peer, Server,
    context::{Context, client_address},
    response::{self, DOCKER_UPLOAD_UUID, Failure},
};
use crate::{
    Error, Limits, Result,
    auth::Actor,
    operations::metrics::{Counted, MethodClass, RouteClass},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request identifier taken over from a client or a proxy, in bytes.
const REQUEST_ID_BYTES: usize = 128;

/// Refuses oversized requests, names each request, and logs it when its response begins.
pub(super) async fn limit_and_log(
    State(server): State<Server>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let _under_way = Counted::new(&server.metrics, |metrics| &metrics.requests.under_way);
    let route = RouteClass::of(request.uri().path());
    let method_class = MethodClass::of(request.method());
    let client = client_of(&server, &request);
    let id = request_id(request.headers());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let agent = request.headers().get(header::USER_AGENT).cloned();
    let request_bytes = length(request.headers());
    let span = tracing::info_span!("request", request.id = %id);
    let admitted = within_limits(&request, &server.registry.limits).and_then(|()| {
        let limits = server.client_limits.as_ref();
        limits.map_or(Ok(()), |limits| limits.admit(route, method_class, client))
    });
    request.extensions_mut().insert(Context {
        request_id: Arc::clone(&id),
        client,
    });
    let mut response = match admitted {
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
    server
        .metrics
        .requests
        .ended(route, method_class, status.as_u16(), started.elapsed());
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let agent = agent.as_ref().and_then(|agent| agent.to_str().ok());
    let upload = response.headers().get(DOCKER_UPLOAD_UUID);
    let upload = upload.and_then(|upload| upload.to_str().ok());
    let response_bytes = length(response.headers());
    let failure = response.extensions().get::<Failure>();
    let actor = response.extensions().get::<Arc<Actor>>();
    let user = actor.filter(|actor| !actor.is_anonymous());
    let user = user.map(|actor| actor.name.as_str());
    if let Some(Failure(error)) = failure.filter(|_| status.is_server_error()) {
        tracing::error!(
            http.method = %method, http.path = %path, http.status = status.as_u16(),
            http.agent = agent, http.request_bytes = request_bytes, http.user = user,
            client.address = %client, upload.id = upload, duration_ms, error = %chain(error),
            "{method} {path}: {status}",
        );
    } else {
        let error = failure.map(|Failure(error)| error.to_string());
        tracing::info!(
            http.method = %method, http.path = %path, http.status = status.as_u16(),
            http.agent = agent, http.request_bytes = request_bytes, http.user = user,
            http.response_bytes = response_bytes, client.address = %client, upload.id = upload,
            duration_ms, error,
            "{method} {path}: {status}",
        );
    }
    response
}

/// The client's address; requests that came over no connection have none.
fn client_of(server: &Server, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<Peer>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address.ip());
    client_address(peer, request.headers(), &server.trusted_proxies)
}

/// How long a body is, as far as that was announced.
fn length(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
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
fn request_id(headers: &HeaderMap) -> Arc<str> {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| (1..=REQUEST_ID_BYTES).contains(&id.len()))
        .filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()))
        .map_or_else(|| Ulid::new().to_string().into(), Arc::from)
}
