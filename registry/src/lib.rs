//! The OCI distribution server: an embeddable registry over a directory.
//!
//! ```text
//! http/      requests and responses; nothing else knows HTTP
//!   service/   what a registry does: uploads, blobs, manifests, tags, referrers
//!     records    what is stored about each
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
mod config;
mod error;
mod http;
mod records;
mod service;
pub mod storage;
mod tls;

pub use app::App;
pub use config::{
    AuthConfig, CertificateUser, ClientCertificates, Config, JwksConfig, Limits, OidcConfig,
    StorageConfig, TlsConfig, TokenServiceConfig,
};
pub use error::{Error, ErrorCode, Result};
