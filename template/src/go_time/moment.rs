//! A moment in a zone: Go's `time.Time`.

use super::{
    Duration, SECOND, Zone,
    civil::{Civil, UNIX_TO_INTERNAL, seconds_of},
};

/// A moment in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Time {
    /// Seconds since 1970.
    pub(super) seconds: i64,
    /// Less than a second.
    pub(super) nanoseconds: u32,
    pub(super) zone: Zone,
}

impl Time {
    /// So many seconds after 1970, in the local zone.
    pub(crate) fn from_unix(seconds: i64) -> Self {
        Self {
            seconds,
            nanoseconds: 0,
            zone: Zone::Local,
        }
    }

    /// Go's zero time: January 1 of the year 1.
    pub(crate) fn zero() -> Self {
        Self {
            seconds: -UNIX_TO_INTERNAL,
            nanoseconds: 0,
            zone: Zone::Utc,
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.seconds == -UNIX_TO_INTERNAL && self.nanoseconds == 0
    }

    /// Seconds since 1970.
    pub(crate) fn unix(&self) -> i64 {
        self.seconds
    }

    pub(crate) fn in_zone(&self, zone: Zone) -> Self {
        Self {
            zone,
            ..self.clone()
        }
    }

    pub(super) fn civil(&self) -> Civil {
        let (_, offset) = self.zone.at_any_time();
        Civil::of_seconds(self.seconds.wrapping_add(offset))
    }

    pub(crate) fn plus(&self, duration: Duration) -> Self {
        let nanoseconds = i64::from(self.nanoseconds) + duration.0 % SECOND;
        let seconds = self
            .seconds
            .wrapping_add(duration.0 / SECOND)
            .wrapping_add(nanoseconds.div_euclid(SECOND));
        Self {
            seconds,
            nanoseconds: u32::try_from(nanoseconds.rem_euclid(SECOND)).unwrap_or(0),
            zone: self.zone.clone(),
        }
    }

    /// The time from another moment to this one, as far as a duration can say it.
    pub(crate) fn since(&self, other: &Self) -> Duration {
        let difference = self.nanoseconds_in_all() - other.nanoseconds_in_all();
        let most = if difference < 0 { i64::MIN } else { i64::MAX };
        Duration(i64::try_from(difference).unwrap_or(most))
    }

    /// The date moved by so many years, months and days, the time of day kept.
    pub(super) fn plus_date(&self, years: i64, months: i64, days: i64) -> Self {
        let civil = self.civil();
        let date = [
            civil.year.wrapping_add(years),
            civil.month.wrapping_add(months),
            civil.day.wrapping_add(days),
        ];
        let local = seconds_of(date, [civil.hour, civil.minute, civil.second]);
        let (_, offset) = self.zone.at_any_time();
        Self {
            seconds: local.wrapping_sub(offset),
            ..self.clone()
        }
    }

    /// Down to a multiple of the duration, counted from the zero time.
    pub(super) fn truncated(&self, unit: Duration) -> Self {
        self.plus(Duration(-self.rest(unit)))
    }

    /// To the nearest multiple of the duration, half being rounded up.
    pub(super) fn rounded(&self, unit: Duration) -> Self {
        let rest = self.rest(unit);
        if rest.unsigned_abs() * 2 < unit.0.unsigned_abs() || unit.0 <= 0 {
            return self.plus(Duration(-rest));
        }
        self.plus(Duration(unit.0 - rest))
    }

    fn rest(&self, unit: Duration) -> i64 {
        if unit.0 <= 0 {
            return 0;
        }
        let in_all = self.nanoseconds_in_all() + i128::from(UNIX_TO_INTERNAL) * i128::from(SECOND);
        i64::try_from(in_all.rem_euclid(i128::from(unit.0))).unwrap_or(0)
    }

    /// Nanoseconds since 1970.
    pub(super) fn nanoseconds_in_all(&self) -> i128 {
        i128::from(self.seconds) * i128::from(SECOND) + i128::from(self.nanoseconds)
    }
}
