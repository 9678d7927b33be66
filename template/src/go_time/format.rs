//! Writes moments after a layout.

use std::fmt::Write as _;

use super::{
    MONTHS, NamedZone, SHORT_NAME, Time, WEEKDAYS,
    civil::Civil,
    layout::{Element, OffsetForm, Width, next},
};

/// What `String` writes.
const STRING: &[u8] = b"2006-01-02 15:04:05.999999999 -0700 MST";
/// RFC 3339 with as much of a fraction as there is.
const RFC3339_NANO: &[u8] = b"2006-01-02T15:04:05.999999999Z07:00";

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.format(STRING)))
    }
}

impl Time {
    /// The moment in its own zone.
    pub(crate) fn format(&self, layout: &[u8]) -> Vec<u8> {
        let (name, offset) = self.zone.at_any_time();
        self.format_at(layout, name, offset)
    }

    /// The moment in another zone.
    pub(crate) fn format_in(&self, layout: &[u8], zone: &NamedZone) -> Vec<u8> {
        let (name, offset) = zone.at(self.seconds);
        self.format_at(layout, &name, offset)
    }

    pub(super) fn rfc3339(&self) -> Vec<u8> {
        self.format(RFC3339_NANO)
    }

    fn format_at(&self, layout: &[u8], zone: &str, offset: i64) -> Vec<u8> {
        let civil = Civil::of_seconds(self.seconds.wrapping_add(offset));
        let mut out = Vec::new();
        let mut rest = layout;
        while !rest.is_empty() {
            let chunk = next(rest);
            out.extend_from_slice(chunk.before);
            let Some((element, _)) = chunk.element else {
                break;
            };
            let text = match element {
                Element::ZoneName if zone.is_empty() => offset_text(offset, OffsetForm::Minutes),
                Element::ZoneName => zone.to_owned(),
                Element::Offset { is_iso: true, .. } if offset == 0 => "Z".to_owned(),
                Element::Offset { form, .. } => offset_text(offset, form),
                Element::Fraction {
                    digits,
                    without_zeros,
                    separator,
                } => fraction(self.nanoseconds, digits, without_zeros, separator),
                element => of_civil(element, &civil),
            };
            out.extend_from_slice(text.as_bytes());
            rest = chunk.after;
        }
        out
    }
}

fn of_civil(element: Element, civil: &Civil) -> String {
    let name = |names: &[&'static str], index: i64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| names.get(index).copied())
            .unwrap_or_default()
    };
    let month = name(&MONTHS, civil.month - 1);
    let weekday = name(&WEEKDAYS, civil.weekday);
    let hour12 = match civil.hour % 12 {
        0 => 12,
        hour => hour,
    };
    match element {
        Element::LongMonth => month.to_owned(),
        Element::Month => month.chars().take(SHORT_NAME).collect(),
        Element::LongWeekday => weekday.to_owned(),
        Element::Weekday => weekday.chars().take(SHORT_NAME).collect(),
        Element::NumberOfMonth(width) => number(civil.month, width, 2),
        Element::Day(width) => number(civil.day, width, 2),
        Element::DayOfYear(width) => number(civil.day_of_year, width, 3),
        Element::Hour => number(civil.hour, Width::Zeros, 2),
        Element::Hour12(width) => number(hour12, width, 2),
        Element::Minute(width) => number(civil.minute, width, 2),
        Element::Second(width) => number(civil.second, width, 2),
        Element::LongYear => year(civil.year),
        Element::Year => number(civil.year.abs() % 100, Width::Zeros, 2),
        Element::HalfDay { is_upper } => match (civil.hour < 12, is_upper) {
            (true, true) => "AM",
            (true, false) => "am",
            (false, true) => "PM",
            (false, false) => "pm",
        }
        .to_owned(),
        Element::ZoneName | Element::Offset { .. } | Element::Fraction { .. } => String::new(),
    }
}

fn number(number: i64, width: Width, digits: usize) -> String {
    match width {
        Width::Free => number.to_string(),
        Width::Blanks => format!("{number:digits$}"),
        Width::Zeros => format!("{number:0digits$}"),
    }
}

/// With at least four digits behind the sign.
fn year(year: i64) -> String {
    let sign = if year < 0 { "-" } else { "" };
    format!("{sign}{:04}", year.unsigned_abs())
}

fn offset_text(offset: i64, form: OffsetForm) -> String {
    // Seconds of an offset count only for its own seconds.
    let minutes = offset / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let seconds = if minutes < 0 { -offset } else { offset } % 60;
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    let mut text = format!("{sign}{hours:02}");
    let _ = match form {
        OffsetForm::Hours => Ok(()),
        OffsetForm::Minutes => write!(text, "{minutes:02}"),
        OffsetForm::ColonMinutes => write!(text, ":{minutes:02}"),
        OffsetForm::Seconds => write!(text, "{minutes:02}{seconds:02}"),
        OffsetForm::ColonSeconds => write!(text, ":{minutes:02}:{seconds:02}"),
    };
    text
}

fn fraction(nanoseconds: u32, digits: usize, without_zeros: bool, separator: u8) -> String {
    if without_zeros && (digits == 0 || nanoseconds == 0) {
        return String::new();
    }
    let separator = char::from(separator);
    let all = format!("{nanoseconds:09}");
    let text = format!("{separator}{}", &all[..digits.min(9)]);
    if !without_zeros {
        return text;
    }
    let text = text.trim_end_matches('0');
    text.strip_suffix(separator).unwrap_or(text).to_owned()
}
