//! How long to wait before asking again: longer each time, and never all agents at the same moment.

use std::time::Duration;

/// The bounds of the waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The shortest wait.
    pub shortest: Duration,
    /// The longest wait.
    pub longest: Duration,
}

/// How agents wait for a hub or a registry.
pub const REMOTE: Bounds = Bounds {
    shortest: Duration::from_secs(2),
    longest: Duration::from_mins(5),
};

/// How an agent waits for its own cluster: when that is back, whatever has drifted meanwhile is put back soon.
pub const CLUSTER: Bounds = Bounds {
    shortest: Duration::from_secs(2),
    longest: Duration::from_mins(1),
};

/// Of two intervals, so much is waited at most; the rest is for jitter, and for asking.
const SHARE_OF_TWO: f64 = 0.85;

/// Waits that grow while attempts fail ("decorrelated jitter").
#[derive(Debug, Clone)]
pub struct Backoff {
    bounds: Bounds,
    last: Duration,
    /// More than this is not waited, whoever asks for it.
    longest_asked: Duration,
}

impl Backoff {
    /// Begins with the shortest wait.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            last: bounds.shortest,
            longest_asked: bounds.longest,
        }
    }

    /// Whoever asks this often when all is well is back within two such intervals when all is well again,
    /// however long it was not.
    pub fn within_two(&mut self, interval: Duration) {
        let longest = interval.mul_f64(2.0 * SHARE_OF_TWO);
        self.bounds.longest = longest.clamp(self.bounds.shortest, self.longest_asked);
    }

    /// The wait after a failed attempt. `chance` is a random number from 0 to 1; what the other side
    /// asks for is waited at least.
    pub fn failed(&mut self, chance: f64, asked: Option<Duration>) -> Duration {
        let Bounds { shortest, longest } = self.bounds;
        let span = (self.last * 3).saturating_sub(shortest);
        let wait = shortest + span.mul_f64(chance.clamp(0.0, 1.0));
        self.last = wait.min(longest);
        match asked {
            // Spread as well, for all who were sent away at once were told the same.
            Some(asked) => self.last.max(
                asked
                    .min(self.longest_asked)
                    .mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0),
            ),
            None => self.last,
        }
    }

    /// An attempt succeeded.
    pub fn succeeded(&mut self) {
        self.last = self.bounds.shortest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(chance: f64, count: usize) -> Vec<u64> {
        let mut backoff = Backoff::new(REMOTE);
        (0..count)
            .map(|_| backoff.failed(chance, None).as_secs())
            .collect()
    }

    #[test]
    fn waits_grow_up_to_a_limit() {
        assert_eq!(waits(0.0, 3), [2, 2, 2]);
        assert_eq!(waits(1.0, 7), [6, 18, 54, 162, 300, 300, 300]);
        assert_eq!(waits(0.5, 4), [4, 7, 11, 18]);
    }

    #[test]
    fn what_is_asked_for_is_waited() {
        let mut backoff = Backoff::new(REMOTE);
        let asked = Some(Duration::from_secs(100));
        assert_eq!(backoff.failed(0.0, asked), Duration::from_secs(100));
        assert_eq!(backoff.failed(1.0, asked), Duration::from_secs(125));
        let day = Some(Duration::from_hours(24));
        assert_eq!(backoff.failed(0.0, day), Duration::from_mins(5));
    }

    #[test]
    fn whoever_asks_often_is_back_soon() {
        for (interval_s, longest_s) in [(1, 2), (30, 51), (60, 102), (3_600, 300)] {
            let mut backoff = Backoff::new(REMOTE);
            backoff.within_two(Duration::from_secs(interval_s));
            let longest = (0..20).map(|_| backoff.failed(1.0, None)).max();
            assert_eq!(longest, Some(Duration::from_secs(longest_s)));
            // What is asked for is waited all the same.
            let asked = Some(Duration::from_secs(200));
            assert!(backoff.failed(0.0, asked) >= Duration::from_secs(200));
        }
    }

    #[test]
    fn success_starts_over() {
        let mut backoff = Backoff::new(REMOTE);
        for _ in 0..10 {
            backoff.failed(1.0, None);
        }
        backoff.succeeded();
        assert_eq!(backoff.failed(1.0, None), Duration::from_secs(6));
    }
}
