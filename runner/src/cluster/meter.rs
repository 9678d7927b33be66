//! How often the API server is asked, and how long it takes to answer.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper ends of the buckets that answers are counted in, in milliseconds; longer ones are in a last bucket.
const BOUNDS_MS: [u64; 27] = [
    1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000,
    3_000, 5_000, 7_000, 10_000, 15_000, 20_000, 30_000,
];

/// Counts requests, without watches.
#[derive(Debug, Default)]
pub(super) struct Meter {
    buckets: [AtomicU64; BOUNDS_MS.len() + 1],
}

/// What was counted until a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    buckets: [u64; BOUNDS_MS.len() + 1],
}

impl Meter {
    pub(super) fn count(&self, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MS.partition_point(|bound_ms| *bound_ms < took_ms);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn read(&self) -> Requests {
        let mut read = Requests::default();
        for (to, from) in read.buckets.iter_mut().zip(&self.buckets) {
            *to = from.load(Ordering::Relaxed);
        }
        read
    }
}

impl Requests {
    /// Those that came after an earlier moment.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        for (to, from) in since.buckets.iter_mut().zip(&earlier.buckets) {
            *to = to.saturating_sub(*from);
        }
        since
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// So many percent of them took no longer, in milliseconds; nothing when there were none.
    pub fn percentile_ms(&self, percent: u64) -> Option<u64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = count.saturating_mul(percent.min(100)).div_ceil(100).max(1);
        let mut seen = 0;
        let reached = self.buckets.iter().position(|bucket| {
            seen += bucket;
            seen >= wanted
        })?;
        let last = BOUNDS_MS.last().copied();
        BOUNDS_MS.get(reached).copied().or(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_ends_of_buckets() {
        let meter = Meter::default();
        assert_eq!(meter.read().percentile_ms(50), None);
        for took_ms in [1, 2, 4, 4, 4, 4, 4, 4, 4, 60_000] {
            meter.count(Duration::from_millis(took_ms));
        }
        let read = meter.read();
        assert_eq!(read.count(), 10);
        assert_eq!(read.percentile_ms(10), Some(1));
        assert_eq!(read.percentile_ms(50), Some(5));
        assert_eq!(read.percentile_ms(99), Some(30_000));
        meter.count(Duration::from_millis(0));
        assert_eq!(meter.read().since(&read).count(), 1);
    }
}
