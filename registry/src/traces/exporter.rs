//! Sends spans to a collector, batch by batch, beside everything else.

use std::{mem, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{Span, otlp::export_request};
use crate::{
    config::TracesConfig,
    operations::metrics::{Metrics, Running},
};

/// How often a batch is sent before its spans are dropped.
const ATTEMPTS: u32 = 4;
/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long the last spans may take when the server ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// Takes a request to the collector; how is none of this module's business.
pub(crate) trait Deliver: std::fmt::Debug + Send + Sync + 'static {
    /// Delivers an `ExportTraceServiceRequest`.
    fn deliver(&self, request: Bytes) -> BoxFuture<'_, Result<(), Undelivered>>;
}

/// Why a request was not taken.
#[derive(Debug)]
pub(crate) enum Undelivered {
    /// It may be later, after this time if the collector said so.
    ForNow(String, Option<Duration>),
    /// It never will be.
    ForGood(String),
}

/// Sends spans to a collector.
#[derive(Debug)]
pub(crate) struct Exporter {
    spans: mpsc::Receiver<Span>,
    deliver: Box<dyn Deliver>,
    resource: Vec<(String, String)>,
    batch_spans: usize,
    interval: Duration,
    metrics: Arc<Metrics>,
    /// The last batch was not taken, and that was said.
    is_failing: bool,
}

impl Exporter {
    pub(crate) fn new(
        config: &TracesConfig,
        spans: mpsc::Receiver<Span>,
        deliver: Box<dyn Deliver>,
        metrics: &Arc<Metrics>,
    ) -> Self {
        Self {
            spans,
            deliver,
            resource: config.resource_attributes(),
            batch_spans: config.batch_spans,
            interval: Duration::from_millis(config.interval_ms),
            metrics: Arc::clone(metrics),
            is_failing: false,
        }
    }

    /// Sends what comes until told to stop, and then what is there already.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let _running = Running::new(&self.metrics, "traces");
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.fill(&mut batch) => {}
            }
            let spans = mem::take(&mut batch);
            let count = spans.len() as u64;
            tokio::select! {
                () = stop.cancelled() => {
                    // Was it taken? The farewell sends it once more rather than never.
                    batch = spans;
                    break;
                }
                taken = self.send(&spans) => self.count(count, taken),
            }
        }
        let farewell = timeout(FAREWELL, async {
            self.spans.close();
            while self.spans.recv_many(&mut batch, self.batch_spans).await > 0 || !batch.is_empty()
            {
                let spans = mem::take(&mut batch);
                let taken = self.send_once(&spans).await.is_ok();
                self.count(spans.len() as u64, taken);
            }
        });
        if farewell.await.is_err() {
            tracing::warn!("the collector of traces took too long: the last spans are lost");
        }
    }

    /// Waits for a full batch, or for the interval to end after its first span.
    async fn fill(&mut self, batch: &mut Vec<Span>) {
        let missing = self.batch_spans.saturating_sub(batch.len());
        if batch.is_empty() && self.spans.recv_many(batch, missing).await == 0 {
            // Nobody is left who could send.
            return std::future::pending().await;
        }
        let end = Instant::now() + self.interval;
        while batch.len() < self.batch_spans {
            let missing = self.batch_spans - batch.len();
            match timeout_at(end, self.spans.recv_many(batch, missing)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }

    /// Sends a batch, more than once if need be; false if it was not taken.
    async fn send(&mut self, spans: &[Span]) -> bool {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            let (reason, asked_pause) = match self.send_once(spans).await {
                Ok(()) => {
                    if mem::take(&mut self.is_failing) {
                        tracing::info!("the collector takes traces again");
                    }
                    return true;
                }
                Err(Undelivered::ForNow(reason, pause)) if attempt < ATTEMPTS => (reason, pause),
                Err(Undelivered::ForNow(reason, _) | Undelivered::ForGood(reason)) => {
                    if !mem::replace(&mut self.is_failing, true) {
                        tracing::warn!(
                            reason,
                            "the collector does not take traces: spans are lost"
                        );
                    }
                    return false;
                }
            };
            tracing::debug!(
                reason,
                attempt,
                "the collector did not take spans: trying again"
            );
            sleep(asked_pause.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            pause *= 2;
        }
        false
    }

    async fn send_once(&self, spans: &[Span]) -> Result<(), Undelivered> {
        let request = export_request(&self.resource, spans);
        let sent = self.deliver.deliver(request).await;
        if sent.is_err() {
            self.metrics.traces.failed.add(1);
        }
        sent
    }

    fn count(&self, spans: u64, is_taken: bool) {
        let traces = &self.metrics.traces;
        let counter = if is_taken {
            &traces.exported
        } else {
            &traces.dropped
        };
        counter.add(spans);
    }
}
