//! Every route of the server, in one place.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints>

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware,
    response::{IntoResponse, Response},
    routing::any,
};
use cairn_spec::ReferenceError;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    Peer, Server,
    access_log::{self, Subject},
    audit::Audited,
    authentication::{Envelope, TOKEN_PATH, admit},
    blobs,
    context::Context,
    endpoint::Endpoint,
    lists, manifests,
    needs::needs,
    query::Query,
    response, token, uploads,
};
use crate::{
    Error, Result,
    auth::{Actor, Session},
    service::Reference,
};

/// A request to an endpoint below `/v2/`, taken apart.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) query: Query,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// The client's address, as far as proxies that are trusted tell it.
    pub(super) client: IpAddr,
    /// Who makes the request; that they may is settled.
    pub(super) session: Session,
}

/// The server as a service.
pub(crate) fn router(server: Server) -> Router {
    Router::new()
        .route("/healthz", any(live))
        .route("/readyz", any(ready))
        .route(TOKEN_PATH, any(token::serve))
        .route("/v2", any(distribution))
        .route("/v2/", any(distribution))
        .route("/v2/{*path}", any(distribution))
        .fallback(distribution)
        .layer(middleware::from_fn_with_state(
            server.clone(),
            access_log::limit_and_log,
        ))
        .layer(CatchPanicLayer::custom(|_| Error::Panic.into_response()))
        .with_state(server)
}

/// What each endpoint answers to which method. The numbers are the specification's.
async fn route(server: &Server, endpoint: Endpoint, call: Call) -> Result<Response> {
    use Endpoint as At;
    match (call.method.as_str(), endpoint) {
        // end-1
        ("GET" | "HEAD", At::Base) => Ok(lists::base()),
        // end-2, end-10
        ("GET" | "HEAD", At::Blob(name, digest)) => blobs::get(server, name, digest, call).await,
        ("DELETE", At::Blob(name, digest)) => blobs::delete(server, name, digest).await,
        // end-4a, end-4b, end-4c, end-11
        ("POST", At::Uploads(name)) => uploads::start(server, name, call).await,
        // end-5, end-6, end-13, end-14
        ("PATCH", At::Upload(name, id)) => uploads::append(server, name, id, call).await,
        ("PUT", At::Upload(name, id)) => uploads::finish(server, name, id, call).await,
        ("GET", At::Upload(name, id)) => uploads::status(server, name, id).await,
        ("DELETE", At::Upload(name, id)) => uploads::cancel(server, name, id).await,
        // end-3, end-7a, end-7b, end-9
        ("GET" | "HEAD", At::Manifest(name, reference)) => {
            manifests::get(server, name, reference, call).await
        }
        ("PUT", At::Manifest(name, reference)) => {
            manifests::put(server, name, reference, call).await
        }
        ("DELETE", At::Manifest(name, Reference::Digest(digest))) => {
            manifests::delete(server, name, digest).await
        }
        ("DELETE", At::Manifest(name, Reference::Tag(tag))) => {
            manifests::delete_tag(server, name, tag).await
        }
        // end-8a, end-8b
        ("GET" | "HEAD", At::Tags(name)) => lists::tags(server, name, &call.query).await,
        // end-12a, end-12b
        ("GET" | "HEAD", At::Referrers(name, subject)) => {
            lists::referrers(server, name, subject, &call.query).await
        }
        ("GET" | "HEAD", At::Trust(name, reference)) => {
            manifests::trust(server, name, reference).await
        }
        // Not in the specification, but asked for by every user interface.
        ("GET" | "HEAD", At::Catalog) => lists::catalog(server, call).await,
        ("GET" | "HEAD", At::Discover) => Ok(lists::extensions()),
        (_, endpoint) => Err(Error::MethodNotAllowed {
            allowed: allowed(&endpoint),
        }),
    }
}

fn allowed(endpoint: &Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Blob(..) => "GET, HEAD, DELETE",
        Endpoint::Uploads(_) => "POST",
        Endpoint::Upload(..) => "GET, PATCH, PUT, DELETE",
        Endpoint::Manifest(..) => "GET, HEAD, PUT, DELETE",
        _ => "GET, HEAD",
    }
}

async fn distribution(State(server): State<Server>, request: Request) -> Response {
    let query = Query::of(request.uri());
    // A mirror's client names the registry it means. If that is an upstream, the repository is the
    // local one for it from here on, also for access policies; else the content answers for all.
    let namespace = query.get("ns").map(HeaderValue::from_str);
    let mut endpoint = Endpoint::parse(request.uri().path());
    if let Ok(endpoint) = &mut endpoint
        && is_read(request.method())
    {
        rename(&server, endpoint, query.get("ns"));
    }
    let audited = server.audit.as_ref().and_then(|log| {
        let context = request.extensions().get::<Context>()?.clone();
        let endpoint = endpoint.as_ref().ok();
        Some((
            log,
            Audited::new(endpoint, request.method(), request.headers(), context),
        ))
    });
    let subject = endpoint.as_ref().ok().and_then(Endpoint::repository);
    let subject = subject.cloned().map(Subject);
    let answered = match endpoint {
        Ok(endpoint) => admitted(&server, endpoint, query, request).await,
        // What can never be a tag is one more tag that nobody pushed.
        Err(Error::Name(ReferenceError::Tag(tag))) if is_read(request.method()) => {
            Err(Error::TagUnknown(tag))
        }
        Err(error) => Err(error),
    };
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    if let Some((log, audited)) = audited
        && let Some(record) = audited.record(&response, server.registry.now_unix_s())
    {
        log.record(record).await;
    }
    if let Some(subject) = subject {
        response.extensions_mut().insert(subject);
    }
    if let Some(Ok(namespace)) = namespace {
        let headers = response.headers_mut();
        headers.insert(response::OCI_NAMESPACE, namespace);
    }
    response
}

/// Serves a request once it is known that whoever makes it may. Nothing is looked up before.
async fn admitted(
    server: &Server,
    endpoint: Endpoint,
    query: Query,
    request: Request,
) -> Result<Response> {
    let Some(need) = needs(&endpoint, request.method(), &query) else {
        let allowed = allowed(&endpoint);
        return Err(Error::MethodNotAllowed { allowed });
    };
    let peer = peer_of(&request);
    let context = request.extensions().get::<Context>();
    let client = context.map_or(peer.address.ip(), |context| context.client);
    let (parts, body) = request.into_parts();
    let envelope = Envelope {
        peer: &peer,
        uri: &parts.uri,
        headers: &parts.headers,
    };
    let session = admit(server, envelope, &need).await?;
    let actor = Arc::clone(&session.actor);
    let call = Call {
        method: parts.method,
        query,
        headers: parts.headers,
        body,
        client,
        session,
    };
    let serving = route(server, endpoint, call);
    let answered = Actor::acting(Some(Arc::clone(&actor)), serving).await;
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    response.extensions_mut().insert(actor);
    Ok(response)
}

/// The other end of the connection that a request came by.
pub(super) fn peer_of(request: &Request) -> Peer {
    let peer = request.extensions().get::<Peer>().cloned();
    peer.unwrap_or_else(|| Peer {
        address: (Ipv4Addr::UNSPECIFIED, 0).into(),
        is_secure: false,
        certificate: None,
    })
}

/// Gives a repository of an upstream the name that it has here.
fn rename(server: &Server, endpoint: &mut Endpoint, namespace: Option<&str>) {
    if let Some(pull_through) = &server.pull_through
        && let Some(namespace) = namespace
        && let Some(repository) = endpoint.repository_mut()
        && let Some(local) = pull_through.local_of(namespace, repository)
    {
        *repository = local;
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The process serves.
pub(super) async fn live() -> StatusCode {
    StatusCode::OK
}

/// The process wants requests: its stores can be written and read, and it is not about to stop.
pub(super) async fn ready(State(server): State<Server>) -> Result<StatusCode> {
    if server.is_draining() {
        return Err(Error::Closed);
    }
    server.readiness.check().await?;
    Ok(StatusCode::OK)
}
