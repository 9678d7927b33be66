//! How another registry is reached, and who this one is to it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;
use crate::upstream::address;

/// Another registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteConfig {
    /// Where it is, such as `https://registry-1.docker.io`; plain HTTP only when it says `http://`.
    pub url: String,
    /// The user there; anonymous by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The file with the user's password or access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Hosts of token services that the password may be sent to, beside the registry's own.
    #[serde(default)]
    pub token_services: Vec<String>,
    /// Certificates (PEM) to trust besides those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// It may lead to addresses of this machine and of private networks, for instance by redirects.
    /// By default only `url` and `tokenServices` may have such addresses. Proxies of the
    /// environment are used only with it, for they reach what they like.
    #[serde(default)]
    pub allow_private_networks: bool,
    /// How long it may take to answer, without the time that a blob needs.
    #[serde(default = "half_a_minute")]
    pub timeout_s: u64,
}

pub(super) fn half_a_minute() -> u64 {
    30
}

impl RemoteConfig {
    pub(super) fn check(&self, problems: &mut Problems<'_>) {
        if let Err(reason) = address(&self.url) {
            let message = format!("`{}` {reason}", self.url);
            problems.add("url", message, "addresses are such as `https://ghcr.io`");
        }
        for (index, service) in self.token_services.iter().enumerate() {
            if service.parse::<cairn_spec::RegistryHost>().is_err() {
                let message = format!("`{service}` is not HOST[:PORT]");
                let hint = "write hosts such as `auth.docker.io`";
                let mut services = problems.below("tokenServices");
                services.add(&index.to_string(), message, hint);
            }
        }
        if self.username.is_some() != self.password_file.is_some() {
            let message = "a user and a password need each other";
            problems.add(
                "passwordFile",
                message,
                "give both `username` and `passwordFile`",
            );
        }
        if self.timeout_s == 0 {
            let message = "0 seconds end every request at once";
            problems.add("timeoutS", message, "leave the key out for its default");
        }
    }

    pub(super) fn check_files(&self, problems: &mut Problems<'_>) {
        if let Some(file) = &self.password_file {
            problems.file("passwordFile", file);
        }
        if let Some(file) = &self.ca_file {
            problems.file("caFile", file);
        }
    }
}
