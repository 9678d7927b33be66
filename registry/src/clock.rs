//! The clocks, as something that tests replace.

use std::{
    fmt,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Where the registry learns what time it is.
pub(crate) trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Seconds since 1970: the time in all records. Somebody may set it.
    fn unix_now_s(&self) -> u64;

    /// Seconds since some moment in the past; nobody can set it.
    fn steady_s(&self) -> u64;
}

/// The clocks of this machine.
#[derive(Debug)]
pub(crate) struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        let started = Instant::now();
        Self { started }
    }
}

impl Clock for SystemClock {
    fn unix_now_s(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs())
    }

    fn steady_s(&self) -> u64 {
        self.started.elapsed().as_secs()
    }
}

/// A clock that stands still until it is told otherwise.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct TestClock {
    unix_s: std::sync::atomic::AtomicU64,
    steady_s: std::sync::atomic::AtomicU64,
}

#[cfg(test)]
impl TestClock {
    pub(crate) fn at(unix_s: u64) -> Self {
        Self {
            unix_s: unix_s.into(),
            steady_s: 0.into(),
        }
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, seconds: u64) {
        use std::sync::atomic::Ordering::SeqCst;
        self.unix_s.fetch_add(seconds, SeqCst);
        self.steady_s.fetch_add(seconds, SeqCst);
    }

    /// Sets the clock without any time passing.
    pub(crate) fn set(&self, unix_s: u64) {
        self.unix_s
            .store(unix_s, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(test)]
impl Clock for TestClock {
    fn unix_now_s(&self) -> u64 {
        self.unix_s.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn steady_s(&self) -> u64 {
        self.steady_s.load(std::sync::atomic::Ordering::SeqCst)
    }
}
