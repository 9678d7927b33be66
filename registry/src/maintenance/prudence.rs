//! The time that garbage collection goes by: one that distrusts a clock that jumps.
//!
//! A clock set forward makes everything look old at once, content of pushes under way included.
//! So time that the wall clock gained over the steady one counts only after everybody had a grace
//! period to touch what they rely on by the new time. A clock set back is followed at once: it
//! makes everything look younger, and what was touched in the future is simply not due yet.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;

/// How far the wall clock may run ahead of the steady one and still be believed.
const TOLERANCE_S: u64 = 60;

/// A wall clock that does not jump forward.
#[derive(Debug)]
pub(super) struct PrudentClock {
    clock: Arc<dyn Clock>,
    grace_s: u64,
    anchor: Mutex<Anchor>,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    unix_s: u64,
    steady_s: u64,
    /// When the wall clock was first seen to have jumped forward, in steady time.
    jumped_at: Option<u64>,
}

impl PrudentClock {
    pub(super) fn new(clock: Arc<dyn Clock>, grace_s: u64) -> Self {
        let anchor = Anchor {
            unix_s: clock.unix_now_s(),
            steady_s: clock.steady_s(),
            jumped_at: None,
        };
        Self {
            clock,
            grace_s,
            anchor: Mutex::new(anchor),
        }
    }

    /// Seconds since 1970, as far as they can be trusted.
    pub(super) fn unix_now_s(&self) -> u64 {
        let (unix_s, steady_s) = (self.clock.unix_now_s(), self.clock.steady_s());
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let believed_s = anchor.unix_s + (steady_s - anchor.steady_s);
        let follow = Anchor {
            unix_s,
            steady_s,
            jumped_at: None,
        };
        if unix_s <= believed_s {
            *anchor = follow;
            return unix_s;
        }
        if unix_s <= believed_s + TOLERANCE_S {
            anchor.jumped_at = None;
            return unix_s;
        }
        let jumped_s = *anchor.jumped_at.get_or_insert(steady_s);
        if steady_s - jumped_s < self.grace_s {
            return believed_s;
        }
        *anchor = follow;
        unix_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TestClock;

    #[test]
    fn a_jump_forward_counts_after_a_grace_period() {
        let clock = Arc::new(TestClock::at(1000));
        let prudent = PrudentClock::new(Arc::clone(&clock) as Arc<dyn Clock>, 500);
        clock.advance(100);
        assert_eq!(prudent.unix_now_s(), 1100);
        clock.set(90_000);
        assert_eq!(prudent.unix_now_s(), 1100);
        clock.advance(499);
        assert_eq!(prudent.unix_now_s(), 1599);
        clock.advance(1);
        assert_eq!(prudent.unix_now_s(), 90_500);
    }

    #[test]
    fn a_jump_back_counts_at_once() {
        let clock = Arc::new(TestClock::at(90_000));
        let prudent = PrudentClock::new(Arc::clone(&clock) as Arc<dyn Clock>, 500);
        clock.set(1000);
        assert_eq!(prudent.unix_now_s(), 1000);
        clock.advance(100);
        clock.set(1130);
        assert_eq!(prudent.unix_now_s(), 1130);
    }
}
