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
mod otlp;
mod peer;
mod query;
mod ranges;
mod redirects;
mod response;
mod route_class;
mod routes;
mod token;
mod uploads;
mod webhooks;

pub(crate) use connection::{Accepted, StallGuard, serve};
pub(crate) use jwks::jwks_fetch;
pub(crate) use metrics::serve_metrics;
pub(crate) use otlp::otlp_deliver;
pub(crate) use peer::{Peer, is_origin};
pub(crate) use routes::router;
pub(crate) use webhooks::webhook_post;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use cairn_spec::RepositoryName;
use ipnet::IpNet;
use peer::Origin;
use redirects::Redirects;
use tracing::Instrument;

use crate::{
    Config, Error, RateLimits, Result,
    auth::{Actor, Auth},
    config::networks,
    operations::{
        audit::AuditLog, metrics::Metrics, rate_limits::ClientLimits, readiness::Readiness,
    },
    service::{Reference, Registry},
    traces::{self, Tracer},
    upstream::{PullThrough, Pulled},
};

/// What every handler works with.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) registry: Arc<Registry>,
    /// Present if there are upstreams.
    pub(crate) pull_through: Option<Arc<PullThrough>>,
    pub(crate) auth: Arc<Auth>,
    origin: Arc<Origin>,
    pub(crate) metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    /// Present if any client is limited.
    pub(crate) client_limits: Option<Arc<ClientLimits>>,
    pub(crate) audit: Option<Arc<AuditLog>>,
    trusted_proxies: Arc<[IpNet]>,
    redirects: Arc<Redirects>,
    /// Present if traces go anywhere.
    pub(crate) tracer: Option<Arc<Tracer>>,
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
        let readiness = Readiness::new(
            Arc::clone(&registry.payloads),
            Arc::clone(&registry.metadata),
            Arc::clone(&metrics),
            registry.tasks.clone(),
        );
        let registry = Arc::new(registry);
        let pull_through = (!config.upstreams.is_empty())
            .then(|| {
                let (registry, metrics) = (Arc::clone(&registry), Arc::clone(&metrics));
                PullThrough::open(&config.upstreams, registry, metrics)
            })
            .transpose()?;
        let is_limited = config.rate_limits != RateLimits::default();
        Ok(Self {
            registry,
            pull_through: pull_through.map(Arc::new),
            auth: Arc::new(auth),
            origin: Arc::new(Origin::new(config)),
            metrics,
            readiness: Arc::new(readiness),
            client_limits: is_limited.then(|| Arc::new(ClientLimits::new(&config.rate_limits))),
            audit: audit.map(Arc::new),
            trusted_proxies: networks(&config.trusted_proxies).into(),
            redirects: Arc::new(Redirects::new(&config.storage)),
            tracer: None,
            draining: Arc::default(),
        })
    }

    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// A manifest that is here, or that an upstream has.
    pub(super) async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Pulled> {
        let Some(pull_through) = &self.pull_through else {
            let stored = self.registry.manifest(repository, reference).await?;
            return Ok(stored.into());
        };
        let pull_through = Arc::clone(pull_through);
        let (repository, reference) = (repository.clone(), reference.clone());
        let pulling = async move { pull_through.manifest(&repository, &reference).await };
        self.detached(pulling).await
    }

    /// Runs work to its end even if the client leaves: what arrived of an upload is kept, and a
    /// write of several records is not cut in two.
    pub(crate) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let work = Actor::acting(Actor::current(), work.in_current_span());
        let work = traces::within(traces::current(), work);
        let task = self.registry.tasks.spawn(work);
        task.await.map_err(|_| Error::Panic)?
    }
}
