//! The protocol over HTTP: requests in, answers out. Who asks is checked before anything is read of
//! a body, and a body before it is inflated.

mod answer;
mod body;
mod content;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::{get, post},
};
use cairn_spec::agent::{
    Register, Renew, Sync,
    limits::{MAX_SMALL_BODY_BYTES, MAX_SYNC_BYTES},
};
use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::de::DeserializeOwned;

use crate::{
    Error, Hub,
    authentication::{Asked, Expired},
    joining::Registration,
};
use answer::{json, problem};

/// The paths of the protocol, to be served at the root.
pub fn router(hub: Arc<Hub>) -> Router {
    Router::new()
        .route("/agent/v1/register", post(register))
        .route("/agent/v1/renew", post(renew))
        .route("/agent/v1/sync", post(sync))
        .route("/agent/v1/content/{digest}", get(content::get))
        .fallback(async |State(hub): State<Arc<Hub>>| problem(&hub, &Error::NotFound("such path")))
        .with_state(hub)
}

async fn register(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answered = async {
        hub.admit_join()?;
        let sent = body::read(&hub, body, MAX_SMALL_BODY_BYTES).await?;
        let wanted: Register = parse(&body::inflated(
            &parts.headers,
            &sent,
            MAX_SMALL_BODY_BYTES,
        )?)?;
        hub.register(&asked(&parts), &sent, &wanted).await
    };
    match answered.await {
        Ok(Registration::Done(registered)) => json(&hub, StatusCode::OK, &registered),
        Ok(Registration::Pending(pending)) => json(&hub, StatusCode::ACCEPTED, &pending),
        Err(error) => problem(&hub, &error),
    }
}

async fn renew(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answered = async {
        let caller = hub
            .authenticate(&asked(&parts), Expired::WithinGrace)
            .await?;
        let sent = body::read(&hub, body, MAX_SMALL_BODY_BYTES).await?;
        caller.check_body(&sent)?;
        let wanted: Renew = parse(&body::inflated(
            &parts.headers,
            &sent,
            MAX_SMALL_BODY_BYTES,
        )?)?;
        hub.renew(&caller, &wanted).await
    };
    match answered.await {
        Ok(renewed) => json(&hub, StatusCode::OK, &renewed),
        Err(error) => problem(&hub, &error),
    }
}

async fn sync(State(hub): State<Arc<Hub>>, request: Request) -> Response {
    let answered = async {
        // Boxed, so that nothing of reading a request is held while it waits.
        let (caller, sync) = Box::pin(read_sync(&hub, request)).await?;
        hub.sync(&caller, sync).await
    };
    match answered.await {
        Ok(answer) => json(&hub, StatusCode::OK, &answer),
        Err(error) => problem(&hub, &error),
    }
}

async fn read_sync(
    hub: &Hub,
    request: Request<Body>,
) -> Result<(crate::authentication::Caller, Sync), Error> {
    let (parts, body) = request.into_parts();
    let caller = hub.authenticate(&asked(&parts), Expired::Refused).await?;
    let sent = body::read(hub, body, MAX_SYNC_BYTES).await?;
    caller.check_body(&sent)?;
    let sync = parse(&body::inflated(&parts.headers, &sent, MAX_SYNC_BYTES)?)?;
    Ok((caller, sync))
}

/// What the request's token must be about.
fn asked(parts: &Parts) -> Asked<'_> {
    Asked {
        authorization: text(&parts.headers, &header::AUTHORIZATION),
        method: parts.method.as_str(),
        path: parts.uri.path(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::Malformed(format!("the body: {error}")))
}
