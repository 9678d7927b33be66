//! Durations, months and weekdays, which are integers with names and methods.

use super::{Duration, MONTHS, WEEKDAYS};
use crate::{
    Method, Parameter,
    value::{Data, IntKind, Value},
};

/// How an integer of a named type prints.
pub(crate) fn integer_text(kind: IntKind, number: i64) -> Option<String> {
    match kind {
        IntKind::Duration => Some(Duration(number).to_string()),
        IntKind::Month => Some(name(&MONTHS, number.checked_sub(1), "Month", number)),
        IntKind::Weekday => Some(name(&WEEKDAYS, Some(number), "Weekday", number)),
        _ => None,
    }
}

fn name(names: &[&str], index: Option<i64>, type_name: &str, number: i64) -> String {
    let found = index
        .and_then(|index| usize::try_from(index).ok())
        .and_then(|index| names.get(index));
    match found {
        Some(name) => (*name).to_owned(),
        None => format!("%!{type_name}({})", number.cast_unsigned()),
    }
}

macro_rules! methods {
    ($($name:literal ($($parameter:ident),*);)*) => {
        &[$(Method { name: $name, parameters: &[$(Parameter::$parameter),*] }),*]
    };
}

static OF_DURATIONS: &[Method] = methods![
    "Abs" ();
    "Hours" ();
    "Microseconds" ();
    "Milliseconds" ();
    "Minutes" ();
    "Nanoseconds" ();
    "Round" (Duration);
    "Seconds" ();
    "String" ();
    "Truncate" (Duration);
];

static OF_NAMES: &[Method] = methods!["String" ();];

/// The methods of an integer of a named type.
pub(crate) fn integer_methods(kind: IntKind) -> &'static [Method] {
    match kind {
        IntKind::Duration => OF_DURATIONS,
        IntKind::Month | IntKind::Weekday => OF_NAMES,
        _ => &[],
    }
}

/// Calls one of [`integer_methods`].
pub(crate) fn call_integer_method(
    kind: IntKind,
    number: i64,
    method: &str,
    arguments: &[Value],
) -> Value {
    let duration = Duration(number);
    let argument = arguments
        .first()
        .and_then(duration_of)
        .unwrap_or(Duration(0));
    match method {
        "Abs" => duration.absolute().into(),
        "Hours" => duration.hours().into(),
        "Minutes" => duration.minutes().into(),
        "Seconds" => duration.seconds().into(),
        "Milliseconds" => Data::Int(number / 1_000_000, IntKind::Int64).into(),
        "Microseconds" => Data::Int(number / 1_000, IntKind::Int64).into(),
        "Nanoseconds" => Data::Int(number, IntKind::Int64).into(),
        "Round" => duration.rounded(argument).into(),
        "Truncate" => duration.truncated(argument).into(),
        _ => integer_text(kind, number).unwrap_or_default().into(),
    }
}

/// The duration that a value is.
pub(super) fn duration_of(value: &Value) -> Option<Duration> {
    match value.data {
        Data::Int(number, IntKind::Duration) => Some(Duration(number)),
        _ => None,
    }
}

impl From<Duration> for Value {
    fn from(duration: Duration) -> Self {
        Data::Int(duration.0, IntKind::Duration).into()
    }
}
