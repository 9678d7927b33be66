//! How often somebody may ask: so many over time, and so many at once.

/// One who asks. A time is all there is to remember (GCRA): when the next request would be due if
/// they came evenly.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    due_us: u64,
}

impl Pace {
    /// Whether a request may be made now; else in how many seconds it may.
    pub(crate) fn admit(&mut self, per_min: u32, burst: u32, now_ms: u64) -> Result<(), u64> {
        let present_us = now_ms.saturating_mul(1_000);
        let step_us = 60_000_000 / u64::from(per_min.max(1));
        let slack_us = step_us.saturating_mul(u64::from(burst.max(1)) - 1);
        let mut due_us = self.due_us.max(present_us);
        // It is never due later than this, unless somebody put the clock back.
        if due_us - present_us > slack_us + step_us {
            due_us = present_us;
        }
        let early_us = due_us - present_us;
        if early_us > slack_us {
            return Err((early_us - slack_us).div_ceil(1_000_000).max(1));
        }
        self.due_us = due_us.saturating_add(step_us);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_so_many_over_time() {
        let mut pace = Pace::default();
        let mut admit = |now_ms| pace.admit(60, 3, now_ms);
        for _ in 0..3 {
            assert_eq!(admit(10_000), Ok(()));
        }
        assert_eq!(admit(10_000), Err(1));
        assert_eq!(admit(11_000), Ok(()));
        assert_eq!(admit(11_000), Err(1));
        // A clock that was put back does not lock anybody out for long.
        assert_eq!(admit(0), Ok(()));
        for _ in 0..3 {
            assert_eq!(admit(100_000), Ok(()));
        }
        assert_eq!(admit(100_000), Err(1));
    }
}
