//! What a registry is told before it starts: pure data, with a default and a reason for each key.
//!
//! A part of the configuration is a file here, with its types, their defaults, and a `check` for
//! what types cannot say. [`read_config`] reads all of it from text.

mod audit;
mod clients;
mod file;
mod gc;
mod limits;
mod metrics;
mod problems;
mod storage;
mod webhooks;

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

pub use audit::AuditConfig;
pub use clients::{Rate, RateLimits};
pub use file::{VARIABLE_PREFIX, config_schema, read_config};
pub use gc::{GcConfig, UntaggedManifests};
pub use limits::Limits;
pub use metrics::MetricsConfig;
pub use storage::StorageConfig;
pub use webhooks::{EventKind, WebhookConfig};

pub(crate) use clients::networks;
pub(crate) use problems::Problems;

use clients::check_networks;

use crate::{
    App, Error, Maintenance, Result,
    http::Server,
    maintenance,
    operations::{
        metrics::{MeasuredMetadata, MeasuredPayloads, Metrics},
        webhooks::{AnnouncedMetadata, Endpoint, Outbox, deliver_until},
    },
    service::Registry,
    storage::{Metadata, Payloads},
};

/// The configuration of `cairn registry serve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// The address to serve on. Nothing but this machine reaches the default: what a registry
    /// offers to a network is a decision.
    #[serde(deserialize_with = "address_and_port")]
    pub listen: SocketAddr,
    /// Where content is kept, such as `{directory: /var/lib/cairn}`; in `memory` it is lost when
    /// the process ends.
    pub storage: StorageConfig,
    /// Which tags name the same content forever, as globs: over repositories (`packs/**`) or, with
    /// a colon, over tags (`apps/*:v*`). Tags derived from a digest, such as `sha256-….sig`, are
    /// never immutable, for clients collect signatures and referrers under them. By default,
    /// versions of packs are written once.
    pub immutable_tags: Vec<String>,
    /// Bounds on what clients may ask for.
    pub limits: Limits,
    /// Numbers for Prometheus; none are served by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<MetricsConfig>,
    /// A log of who pushed, deleted or was denied what; none is written by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditConfig>,
    /// The networks of proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`. None are
    /// by default: anybody can send the header.
    pub trusted_proxies: Vec<String>,
    /// How often each client may ask; unlimited by default.
    pub rate_limits: RateLimits,
    /// Who is told about changes; nobody is by default. Each event is one more record to write.
    pub webhooks: Vec<WebhookConfig>,
    /// When garbage is collected, and what is garbage.
    pub gc: GcConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Docker's registry made this port the one that clients try.
            listen: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5000)),
            storage: StorageConfig::default(),
            immutable_tags: vec!["packs/**".to_owned()],
            limits: Limits::default(),
            metrics: None,
            audit: None,
            trusted_proxies: Vec::new(),
            rate_limits: RateLimits::default(),
            webhooks: Vec::new(),
            gc: GcConfig::default(),
        }
    }
}

impl Config {
    /// Opens the storage and prepares the server.
    pub async fn build(self) -> Result<App> {
        let metrics = Arc::new(Metrics::default());
        let endpoints = self.webhooks.iter().map(Endpoint::open);
        let endpoints = endpoints
            .map(|endpoint| endpoint.map(Arc::new))
            .collect::<Result<Vec<_>>>()?;
        let mut registry = self.open(&metrics).await?;
        let outbox = Outbox {
            metadata: Arc::clone(&registry.metadata),
            clock: Arc::clone(&registry.clock),
            metrics: Arc::clone(&metrics),
        };
        if !endpoints.is_empty() {
            registry.metadata = Arc::new(AnnouncedMetadata {
                inner: Arc::clone(&outbox.metadata),
                endpoints: endpoints.clone(),
                clock: Arc::clone(&outbox.clock),
            });
        }
        let mut app = App::new(Server::new(registry, metrics, &self)?);
        if let Some(config) = &self.metrics {
            app.serve_metrics(config.listen).await?;
        }
        for endpoint in endpoints {
            let outbox = outbox.clone();
            app.workers
                .add("webhook", |stop| deliver_until(stop, outbox, endpoint));
        }
        if self.gc.enabled {
            let registry = app.registry();
            app.workers
                .add("gc", |stop| maintenance::run(registry, self.gc, stop));
        }
        Ok(app)
    }

    /// Opens the storage for maintenance, without a server.
    ///
    /// A directory must not be held by a server meanwhile: that fails with [`Error::InUse`].
    pub async fn maintain(self) -> Result<Maintenance> {
        let registry = self.open(&Arc::default()).await?;
        Ok(Maintenance::new(registry, self.gc))
    }

    async fn open(&self, metrics: &Arc<Metrics>) -> Result<Registry> {
        self.gc.check(&self.limits)?;
        let (mut payloads, mut metadata) = self.storage.open().await?;
        if self.metrics.is_some() {
            (payloads, metadata) = measured(payloads, metadata, metrics);
        }
        Registry::new(payloads, metadata, self)
    }

    /// What is wrong although every key has the right type.
    fn check(&self, problems: &mut Problems<'_>) {
        for (index, pattern) in self.immutable_tags.iter().enumerate() {
            problems
                .below("immutableTags")
                .glob(&index.to_string(), pattern);
        }
        self.limits.check(&mut problems.below("limits"));
        if let Some(audit) = &self.audit {
            audit.check(&mut problems.below("audit"));
        }
        webhooks::check(&self.webhooks, &mut problems.below("webhooks"));
        check_networks(&self.trusted_proxies, &mut problems.below("trustedProxies"));
        if let Err(Error::Config {
            setting, source, ..
        }) = self.gc.check(&self.limits)
        {
            problems.setting(setting, &source.to_string());
        }
    }
}

fn measured(
    payloads: Arc<dyn Payloads>,
    metadata: Arc<dyn Metadata>,
    metrics: &Arc<Metrics>,
) -> (Arc<dyn Payloads>, Arc<dyn Metadata>) {
    let payloads = MeasuredPayloads {
        inner: payloads,
        metrics: Arc::clone(metrics),
    };
    let metadata = MeasuredMetadata {
        inner: metadata,
        metrics: Arc::clone(metrics),
    };
    (Arc::new(payloads), Arc::new(metadata))
}

/// Reads an address to listen on. Names are not resolved: what they mean may change.
fn address_and_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        de::Error::custom(format!(
            "`{text}` is not an IP address and a port, such as `127.0.0.1:5000`"
        ))
    })
}
