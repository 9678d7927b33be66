//! The OCI distribution server: an embeddable registry over a directory.
//!
//! ```text
//! http/      requests and responses; nothing else knows HTTP
//!   operations/  metrics, audit log, limits on clients, readiness, webhooks
//!   traces/    which request made which calls, for a collector
//!   watched    files that are read again when they change
//!   upstream/  what is not here is pulled through from other registries
//!   service/   what a registry does: uploads, blobs, manifests, tags, referrers
//!   mirror/    content that is kept the same here and in other registries
//!   maintenance/ garbage collection, checks and copies, on the service and its records
//!     records    what is stored about each
//!     format     whether this version knows what is stored
//!     quota      how much repositories hold and may hold
//!     retention  what leaves repositories by itself
//!   auth/      who makes a request, and whether they may
//!       storage/   payloads and records behind two traits
//! ```
//!
//! A server is `Config → build() → App → run(listener, token)`, in tests as in production:
//!
//! ```no_run
//! # async fn serve() -> cairn_registry::Result<()> {
//! let shutdown = tokio_util::sync::CancellationToken::new();
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
//! let app = cairn_registry::Config::default().build().await?;
//! app.run(listener, shutdown).await
//! # }
//! ```
//!
//! The protocol is <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.

mod app;
pub mod auth;
mod clock;
mod config;
mod error;
mod format;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod http;
#[cfg(test)]
#[path = "../../fuzz/kept.rs"]
mod kept;
mod maintenance;
mod mirror;
mod operations;
mod quota;
mod records;
mod retention;
mod service;
pub mod storage;
mod tls;
mod traces;
mod trust;
mod upstream;
mod watched;
mod workers;

pub use app::App;
pub use config::{
    AuditConfig, AuthConfig, CertificateUser, ClientCertificates, Config, EnforceConfig, EventKind,
    GcConfig, JwksConfig, KeepTags, Limits, MetricsConfig, MirrorConfig, MirrorDirection,
    OTEL_PREFIX, OidcConfig, QuotaRule, QuotasConfig, Rate, RateLimits, Ratio, RedirectConfig,
    RemoteConfig, Replicas, RepositoryNames, RetentionConfig, RetentionRule, S3Config,
    S3Credentials, Secret, StorageConfig, TlsConfig, TokenServiceConfig, TracesConfig, TrustConfig,
    TrustMode, UnmatchedTags, UntaggedManifests, UpstreamConfig, VARIABLE_PREFIX, WebhookConfig,
    check_config, config_schema, read_config,
};
pub use error::{Error, ErrorCode, Result};
pub use maintenance::{
    Checked, Copied, DeadLetter, DeadLetters, Finding, Found, FsckOptions, ImportFrom, Invariant,
    Maintenance, Progress, Rebuilt, Selection, Watch,
};
pub use quota::{QuotaReport, QuotaStatus, RepositoryUsage};
pub use retention::{Decision, RepositoryVerdicts, RetentionOptions, RetentionReport, Verdict};
pub use service::UploadId;
pub use storage::{Answer, Check};
pub use watched::Reload;
