//! The registry over HTTP: requests in, responses out. Nothing below knows about it.
//!
//! Repository names contain slashes, so paths are not matched by a router: below `/v2/`, one
//! handler reads the path from the right ([`endpoint`]) and one function lists what every endpoint
//! answers to ([`routes`]).

mod access_log;
mod audit;
mod authentication;
mod blobs;
mod body;
mod connection;
mod context;
mod endpoint;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod jwks;
mod lists;
mod manifests;
mod metrics;
mod needs;
mod peer;
mod query;
mod ranges;
mod response;
mod route_class;
mod routes;
mod token;
mod uploads;

pub(crate) use connection::{Accepted, StallGuard, serve};
pub(crate) use jwks::jwks_fetch;
pub(crate) use metrics::serve_metrics;
pub(crate) use peer::{Peer, is_origin};
pub(crate) use routes::router;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ipnet::IpNet;
use peer::Origin;
use tracing::Instrument;

use crate::{
    Config, Error, RateLimits, Result,
    auth::{Actor, Auth},
    config::networks,
    operations::{audit::AuditLog, metrics::Metrics, rate_limits::ClientLimits},
    service::Registry,
};

/// What every handler works with.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) registry: Arc<Registry>,
    pub(crate) auth: Arc<Auth>,
    origin: Arc<Origin>,
    pub(crate) metrics: Arc<Metrics>,
    /// Present if any client is limited.
    pub(crate) client_limits: Option<Arc<ClientLimits>>,
    audit: Option<Arc<AuditLog>>,
    trusted_proxies: Arc<[IpNet]>,
    /// The server was told to stop: it finishes what it began, but wants no more.
    draining: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn new(
        registry: Registry,
        auth: Auth,
        metrics: Arc<Metrics>,
        config: &Config,
    ) -> Result<Self> {
        let audit = config.audit.as_ref();
        let audit = audit.map(|audit| AuditLog::open(&audit.file)).transpose()?;
        let is_limited = config.rate_limits != RateLimits::default();
        Ok(Self {
            registry: Arc::new(registry),
            auth: Arc::new(auth),
            origin: Arc::new(Origin::new(config)),
            metrics,
            client_limits: is_limited.then(|| Arc::new(ClientLimits::new(&config.rate_limits))),
            audit: audit.map(Arc::new),
            trusted_proxies: networks(&config.trusted_proxies).into(),
            draining: Arc::default(),
        })
    }

    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Runs work to its end even if the client leaves: what arrived of an upload is kept, and a
    /// write of several records is not cut in two.
    pub(crate) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let work = Actor::acting(Actor::current(), work.in_current_span());
        let task = self.registry.tasks.spawn(work);
        task.await.map_err(|_| Error::Panic)?
    }
}
