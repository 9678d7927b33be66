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
use cairn_spec::RepositoryName;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tracing::Instrument;
use ulid::Ulid;

use super::{
    Peer, Server,
    context::{Context, TRACEPARENT, client_address},
    response::{self, DOCKER_CONTENT_DIGEST, DOCKER_UPLOAD_UUID, Failure},
};
use crate::{
    Error, Limits, Result,
    auth::Actor,
    operations::metrics::{Counted, MethodClass, RouteClass},
    traces::{self, Current, Kind, OpenSpan, TraceContext},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request identifier taken over from a client or a proxy, in bytes.
const REQUEST_ID_BYTES: usize = 128;

/// What a request asked for, taken down before it is served.
struct Asked {
    started: Instant,
    route: RouteClass,
    method_class: MethodClass,
    method: Method,
    path: String,
    agent: Option<HeaderValue>,
    request_bytes: Option<u64>,
    client: IpAddr,
}

/// The repository that a request is about, for those who write down what it was.
#[derive(Debug, Clone)]
pub(super) struct Subject(pub(super) RepositoryName);

/// Refuses oversized requests, names each request, and logs it when its response begins.
pub(super) async fn limit_and_log(
    State(server): State<Server>,
    mut request: Request,
    next: Next,
) -> Response {
    let _under_way = Counted::new(&server.metrics, |metrics| &metrics.requests.under_way);
    let asked = Asked {
        started: Instant::now(),
        route: RouteClass::of(request.uri().path()),
        method_class: MethodClass::of(request.method()),
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        agent: request.headers().get(header::USER_AGENT).cloned(),
        request_bytes: length(request.headers()),
        client: client_of(&server, &request),
    };
    let id = request_id(request.headers());
    let parent = request.headers().get(TRACEPARENT);
    let parent = parent.and_then(|text| TraceContext::parse(text.to_str().ok()?));
    let trace = match &server.tracer {
        Some(tracer) => Some(tracer.trace(parent.as_ref())),
        None => parent.map(Current::passing),
    };
    let trace_id = trace.as_ref().map(|trace| trace.context.trace_id());
    let mut measured = trace.as_ref().and_then(|trace| {
        let name = format!("{} {}", asked.method_class.as_str(), asked.route.as_str());
        trace.span(name, Kind::Server, parent.as_ref())
    });
    let span = tracing::info_span!("request", request.id = %id, trace.id = trace_id.as_deref());
    let admitted = within_limits(&request, &server.registry.limits).and_then(|()| {
        let limits = server.client_limits.as_ref();
        limits.map_or(Ok(()), |limits| {
            limits.admit(asked.route, asked.method_class, asked.client)
        })
    });
    request.extensions_mut().insert(Context {
        request_id: Arc::clone(&id),
        trace_id: trace_id.map(Arc::from),
        client: asked.client,
    });
    let mut response = match admitted {
        Ok(()) => {
            let serving = next.run(request).instrument(span.clone());
            traces::within(trace, serving).await
        }
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, response::value(&id));
    // Lets clients of older protocols recognise the registry.
    let version = HeaderName::from_static("docker-distribution-api-version");
    headers.insert(version, HeaderValue::from_static("registry/2.0"));

    let _entered = span.enter();
    server.metrics.requests.ended(
        asked.route,
        asked.method_class,
        response.status().as_u16(),
        asked.started.elapsed(),
    );
    if let Some(measured) = &mut measured {
        asked.describe(&id, &response, measured);
    }
    asked.log(&response);
    response
}

impl Asked {
    /// The line of the log.
    fn log(&self, response: &Response) {
        let (method, path, status) = (&self.method, &self.path, response.status());
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let failure = response.extensions().get::<Failure>();
        macro_rules! line {
            ($level:ident, $error:expr) => {
                tracing::$level!(
                    http.method = %method, http.path = %path, http.status = status.as_u16(),
                    http.agent = self.agent(), http.request_bytes = self.request_bytes,
                    http.response_bytes = length(response.headers()),
                    client.address = %self.client, actor = actor(response),
                    oci.repository = repository(response),
                    oci.digest = header_of(response, &DOCKER_CONTENT_DIGEST),
                    upload.id = header_of(response, &DOCKER_UPLOAD_UUID),
                    duration_ms, error = $error,
                    "{method} {path}: {status}",
                )
            };
        }
        match failure {
            Some(Failure(error)) if status.is_server_error() => line!(error, error.with_causes()),
            _ => line!(info, failure.map(|Failure(error)| error.to_string())),
        }
    }

    /// The same as attributes of a span.
    /// <https://opentelemetry.io/docs/specs/semconv/http/http-spans/>
    fn describe(&self, id: &str, response: &Response, span: &mut OpenSpan) {
        let status = response.status();
        span.set("http.request.method", self.method.as_str());
        span.set("http.route", self.route.as_str());
        span.set("url.path", self.path.as_str());
        span.set("http.response.status_code", status.as_u16());
        span.set("client.address", self.client.to_string().as_str());
        span.set("cairn.request.id", id);
        for (key, text) in [
            ("user_agent.original", self.agent()),
            ("user.name", actor(response)),
            ("oci.repository", repository(response)),
            ("oci.digest", header_of(response, &DOCKER_CONTENT_DIGEST)),
        ] {
            if let Some(text) = text {
                span.set(key, text);
            }
        }
        for (key, size_bytes) in [
            ("http.request.body.size", self.request_bytes),
            ("http.response.body.size", length(response.headers())),
        ] {
            if let Some(size_bytes) = size_bytes {
                span.set(key, size_bytes);
            }
        }
        if status.is_server_error() {
            let failure = response.extensions().get::<Failure>();
            let reason = failure.map(|Failure(error)| error.with_causes());
            span.fail(&reason.unwrap_or_else(|| status.to_string()));
        }
    }

    fn agent(&self) -> Option<&str> {
        self.agent.as_ref()?.to_str().ok()
    }
}

/// Who made a request, if they said so.
fn actor(response: &Response) -> Option<&str> {
    let actor = response.extensions().get::<Arc<Actor>>()?;
    (!actor.is_anonymous()).then_some(actor.name.as_str())
}

fn repository(response: &Response) -> Option<&str> {
    let Subject(repository) = response.extensions().get::<Subject>()?;
    Some(repository.as_str())
}

fn header_of<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
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
