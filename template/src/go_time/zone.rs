//! Zones: UTC, the local one, which is UTC here, those with a fixed offset, and those of the
//! IANA database, which is part of the program.

use std::{borrow::Cow, sync::Arc};

use jiff::{
    Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};

use super::SECONDS_PER_DAY;

/// The zone of a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Zone {
    Utc,
    Local,
    Fixed {
        /// Empty where only the offset is known.
        name: Arc<str>,
        /// In seconds, to the east.
        offset: i64,
    },
}

impl Zone {
    /// The abbreviation, perhaps empty, and the offset in seconds.
    pub(super) fn at_any_time(&self) -> (&str, i64) {
        match self {
            Self::Utc | Self::Local => ("UTC", 0),
            Self::Fixed { name, offset } => (name, *offset),
        }
    }
}

/// A zone by a name such as `Europe/Berlin`.
#[derive(Debug)]
pub(crate) struct NamedZone(TimeZone);

impl NamedZone {
    /// The zone, or UTC where there is none of the name.
    pub(crate) fn find(name: &str) -> Self {
        let found = TimeZoneDatabase::bundled().get(name).ok();
        // Go looks for a file, so that case matters.
        let found = found.filter(|zone| zone.iana_name() == Some(name));
        Self(found.unwrap_or(TimeZone::UTC))
    }

    /// The abbreviation and the offset in seconds at so many seconds after 1970.
    pub(super) fn at(&self, seconds: i64) -> (Cow<'_, str>, i64) {
        let moment = Timestamp::from_second(repeated(seconds)).unwrap_or(Timestamp::MIN);
        let info = self.0.to_offset_info(moment);
        let abbreviation = info.abbreviation().to_owned();
        (Cow::Owned(abbreviation), i64::from(info.offset().seconds()))
    }
}

/// The seconds of a moment that `jiff` knows and at which all zones are the same. Calendars repeat
/// after 400 years, and before all known history nothing changes.
fn repeated(seconds: i64) -> i64 {
    const CALENDAR: i64 = 146_097 * SECONDS_PER_DAY;
    let beyond = seconds.saturating_sub(Timestamp::MAX.as_second());
    match beyond {
        1.. => seconds - (beyond / CALENDAR + 1) * CALENDAR,
        _ => seconds,
    }
}
