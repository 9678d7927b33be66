//! How soon news ends a request that the hub holds: at once, but not again and again.

use std::time::Duration;

use tokio::time::Instant;

/// So many reports may come before their time in a row.
const IN_A_ROW: u32 = 5;
/// After those, one in this time.
const ONE_EVERY: Duration = Duration::from_secs(10);

/// How many reports may still come before their time.
#[derive(Debug)]
pub(super) struct Haste {
    /// When all of them may again.
    rested: Instant,
}

impl Haste {
    pub(super) fn new(now: Instant) -> Self {
        Self { rested: now }
    }

    /// When the next report may come.
    pub(super) fn next(&self) -> Option<Instant> {
        self.rested.checked_sub(ONE_EVERY * (IN_A_ROW - 1))
    }

    /// One came.
    pub(super) fn came(&mut self, now: Instant) {
        self.rested = self.rested.max(now) + ONE_EVERY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_come_at_once_and_then_one_now_and_then() {
        // Later than any machine's start.
        let start = Instant::now() + Duration::from_hours(1);
        let mut haste = Haste::new(start);
        let mut now = start;
        let mut came = Vec::new();
        for _ in 0..8 {
            now = now.max(haste.next().unwrap());
            haste.came(now);
            came.push((now - start).as_secs());
        }
        assert_eq!(came, [0, 0, 0, 0, 0, 10, 20, 30]);
        // A rest earns all of them back, and no more.
        now += Duration::from_hours(1);
        let again = (0..6).map(|_| {
            let at = now.max(haste.next().unwrap());
            haste.came(at);
            (at - now).as_secs()
        });
        assert_eq!(again.collect::<Vec<_>>(), [0, 0, 0, 0, 0, 10]);
    }
}
