//! Go's `time`: moments with their zones, how they are written and read, and durations.
//!
//! There is no clock here, and the local zone is UTC.

mod civil;
mod duration;
mod format;
mod integers;
mod layout;
mod moment;
mod object;
mod parse;
mod zone;

pub(crate) use civil::Civil;
pub(crate) use duration::{Duration, parse_duration};
pub(crate) use integers::{call_integer_method, integer_methods, integer_text};
pub(crate) use moment::Time;
pub(crate) use parse::parse;
pub(crate) use zone::{NamedZone, Zone};

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

static MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

static WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// How long the short names of months and weekdays are.
const SHORT_NAME: usize = 3;
