//! Stores that give way before each read and each write, so that a test decides who goes on.
//!
//! Batches are applied write by write, as a store without transactions does.

use std::{ops::Range, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::task::yield_now;

use super::{
    Batch, Chunks, Entry, Key, Metadata, Parked, PayloadKey, PayloadWriter, Payloads, Prefix,
    Version,
};
use crate::Result;

/// Records that take turns.
#[derive(Debug)]
pub(crate) struct TurnsMetadata(pub(crate) Arc<dyn Metadata>);

impl Metadata for TurnsMetadata {
    fn get(&self, key: &Key) -> BoxFuture<'_, Result<Option<Entry>>> {
        let key = key.clone();
        async move {
            yield_now().await;
            self.0.get(&key).await
        }
        .boxed()
    }

    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Option<Version>>>> {
        async move {
            let mut versions = Vec::new();
            for write in batch.writes {
                yield_now().await;
                versions.extend(self.0.write(Batch::durable([write])).await?);
            }
            yield_now().await;
            Ok(versions)
        }
        .boxed()
    }

    fn list(
        &self,
        prefix: &Prefix,
        start_after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>>> {
        let (prefix, start_after) = (prefix.clone(), start_after.map(str::to_owned));
        async move {
            yield_now().await;
            self.0.list(&prefix, start_after.as_deref(), limit).await
        }
        .boxed()
    }
}

/// Payloads that take turns.
#[derive(Debug)]
pub(crate) struct TurnsPayloads(pub(crate) Arc<dyn Payloads>);

impl Payloads for TurnsPayloads {
    fn begin(&self, key: PayloadKey) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        yield_now().then(move |()| self.0.begin(key)).boxed()
    }

    fn resume(
        &self,
        key: PayloadKey,
        parked: Parked,
    ) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        yield_now()
            .then(move |()| self.0.resume(key, parked))
            .boxed()
    }

    fn read(&self, key: PayloadKey, range: Range<u64>) -> BoxFuture<'_, Result<Chunks>> {
        yield_now().then(move |()| self.0.read(key, range)).boxed()
    }

    fn delete(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        yield_now().then(move |()| self.0.delete(key)).boxed()
    }

    fn discard(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        yield_now().then(move |()| self.0.discard(key)).boxed()
    }

    fn uncommitted(&self) -> BoxFuture<'_, Result<Vec<PayloadKey>>> {
        yield_now().then(move |()| self.0.uncommitted()).boxed()
    }
}
