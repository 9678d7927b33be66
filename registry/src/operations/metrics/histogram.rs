//! How long things take, in buckets of atomic counters.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::encoding::MetricEncoder;

use super::Unlabelled;

/// The upper ends of the buckets, in microseconds: from a record in memory to a large blob.
const BUCKETS_US: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    5_000_000, 30_000_000,
];
const MICROSECONDS_PER_S: f64 = 1e6;

/// Durations by bucket, and their sum.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// One more than there are ends: the last bucket has none.
    counts: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, duration: Duration) {
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.partition_point(|end_us| *end_us < duration_us);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(duration_us, Ordering::Relaxed);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts
            .iter()
            .all(|count| count.load(Ordering::Relaxed) == 0)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 microseconds are 285 years"
    )]
    pub(super) fn write(&self, mut metric: MetricEncoder<'_>) -> fmt::Result {
        let ends = BUCKETS_US
            .iter()
            .map(|end_us| *end_us as f64 / MICROSECONDS_PER_S)
            .chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = ends
            .zip(
                self.counts
                    .iter()
                    .map(|count| count.load(Ordering::Relaxed)),
            )
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum_s = self.sum_us.load(Ordering::Relaxed) as f64 / MICROSECONDS_PER_S;
        metric.encode_histogram::<Unlabelled>(sum_s, count, &buckets, None)
    }
}
