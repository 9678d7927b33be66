//! Sprig's functions of dates and durations. The local zone is UTC, and the time that it is now
//! is what whoever renders says it is; who says nothing has the call refused.

use super::{Function, functions};
use crate::{
    call::Call,
    go::cast::parse_int,
    go_time::{Duration, NamedZone, Time, Zone, parse, parse_duration},
    host::Generation,
    state::Outcome,
    value::{Data, IntKind, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "ago" (Any) => ago;
    "date" (String, Any) => date;
    "dateInZone" (String, Any, String) => date_in_zone;
    "dateModify" (String, Time) => date_modify;
    "date_in_zone" (String, Any, String) => date_in_zone;
    "date_modify" (String, Time) => date_modify;
    "duration" (Any) => duration;
    "durationRound" (Any) => duration_round;
    "htmlDate" (Any) => html_date;
    "htmlDateInZone" (Any, String) => html_date_in_zone;
    "mustDateModify" (String, Time) => must_date_modify;
    "mustToDate" (String, String) => must_to_date;
    "must_date_modify" (String, Time) => must_date_modify;
    "now" () => now;
    "toDate" (String, String) => to_date;
    "unixEpoch" (Time) => unix_epoch;
];

/// How HTML writes dates.
const HTML_DATE: &[u8] = b"2006-01-02";
const HOUR: u64 = 3_600_000_000_000;

/// The value that is fixed for this call, or the moment that is now for it.
fn now(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = Value::object(this_moment(call)?);
    Ok(call.generated(value))
}

fn this_moment(call: &mut Call<'_, '_>) -> Outcome<Time> {
    let fixed = match call.generation()? {
        Generation::Seeded { now, .. } => return Ok(Time::from_unix(now)),
        Generation::Fixed(node) => node,
        Generation::Refuse | Generation::Unavailable(_) => {
            return Err(call.failure("the time is refused"));
        }
    };
    let value = Value::from_tree(&fixed.value, crate::value::Source::TEMPLATE);
    let moment = match &value.data {
        Data::Int(seconds, _) => Some(Time::from_unix(*seconds)),
        _ => value
            .as_bytes()
            .and_then(|text| parse(b"2006-01-02T15:04:05Z07:00", text).ok()),
    };
    moment.ok_or_else(|| {
        let failure = call.failure("the value that is fixed for this call is no time");
        failure.hint("give seconds since 1970, or a time such as `2024-01-31T12:00:00Z`")
    })
}

/// An argument of which the result depends on all that it is.
fn read(call: &mut Call<'_, '_>, index: usize) -> Outcome<Value> {
    let value = call.value(index)?;
    call.read(&value);
    Ok(value)
}

/// The moment that an argument is, or so many seconds after 1970; anything else is now.
fn moment(call: &mut Call<'_, '_>, index: usize) -> Outcome<Time> {
    let value = read(call, index)?;
    match (&value.data, Time::of_value(&value)) {
        (_, Some(time)) => Ok(time.clone()),
        (Data::Int(seconds, IntKind::Int | IntKind::Int64), _) => Ok(Time::from_unix(*seconds)),
        _ => this_moment(call),
    }
}

/// An argument that is a moment.
fn time(call: &mut Call<'_, '_>, index: usize) -> Outcome<Time> {
    let value = read(call, index)?;
    Ok(Time::of_value(&value).cloned().unwrap_or_else(Time::zero))
}

fn written(
    call: &mut Call<'_, '_>,
    layout: &[u8],
    moment: usize,
    zone: Option<usize>,
) -> Outcome<Value> {
    let time = self::moment(call, moment)?;
    let text = match zone {
        None => time.in_zone(Zone::Local).format(layout),
        Some(index) => {
            let name = call.read_text(index)?;
            time.format_in(layout, &NamedZone::find(name.as_str()))
        }
    };
    call.computed_bytes(text)
}

fn date(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let layout = call.read_text(0)?;
    written(call, layout.as_bytes(), 1, None)
}

fn date_in_zone(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let layout = call.read_text(0)?;
    written(call, layout.as_bytes(), 1, Some(2))
}

fn html_date(call: &mut Call<'_, '_>) -> Outcome<Value> {
    written(call, HTML_DATE, 0, None)
}

fn html_date_in_zone(call: &mut Call<'_, '_>) -> Outcome<Value> {
    written(call, HTML_DATE, 0, Some(1))
}

/// The moment moved by a duration; by none, where the text is no duration.
fn date_modify(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (text, time) = (call.read_text(0)?, time(call, 1)?);
    let duration = parse_duration(text.as_bytes()).unwrap_or(Duration(0));
    Ok(call.computed(Value::object(time.plus(duration))))
}

fn must_date_modify(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (text, time) = (call.read_text(0)?, time(call, 1)?);
    match parse_duration(text.as_bytes()) {
        Ok(duration) => Ok(call.computed(Value::object(time.plus(duration)))),
        Err(problem) => Err(call.failure(problem)),
    }
}

/// The moment that a text names; the zero time, where it names none.
fn to_date(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (layout, text) = (call.read_text(0)?, call.read_text(1)?);
    let time = parse(layout.as_bytes(), text.as_bytes()).unwrap_or_else(|_| Time::zero());
    Ok(call.computed(Value::object(time)))
}

fn must_to_date(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (layout, text) = (call.read_text(0)?, call.read_text(1)?);
    match parse(layout.as_bytes(), text.as_bytes()) {
        Ok(time) => Ok(call.computed(Value::object(time))),
        Err(problem) => Err(call.failure(problem)),
    }
}

fn unix_epoch(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let seconds = time(call, 0)?.unix();
    call.computed_text(seconds.to_string())
}

/// How long ago a moment was; what is none is now.
fn ago(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = read(call, 0)?;
    let time = match (&value.data, Time::of_value(&value)) {
        (_, Some(time)) => time.clone(),
        (Data::Int(seconds, IntKind::Int | IntKind::Int64), _) => Time::from_unix(*seconds),
        _ => return call.computed_text(Duration(0).to_string()),
    };
    let ago = this_moment(call)?
        .since(&time)
        .rounded(Duration(1_000_000_000));
    call.computed_text(ago.to_string())
}

/// So many seconds, as a text or an `int64`; anything else is none.
fn duration(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = read(call, 0)?;
    let seconds = match &value.data {
        Data::Int(seconds, IntKind::Int64) => *seconds,
        // What does not fit is the nearest that does, and what is no number is 0.
        _ => value.as_bytes().map_or(0, |text| {
            parse_int(text, 10).unwrap_or_else(|instead| instead)
        }),
    };
    let duration = Duration(seconds.wrapping_mul(1_000_000_000));
    call.computed_text(duration.to_string())
}

/// A duration in its largest unit alone.
fn duration_round(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = read(call, 0)?;
    let duration = match (&value.data, Time::of_value(&value)) {
        (_, Some(time)) => this_moment(call)?.since(time),
        (Data::Int(nanoseconds, IntKind::Int64), _) => Duration(*nanoseconds),
        _ => {
            let parsed = value.as_bytes().and_then(|text| parse_duration(text).ok());
            parsed.unwrap_or(Duration(0))
        }
    };
    let length = duration.0.unsigned_abs();
    let units = [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (HOUR / 3600, "s"),
    ];
    let text = match units.iter().find(|(unit, _)| length > *unit) {
        Some((unit, name)) => format!("{}{name}", length / unit),
        None => "0s".to_owned(),
    };
    call.computed_text(text)
}
