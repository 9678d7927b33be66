//! Numbers about a running registry, in the text format of `OpenMetrics`.
//!
//! Counting is a few relaxed atomic additions and never a lock or an allocation: every label has
//! a fixed, small set of values, so each counter has its place in an array. No label carries
//! anything that clients choose, such as repositories, tags or addresses.
//!
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

mod histogram;
mod process;
mod requests;
mod storage;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, text},
    metrics::MetricType,
    registry::{Registry as Exposition, Unit},
};

pub(crate) use requests::{MethodClass, RouteClass};
pub(crate) use storage::{MeasuredMetadata, MeasuredPayloads};

use crate::Error;

/// What the names of all metrics begin with.
const PREFIX: &str = "cairn_registry";

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) requests: requests::Requests,
    pub(crate) connections: Gauge,
    pub(crate) connections_accepted: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) sent_bytes: Counter,
    pub(crate) storage: storage::StorageOperations,
    pub(crate) webhooks: Webhooks,
    pub(crate) upstreams: Upstreams,
}

/// What was pulled through.
#[derive(Debug, Default)]
pub(crate) struct Upstreams {
    pub(crate) asked: Counter,
    pub(crate) failed: Counter,
    pub(crate) stale: Counter,
    pub(crate) fetched_bytes: Counter,
}

/// Events posted to webhooks.
#[derive(Debug, Default)]
pub(crate) struct Webhooks {
    pub(crate) delivered: Counter,
    pub(crate) failed: Counter,
    pub(crate) dead_lettered: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number of things that are there at the moment.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicI64);

impl Gauge {
    fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts one thing for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted {
    metrics: Arc<Metrics>,
    gauge: fn(&Metrics) -> &Gauge,
}

impl Counted {
    pub(crate) fn new(metrics: &Arc<Metrics>, gauge: fn(&Metrics) -> &Gauge) -> Self {
        gauge(metrics).0.fetch_add(1, Ordering::Relaxed);
        let metrics = Arc::clone(metrics);
        Self { metrics, gauge }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.gauge)(&self.metrics)
            .0
            .fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// All numbers as text; `state` is added to it.
    pub(crate) fn exposition(self: &Arc<Self>, state: State) -> Result<String, Error> {
        let mut exposition = Exposition::with_prefix(PREFIX);
        exposition.register_collector(Box::new(Scrape {
            metrics: Arc::clone(self),
            state,
        }));
        let mut written = String::new();
        text::encode(&mut written, &exposition)
            .map_err(|source| Error::storage("write the metrics".to_owned(), source))?;
        Ok(written)
    }
}

/// What is looked up rather than counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct State {
    /// Requests at the moment that upload content.
    pub(crate) uploads_under_way: usize,
    /// The server was told to stop.
    pub(crate) is_draining: bool,
}

#[derive(Debug)]
struct Scrape {
    metrics: Arc<Metrics>,
    state: State,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer(encoder);
        let metrics = &self.metrics;
        metrics.requests.write(&mut writer)?;
        writer.gauge(
            "connections",
            "Connections that are open",
            metrics.connections.get(),
        )?;
        writer.counter(
            "connections_accepted",
            "Connections that were accepted",
            metrics.connections_accepted.get(),
        )?;
        writer.bytes(
            "received",
            "Bytes that came over connections, headers included",
            metrics.received_bytes.get(),
        )?;
        writer.bytes(
            "sent",
            "Bytes that went over connections, headers included",
            metrics.sent_bytes.get(),
        )?;
        let uploads = i64::try_from(self.state.uploads_under_way).unwrap_or(i64::MAX);
        writer.gauge(
            "uploads_under_way",
            "Requests that upload content at the moment",
            uploads,
        )?;
        writer.gauge(
            "draining",
            "1 once the server was told to stop",
            i64::from(self.state.is_draining),
        )?;
        metrics.storage.write(&mut writer)?;
        let webhooks = &metrics.webhooks;
        for (name, help, counter) in [
            (
                "webhook_events_delivered",
                "Events that webhooks took",
                &webhooks.delivered,
            ),
            (
                "webhook_attempts_failed",
                "Attempts to deliver an event that failed",
                &webhooks.failed,
            ),
            (
                "webhook_events_dead_lettered",
                "Events set aside after their last attempt",
                &webhooks.dead_lettered,
            ),
        ] {
            writer.counter(name, help, counter.get())?;
        }
        let upstreams = &metrics.upstreams;
        for (name, help, counter) in [
            (
                "upstream_requests",
                "Things that upstreams were asked for",
                &upstreams.asked,
            ),
            (
                "upstream_failures",
                "Requests to upstreams without a usable answer",
                &upstreams.failed,
            ),
            (
                "upstream_stale_answers",
                "Tags served although their upstream did not answer",
                &upstreams.stale,
            ),
        ] {
            writer.counter(name, help, counter.get())?;
        }
        writer.bytes(
            "upstream_fetched",
            "Bytes of blobs and manifests that came from upstreams",
            upstreams.fetched_bytes.get(),
        )?;
        process::write(&mut writer)
    }
}

/// Writes whole metrics.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<Unlabelled, _, u64>(&value, None)
    }

    fn bytes(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric =
            self.0
                .encode_descriptor(name, help, Some(&Unit::Bytes), MetricType::Counter)?;
        metric.encode_counter::<Unlabelled, _, u64>(&value, None)
    }

    fn gauge(&mut self, name: &str, help: &str, value: i64) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        metric.encode_gauge(&value)
    }
}

/// The labels of a metric that has none.
type Unlabelled = [(&'static str, &'static str); 0];

#[cfg(test)]
mod tests;
