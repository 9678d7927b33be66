//! What the stores are asked for and how long they take: wrappers around any two stores.

use std::{fmt, ops::Range, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use prometheus_client::{metrics::MetricType, registry::Unit};

use super::{Metrics, Writer, histogram::Histogram, requests::label};
use crate::{
    Error, Result,
    storage::{
        Batch, Chunks, Committed, Entry, Key, Metadata, Parked, PayloadKey, PayloadWriter,
        Payloads, Prefix, Version,
    },
    traces,
};

label! {
    /// What a store is asked for.
    Operation {
        RecordGet = "record_get",
        RecordWrite = "record_write",
        RecordList = "record_list",
        PayloadBegin = "payload_begin",
        PayloadResume = "payload_resume",
        PayloadRead = "payload_read",
        PayloadWrite = "payload_write",
        PayloadPark = "payload_park",
        PayloadCommit = "payload_commit",
        PayloadAbort = "payload_abort",
        PayloadDelete = "payload_delete",
        PayloadDiscard = "payload_discard",
        PayloadUncommitted = "payload_uncommitted",
    }
}

label! {
    /// How it ends.
    Outcome {
        Done = "ok",
        // A lost compare-and-swap is tried again; many of them mean contention, not a fault.
        Conflict = "conflict",
        Failed = "error",
    }
}

const OPERATIONS: usize = Operation::ALL.len();
const OUTCOMES: usize = Outcome::ALL.len();

/// Calls of the stores.
#[derive(Debug, Default)]
pub(crate) struct StorageOperations {
    durations: [[Histogram; OUTCOMES]; OPERATIONS],
}

impl StorageOperations {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let name = "storage_operation_duration";
        let help = "Time that the stores take, by operation and outcome";
        let mut metric =
            writer
                .0
                .encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (operation, outcomes) in Operation::ALL.iter().zip(&self.durations) {
            for (outcome, histogram) in Outcome::ALL.iter().zip(outcomes) {
                if !histogram.is_empty() {
                    let labels = [
                        ("operation", operation.as_str()),
                        ("outcome", outcome.as_str()),
                    ];
                    histogram.write(metric.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

/// Measures one call of a store.
async fn measured<T>(
    metrics: &Metrics,
    operation: Operation,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    let started = Instant::now();
    let result = traces::part(operation.as_str(), call).await;
    let outcome = match &result {
        Ok(_) => Outcome::Done,
        Err(Error::Conflict { .. }) => Outcome::Conflict,
        Err(_) => Outcome::Failed,
    };
    metrics.storage.durations[operation as usize][outcome as usize].observe(started.elapsed());
    result
}

/// Records, measured.
#[derive(Debug)]
pub(crate) struct MeasuredMetadata {
    pub(crate) inner: Arc<dyn Metadata>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Metadata for MeasuredMetadata {
    fn get(&self, key: &Key) -> BoxFuture<'_, Result<Option<Entry>>> {
        let got = self.inner.get(key);
        measured(&self.metrics, Operation::RecordGet, got).boxed()
    }

    fn write(&self, batch: Batch) -> BoxFuture<'_, Result<Vec<Option<Version>>>> {
        let written = self.inner.write(batch);
        measured(&self.metrics, Operation::RecordWrite, written).boxed()
    }

    fn list(
        &self,
        prefix: &Prefix,
        start_after: Option<&str>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<String>>> {
        let listed = self.inner.list(prefix, start_after, limit);
        measured(&self.metrics, Operation::RecordList, listed).boxed()
    }
}

/// Payloads, measured. Of a read it is the time until its first bytes can be asked for.
#[derive(Debug)]
pub(crate) struct MeasuredPayloads {
    pub(crate) inner: Arc<dyn Payloads>,
    pub(crate) metrics: Arc<Metrics>,
}

impl MeasuredPayloads {
    async fn writer(
        &self,
        operation: Operation,
        started: BoxFuture<'_, Result<Box<dyn PayloadWriter>>>,
    ) -> Result<Box<dyn PayloadWriter>> {
        let inner = measured(&self.metrics, operation, started).await?;
        let metrics = Arc::clone(&self.metrics);
        Ok(Box::new(MeasuredWriter { inner, metrics }))
    }
}

impl Payloads for MeasuredPayloads {
    fn begin(&self, key: PayloadKey) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        self.writer(Operation::PayloadBegin, self.inner.begin(key))
            .boxed()
    }

    fn resume(
        &self,
        key: PayloadKey,
        parked: Parked,
    ) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        self.writer(Operation::PayloadResume, self.inner.resume(key, parked))
            .boxed()
    }

    fn read(&self, key: PayloadKey, range: Range<u64>) -> BoxFuture<'_, Result<Chunks>> {
        let read = self.inner.read(key, range);
        measured(&self.metrics, Operation::PayloadRead, read).boxed()
    }

    fn signed_url(&self, key: PayloadKey) -> BoxFuture<'_, Result<Option<String>>> {
        self.inner.signed_url(key)
    }

    fn delete(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        let deleted = self.inner.delete(key);
        measured(&self.metrics, Operation::PayloadDelete, deleted).boxed()
    }

    fn discard(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        let discarded = self.inner.discard(key);
        measured(&self.metrics, Operation::PayloadDiscard, discarded).boxed()
    }

    fn uncommitted(&self) -> BoxFuture<'_, Result<Vec<PayloadKey>>> {
        let found = self.inner.uncommitted();
        measured(&self.metrics, Operation::PayloadUncommitted, found).boxed()
    }
}

struct MeasuredWriter {
    inner: Box<dyn PayloadWriter>,
    metrics: Arc<Metrics>,
}

impl PayloadWriter for MeasuredWriter {
    fn write(&mut self, chunks: Vec<Bytes>) -> BoxFuture<'_, Result<()>> {
        let written = self.inner.write(chunks);
        measured(&self.metrics, Operation::PayloadWrite, written).boxed()
    }

    fn park(self: Box<Self>) -> BoxFuture<'static, Result<Parked>> {
        let Self { inner, metrics } = *self;
        async move { measured(&metrics, Operation::PayloadPark, inner.park()).await }.boxed()
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<Committed>> {
        let Self { inner, metrics } = *self;
        async move { measured(&metrics, Operation::PayloadCommit, inner.commit()).await }.boxed()
    }

    fn abort(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        let Self { inner, metrics } = *self;
        async move { measured(&metrics, Operation::PayloadAbort, inner.abort()).await }.boxed()
    }
}
