//! Numbers about a running registry, in the text format of `OpenMetrics`.
//!
//! Counting is a few relaxed atomic additions and never a lock or an allocation: every label has
//! a fixed, small set of values, so each counter has its place in an array. No label carries
//! anything that clients choose, such as repositories, tags or addresses.
//!
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

mod files;
mod histogram;
mod process;
mod quotas;
mod requests;
mod retention;
mod storage;
mod upstreams;
mod workers;

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

pub(crate) use files::WatchedFile;
pub(crate) use requests::{MethodClass, RouteClass};
pub(crate) use storage::{MeasuredMetadata, MeasuredPayloads};
pub(crate) use workers::Running;

use crate::{Error, maintenance::Progress, quota};

/// What the names of all metrics begin with.
const PREFIX: &str = "cairn_registry";

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) requests: requests::Requests,
    /// 1 if the stores could be written and read when somebody asked last.
    pub(crate) ready: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) connections_accepted: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) sent_bytes: Counter,
    pub(crate) storage: storage::StorageOperations,
    pub(crate) webhooks: workers::Webhooks,
    pub(crate) workers: workers::Workers,
    pub(crate) traces: workers::Traces,
    pub(crate) files: files::Files,
    pub(crate) retention: retention::Retention,
    pub(crate) upstreams: upstreams::Upstreams,
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
    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, number: i64) {
        self.0.store(number, Ordering::Relaxed);
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
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// Requests at the moment that upload content.
    pub(crate) uploads_under_way: usize,
    /// The server was told to stop.
    pub(crate) is_draining: bool,
    /// What garbage collection did.
    pub(crate) maintenance: Progress,
    pub(crate) quotas: Vec<quota::Measure>,
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
        writer.gauge(
            "ready",
            "1 if the storage could be written and read when readiness was asked for last",
            metrics.ready.get(),
        )?;
        metrics.storage.write(&mut writer)?;
        metrics.webhooks.write(&mut writer)?;
        metrics.workers.write(&mut writer)?;
        metrics.traces.write(&mut writer)?;
        workers::write_progress(&self.state.maintenance, &mut writer)?;
        metrics.files.write(&mut writer)?;
        metrics.retention.write(&mut writer)?;
        quotas::write(&self.state.quotas, &mut writer)?;
        metrics.upstreams.write(&mut writer)?;
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

    fn seconds(&mut self, name: &str, help: &str, value: i64) -> fmt::Result {
        let unit = Some(&Unit::Seconds);
        let mut metric = self
            .0
            .encode_descriptor(name, help, unit, MetricType::Gauge)?;
        metric.encode_gauge(&value)
    }

    /// One gauge for each value of a label.
    fn gauges<'b>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        rows: impl Iterator<Item = (&'b str, i64)>,
    ) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value, number) in rows {
            metric
                .encode_family(&[(label, value)])?
                .encode_gauge(&number)?;
        }
        Ok(())
    }
}

/// The labels of a metric that has none.
type Unlabelled = [(&'static str, &'static str); 0];

#[cfg(test)]
mod tests;
