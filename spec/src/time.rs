//! Times as texts.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const DAY_S: u64 = 86_400;
/// The last second of the year 9999.
const LAST_S: u64 = 253_402_300_799;

/// A point in time that a file names: RFC 3339 in UTC, such as `2026-01-31T12:00:00Z`, to the
/// second, from 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// A text is no [`Timestamp`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{input}` is not a time: expected RFC 3339 in UTC, such as `2026-01-31T12:00:00Z`")]
pub struct TimestampError {
    /// The text as it was given.
    pub input: String,
}

impl Timestamp {
    /// A time by the seconds since 1970; the end of the year 9999 for all that is later.
    pub fn from_unix_s(unix_s: u64) -> Self {
        Self(unix_s.min(LAST_S))
    }

    /// Seconds since 1970.
    pub fn unix_s(self) -> u64 {
        self.0
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse_rfc_3339(text)
            // No day and no hour but those that are written the same way.
            .filter(|&unix_s| rfc_3339(unix_s) == text)
            .map(Self)
            .ok_or_else(|| TimestampError {
                input: text.to_owned(),
            })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&rfc_3339(self.0))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "time",
            "description": "RFC 3339 in UTC, such as `2026-01-31T12:00:00Z`",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
        })
    }
}

/// The number that `YYYY-MM-DDTHH:MM:SSZ` is, whether or not there is such a day.
fn parse_rfc_3339(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| -> Option<u64> {
        let digits = text.get(range)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten()
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if year < 1970 || month == 0 || day == 0 {
        return None;
    }
    // As in `rfc_3339`, the other way round.
    let shifted_year = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    Some(days * DAY_S + hour * 3_600 + minute * 60 + second)
}

/// A time as RFC 3339 in UTC, from seconds since 1970.
pub fn rfc_3339(unix_s: u64) -> String {
    // Days are counted from 0000-03-01, so that the leap day is a year's last day.
    // <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
    let days = unix_s / DAY_S + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let second = unix_s % DAY_S;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        for (unix_s, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc_3339(unix_s), expected);
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2000-02-29T00:00:00Z",
            "2026-11-28T15:30:00Z",
            "9999-12-31T23:59:59Z",
        ] {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(time.to_string(), text);
            assert_eq!(Timestamp::from_unix_s(time.unix_s()), time);
        }
        assert_eq!(
            Timestamp::from_unix_s(u64::MAX).to_string(),
            "9999-12-31T23:59:59Z"
        );
        for text in [
            "",
            "2026-11-28",
            "2026-02-30T00:00:00Z",
            "2026-11-28T24:00:00Z",
            "2026-11-28T15:30:60Z",
            "2026-11-28T15:30:00+00:00",
            "1969-12-31T23:59:59Z",
            "2026-11-28t15:30:00z",
            "2026-11-28T15:30:00Z ",
            "+026-11-28T15:30:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
