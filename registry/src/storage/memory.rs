//! Both stores in memory: for tests, and for registries that may forget.

use std::{
    collections::{BTreeMap, HashMap},
    ops::{Bound, Range},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use futures_util::{
    FutureExt, StreamExt,
    future::{self, BoxFuture},
    stream,
};

use super::{
    Batch, Change, Chunks, Committed, Entry, Key, Metadata, Parked, PayloadKey, PayloadWriter,
    Payloads, Prefix, Version,
};
use crate::{Error, Result};

/// Records in a sorted map.
#[derive(Debug, Default)]
pub struct MemoryMetadata {
    records: Mutex<Records>,
}

#[derive(Debug, Default)]
struct Records {
    entries: BTreeMap<String, Entry>,
    sequence: u64,
}

impl Metadata for MemoryMetadata {
    fn get(&self, key: &Key) -> BoxFuture<'_, Result<Option<Entry>>> {
        let entry = locked(&self.records).entries.get(&key.to_string()).cloned();
        future::ready(Ok(entry)).boxed()
    }

    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Option<Version>>>> {
        future::ready(locked(&self.records).apply(batch)).boxed()
    }

    fn list(
        &self,
        prefix: &Prefix,
        start_after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>>> {
        let prefix = prefix.to_string();
        let after = format!("{prefix}{}", start_after.unwrap_or_default());
        let names = locked(&self.records)
            .entries
            .range::<str, _>((Bound::Excluded(after.as_str()), Bound::Unbounded))
            .map_while(|(key, _)| key.strip_prefix(&prefix).map(str::to_owned))
            .take(limit)
            .collect();
        future::ready(Ok(names)).boxed()
    }
}

impl Records {
    fn apply(&mut self, batch: Batch) -> Result<Vec<Option<Version>>> {
        for write in &batch.writes {
            let present = self.entries.get(&write.key.to_string());
            if !write
                .change
                .applies_to(present.map(|entry| &*entry.version.0))
            {
                return Err(Error::conflict(&write.key));
            }
        }
        let mut versions = Vec::with_capacity(batch.writes.len());
        for write in batch.writes {
            let key = write.key.to_string();
            versions.push(match write.change {
                Change::Put(value) | Change::PutNew(value) | Change::PutIf(_, value) => {
                    self.sequence += 1;
                    let version = Version(self.sequence.to_string().into());
                    let entry = Entry {
                        value,
                        version: version.clone(),
                    };
                    self.entries.insert(key, entry);
                    Some(version)
                }
                Change::DeleteIf(_) => {
                    self.entries.remove(&key);
                    None
                }
            });
        }
        Ok(versions)
    }
}

/// Payloads in a map.
#[derive(Debug, Default, Clone)]
pub struct MemoryPayloads {
    committed: Arc<Mutex<HashMap<PayloadKey, Bytes>>>,
    uncommitted: Arc<Mutex<HashMap<PayloadKey, BytesMut>>>,
}

impl MemoryPayloads {
    /// All committed payloads.
    #[cfg(test)]
    pub(crate) fn committed(&self) -> Vec<PayloadKey> {
        locked(&self.committed).keys().copied().collect()
    }

    fn writer(&self, key: PayloadKey) -> Box<dyn PayloadWriter> {
        let payloads = self.clone();
        Box::new(MemoryWriter { payloads, key })
    }
}

impl Payloads for MemoryPayloads {
    fn begin(&self, key: PayloadKey) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        locked(&self.uncommitted).insert(key, BytesMut::new());
        future::ready(Ok(self.writer(key))).boxed()
    }

    fn resume(
        &self,
        key: PayloadKey,
        parked: Parked,
    ) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        let resumed = parked
            .0
            .parse::<usize>()
            .ok()
            .and_then(|length_bytes| {
                let mut uncommitted = locked(&self.uncommitted);
                let written = uncommitted.get_mut(&key)?;
                (written.len() >= length_bytes).then(|| written.truncate(length_bytes))
            })
            .map(|()| self.writer(key))
            .ok_or(Error::PayloadMissing { key });
        future::ready(resumed).boxed()
    }

    fn read(&self, key: PayloadKey, range: Range<u64>) -> BoxFuture<'_, Result<Chunks>> {
        let read = || {
            let stored = locked(&self.committed).get(&key).cloned();
            let stored = stored.ok_or(Error::PayloadMissing { key })?;
            let start = usize::try_from(range.start).ok();
            let end = usize::try_from(range.end).ok();
            let piece = match (start, end) {
                (Some(start), Some(end)) if start <= end && end <= stored.len() => {
                    stored.slice(start..end)
                }
                _ => return Err(Error::corrupt(key, "it is shorter than its record says")),
            };
            Ok(stream::iter((!piece.is_empty()).then_some(Ok(piece))).boxed())
        };
        future::ready(read()).boxed()
    }

    fn delete(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        locked(&self.committed).remove(&key);
        future::ready(Ok(())).boxed()
    }

    fn discard(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        locked(&self.uncommitted).remove(&key);
        future::ready(Ok(())).boxed()
    }

    fn uncommitted(&self) -> BoxFuture<'_, Result<Vec<PayloadKey>>> {
        let keys = locked(&self.uncommitted).keys().copied().collect();
        future::ready(Ok(keys)).boxed()
    }
}

struct MemoryWriter {
    payloads: MemoryPayloads,
    key: PayloadKey,
}

impl PayloadWriter for MemoryWriter {
    fn write(&mut self, chunks: Vec<Bytes>) -> BoxFuture<'_, Result<()>> {
        let mut uncommitted = locked(&self.payloads.uncommitted);
        let written = uncommitted.entry(self.key).or_default();
        for chunk in chunks {
            written.extend_from_slice(&chunk);
        }
        future::ready(Ok(())).boxed()
    }

    fn park(self: Box<Self>) -> BoxFuture<'static, Result<Parked>> {
        let uncommitted = locked(&self.payloads.uncommitted);
        let length_bytes = uncommitted.get(&self.key).map_or(0, BytesMut::len);
        future::ready(Ok(Parked(length_bytes.to_string()))).boxed()
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<Committed>> {
        let written = locked(&self.payloads.uncommitted).remove(&self.key);
        let payload = written.unwrap_or_default().freeze();
        locked(&self.payloads.committed).insert(self.key, payload);
        future::ready(Ok(Committed::Now)).boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        locked(&self.payloads.uncommitted).remove(&self.key);
        future::ready(Ok(())).boxed()
    }
}

/// No critical section here can leave the map half changed, so a poisoned lock is as good as new.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::conformance;

    #[tokio::test]
    async fn memory_holds_payloads_and_records() {
        conformance::payloads(&MemoryPayloads::default()).await;
        conformance::metadata(&MemoryMetadata::default()).await;
    }
}
