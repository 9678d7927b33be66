//! What a registry is told before it starts: pure data, with a default and a reason for each key.
//!
//! A part of the configuration is a file here, with its types, their defaults, and a `check` for
//! what types cannot say. [`read_config`] reads all of it from text.

mod file;
mod limits;
mod problems;
mod storage;
mod trust;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use file::{VARIABLE_PREFIX, config_schema, read_config};
pub use limits::Limits;
pub use storage::StorageConfig;
pub use trust::{EnforceConfig, TrustConfig, TrustMode};

pub(crate) use problems::Problems;

use crate::{App, Result, service::Registry};

/// The configuration of `cairn registry serve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// The address to serve on. Nothing but this machine reaches the default: what a registry
    /// offers to a network is a decision.
    pub listen: SocketAddr,
    /// Where content is kept.
    pub storage: StorageConfig,
    /// Which tags name the same content forever, as globs: over repositories (`packs/**`) or, with
    /// a colon, over tags (`apps/*:v*`). Tags derived from a digest, such as `sha256-….sig`, are
    /// never immutable, for clients collect signatures and referrers under them. By default,
    /// versions of packs are written once.
    pub immutable_tags: Vec<String>,
    /// Whose signatures content needs, and what happens without them; left out, nobody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustConfig>,
    /// Bounds on what clients may ask for.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // Docker's registry made this port the one that clients try.
            listen: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5000)),
            storage: StorageConfig::default(),
            immutable_tags: vec!["packs/**".to_owned()],
            trust: None,
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// Opens the storage and prepares the server.
    pub async fn build(self) -> Result<App> {
        let (payloads, metadata) = self.storage.open().await?;
        let registry = Registry::new(payloads, metadata, &self)?;
        Ok(App::new(registry))
    }

    /// What is wrong although every key has the right type.
    fn check(&self, problems: &mut Problems<'_>) {
        for (index, pattern) in self.immutable_tags.iter().enumerate() {
            problems
                .below("immutableTags")
                .glob(&index.to_string(), pattern);
        }
        if let Some(trust) = &self.trust {
            trust.check(&mut problems.below("trust"));
        }
        self.limits.check(&mut problems.below("limits"));
    }
}
