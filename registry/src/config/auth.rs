//! Who may use the registry: where users, tokens and the access policy are.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may use the registry. As soon as this is set, what the policy does not allow is denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthConfig {
    /// The access policy, a file that is read again when it changes.
    pub policy: PathBuf,
    /// A password file with bcrypt or argon2 hashes, read again when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub htpasswd: Option<PathBuf>,
    /// A file of API tokens, read again when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<PathBuf>,
    /// Whose ID tokens are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oidc: Vec<OidcConfig>,
    /// Where a client certificate holds its user; without it, certificates name nobody. Needs
    /// `tls.clientCa`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificates: Option<CertificateUser>,
    /// The token service that clients of Docker's protocol use.
    #[serde(default)]
    pub token_service: TokenServiceConfig,
}

impl AuthConfig {
    /// A policy, and nobody who could log in yet.
    pub fn with_policy(policy: impl Into<PathBuf>) -> Self {
        Self {
            policy: policy.into(),
            htpasswd: None,
            tokens: None,
            oidc: Vec::new(),
            client_certificates: None,
            token_service: TokenServiceConfig::default(),
        }
    }
}

/// An issuer of OIDC ID tokens: a Kubernetes cluster for its service accounts, or a CI system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OidcConfig {
    /// What the users of this issuer are called after: `github` makes them `github:<claim>`.
    pub name: String,
    /// The `iss` claim, exactly.
    pub issuer: String,
    /// One of these must stand in the `aud` claim, so that tokens for others are not accepted.
    pub audiences: Vec<String>,
    /// Where the issuer's keys are.
    pub jwks: JwksConfig,
    /// The claim that names the user.
    #[serde(default = "subject")]
    pub user_claim: String,
    /// The claim that lists the user's groups, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<String>,
    /// Claims that must have these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub require: BTreeMap<String, String>,
    /// How far the issuer's clock may be off, in seconds; at most 300.
    #[serde(default = "skew")]
    pub clock_skew_s: u64,
}

fn subject() -> String {
    "sub".to_owned()
}

fn skew() -> u64 {
    60
}

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum JwksConfig {
    /// In a file, read again when it changes.
    File(PathBuf),
    /// At a URL, which is asked every few minutes and when a token names a new key.
    #[serde(rename_all = "camelCase")]
    Url {
        /// The URL. It must be HTTPS, except on this machine.
        url: String,
        /// The only authority that is trusted for it (PEM); by default the system's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ca_file: Option<PathBuf>,
    },
}

/// Which part of a client certificate is its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CertificateUser {
    /// The subject's common name.
    CommonName,
    /// The first URI among the subject's alternative names, such as a SPIFFE ID.
    Uri,
}

/// The token service at `/v2/token`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TokenServiceConfig {
    /// Clients are told to fetch tokens. Without it they send their password with every request.
    pub enabled: bool,
    /// The audience of the tokens. Registries that share a storage share it.
    pub service: String,
    /// How long a token is valid.
    pub lifetime_s: u64,
    /// How long a refresh token is valid, which `docker login` keeps in place of the password.
    pub refresh_lifetime_s: u64,
}

impl Default for TokenServiceConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            service: "cairn-registry".to_owned(),
            lifetime_s: 300,
            refresh_lifetime_s: 30 * 24 * 60 * 60,
        }
    }
}
