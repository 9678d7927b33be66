//! Whether requests can be served: tried by writing and reading, not assumed.
//!
//! A full disk, a bucket whose credentials expired or a store that hangs shows here. However many
//! ask, one probe runs at a time, and its answer stands for a few seconds.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::task::TaskTracker;
use ulid::Ulid;

use super::metrics::Metrics;
use crate::{
    Error, Result,
    storage::{Batch, Key, Metadata, PayloadKey, Payloads, Write},
};

/// How long an answer stands.
const FRESH: Duration = Duration::from_secs(5);
/// How long to wait for one: a container's health check has three seconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is written: as much as a file system takes space for.
const PROBE_BYTES: usize = 4096;
/// The record that is written. Replicas share it.
const PROBE: Key = Key::System("readiness");

/// Knows whether the stores can be read and written.
#[derive(Debug)]
pub(crate) struct Readiness {
    stores: Stores,
    metrics: Arc<Metrics>,
    /// Where probes run: one that hangs must not hold up whoever asks.
    tasks: TaskTracker,
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Clone)]
struct Stores {
    payloads: Arc<dyn Payloads>,
    metadata: Arc<dyn Metadata>,
}

#[derive(Debug, Clone, Default)]
struct State {
    is_probing: bool,
    last: Option<Answer>,
}

#[derive(Debug, Clone)]
struct Answer {
    at: Instant,
    /// Why not.
    failure: Option<Arc<str>>,
}

impl State {
    fn is_fresh(&self) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|answer| answer.at.elapsed() < FRESH)
    }
}

impl Readiness {
    pub(crate) fn new(
        payloads: Arc<dyn Payloads>,
        metadata: Arc<dyn Metadata>,
        metrics: Arc<Metrics>,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            stores: Stores { payloads, metadata },
            metrics,
            tasks,
            state: Arc::new(watch::Sender::new(State::default())),
        }
    }

    /// Fails if the stores cannot be read or written, or take too long to say so.
    pub(crate) async fn check(&self) -> Result<()> {
        let mut state = self.state.subscribe();
        self.probe_if_due();
        let answered = timeout(PATIENCE, state.wait_for(|state| !state.is_probing)).await;
        let failure = match answered {
            Ok(Ok(state)) => state
                .last
                .as_ref()
                .and_then(|answer| answer.failure.clone()),
            _ => Some(format!("it took more than {} s", PATIENCE.as_secs()).into()),
        };
        let Some(failure) = failure else {
            return Ok(());
        };
        Err(Error::Unavailable {
            action: "write and read what shows that it works".to_owned(),
            source: failure.to_string().into(),
        })
    }

    fn probe_if_due(&self) {
        let is_due = self.state.send_if_modified(|state| {
            let is_due = !state.is_probing && !state.is_fresh();
            state.is_probing |= is_due;
            is_due
        });
        if !is_due {
            return;
        }
        let (stores, metrics) = (self.stores.clone(), Arc::clone(&self.metrics));
        let state = Arc::clone(&self.state);
        self.tasks.spawn(async move {
            let failure = stores.probe().await.err();
            let failure: Option<Arc<str>> = failure.map(|error| error.with_causes().into());
            metrics.ready.set(i64::from(failure.is_none()));
            state.send_modify(|state| {
                let last = state.last.as_ref();
                let was_ready = last.is_none_or(|answer| answer.failure.is_none());
                match &failure {
                    Some(failure) if was_ready => {
                        tracing::error!(error = %failure, "not ready: the storage does not work");
                    }
                    None if !was_ready => tracing::info!("ready: the storage works again"),
                    _ => {}
                }
                let at = Instant::now();
                state.last = Some(Answer { at, failure });
                state.is_probing = false;
            });
        });
    }
}

impl Stores {
    async fn probe(&self) -> Result<()> {
        let value = Bytes::from(Ulid::new().to_string());
        let write = Write::put(PROBE, value);
        self.metadata.write(Batch::durable([write])).await?;
        if self.metadata.get(&PROBE).await?.is_none() {
            return Err(Error::corrupt(PROBE, "it was written and is not there"));
        }
        // Records may find room where payloads do not.
        let mut writer = self.payloads.begin(PayloadKey(Ulid::nil())).await?;
        let written = writer
            .write(vec![Bytes::from_static(&[0; PROBE_BYTES])])
            .await;
        writer.abort().await?;
        written
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::{FutureExt as _, future::BoxFuture};

    use super::*;
    use crate::storage::{
        Entry, MemoryMetadata, MemoryPayloads, Prefix, Version,
        faults::{FaultyMetadata, FaultyPayloads, Fuse},
    };

    /// Over stores that fail after some changes. A probe makes four.
    fn readiness(changes: u32) -> Readiness {
        let fuse = Fuse::after(changes);
        let payloads = FaultyPayloads {
            inner: Arc::new(MemoryPayloads::default()),
            fuse: fuse.clone(),
        };
        let metadata = FaultyMetadata {
            inner: Arc::new(MemoryMetadata::default()),
            fuse,
        };
        Readiness::new(
            Arc::new(payloads),
            Arc::new(metadata),
            Arc::default(),
            TaskTracker::new(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_stands_for_a_while() {
        let readiness = readiness(4);
        let (first, second) = tokio::join!(readiness.check(), readiness.check());
        first.unwrap();
        second.unwrap();
        assert_eq!(readiness.metrics.ready.get(), 1);
        tokio::time::advance(FRESH / 2).await;
        readiness.check().await.unwrap();
        tokio::time::advance(FRESH / 2).await;
        let error = readiness.check().await.unwrap_err();
        assert_eq!(error.wire().0, 503);
        assert_eq!(readiness.metrics.ready.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_cannot_be_written_counts() {
        for changes in 0..4 {
            assert!(readiness(changes).check().await.is_err(), "{changes}");
        }
    }

    /// Records that never become durable.
    #[derive(Debug, Default)]
    struct Hanging(AtomicU32);

    impl Metadata for Hanging {
        fn get(&self, _: &Key) -> BoxFuture<'_, Result<Option<Entry>>> {
            std::future::ready(Ok(None)).boxed()
        }

        fn write(&self, _: Batch) -> BoxFuture<'_, Result<Vec<Option<Version>>>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            std::future::pending().boxed()
        }

        fn list(
            &self,
            _: &Prefix,
            _: Option<&str>,
            _: usize,
        ) -> BoxFuture<'_, Result<Vec<String>>> {
            std::future::ready(Ok(Vec::new())).boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_asked_once() {
        let metadata = Arc::new(Hanging::default());
        let readiness = Readiness::new(
            Arc::new(MemoryPayloads::default()),
            Arc::clone(&metadata) as Arc<dyn Metadata>,
            Arc::default(),
            TaskTracker::new(),
        );
        for _ in 0..3 {
            assert!(readiness.check().await.is_err());
            tokio::time::advance(FRESH).await;
        }
        assert_eq!(metadata.0.load(Ordering::SeqCst), 1);
    }
}
