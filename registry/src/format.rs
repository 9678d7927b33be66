//! Which format a storage has: what its keys are called, and what stands in its records.
//!
//! It is written down at the first start and read at each one, so that a version that knows only an
//! older format never serves, and never changes, what it would misunderstand.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result, records,
    storage::{Key, Metadata, MetadataExt},
};

/// The format that this version writes, and the newest that it reads.
const FORMAT: u32 = 1;
const KEY: Key = Key::System("format");
/// Two replicas that start for the first time may both want to write the record.
const ATTEMPTS: usize = 3;

/// The record of a storage's format; no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    format: u32,
    /// The version of Cairn that wrote the record.
    written_by: String,
}

/// Fails if the storage has a format that this version does not know; writes down which one it has
/// if nobody did so before.
pub(crate) async fn check(metadata: &dyn Metadata) -> Result<()> {
    for _ in 0..ATTEMPTS {
        if let Some(entry) = metadata.get(&KEY).await? {
            let (found, _): (Format, Bytes) = records::decode(&KEY, &entry)?;
            return readable(found);
        }
        let ours = Format {
            format: FORMAT,
            written_by: env!("CARGO_PKG_VERSION").to_owned(),
        };
        match metadata.put_new(KEY, records::encode(&ours, &[])?).await {
            Err(Error::Conflict { .. }) => {}
            written => return written.map(drop),
        }
    }
    Err(Error::Contended {
        what: KEY.to_string(),
    })
}

fn readable(found: Format) -> Result<()> {
    if found.format <= FORMAT {
        return Ok(());
    }
    Err(Error::StorageTooNew {
        found: found.format,
        written_by: found.written_by,
        known: FORMAT,
    })
}

#[cfg(test)]
mod tests {
    use cairn_test_s3::S3Server;

    use super::*;
    use crate::{
        Config, StorageConfig,
        storage::{MemoryMetadata, s3::tests::config},
    };

    fn newer() -> Bytes {
        let newer = Format {
            format: FORMAT + 1,
            written_by: "9.0.0".to_owned(),
        };
        records::encode(&newer, &[]).unwrap()
    }

    #[tokio::test]
    async fn the_format_is_written_once_and_newer_ones_are_refused() {
        let metadata = MemoryMetadata::default();
        check(&metadata).await.unwrap();
        let first = metadata.get(&KEY).await.unwrap().unwrap();
        check(&metadata).await.unwrap();
        let second = metadata.get(&KEY).await.unwrap().unwrap();
        assert_eq!(first.version, second.version);

        let written = metadata.put_if(KEY, second.version, newer()).await;
        let version = written.unwrap();
        let error = check(&metadata).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the storage has format 2, which Cairn 9.0.0 wrote; this version knows formats up to 1"
        );

        let written = metadata.put_if(KEY, version, "nonsense".into()).await;
        written.unwrap();
        let error = check(&metadata).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }

    #[tokio::test]
    async fn no_storage_opens_that_is_too_new() {
        let directory = tempfile::tempdir().unwrap();
        let bucket = S3Server::start().await;
        for storage in [
            StorageConfig::Directory(directory.path().to_owned()),
            StorageConfig::S3(Box::new(config(&bucket))),
        ] {
            let (payloads, metadata) = storage.open().await.unwrap();
            metadata.put_new(KEY, newer()).await.unwrap();
            drop((payloads, metadata));
            let config = Config {
                storage,
                ..Config::default()
            };
            let served = config.clone().build().await.map(drop).unwrap_err();
            assert!(matches!(served, Error::StorageTooNew { .. }), "{served}");
            let maintained = config.maintain().await.map(drop).unwrap_err();
            assert!(matches!(maintained, Error::StorageTooNew { .. }));
        }
    }
}
