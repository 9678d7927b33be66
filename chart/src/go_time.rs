//! Times as Go reads them (RFC 3339), or what Go says of them.

use cairn_template::go::quote;

/// Whether the text is a time, as Go's JSON decoder asks for; if not, what Go says.
pub(crate) fn check_time(text: &str) -> Result<(), String> {
    let mut time = Reader {
        text,
        rest: text,
        layout: "2006-01-02T15:04:05Z07:00",
    };
    let day = time.date()?;
    time.literal("T")?;
    // Go takes an hour of one digit, and a comma before a fraction.
    let one_digit = time.rest.as_bytes().get(1) == Some(&b':');
    let hour = time.digits("15", if one_digit { 1 } else { 2 })?;
    if hour > 23 {
        return Err(time.out_of_range("hour"));
    }
    time.literal(":")?;
    time.ranged("04", 0..=59, "minute")?;
    time.literal(":")?;
    time.ranged("05", 0..=59, "second")?;
    time.fraction();
    time.zone()?;
    time.end(day)
}

/// Whether the text is a date; if not, what Go says.
pub(crate) fn check_date(text: &str) -> Result<(), String> {
    let mut date = Reader {
        text,
        rest: text,
        layout: "2006-01-02",
    };
    let day = date.date()?;
    date.end(day)
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
    layout: &'static str,
}

/// A day, and whether its month has it.
#[derive(Clone, Copy)]
struct Day {
    is_of_its_month: bool,
}

impl<'t> Reader<'t> {
    fn date(&mut self) -> Result<Day, String> {
        let year = self.digits("2006", 4)?;
        self.literal("-")?;
        let month = self.ranged("01", 1..=12, "month")?;
        self.literal("-")?;
        let day = self.digits("02", 2)?;
        Ok(Day {
            is_of_its_month: (1..=days(year, month)).contains(&day),
        })
    }

    /// Go looks at the day last of all.
    fn end(&self, day: Day) -> Result<(), String> {
        if !self.rest.is_empty() {
            let rest = quote(self.rest.as_bytes());
            return Err(self.wrong(&format!(": extra text: {rest}")));
        }
        if !day.is_of_its_month {
            return Err(self.out_of_range("day"));
        }
        Ok(())
    }

    fn wrong(&self, what: &str) -> String {
        format!("parsing time {}{what}", quote(self.text.as_bytes()))
    }

    fn out_of_range(&self, what: &str) -> String {
        self.wrong(&format!(": {what} out of range"))
    }

    fn cannot_parse(&self, rest: &str, element: &str) -> String {
        self.wrong(&format!(
            " as {}: cannot parse {} as {}",
            quote(self.layout.as_bytes()),
            quote(rest.as_bytes()),
            quote(element.as_bytes())
        ))
    }

    fn literal(&mut self, literal: &str) -> Result<(), String> {
        let rest = self.rest.strip_prefix(literal);
        self.rest = rest.ok_or_else(|| self.cannot_parse(self.rest, literal))?;
        Ok(())
    }

    fn digits(&mut self, element: &str, count: usize) -> Result<u32, String> {
        let number = self.rest.get(..count).filter(|digits| is_number(digits));
        let number = number.and_then(|digits| digits.parse().ok());
        let number = number.ok_or_else(|| self.cannot_parse(self.rest, element))?;
        self.rest = self.rest.get(count..).unwrap_or_default();
        Ok(number)
    }

    fn ranged(
        &mut self,
        element: &str,
        range: std::ops::RangeInclusive<u32>,
        what: &str,
    ) -> Result<u32, String> {
        let number = self.digits(element, 2)?;
        if !range.contains(&number) {
            return Err(self.out_of_range(what));
        }
        Ok(number)
    }

    /// Passes over a fraction of a second.
    fn fraction(&mut self) {
        if let Some(digits) = self.rest.strip_prefix(['.', ',']) {
            let after = digits.trim_start_matches(|c: char| c.is_ascii_digit());
            if after.len() < digits.len() {
                self.rest = after;
            }
        }
    }

    fn zone(&mut self) -> Result<(), String> {
        const ELEMENT: &str = "Z07:00";
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Ok(());
        }
        let zone: Option<&'t str> = self.rest.get(..6);
        let parts = zone.and_then(|zone| {
            let offset = zone.strip_prefix(['+', '-'])?;
            let (hours, minutes) = offset.split_once(':')?;
            let is_offset = hours.len() == 2 && is_number(hours) && is_number(minutes);
            is_offset.then_some((hours, minutes))
        });
        let Some((hours, minutes)) = parts else {
            return Err(self.cannot_parse(self.rest, ELEMENT));
        };
        if hours >= "24" {
            return Err(self.out_of_range("time zone offset hour"));
        }
        if minutes >= "60" {
            return Err(self.out_of_range("time zone offset minute"));
        }
        self.rest = self.rest.get(6..).unwrap_or_default();
        Ok(())
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::check_time;

    /// What Go 1.26 says.
    #[test]
    fn times_are_read_as_go_reads_them() {
        for good in [
            "2021-03-04T05:06:07Z",
            "2020-02-29T23:59:59.123456789+05:30",
            "2021-03-04T05:06:07-00:00",
            "2021-03-04T5:06:07,5Z",
        ] {
            assert_eq!(check_time(good), Ok(()), "{good}");
        }
        let wrong = |text| check_time(text).unwrap_err();
        assert_eq!(
            wrong("2020-01-01"),
            "parsing time \"2020-01-01\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"T\""
        );
        assert_eq!(
            wrong("2020-01-01 12:00:00"),
            "parsing time \"2020-01-01 12:00:00\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \" 12:00:00\" as \"T\""
        );
        assert_eq!(
            wrong("now"),
            "parsing time \"now\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"now\" as \"2006\""
        );
        assert_eq!(
            wrong("2021-02-30T00:00:00Z"),
            "parsing time \"2021-02-30T00:00:00Z\": day out of range"
        );
        assert_eq!(
            wrong("2021-13-30T00:00:00Z"),
            "parsing time \"2021-13-30T00:00:00Z\": month out of range"
        );
        assert_eq!(
            wrong("2021-02-03T00:00:00Zx"),
            "parsing time \"2021-02-03T00:00:00Zx\": extra text: \"x\""
        );
    }
}
