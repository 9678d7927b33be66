//! What a registry is told before it starts: pure data, with a default and a reason for each limit.

mod gc;
mod limits;
mod storage;

use serde::{Deserialize, Serialize};

pub use gc::{GcConfig, UntaggedManifests};
pub use limits::Limits;
pub use storage::{Replicas, S3Config, S3Credentials, Secret, StorageConfig};

use crate::{App, Maintenance, Result, maintenance, service::Registry};

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
    /// When garbage is collected, and what is garbage.
    pub gc: GcConfig,
}

impl Config {
    /// Opens the storage and prepares the server.
    pub async fn build(self) -> Result<App> {
        let registry = self.open().await?;
        let mut app = App::new(registry);
        if self.gc.enabled {
            let registry = app.registry();
            app.workers
                .add("gc", |stop| maintenance::run(registry, self.gc, stop));
        }
        Ok(app)
    }

    /// Opens the storage for maintenance, without a server.
    ///
    /// A directory must not be held by a server meanwhile: that fails with [`crate::Error::InUse`].
    pub async fn maintain(self) -> Result<Maintenance> {
        let registry = self.open().await?;
        Ok(Maintenance::new(registry, self.gc))
    }

    async fn open(&self) -> Result<Registry> {
        self.gc.check(&self.limits)?;
        let (payloads, metadata) = self.storage.open().await?;
        Registry::new(payloads, metadata, self)
    }
}
