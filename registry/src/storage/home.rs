//! Where a test's stores are, so that they can be looked at from outside.

use std::{fs, sync::Arc};

use tempfile::TempDir;

use super::{MemoryPayloads, PayloadKey, s3::tests::Shelf};

/// Where stores are, and are found again by another process.
pub(crate) enum Home {
    Memory(Arc<MemoryPayloads>),
    Directory(TempDir),
    /// Below a prefix of a bucket that others share.
    Bucket(Arc<Shelf>, String),
}

impl Home {
    /// All committed payloads.
    pub(crate) fn committed(&self) -> Vec<PayloadKey> {
        let key = |name: &str| name.rsplit('/').next()?.parse().ok().map(PayloadKey);
        match self {
            Self::Memory(payloads) => payloads.committed(),
            Self::Directory(directory) => {
                let shards = fs::read_dir(directory.path().join("data")).unwrap();
                let files = shards.flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap());
                files
                    .filter_map(|file| key(file.unwrap().file_name().to_str()?))
                    .collect()
            }
            Self::Bucket(bucket, prefix) => {
                let payloads = format!("{prefix}/data/");
                let objects = bucket.server.objects().into_iter();
                objects
                    .filter(|(name, _)| name.starts_with(&payloads))
                    .filter_map(|(name, _)| key(&name))
                    .collect()
            }
        }
    }
}
