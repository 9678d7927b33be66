//! What a registry is told before it starts: pure data, with a default and a reason for each limit.

mod auth;
mod limits;
mod storage;
mod tls;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use auth::{AuthConfig, CertificateUser, JwksConfig, OidcConfig, TokenServiceConfig};
pub use limits::Limits;
pub use storage::StorageConfig;
pub use tls::{ClientCertificates, TlsConfig};

use crate::{
    App, Result,
    auth::{Auth, Invalid},
    http::{self, Origin, Server},
    service::Registry,
    tls::Tls,
};

/// A registry's settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Where content is kept.
    pub storage: StorageConfig,
    /// Which tags name the same content forever, as globs: over repositories (`packs/**`) or, with
    /// a colon, over tags (`apps/*:v*`). Tags derived from a digest, such as `sha256-….sig`, are
    /// never immutable, for clients collect signatures and referrers under them.
    pub immutable_tags: Vec<String>,
    /// Who may use the registry. Without it everybody may do everything, and only on this machine
    /// unless `open_to_everyone` says otherwise.
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
    /// The networks of proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Bounds on what clients may ask for.
    pub limits: Limits,
}

impl Config {
    /// Opens the storage and prepares the server.
    pub async fn build(self) -> Result<App> {
        let (payloads, metadata) = self.storage.open().await?;
        self.check()?;
        let fetch = http::jwks_fetch;
        let auth = Auth::open(self.auth.as_ref(), &self.limits, &*metadata, fetch).await?;
        let tls = self
            .tls
            .as_ref()
            .map(|tls| Tls::open(tls, &self.limits))
            .transpose()?;
        let registry = Registry::new(payloads, metadata, &self)?;
        let server = Server::new(registry, auth, Origin::new(&self));
        Ok(App::new(server, tls, self.open_to_everyone))
    }

    /// Settings that contradict each other.
    fn check(&self) -> Result<()> {
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
            return Err(
                Invalid::new("publicUrl", "expected `https://HOST[:PORT]` without a path").into(),
            );
        }
        Ok(())
    }
}
