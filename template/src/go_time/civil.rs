//! Dates and times of day in the calendar that reaches back forever (proleptic Gregorian).

use super::SECONDS_PER_DAY;

/// From January 1 of the year 1, where Go counts from, to 1970.
pub(super) const UNIX_TO_INTERNAL: i64 = 719_162 * SECONDS_PER_DAY;

/// The days from March 1 of the year -292277022400, where Go's calendar begins, to January 1 of
/// the year 1. What is before comes out behind its end.
const ABSOLUTE_DAYS: i64 = 106_751_990_354_238;
/// The seconds from where Go's calendar begins to 1970.
const ABSOLUTE_TO_UNIX: u64 = (ABSOLUTE_DAYS * SECONDS_PER_DAY + UNIX_TO_INTERNAL).unsigned_abs();

/// A moment as a calendar and a clock show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    /// From 1 on.
    pub(crate) month: i64,
    pub(crate) day: i64,
    /// From 1 on.
    pub(crate) day_of_year: i64,
    /// Sunday is 0.
    pub(crate) weekday: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

impl Civil {
    /// What the seconds since 1970, with the offset of the zone added, show.
    pub(crate) fn of_seconds(local: i64) -> Self {
        let absolute = local
            .wrapping_add_unsigned(ABSOLUTE_TO_UNIX)
            .cast_unsigned();
        let per_day = SECONDS_PER_DAY.unsigned_abs();
        let days = i64::try_from(absolute / per_day).unwrap_or(i64::MAX) - ABSOLUTE_DAYS;
        let of_day = i64::try_from(absolute % per_day).unwrap_or(0);
        let (year, month, day) = date_of(days);
        Self {
            year,
            month,
            day,
            day_of_year: days - i64::try_from(days_before(year, 1, 1)).unwrap_or(days) + 1,
            weekday: (days + 1).rem_euclid(7),
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
        }
    }
}

/// Years of 400 repeat, and here begin in March, so that the leap day is their last.
const DAYS_PER_ERA: i64 = 146_097;
/// From March 1 of the year 0 to January 1 of the year 1.
const MARCH_TO_JANUARY: i64 = 306;

/// The year, month and day so many days after January 1 of the year 1.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + MARCH_TO_JANUARY;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) = if month_from_march < 10 {
        (month_from_march + 3, 0)
    } else {
        (month_from_march - 9, 1)
    };
    (era * 400 + year_of_era + next_year, month, day)
}

/// The days from January 1 of the year 1 to a date; the day may be none of its month.
fn days_before(year: i64, month: i64, day: i64) -> i128 {
    let year = i128::from(year) - i128::from(month < 3);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = i128::from((month + 9).rem_euclid(12));
    let day_of_year = (153 * month_from_march + 2) / 5 + i128::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * i128::from(DAYS_PER_ERA) + day_of_era - i128::from(MARCH_TO_JANUARY)
}

/// The seconds from 1970 to a date and time, each part of which may be out of its range.
pub(super) fn seconds_of(date: [i64; 3], time: [i64; 3]) -> i64 {
    let [year, month, day] = date;
    let [hour, minute, second] = time.map(i128::from);
    let months = i128::from(month) - 1;
    let year = i128::from(year) + months.div_euclid(12);
    let month = months.rem_euclid(12) + 1;
    let days = days_before(wrapped(year), wrapped(month), day);
    let internal = days * i128::from(SECONDS_PER_DAY) + hour * 3600 + minute * 60 + second;
    wrapped(internal - i128::from(UNIX_TO_INTERNAL))
}

/// The low bits, as Go's arithmetic leaves them.
#[expect(clippy::cast_possible_truncation, reason = "it is meant to")]
fn wrapped(number: i128) -> i64 {
    number as i64
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(super) fn days_in(month: i64, year: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_seconds_name_each_other() {
        for date in [
            [1970, 1, 1],
            [1, 1, 1],
            [0, 2, 29],
            [-1, 12, 31],
            [2000, 2, 29],
            [1900, 3, 1],
            [2400, 12, 31],
            [292_277_000_000, 1, 1],
        ] {
            let civil = Civil::of_seconds(seconds_of(date, [23, 59, 58]));
            assert_eq!([civil.year, civil.month, civil.day], date);
            assert_eq!([civil.hour, civil.minute, civil.second], [23, 59, 58]);
        }
        let civil = Civil::of_seconds(951_782_400);
        assert_eq!((civil.weekday, civil.day_of_year), (2, 60));
        // Parts out of range carry over.
        assert_eq!(
            seconds_of([2019, 14, 30], [24, 0, 0]),
            seconds_of([2020, 3, 2], [0, 0, 0])
        );
        Civil::of_seconds(i64::MAX);
        Civil::of_seconds(i64::MIN);
    }
}
