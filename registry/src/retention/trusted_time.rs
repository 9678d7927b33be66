//! Whether the clock may be believed: what it says decides what is old enough to be removed.
//!
//! Each pass writes down what time it was. A clock that is more than a day further than the last
//! pass, or at the first pass than anything in the registry, has jumped, or nobody was there: who
//! knows. Then nothing is removed for a week, in which people see the warnings, unless somebody
//! says that the clock is right. Waiting does no harm; removing cannot be undone.

use serde::{Deserialize, Serialize};

/// How much later than the last pass it may be, beyond the interval between passes, in seconds.
const GAP_S: u64 = 24 * 60 * 60;
/// How long nothing is removed after that, in seconds.
const HOLD_S: u64 = 7 * 24 * 60 * 60;

/// What passes write down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_field_names,
    reason = "they are all times, and say in which unit"
)]
pub(super) struct Passes {
    /// What the clock said at the last pass.
    pub(super) last_unix_s: u64,
    /// Until when nothing is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) held_until_unix_s: Option<u64>,
    /// Since when pulls have been recorded without a gap, while rules ask for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pulls_since_unix_s: Option<u64>,
}

/// What is known when a pass begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now_unix_s: u64,
    pub(super) interval_s: u64,
    /// Rules ask when manifests were pulled.
    pub(super) records_pulls: bool,
    /// Somebody says that the clock is right.
    pub(super) accepts_clock: bool,
}

/// What a pass writes down, given what the last one did. `newest_unix_s` is the latest time in any
/// record, and counts if there was no pass before.
pub(super) fn pass_at(moment: Moment, last: Option<&Passes>, newest_unix_s: Option<u64>) -> Passes {
    let now_unix_s = moment.now_unix_s;
    let before_unix_s = last.map(|last| last.last_unix_s).or(newest_unix_s);
    let gap_s = GAP_S.saturating_add(moment.interval_s);
    // Where there is neither, there is nothing to remove.
    let has_jumped =
        before_unix_s.is_some_and(|before_unix_s| now_unix_s > before_unix_s.saturating_add(gap_s));
    let held = last.and_then(|last| last.held_until_unix_s);
    let held_until_unix_s = match held {
        _ if moment.accepts_clock => None,
        _ if has_jumped => Some(now_unix_s.saturating_add(HOLD_S)),
        // A clock that was set back does not have to wait for the time it was set to.
        Some(until) if until > now_unix_s.saturating_add(HOLD_S) => None,
        held => held.filter(|until| *until > now_unix_s),
    };
    let pulls_since = last.and_then(|last| last.pulls_since_unix_s);
    let pulls_since_unix_s = moment
        .records_pulls
        .then(|| pulls_since.filter(|_| !has_jumped).unwrap_or(now_unix_s));
    Passes {
        last_unix_s: now_unix_s,
        held_until_unix_s,
        pulls_since_unix_s,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: u64 = 24 * 60 * 60;
    const NOW: u64 = 1_800_000_000;

    fn at(now_unix_s: u64) -> Moment {
        Moment {
            now_unix_s,
            interval_s: DAY_S,
            records_pulls: true,
            accepts_clock: false,
        }
    }

    #[test]
    fn a_clock_far_ahead_holds_everything_for_a_week() {
        let first = pass_at(at(NOW), None, Some(NOW - DAY_S));
        assert_eq!(first.held_until_unix_s, None);
        let next = pass_at(at(NOW + DAY_S), Some(&first), None);
        assert_eq!(next.held_until_unix_s, None);
        // A year ahead, and it stays so.
        let mut now_unix_s = NOW + 366 * DAY_S;
        let jumped = pass_at(at(now_unix_s), Some(&next), None);
        assert_eq!(jumped.held_until_unix_s, Some(now_unix_s + 7 * DAY_S));
        assert_eq!(jumped.pulls_since_unix_s, Some(now_unix_s));
        let mut passes = jumped;
        for _ in 0..6 {
            now_unix_s += DAY_S;
            passes = pass_at(at(now_unix_s), Some(&passes), None);
            assert!(passes.held_until_unix_s.is_some());
        }
        passes = pass_at(at(now_unix_s + DAY_S), Some(&passes), None);
        assert_eq!(passes.held_until_unix_s, None);
    }

    #[test]
    fn the_first_pass_is_measured_by_the_newest_record() {
        let held = pass_at(at(NOW + 400 * DAY_S), None, Some(NOW));
        assert!(held.held_until_unix_s.is_some());
        let accepted = Moment {
            accepts_clock: true,
            ..at(NOW + 400 * DAY_S)
        };
        assert_eq!(
            pass_at(accepted, Some(&held), Some(NOW)).held_until_unix_s,
            None
        );
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_hold() {
        let ahead = pass_at(at(NOW + 400 * DAY_S), None, Some(NOW));
        let back = pass_at(at(NOW), Some(&ahead), Some(NOW));
        assert_eq!(back.held_until_unix_s, None);
        assert_eq!(back.last_unix_s, NOW);
    }
}
