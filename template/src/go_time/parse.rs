//! Reads moments after a layout, as `time.ParseInLocation` does for the local zone.

use std::fmt::Write as _;

use super::{
    MONTHS, SHORT_NAME, Time, WEEKDAYS, Zone,
    civil::{days_in, is_leap, seconds_of},
    duration::leading_integer,
    layout::{Element, OffsetForm, Width, next},
};

/// What is wrong with a part of the value.
enum Problem {
    /// It is not what the element says.
    Unfit,
    /// This is out of range.
    OutOfRange(&'static str),
}

type Read<T> = Result<T, Problem>;

/// What was read so far.
#[derive(Default)]
struct Parts {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    half_day: HalfDay,
    is_utc: bool,
    offset: Option<i64>,
    zone_name: Vec<u8>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum HalfDay {
    #[default]
    Unknown,
    Morning,
    Afternoon,
}

/// The moment that a value names, or what Go says is wrong with it.
pub(crate) fn parse(layout: &[u8], value: &[u8]) -> Result<Time, String> {
    let mut parts = Parts::default();
    let (mut layout_left, mut left) = (layout, value);
    loop {
        let chunk = next(layout_left);
        left = without_prefix(left, chunk.before)
            .map_err(|left| unfit(layout, value, chunk.before, left))?;
        let Some((element, shown)) = chunk.element else {
            if left.is_empty() {
                return parts.time().map_err(|problem| about(value, problem));
            }
            return Err(about(value, &format!("extra text: {}", quoted(left))));
        };
        layout_left = chunk.after;
        let held = left;
        match parts.read(element, &mut left, layout_left) {
            Ok(()) => {}
            Err(Problem::Unfit) => return Err(unfit(layout, value, shown, held)),
            Err(Problem::OutOfRange(what)) => {
                return Err(about(value, &format!("{what} out of range")));
            }
        }
    }
}

fn unfit(layout: &[u8], value: &[u8], element: &[u8], left: &[u8]) -> String {
    format!(
        "parsing time {} as {}: cannot parse {} as {}",
        quoted(value),
        quoted(layout),
        quoted(left),
        quoted(element)
    )
}

fn about(value: &[u8], problem: &str) -> String {
    format!("parsing time {}: {problem}", quoted(value))
}

/// The text in quotes, in the way of Go's `time`.
pub(super) fn quoted(text: &[u8]) -> String {
    let mut quoted = String::from("\"");
    for &byte in text {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=0x7f => quoted.push(char::from(byte)),
            _ => {
                let _ = write!(quoted, "\\x{byte:02x}");
            }
        }
    }
    quoted.push('"');
    quoted
}

/// What follows a literal text of the layout, in which one blank is as good as many; else where
/// it differs.
fn without_prefix<'v>(mut value: &'v [u8], mut prefix: &[u8]) -> Result<&'v [u8], &'v [u8]> {
    while let [first, rest @ ..] = prefix {
        if *first == b' ' {
            if value.first().is_some_and(|&byte| byte != b' ') {
                return Err(value);
            }
            (prefix, value) = (without_blanks(prefix), without_blanks(value));
            continue;
        }
        if value.first() != Some(first) {
            return Err(value);
        }
        (prefix, value) = (rest, &value[1..]);
    }
    Ok(value)
}

fn without_blanks(text: &[u8]) -> &[u8] {
    let count = text.iter().take_while(|&&byte| byte == b' ').count();
    &text[count..]
}

impl Parts {
    fn read(&mut self, element: Element, left: &mut &[u8], after: &[u8]) -> Read<()> {
        match element {
            Element::Year => {
                let year = signed(take(left, 2)?)?;
                self.year = year + if year >= 69 { 1900 } else { 2000 };
            }
            Element::LongYear => {
                if !left.first().is_some_and(u8::is_ascii_digit) {
                    return Err(Problem::Unfit);
                }
                self.year = signed(take(left, 4)?)?;
            }
            Element::Month => self.month = Some(name(&MONTHS, Some(SHORT_NAME), left)? + 1),
            Element::LongMonth => self.month = Some(name(&MONTHS, None, left)? + 1),
            Element::NumberOfMonth(width) => {
                let month = digits(left, 2, width == Width::Zeros)?;
                self.month = Some(within(month, 1..=12, "month")?);
            }
            Element::Weekday => {
                name(&WEEKDAYS, Some(SHORT_NAME), left)?;
            }
            Element::LongWeekday => {
                name(&WEEKDAYS, None, left)?;
            }
            Element::Day(width) => {
                skip_blanks(left, usize::from(width == Width::Blanks));
                self.day = Some(digits(left, 2, width == Width::Zeros)?);
            }
            Element::DayOfYear(width) => {
                skip_blanks(left, if width == Width::Blanks { 2 } else { 0 });
                self.day_of_year = Some(digits(left, 3, width == Width::Zeros)?);
            }
            Element::Hour => self.hour = within(digits(left, 2, false)?, 0..=23, "hour")?,
            Element::Hour12(width) => {
                let hour = digits(left, 2, width == Width::Zeros)?;
                self.hour = within(hour, 0..=12, "hour")?;
            }
            Element::Minute(width) => {
                let minute = digits(left, 2, width == Width::Zeros)?;
                self.minute = within(minute, 0..=59, "minute")?;
            }
            Element::Second(width) => {
                let second = digits(left, 2, width == Width::Zeros)?;
                self.second = within(second, 0..=59, "second")?;
                self.unannounced_fraction(left, after)?;
            }
            Element::HalfDay { is_upper } => {
                self.half_day = match (take(left, 2)?, is_upper) {
                    (b"PM", true) | (b"pm", false) => HalfDay::Afternoon,
                    (b"AM", true) | (b"am", false) => HalfDay::Morning,
                    _ => return Err(Problem::Unfit),
                }
            }
            Element::Offset { form, is_iso } => match *left {
                [b'Z', rest @ ..] if is_iso => {
                    self.is_utc = true;
                    *left = rest;
                }
                _ => self.offset = Some(offset(left, form)?),
            },
            Element::ZoneName if left.starts_with(b"UTC") => {
                self.is_utc = true;
                take(left, 3)?;
            }
            Element::ZoneName => {
                let length = zone_name_length(left).ok_or(Problem::Unfit)?;
                self.zone_name = take(left, length)?.to_vec();
            }
            Element::Fraction {
                digits,
                without_zeros: false,
                ..
            } => self.nanoseconds = nanoseconds(take(left, digits + 1)?)?,
            Element::Fraction { .. } => self.optional_fraction(left)?,
        }
        Ok(())
    }

    /// A fraction of the second that the layout says nothing of.
    fn unannounced_fraction(&mut self, left: &mut &[u8], after: &[u8]) -> Read<()> {
        match next(after).element {
            Some((Element::Fraction { .. }, _)) => Ok(()),
            _ => self.optional_fraction(left),
        }
    }

    fn optional_fraction(&mut self, left: &mut &[u8]) -> Read<()> {
        if let [b'.' | b',', digits @ ..] = *left {
            let count = digits
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if count > 0 {
                self.nanoseconds = nanoseconds(take(left, count + 1)?)?;
            }
        }
        Ok(())
    }

    fn time(self) -> Result<Time, &'static str> {
        let hour = match (self.half_day, self.hour) {
            (HalfDay::Afternoon, ..12) => self.hour + 12,
            (HalfDay::Morning, 12) => 0,
            _ => self.hour,
        };
        let (month, day) = self.month_and_day()?;
        if day < 1 || day > days_in(month, self.year) {
            return Err("day out of range");
        }
        let date = [self.year, month, day];
        let seconds = seconds_of(date, [hour, self.minute, self.second]);
        let (offset, zone) = self.zone();
        Ok(Time {
            seconds: seconds - offset,
            nanoseconds: self.nanoseconds,
            zone,
        })
    }

    fn month_and_day(&self) -> Result<(i64, i64), &'static str> {
        let Some(of_year) = self.day_of_year else {
            return Ok((self.month.unwrap_or(1), self.day.unwrap_or(1)));
        };
        let days_of_year = if is_leap(self.year) { 366 } else { 365 };
        if !(1..=days_of_year).contains(&of_year) {
            return Err("day-of-year out of range");
        }
        let (mut month, mut day) = (1, of_year);
        while day > days_in(month, self.year) {
            day -= days_in(month, self.year);
            month += 1;
        }
        if self.month.is_some_and(|known| known != month) {
            return Err("day-of-year does not match month");
        }
        if self.day.is_some_and(|known| known != day) {
            return Err("day-of-year does not match day");
        }
        Ok((month, day))
    }

    /// What to take off for UTC, and the zone.
    fn zone(&self) -> (i64, Zone) {
        let name: std::sync::Arc<str> = String::from_utf8_lossy(&self.zone_name).into();
        if self.is_utc {
            return (0, Zone::Utc);
        }
        match self.offset {
            // The local zone, unless it is called otherwise.
            Some(0) if matches!(&*name, "" | "UTC") => (0, Zone::Local),
            // Go takes this one for none at all.
            Some(offset) if offset != -1 => (offset, Zone::Fixed { name, offset }),
            _ if name.is_empty() => (0, Zone::Local),
            _ => {
                let hours = name
                    .strip_prefix("GMT")
                    .and_then(|hours| hours.parse().ok());
                let offset = hours.unwrap_or(0_i64) * 3600;
                (0, Zone::Fixed { name, offset })
            }
        }
    }
}

fn take<'v>(left: &mut &'v [u8], count: usize) -> Read<&'v [u8]> {
    let (taken, rest) = left.split_at_checked(count).ok_or(Problem::Unfit)?;
    *left = rest;
    Ok(taken)
}

fn skip_blanks(left: &mut &[u8], most: usize) {
    for _ in 0..most {
        *left = left.strip_prefix(b" ").unwrap_or(left);
    }
}

fn within(number: i64, range: std::ops::RangeInclusive<i64>, what: &'static str) -> Read<i64> {
    if range.contains(&number) {
        return Ok(number);
    }
    Err(Problem::OutOfRange(what))
}

/// Digits, perhaps with a sign.
fn signed(text: &[u8]) -> Read<i64> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        _ => (1, text),
    };
    match leading_integer(digits) {
        Some((number, [])) => i64::try_from(number)
            .map(|number| number * sign)
            .map_err(|_| Problem::Unfit),
        _ => Err(Problem::Unfit),
    }
}

/// Up to so many digits, or just so many.
fn digits(left: &mut &[u8], most: usize, fixed: bool) -> Read<i64> {
    let digits = left
        .iter()
        .take(most)
        .take_while(|byte| byte.is_ascii_digit());
    let count = digits.count();
    if count == 0 || (fixed && count != most) {
        return Err(Problem::Unfit);
    }
    signed(take(left, count)?)
}

/// The index of the name at the beginning, in letters of any case.
fn name(names: &[&str], length: Option<usize>, left: &mut &[u8]) -> Read<i64> {
    for (index, name) in names.iter().enumerate() {
        let name = &name.as_bytes()[..length.unwrap_or(name.len())];
        if let Some((start, rest)) = left.split_at_checked(name.len())
            && start.eq_ignore_ascii_case(name)
        {
            *left = rest;
            return Ok(i64::try_from(index).unwrap_or(0));
        }
    }
    Err(Problem::Unfit)
}

/// An offset of a zone in seconds.
fn offset(left: &mut &[u8], form: OffsetForm) -> Read<i64> {
    let text = match form {
        OffsetForm::Hours => take(left, 3)?,
        OffsetForm::Minutes => take(left, 5)?,
        OffsetForm::ColonMinutes => take(left, 6)?,
        OffsetForm::Seconds => take(left, 7)?,
        OffsetForm::ColonSeconds => take(left, 9)?,
    };
    let (sign, hours, minutes, seconds): (_, _, &[u8], &[u8]) = match (form, text) {
        (OffsetForm::Hours, [sign, hours @ ..]) => (*sign, hours, b"00", b"00"),
        (OffsetForm::Minutes, [sign, rest @ ..]) => (*sign, &rest[..2], &rest[2..], b"00"),
        (OffsetForm::ColonMinutes, [sign, rest @ ..]) if rest[2] == b':' => {
            (*sign, &rest[..2], &rest[3..], b"00")
        }
        (OffsetForm::Seconds, [sign, rest @ ..]) => (*sign, &rest[..2], &rest[2..4], &rest[4..]),
        (OffsetForm::ColonSeconds, [sign, rest @ ..]) if rest[2] == b':' && rest[5] == b':' => {
            (*sign, &rest[..2], &rest[3..5], &rest[6..])
        }
        _ => return Err(Problem::Unfit),
    };
    let number = |mut text: &[u8]| digits(&mut text, 2, true);
    // Go says first which number is too large, and only then that another is none.
    let hours = number(hours);
    let minutes = hours.as_ref().map_or(Ok(0), |_| number(minutes));
    let seconds = minutes.as_ref().map_or(Ok(0), |_| number(seconds));
    let (hours, minutes, seconds) = match (hours, minutes, seconds) {
        (Ok(hours), Ok(minutes), Ok(seconds)) => (hours, minutes, seconds),
        (hours, minutes, _) => {
            // Of several that are out of range Go names the last.
            within(minutes.unwrap_or(0), 0..=60, "time zone offset minute")?;
            within(hours.unwrap_or(0), 0..=24, "time zone offset hour")?;
            return Err(Problem::Unfit);
        }
    };
    within(seconds, 0..=60, "time zone offset second")?;
    within(minutes, 0..=60, "time zone offset minute")?;
    within(hours, 0..=24, "time zone offset hour")?;
    let offset = (hours * 60 + minutes) * 60 + seconds;
    match sign {
        b'+' => Ok(offset),
        b'-' => Ok(-offset),
        _ => Err(Problem::Unfit),
    }
}

/// A fraction of a second with its point, as far as nanoseconds go.
fn nanoseconds(text: &[u8]) -> Read<u32> {
    let text = &text[..text.len().min(10)];
    let Some((b'.' | b',', digits)) = text.split_first() else {
        return Err(Problem::Unfit);
    };
    let number = signed(digits)?;
    if number < 0 {
        return Err(Problem::OutOfRange("fractional second"));
    }
    let missing = u32::try_from(9 - digits.len()).unwrap_or(0);
    let nanoseconds = number * 10_i64.pow(missing);
    u32::try_from(nanoseconds).map_err(|_| Problem::Unfit)
}

/// How long the abbreviation of a zone at the beginning is: three letters, or four or five that
/// end in `T`, or a signed number of hours, perhaps behind `GMT`.
fn zone_name_length(text: &[u8]) -> Option<usize> {
    match text {
        [] | [_] | [_, _] => None,
        [b'C', b'h', b'S', b'T', ..] | [b'M', b'e', b'S', b'T', ..] => Some(4),
        [b'G', b'M', b'T', rest @ ..] => Some(3 + signed_hours_length(rest)),
        [b'+' | b'-', ..] => Some(signed_hours_length(text)).filter(|&length| length > 0),
        _ => {
            let letters = text.iter().take(6);
            let count = letters.take_while(|byte| byte.is_ascii_uppercase()).count();
            match (count, text) {
                (5, [_, _, _, _, b'T', ..]) => Some(5),
                (4, [_, _, _, b'T', ..] | [b'W', b'I', b'T', b'A', ..]) => Some(4),
                (3, _) => Some(3),
                _ => None,
            }
        }
    }
}

/// The length of a sign and a number of up to 23 hours, or none.
fn signed_hours_length(text: &[u8]) -> usize {
    let [b'+' | b'-', digits @ ..] = text else {
        return 0;
    };
    match leading_integer(digits) {
        Some((hours, rest)) if rest.len() < digits.len() && hours <= 23 => text.len() - rest.len(),
        _ => 0,
    }
}
