//! The listener of the metrics, for whoever runs the registry: `/metrics`, and the health that the
//! registry's own listener tells, too.

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, header};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    Server,
    routes::{live, ready},
};
use crate::operations::metrics;

/// <https://prometheus.io/docs/specs/om/open_metrics_spec/#overall-structure>
const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Serves the metrics until told to stop.
pub(crate) async fn serve_metrics(listener: TcpListener, server: Server, stop: CancellationToken) {
    let router = Router::new()
        .route("/metrics", get(exposition))
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .with_state(server);
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::error!(%error, "the listener of the metrics failed");
    }
}

async fn exposition(State(server): State<Server>) -> Response {
    let state = metrics::State {
        uploads_under_way: server.registry.uploads_under_way(),
        is_draining: server.is_draining(),
        maintenance: server.registry.tally.progress(),
        quotas: server
            .registry
            .quotas
            .as_ref()
            .map_or_else(Vec::new, |quotas| quotas.measures()),
    };
    match server.metrics.exposition(state) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => error.into_response(),
    }
}
