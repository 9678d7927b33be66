//! What goes on beside requests: which workers run, what garbage collection did, what waits for
//! webhooks, and what became of traces.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus_client::{metrics::MetricType, registry::Unit};

use super::{Counter, Metrics, Writer};
use crate::maintenance::Progress;

/// Workers that run, by name. It changes when one starts or ends, so a lock costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Workers(Mutex<BTreeMap<&'static str, i64>>);

/// A worker, which runs until this is dropped, be it by a panic.
#[derive(Debug)]
pub(crate) struct Running {
    metrics: Arc<Metrics>,
    name: &'static str,
}

impl Running {
    pub(crate) fn new(metrics: &Arc<Metrics>, name: &'static str) -> Self {
        *metrics.workers.by_name().entry(name).or_default() += 1;
        let metrics = Arc::clone(metrics);
        Self { metrics, name }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.metrics.workers.by_name().entry(self.name).or_default() -= 1;
    }
}

impl Workers {
    fn by_name(&self) -> MutexGuard<'_, BTreeMap<&'static str, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let help = "Workers that run beside requests, by name";
        let workers = self.by_name().clone();
        let rows = workers.iter().map(|(name, count)| (*name, *count));
        writer.gauges("workers", help, "worker", rows)
    }
}

/// Events posted to webhooks.
#[derive(Debug, Default)]
pub(crate) struct Webhooks {
    pub(crate) delivered: Counter,
    pub(crate) failed: Counter,
    pub(crate) dead_lettered: Counter,
    /// Events that wait, by the name of their webhook.
    waiting: Mutex<BTreeMap<String, i64>>,
}

impl Webhooks {
    /// So many events waited for a webhook when its worker looked last.
    pub(crate) fn waiting(&self, webhook: &str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.get_mut(webhook) {
            Some(known) => *known = count,
            None => drop(waiting.insert(webhook.to_owned(), count)),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        for (name, help, counter) in [
            (
                "webhook_events_delivered",
                "Events that webhooks took",
                &self.delivered,
            ),
            (
                "webhook_attempts_failed",
                "Attempts to deliver an event that failed",
                &self.failed,
            ),
            (
                "webhook_events_dead_lettered",
                "Events set aside after their last attempt",
                &self.dead_lettered,
            ),
        ] {
            writer.counter(name, help, counter.get())?;
        }
        let waiting = self.waiting.lock();
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner).clone();
        let rows = waiting.iter().map(|(name, count)| (name.as_str(), *count));
        let help = "Events that waited when the worker looked last, up to a thousand";
        writer.gauges("webhook_events_waiting", help, "webhook", rows)
    }
}

/// Spans on their way to a collector.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    pub(crate) exported: Counter,
    pub(crate) dropped: Counter,
    /// Requests to the collector, not spans.
    pub(crate) failed: Counter,
}

impl Traces {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        for (name, help, counter) in [
            (
                "trace_spans_exported",
                "Spans that the collector took",
                &self.exported,
            ),
            (
                "trace_spans_dropped",
                "Spans lost, because too many waited or the collector did not take them",
                &self.dropped,
            ),
            (
                "trace_exports_failed",
                "Requests to the collector that failed",
                &self.failed,
            ),
        ] {
            writer.counter(name, help, counter.get())?;
        }
        Ok(())
    }
}

/// What garbage collection did in this process.
pub(super) fn write_progress(progress: &Progress, writer: &mut Writer<'_>) -> fmt::Result {
    for (name, help, count) in [
        ("gc_passes", "Passes that ended", progress.passes),
        (
            "gc_passes_broken_off",
            "Passes that failed before their end",
            progress.broken_off,
        ),
        (
            "gc_leases_lost",
            "Parts of a pass that another replica took over",
            progress.leases_lost,
        ),
        (
            "gc_candidates_examined",
            "Candidates looked at",
            progress.examined,
        ),
        (
            "gc_blobs_deleted",
            "Blobs deleted with their content",
            progress.blobs,
        ),
        (
            "gc_memberships_deleted",
            "Blobs taken out of a repository",
            progress.memberships,
        ),
        (
            "gc_manifests_deleted",
            "Manifests deleted",
            progress.manifests,
        ),
        (
            "gc_uploads_ended",
            "Abandoned uploads ended",
            progress.uploads,
        ),
        (
            "gc_payloads_removed",
            "Payloads removed that a crash had left behind",
            progress.payloads,
        ),
        (
            "gc_failures",
            "Candidates that could not be looked at and will be again",
            progress.failures,
        ),
    ] {
        writer.counter(name, help, count)?;
    }
    write_latest_pass(progress, writer)
}

fn write_latest_pass(progress: &Progress, writer: &mut Writer<'_>) -> fmt::Result {
    writer.bytes(
        "gc_deleted",
        "Bytes of blobs that were deleted",
        progress.blob_bytes,
    )?;
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    writer.gauge(
        "gc_candidates_waiting",
        "Candidates in the queue after the last pass, up to ten thousand; most are not due yet",
        whole(progress.waiting),
    )?;
    for (name, help, value) in [
        (
            "gc_last_success_time",
            "When the last pass ended, in seconds since 1970; 0 before the first",
            progress.last_run_unix_s,
        ),
        (
            "gc_backlog_age",
            "For how long the oldest candidate has been due",
            progress.backlog_age_s,
        ),
    ] {
        writer.seconds(name, help, whole(value))?;
    }
    let help = "Time that passes took, by their end";
    let mut metric = writer.0.encode_descriptor(
        "gc_passes_duration",
        help,
        Some(&Unit::Seconds),
        MetricType::Counter,
    )?;
    metric.encode_counter::<super::Unlabelled, _, u64>(&seconds(progress.duration_ms), None)
}

#[expect(clippy::cast_precision_loss, reason = "2^53 milliseconds are long")]
fn seconds(duration_ms: u64) -> f64 {
    duration_ms as f64 / 1000.0
}
