//! Records whose changes are counted: what enters a repository, and what leaves it.

use std::sync::Arc;

use bytes::Bytes;
use cairn_spec::RepositoryName;
use futures_util::{FutureExt, future::BoxFuture};

use super::Quotas;
use crate::{
    Error, Result,
    records::{self, Blob, Manifest, Usage},
    storage::{Batch, Change, Entry, Key, Metadata, Prefix, Version, Write},
};

/// Records, of which those that fill a repository are counted.
#[derive(Debug)]
pub(crate) struct CountedMetadata {
    pub(crate) inner: Arc<dyn Metadata>,
    pub(crate) quotas: Arc<Quotas>,
}

/// What a write changes if it takes effect.
struct Effect {
    key: Key,
    repository: RepositoryName,
    change: Usage,
    /// What is there then.
    left: Option<Bytes>,
}

impl CountedMetadata {
    async fn write_counted(&self, batch: Batch) -> Result<Vec<Option<Version>>> {
        let mut effects = Vec::new();
        for write in &batch.writes {
            effects.extend(self.effect(write).await?);
        }
        if effects.is_empty() {
            return self.inner.write(batch).await;
        }
        let order: Vec<String> = batch.writes.iter().map(|it| it.key.to_string()).collect();
        let written = self.inner.write(batch).await;
        if let Err(Error::Conflict { key: lost }) = &written {
            // Where batches are not atomic, what comes before the conflict took effect.
            let before = order.iter().take_while(|key| *key != lost);
            let before: Vec<&String> = before.collect();
            effects.retain(|effect| before.contains(&&effect.key.to_string()));
            let mut taken = Vec::new();
            for effect in effects {
                let present = self.inner.get(&effect.key).await?;
                if present.map(|entry| entry.value) == effect.left {
                    taken.push(effect);
                }
            }
            effects = taken;
        } else if written.is_err() {
            // Nobody knows; a recount does.
            effects.clear();
        }
        for effect in effects {
            self.quotas.add(&effect.repository, effect.change);
        }
        written
    }

    async fn effect(&self, write: &Write) -> Result<Option<Effect>> {
        let (Key::RepositoryBlob(_, repository) | Key::Manifest(repository, _)) = &write.key else {
            return Ok(None);
        };
        if !self.quotas.cover(repository) {
            return Ok(None);
        }
        let (change, left) = match &write.change {
            Change::PutNew(value) => (held(&write.key, value)?, Some(value.clone())),
            Change::DeleteIf(version) => match self.inner.get(&write.key).await? {
                Some(entry) if entry.version == *version => {
                    (Usage::default() - held(&write.key, &entry.value)?, None)
                }
                _ => return Ok(None),
            },
            // What is there already is touched.
            Change::Put(_) | Change::PutIf(..) => return Ok(None),
        };
        Ok(Some(Effect {
            key: write.key.clone(),
            repository: repository.clone(),
            change,
            left,
        }))
    }
}

/// What a record stands for in the usage of its repository.
pub(super) fn held(key: &Key, value: &Bytes) -> Result<Usage> {
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    Ok(if let Key::Manifest(..) = key {
        let (_, bytes): (Manifest, Bytes) = records::decode_value(key, value)?;
        Usage {
            bytes: signed(bytes.len() as u64),
            manifests: 1,
            ..Usage::default()
        }
    } else {
        let (blob, _): (Blob, Bytes) = records::decode_value(key, value)?;
        Usage {
            bytes: signed(blob.size_bytes),
            blobs: 1,
            ..Usage::default()
        }
    })
}

impl Metadata for CountedMetadata {
    fn get(&self, key: &Key) -> BoxFuture<'_, Result<Option<Entry>>> {
        self.inner.get(key)
    }

    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Option<Version>>>> {
        self.write_counted(batch).boxed()
    }

    fn list(
        &self,
        prefix: &Prefix,
        start_after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>>> {
        self.inner.list(prefix, start_after, limit)
    }
}
