//! Dates, times and durations (<https://www.rfc-editor.org/rfc/rfc3339>).

use cairn_template::go::quote_char;

use super::wrong;
use crate::go_time::check_date;

pub(super) fn date_time(text: &str) -> Result<(), String> {
    if text.len() < 20 {
        return wrong("less than 20 characters long");
    }
    let Some((date, rest)) = text.split_at_checked(10) else {
        return wrong("11th character must be t or T");
    };
    let Some(clock) = rest.strip_prefix(['t', 'T']) else {
        return wrong("11th character must be t or T");
    };
    check_date(date).map_err(|reason| format!("invalid date element: {reason}"))?;
    time(clock).map_err(|reason| format!("invalid time element: {reason}"))
}

pub(super) fn time(text: &str) -> Result<(), String> {
    if text.len() < 9 {
        return wrong("less than 9 characters long");
    }
    if text.as_bytes().get(2) != Some(&b':') || text.as_bytes().get(5) != Some(&b':') {
        return wrong("missing colon in correct place");
    }
    let clock = text.split_at_checked(8).ok_or("invalid hour/min/sec")?;
    let (clock, mut rest) = clock;
    let mut parts = [0; 3];
    for (part, token) in parts.iter_mut().zip(clock.splitn(3, ':')) {
        *part = token.parse::<i32>().map_err(|_| "invalid hour/min/sec")?;
        if *part < 0 {
            return wrong("non-positive hour/min/sec");
        }
    }
    let [mut hour, mut minute, second] = parts;
    if hour > 23 || minute > 59 || second > 60 {
        return wrong("hour/min/sec out of range");
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == fraction.len() {
            return wrong("no digits in second fraction");
        }
    }
    if !matches!(rest, "z" | "Z") {
        let offset = offset(rest)?;
        let minutes = (hour * 60 + minute + offset).rem_euclid(24 * 60);
        (hour, minute) = (minutes / 60, minutes % 60);
    }
    if second >= 60 && (hour, minute) != (23, 59) {
        return wrong("invalid leap second");
    }
    Ok(())
}

/// How many minutes to add to a time with this offset.
fn offset(text: &str) -> Result<i32, String> {
    if text.len() != 6 {
        return wrong("offset must be 6 characters long");
    }
    let (sign, offset) = match text.split_at_checked(1) {
        Some(("+", offset)) => (-1, offset),
        Some(("-", offset)) => (1, offset),
        _ => return wrong("offset must begin with plus/minus"),
    };
    if offset.as_bytes().get(2) != Some(&b':') {
        return wrong("missing colon in offset in correct place");
    }
    let mut parts = [0; 2];
    for (part, token) in parts.iter_mut().zip(offset.splitn(2, ':')) {
        *part = token
            .parse::<i32>()
            .map_err(|_| "invalid hour/min in offset")?;
        if *part < 0 {
            return wrong("non-positive hour/min in offset");
        }
    }
    let [hours, minutes] = parts;
    if hours > 23 || minutes > 59 {
        return wrong("hour/min in offset out of range");
    }
    Ok(sign * (hours * 60 + minutes))
}

/// The units of dates and times, in their order.
const UNITS: [&str; 2] = ["YMD", "HMS"];

pub(super) fn duration(text: &str) -> Result<(), String> {
    let Some(text) = text.strip_prefix('P') else {
        return wrong("must start with P");
    };
    if text.is_empty() {
        return wrong("nothing after P");
    }
    if let Some(weeks) = text.strip_suffix('W') {
        if weeks.is_empty() {
            return wrong("no number in week");
        }
        if !weeks.bytes().all(|byte| byte.is_ascii_digit()) {
            return wrong("invalid week");
        }
        return Ok(());
    }
    for (index, part) in text.split('T').enumerate() {
        if index > 0 && part.is_empty() {
            return wrong("no time elements");
        }
        let Some(units) = UNITS.get(index) else {
            return wrong("more than one T");
        };
        elements(part, units)?;
    }
    Ok(())
}

/// Numbers, each with a unit behind the one of the number before.
fn elements(mut text: &str, all_units: &str) -> Result<(), String> {
    let mut units = all_units;
    while !text.is_empty() {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == text.len() {
            return wrong("missing number");
        }
        let Some(unit) = rest.chars().next() else {
            return wrong("missing unit");
        };
        let Some((_, later)) = units.split_once(unit) else {
            // Go looks at the first byte of the unit.
            let shown = quote_char(
                char::from(rest.as_bytes().first().copied().unwrap_or_default()),
                false,
            );
            return wrong(if all_units.contains(unit) {
                format!("unit {shown} out of order")
            } else {
                format!("invalid unit {shown}")
            });
        };
        units = later;
        text = rest.get(unit.len_utf8()..).unwrap_or_default();
    }
    Ok(())
}

pub(super) fn period(text: &str) -> Result<(), String> {
    let Some((start, end)) = text.split_once('/') else {
        return wrong("missing slash");
    };
    if start.starts_with('P') {
        duration(start).map_err(|reason| format!("invalid start duration: {reason}"))?;
        return date_time(end).map_err(|reason| format!("invalid end date-time: {reason}"));
    }
    date_time(start).map_err(|reason| format!("invalid start date-time: {reason}"))?;
    if end.starts_with('P') {
        duration(end).map_err(|reason| format!("invalid end duration: {reason}"))
    } else {
        date_time(end).map_err(|reason| format!("invalid end date-time: {reason}"))
    }
}
