//! What a registry is told before it starts: pure data, with a default and a reason for each key.
//!
//! A part of the configuration is a file here, with its types, their defaults, and a `check` for
//! what types cannot say. [`read_config`] reads all of it from text.

mod audit;
mod auth;
mod clients;
mod file;
mod gc;
mod globs;
mod limits;
mod metrics;
mod mirrors;
mod otel;
mod problems;
mod quotas;
mod redirects;
mod remote;
mod retention;
mod storage;
mod tls;
mod traces;
mod trust;
mod upstreams;
mod webhooks;

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

pub use audit::AuditConfig;
pub use auth::{AuthConfig, CertificateUser, JwksConfig, OidcConfig, TokenServiceConfig};
pub use clients::{Rate, RateLimits};
pub use file::{VARIABLE_PREFIX, check_config, config_schema, read_config};
pub use gc::{GcConfig, UntaggedManifests};
pub use limits::Limits;
pub use metrics::MetricsConfig;
pub use mirrors::{MirrorConfig, MirrorDirection};
pub use otel::OTEL_PREFIX;
pub use quotas::{QuotaRule, QuotasConfig};
pub use redirects::RedirectConfig;
pub use remote::RemoteConfig;
pub use retention::{KeepTags, RetentionConfig, RetentionRule, UnmatchedTags};
pub use storage::{Replicas, S3Config, S3Credentials, Secret, StorageConfig};
pub use tls::{ClientCertificates, TlsConfig};
pub use traces::{Ratio, TracesConfig};
pub use trust::{EnforceConfig, TrustConfig, TrustMode};
pub use upstreams::{RepositoryNames, UpstreamConfig};
pub use webhooks::{EventKind, WebhookConfig};

pub(crate) use clients::networks;
pub(crate) use globs::{glob, globs};
pub(crate) use problems::Problems;

use clients::check_networks;

use crate::{
    App, Maintenance, Result,
    auth::{Auth, Invalid},
    format,
    http::{self, Server},
    maintenance,
    mirror::{Mirror, run_on_schedule},
    operations::{
        metrics::{MeasuredMetadata, MeasuredPayloads, Metrics},
        webhooks::{AnnouncedMetadata, Endpoint, Outbox, deliver_until},
    },
    quota,
    retention::{flush_pulls_until, retain_until},
    service::Registry,
    storage::{Metadata, Payloads},
    tls::Tls,
    traces::{Exporter, Tracer},
    trust::Trust,
    watched::Watch,
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
    /// Who may use the registry. Without it everybody may do everything, and only on this machine
    /// unless `openToEveryone` says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthConfig>,
    /// Everybody who reaches the address may push and delete, and that is wanted.
    pub open_to_everyone: bool,
    /// TLS of the listener; without it, the registry speaks plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// Where clients reach the registry, such as `https://registry.example.com`; by default, where
    /// each request says it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Whose signatures content needs, and what happens without them; left out, nobody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustConfig>,
    /// Bounds on what clients may ask for.
    pub limits: Limits,
    /// When garbage is collected, and what is garbage.
    pub gc: GcConfig,
    /// How much repositories may hold; as much as there is room for by default.
    pub quotas: QuotasConfig,
    /// Which tags and manifests are removed by themselves; none are by default.
    pub retention: RetentionConfig,
    /// Numbers for Prometheus; none are served by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<MetricsConfig>,
    /// Where traces are sent; nowhere by default.
    pub traces: TracesConfig,
    /// A log of who pushed, deleted or was denied what; none is written by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditConfig>,
    /// The networks of proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed, such as
    /// `10.0.0.0/8`. None are by default: anybody can send the headers.
    pub trusted_proxies: Vec<String>,
    /// How often each client may ask; unlimited by default.
    pub rate_limits: RateLimits,
    /// Who is told about changes; nobody is by default. Each event is one more record to write.
    pub webhooks: Vec<WebhookConfig>,
    /// Registries whose content is fetched when a client asks for it, and kept; none by default.
    pub upstreams: Vec<UpstreamConfig>,
    /// What is copied from or to other registries, on a schedule or by `cairn registry sync`.
    pub mirrors: Vec<MirrorConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Docker's registry made this port the one that clients try.
            listen: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5000)),
            storage: StorageConfig::default(),
            immutable_tags: vec!["packs/**".to_owned()],
            auth: None,
            open_to_everyone: false,
            tls: None,
            public_url: None,
            trust: None,
            limits: Limits::default(),
            gc: GcConfig::default(),
            quotas: QuotasConfig::default(),
            retention: RetentionConfig::default(),
            metrics: None,
            traces: TracesConfig::default(),
            audit: None,
            trusted_proxies: Vec::new(),
            rate_limits: RateLimits::default(),
            webhooks: Vec::new(),
            upstreams: Vec::new(),
            mirrors: Vec::new(),
        }
    }
}

impl Config {
    /// Opens the storage and prepares the server.
    pub async fn build(self) -> Result<App> {
        let metrics = Arc::new(Metrics::default());
        self.check_access()?;
        let interval = Duration::from_millis(self.limits.file_interval_ms);
        let watch = Watch::new(interval, Arc::clone(&metrics));
        let endpoints = endpoints(&self.webhooks, &watch)?;
        let mut registry = self.open(&metrics, &watch).await?;
        let (tracer, exporter) = self.tracing(&metrics)?.unzip();
        let outbox = Outbox {
            tracer: tracer.clone(),
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
        let store = Arc::clone(&registry.metadata);
        let (auth, limits) = (self.auth.as_ref(), &self.limits);
        let auth = Auth::open(auth, limits, &*store, &watch, http::jwks_fetch).await?;
        drop(store);
        let tls = self.tls.as_ref();
        let tls = tls.map(|tls| Tls::open(tls, limits, &watch));
        let mut server = Server::new(registry, auth, metrics, &self)?;
        server.tracer = tracer;
        let mut app = App::new(server, tls.transpose()?, self.open_to_everyone, &watch);
        app.exporter = exporter;
        for endpoint in endpoints {
            let outbox = outbox.clone();
            app.workers
                .add("webhook", |stop| deliver_until(stop, outbox, endpoint));
        }
        let host = self.trust.as_ref().map(|trust| trust.host.as_str());
        for (config, place) in self.mirrors.iter().zip(0..) {
            let Some(interval_s) = config.interval_s else {
                continue;
            };
            let registry = app.registry();
            let mirror = Mirror::open(config, Arc::clone(&registry), host)?;
            app.workers.add("mirror", move |stop| {
                run_on_schedule(stop, registry, (mirror, place), interval_s)
            });
        }
        if self.gc.enabled {
            let registry = app.registry();
            app.workers
                .add("gc", |stop| maintenance::run(registry, self.gc, stop));
        }
        if !self.quotas.rules.is_empty() {
            quota::begin(&app.registry()).await?;
            let registry = app.registry();
            app.workers
                .add("quotas", |stop| quota::flush_until(registry, stop));
            let (registry, interval_s) = (app.registry(), self.quotas.recount_interval_s);
            app.workers.add("quota-recount", move |stop| {
                quota::recount_until(registry, interval_s, stop)
            });
        }
        if !self.retention.rules.is_empty() {
            let (registry, telling) = (app.registry(), app.telling());
            app.workers
                .add("retention", |stop| retain_until(registry, telling, stop));
            let registry = app.registry();
            app.workers
                .add("pulls", |stop| flush_pulls_until(registry, stop));
        }
        if let Some(config) = &self.metrics {
            app.serve_metrics(config.listen).await?;
        }
        Ok(app)
    }

    /// Opens the storage for maintenance, without a server.
    ///
    /// A directory must not be held by a server meanwhile: that fails with [`crate::Error::InUse`].
    pub async fn maintain(self) -> Result<Maintenance> {
        let metrics = Arc::default();
        let watch = Watch::new(Duration::MAX, Arc::clone(&metrics));
        let registry = self.open(&metrics, &watch).await?;
        let host = self.trust.map(|trust| trust.host);
        Ok(Maintenance::new(registry, self.gc, self.audit).with_mirrors(self.mirrors, host))
    }

    async fn open(&self, metrics: &Arc<Metrics>, watch: &Watch) -> Result<Registry> {
        self.gc.validate(&self.limits)?;
        let (mut payloads, mut metadata) = self.storage.open().await?;
        format::check(&*metadata).await?;
        if self.metrics.is_some() || self.traces.endpoint.is_some() {
            (payloads, metadata) = measured(payloads, metadata, metrics);
        }
        let mut registry = Registry::new(payloads, metadata, self)?;
        let trust = self.trust.as_ref();
        registry.trust = trust.map(|trust| Trust::open(trust, watch)).transpose()?;
        Ok(registry)
    }

    /// What makes traces and what sends them, if they go anywhere.
    fn tracing(&self, metrics: &Arc<Metrics>) -> Result<Option<(Arc<Tracer>, Exporter)>> {
        let Some(endpoint) = &self.traces.endpoint else {
            return Ok(None);
        };
        let deliver = http::otlp_deliver(endpoint, &self.traces)?;
        let (tracer, spans) = Tracer::new(&self.traces, metrics);
        let exporter = Exporter::new(&self.traces, spans, deliver, metrics);
        Ok(Some((tracer, exporter)))
    }

    /// Settings of who may use the registry that contradict each other.
    fn check_access(&self) -> Result<()> {
        let by_certificate = self
            .auth
            .as_ref()
            .is_some_and(|auth| auth.client_certificates.is_some());
        let has_authority = self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        if by_certificate && !has_authority {
            let reason =
                "client certificates name users only if `tls.clientCa` says which to accept";
            return Err(Invalid::new("auth.clientCertificates", reason).into());
        }
        if let Some(url) = &self.public_url
            && !http::is_origin(url)
        {
            let reason = "expected `https://HOST[:PORT]` without a path";
            return Err(Invalid::new("publicUrl", reason).into());
        }
        Ok(())
    }

    /// What is wrong although every key has the right type.
    fn check(&self, problems: &mut Problems<'_>) {
        for (index, pattern) in self.immutable_tags.iter().enumerate() {
            problems
                .below("immutableTags")
                .glob(&index.to_string(), pattern);
        }
        problems.refused(self.check_access());
        if let Some(trust) = &self.trust {
            trust.check(&mut problems.below("trust"));
        }
        self.storage.check(problems);
        self.limits.check(&mut problems.below("limits"));
        problems.refused(self.gc.validate(&self.limits));
        self.quotas.check(&mut problems.below("quotas"));
        self.retention.check(&mut problems.below("retention"));
        if let Some(audit) = &self.audit {
            audit.check(&mut problems.below("audit"));
        }
        self.traces.check(&mut problems.below("traces"));
        webhooks::check(&self.webhooks, &mut problems.below("webhooks"));
        upstreams::check(&self.upstreams, &mut problems.below("upstreams"));
        mirrors::check(&self.mirrors, &mut problems.below("mirrors"));
        check_networks(&self.trusted_proxies, &mut problems.below("trustedProxies"));
    }

    /// Which files are not there that a server reads when it starts.
    fn check_files(&self, problems: &mut Problems<'_>) {
        self.storage.check_files(problems);
        if let Some(auth) = &self.auth {
            auth.check_files(&mut problems.below("auth"));
        }
        if let Some(tls) = &self.tls {
            tls.check_files(&mut problems.below("tls"));
        }
        self.traces.check_files(&mut problems.below("traces"));
        if let Some(trust) = &self.trust {
            problems.below("trust").file("policy", &trust.policy);
        }
        upstreams::check_files(&self.upstreams, &mut problems.below("upstreams"));
        mirrors::check_files(&self.mirrors, &mut problems.below("mirrors"));
    }
}

fn endpoints(webhooks: &[WebhookConfig], watch: &Watch) -> Result<Vec<Arc<Endpoint>>> {
    let open = |config| Endpoint::open(config, watch, http::webhook_post(config)?).map(Arc::new);
    webhooks.iter().map(open).collect()
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
