//! What a registry is told before it starts: pure data, with a default and a reason for each limit.

mod limits;
mod storage;

use serde::{Deserialize, Serialize};

pub use limits::Limits;
pub use storage::{Replicas, S3Config, S3Credentials, Secret, StorageConfig};

use crate::{App, Result, service::Registry};

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
    /// Bounds on what clients may ask for.
    pub limits: Limits,
}

impl Config {
    /// Opens the storage and prepares the server.
    pub async fn build(self) -> Result<App> {
        let (payloads, metadata) = self.storage.open().await?;
        let registry = Registry::new(payloads, metadata, &self)?;
        Ok(App::new(registry))
    }
}
