//! Where content is kept, and how that is opened.

use std::{path::PathBuf, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    storage::{EmbeddedMetadata, FilePayloads, MemoryMetadata, MemoryPayloads, Metadata, Payloads},
};

/// Where content is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StorageConfig {
    /// In a directory of this machine, which one process holds at a time.
    Directory(PathBuf),
    /// In memory; everything is lost when the process ends.
    Memory,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self::Directory(PathBuf::from(".cairn/registry"))
    }
}

impl StorageConfig {
    /// Opens both stores, creating what is missing.
    pub(super) async fn open(&self) -> Result<(Arc<dyn Payloads>, Arc<dyn Metadata>)> {
        Ok(match self {
            Self::Memory => (
                Arc::new(MemoryPayloads::default()),
                Arc::new(MemoryMetadata::default()),
            ),
            Self::Directory(directory) => {
                let directory = directory.clone();
                let open = move || {
                    let payloads = FilePayloads::open(&directory)?;
                    let metadata = EmbeddedMetadata::open(&directory.join("metadata.redb"))?;
                    Ok::<_, crate::Error>((payloads, metadata))
                };
                let (payloads, metadata) = tokio::task::spawn_blocking(open)
                    .await
                    .map_err(|_| crate::Error::Closed)??;
                (Arc::new(payloads), Arc::new(metadata))
            }
        })
    }
}
