//! Maintenance windows and freezes: when a run may change a cluster.
//!
//! It is asked before a run's first layer and before each one after that. A window that closes
//! meanwhile lets a layer finish, for half a layer is worse than a late one.
//! Local times are those of a zone of the IANA database. A time that the clock skips counts as much
//! later as was skipped; one that comes twice opens a window the first time and closes it the second.

use cairn_spec::Timestamp as WrittenTime;
pub use cairn_spec::agent::{Day, Window, Windows};
use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

/// Opening times further away than this are not looked for, in days.
const HORIZON_DAYS: i64 = 400;

/// Whether changes may be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// They may, until this time if it is known.
    Open {
        /// When it closes.
        until: Option<Timestamp>,
    },
    /// They may not, until this time if there is one within a year.
    Closed {
        /// Why.
        reason: String,
        /// When it opens.
        until: Option<Timestamp>,
    },
}

/// Why a window makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// The zone is not one.
    #[error("window `{window}`: `{zone}` is not a time zone of the IANA database")]
    Zone {
        /// The window.
        window: String,
        /// The zone.
        zone: String,
    },
    /// A time is not one.
    #[error("window `{window}`: `{time}` is not a time of day such as `22:00`")]
    Time {
        /// The window.
        window: String,
        /// The time.
        time: String,
    },
}

/// Windows whose zones and times were checked.
#[derive(Debug, Clone)]
pub struct Calendar {
    allow: Vec<Checked>,
    deny: Vec<Checked>,
}

#[derive(Debug, Clone)]
struct Checked {
    name: String,
    days: Vec<Weekday>,
    start: Time,
    end: Time,
    zone: TimeZone,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Calendar {
    /// Checks windows.
    pub fn new(windows: &Windows) -> Result<Self, WindowError> {
        let check = |all: &[Window]| all.iter().map(Checked::new).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            allow: check(&windows.allow)?,
            deny: check(&windows.deny)?,
        })
    }

    /// Whether changes may be made at a time.
    pub fn at(&self, now: Timestamp) -> Opening {
        match self.closed_by(now) {
            None => Opening::Open {
                until: self.next(now, |time| self.closed_by(time).is_some()),
            },
            Some(reason) => Opening::Closed {
                reason,
                until: self.next(now, |time| self.closed_by(time).is_none()),
            },
        }
    }

    fn closed_by(&self, time: Timestamp) -> Option<String> {
        if let Some(freeze) = self.deny.iter().find(|window| window.holds(time)) {
            return Some(format!("the freeze `{}`", freeze.name));
        }
        let is_open = self.allow.is_empty() || self.allow.iter().any(|window| window.holds(time));
        (!is_open).then(|| {
            let names = self.allow.iter().map(|window| format!("`{}`", window.name));
            format!("outside of {}", names.collect::<Vec<_>>().join(", "))
        })
    }

    /// The first time after now, among those at which a window begins or ends, that is so.
    fn next(&self, now: Timestamp, is_so: impl Fn(Timestamp) -> bool) -> Option<Timestamp> {
        let mut day = 0;
        while day <= HORIZON_DAYS {
            // A week at a time: most windows come weekly.
            let mut edges: Vec<Timestamp> = self
                .allow
                .iter()
                .chain(&self.deny)
                .flat_map(|window| window.edges(now, day - 1..day + 8))
                .filter(|edge| *edge > now)
                .collect();
            edges.sort_unstable();
            if let Some(edge) = edges.into_iter().find(|edge| is_so(*edge)) {
                return Some(edge);
            }
            day += 7;
        }
        None
    }
}

impl Checked {
    fn new(window: &Window) -> Result<Self, WindowError> {
        let zone = TimeZone::get(&window.timezone).map_err(|_| WindowError::Zone {
            window: window.name.clone(),
            zone: window.timezone.clone(),
        })?;
        let time = |text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => time_of_day(text)
                .map(Some)
                .ok_or_else(|| WindowError::Time {
                    window: window.name.clone(),
                    time: text.clone(),
                }),
        };
        let written = |time: Option<WrittenTime>| {
            time.and_then(|time| Timestamp::from_second(i64::try_from(time.unix_s()).ok()?).ok())
        };
        let start = time(&window.start)?.unwrap_or(Time::midnight());
        Ok(Self {
            name: window.name.clone(),
            days: window.days.iter().map(|day| weekday(*day)).collect(),
            start,
            end: time(&window.end)?.unwrap_or(start),
            zone,
            from: written(window.from),
            until: written(window.until),
        })
    }

    fn holds(&self, time: Timestamp) -> bool {
        if self.from.is_some_and(|from| time < from) || self.until.is_some_and(|end| time >= end) {
            return false;
        }
        let today = self.zone.to_datetime(time).date();
        let days = [today.yesterday().ok(), Some(today)];
        days.into_iter()
            .flatten()
            .filter_map(|day| self.occurrence(day))
            .any(|(start, end)| start <= time && time < end)
    }

    /// The beginning and the end of the window that begins on a day.
    fn occurrence(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        if !self.days.is_empty() && !self.days.contains(&day.weekday()) {
            return None;
        }
        let last_day = if self.end > self.start {
            day
        } else {
            day.tomorrow().ok()?
        };
        let start = self
            .zone
            .to_ambiguous_timestamp(day.to_datetime(self.start));
        let end = self
            .zone
            .to_ambiguous_timestamp(last_day.to_datetime(self.end));
        Some((start.compatible().ok()?, end.later().ok()?))
    }

    /// The times at which something may begin or end, on days counted from now.
    fn edges(&self, now: Timestamp, days: std::ops::Range<i64>) -> Vec<Timestamp> {
        let today = self.zone.to_datetime(now).date();
        let mut edges: Vec<Timestamp> = self.from.into_iter().chain(self.until).collect();
        for day in days {
            let occurrence = today.checked_add(day.days()).ok();
            if let Some((start, end)) = occurrence.and_then(|day| self.occurrence(day)) {
                edges.extend([start, end]);
            }
        }
        edges
    }
}

fn weekday(day: Day) -> Weekday {
    match day {
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
        Day::Sunday => Weekday::Sunday,
    }
}

/// `22:00`.
fn time_of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten()
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::{Value as Json, json};

    use super::*;

    fn calendar(windows: Json) -> Calendar {
        Calendar::new(&serde_json::from_value(windows).unwrap()).unwrap()
    }

    /// What holds at each time.
    fn at(calendar: &Calendar, times: &[&str]) -> String {
        let mut lines = Vec::new();
        for time in times {
            let until = |until: Option<Timestamp>| {
                until.map_or("for ever".to_owned(), |it| format!("until {it}"))
            };
            let opening = match calendar.at(time.parse().unwrap()) {
                Opening::Open { until: time } => format!("open {}", until(time)),
                Opening::Closed {
                    reason,
                    until: time,
                } => format!("closed {}: {reason}", until(time)),
            };
            lines.push(format!("{time} {opening}"));
        }
        lines.join("\n")
    }

    #[test]
    fn without_windows_it_is_always_open() {
        assert_snapshot!(at(&calendar(json!({})), &["2026-01-01T00:00:00Z"]), @"2026-01-01T00:00:00Z open for ever");
    }

    #[test]
    fn a_window_may_go_over_midnight() {
        let nights = calendar(
            json!({"allow": [{"name": "nights", "days": ["friday"], "start": "22:00", "end": "04:00", "timezone": "Europe/Berlin"}]}),
        );
        assert_snapshot!(at(&nights, &[
            "2026-01-02T20:59:59Z", "2026-01-02T21:00:00Z", "2026-01-03T02:59:59Z", "2026-01-03T03:00:00Z",
        ]), @"
        2026-01-02T20:59:59Z closed until 2026-01-02T21:00:00Z: outside of `nights`
        2026-01-02T21:00:00Z open until 2026-01-03T03:00:00Z
        2026-01-03T02:59:59Z open until 2026-01-03T03:00:00Z
        2026-01-03T03:00:00Z closed until 2026-01-09T21:00:00Z: outside of `nights`
        ");
    }

    #[test]
    fn local_times_follow_the_clock() {
        let nights = calendar(
            json!({"allow": [{"name": "nights", "start": "01:00", "end": "02:30", "timezone": "Europe/Berlin"}]}),
        );
        // On 29 March 2026 the clock goes from 02:00 to 03:00, on 25 October from 03:00 back to 02:00.
        assert_snapshot!(at(&nights, &[
            "2026-03-28T00:00:00Z", "2026-03-29T00:00:00Z", "2026-03-29T01:29:59Z", "2026-03-29T01:30:00Z",
            "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:29:59Z", "2026-10-25T01:30:00Z",
        ]), @"
        2026-03-28T00:00:00Z open until 2026-03-28T01:30:00Z
        2026-03-29T00:00:00Z open until 2026-03-29T01:30:00Z
        2026-03-29T01:29:59Z open until 2026-03-29T01:30:00Z
        2026-03-29T01:30:00Z closed until 2026-03-29T23:00:00Z: outside of `nights`
        2026-10-24T23:00:00Z open until 2026-10-25T01:30:00Z
        2026-10-25T00:30:00Z open until 2026-10-25T01:30:00Z
        2026-10-25T01:29:59Z open until 2026-10-25T01:30:00Z
        2026-10-25T01:30:00Z closed until 2026-10-26T00:00:00Z: outside of `nights`
        ");
        let skipped = calendar(
            json!({"allow": [{"name": "short", "start": "02:10", "end": "02:50", "timezone": "Europe/Berlin"}]}),
        );
        assert_snapshot!(at(&skipped, &["2026-03-29T01:00:00Z", "2026-03-29T01:10:00Z", "2026-03-29T01:50:00Z"]), @"
        2026-03-29T01:00:00Z closed until 2026-03-29T01:10:00Z: outside of `short`
        2026-03-29T01:10:00Z open until 2026-03-29T01:50:00Z
        2026-03-29T01:50:00Z closed until 2026-03-30T00:10:00Z: outside of `short`
        ");
    }

    #[test]
    fn a_freeze_wins_over_a_window() {
        let windows = calendar(json!({
            "allow": [{"name": "nights", "start": "22:00", "end": "23:00", "timezone": "UTC"}],
            "deny": [{"name": "christmas", "timezone": "UTC", "from": "2026-12-20T00:00:00Z", "until": "2027-01-02T22:30:00Z"}],
        }));
        assert_snapshot!(at(&windows, &["2026-12-19T22:00:00Z", "2026-12-24T22:15:00Z", "2027-01-02T22:30:00Z"]), @"
        2026-12-19T22:00:00Z open until 2026-12-19T23:00:00Z
        2026-12-24T22:15:00Z closed until 2027-01-02T22:30:00Z: the freeze `christmas`
        2027-01-02T22:30:00Z open until 2027-01-02T23:00:00Z
        ");
    }

    #[test]
    fn a_window_that_never_comes_is_told() {
        let past = calendar(
            json!({"allow": [{"name": "once", "timezone": "UTC", "until": "2020-01-01T00:00:00Z"}]}),
        );
        assert_snapshot!(at(&past, &["2026-01-01T00:00:00Z"]), @"2026-01-01T00:00:00Z closed for ever: outside of `once`");
        let always = calendar(json!({"allow": [{"name": "always", "timezone": "UTC"}]}));
        assert_snapshot!(at(&always, &["2026-01-01T12:00:00Z"]), @"2026-01-01T12:00:00Z open for ever");
    }

    #[test]
    fn windows_that_make_no_sense_are_refused() {
        let refusal = |window: Json| {
            let windows: Windows = serde_json::from_value(json!({"deny": [window]})).unwrap();
            Calendar::new(&windows).unwrap_err().to_string()
        };
        assert_snapshot!(refusal(json!({"name": "a", "timezone": "Mars/Olympus"})), @"window `a`: `Mars/Olympus` is not a time zone of the IANA database");
        for time in ["24:00", "9:00", "09:60", "0900", "+9:00", ""] {
            assert!(refusal(json!({"name": "a", "timezone": "UTC", "start": time})).contains(time));
        }
    }
}
