//! Moments as values of templates, with the methods of `time.Time`.

use std::any::Any;

use super::{Time, Zone, integers::duration_of, parse, parse::quoted};
use crate::{
    Encoded, Encoder, Method, Object, Parameter,
    value::{Data, IntKind, Value},
};

const LOCATION: Parameter = Parameter::Object("*time.Location");

/// Those of Go's that give one value.
static METHODS: &[Method] = &[
    method("Add", &[Parameter::Duration]),
    method("AddDate", &[Parameter::Int, Parameter::Int, Parameter::Int]),
    method("After", &[Parameter::Time]),
    method("Before", &[Parameter::Time]),
    method("Compare", &[Parameter::Time]),
    method("Day", &[]),
    method("Equal", &[Parameter::Time]),
    method("Format", &[Parameter::String]),
    method("GoString", &[]),
    method("Hour", &[]),
    method("In", &[LOCATION]),
    method("IsDST", &[]),
    method("IsZero", &[]),
    method("Local", &[]),
    method("Location", &[]),
    method("Minute", &[]),
    method("Month", &[]),
    method("Nanosecond", &[]),
    method("Round", &[Parameter::Duration]),
    method("Second", &[]),
    method("String", &[]),
    method("Sub", &[Parameter::Time]),
    method("Truncate", &[Parameter::Duration]),
    method("UTC", &[]),
    method("Unix", &[]),
    method("UnixMicro", &[]),
    method("UnixMilli", &[]),
    method("UnixNano", &[]),
    method("Weekday", &[]),
    method("Year", &[]),
    method("YearDay", &[]),
];

const fn method(name: &'static str, parameters: &'static [Parameter]) -> Method {
    Method { name, parameters }
}

impl Object for Time {
    fn type_name(&self) -> &'static str {
        Parameter::Time.type_name()
    }

    fn methods(&self) -> &'static [Method] {
        METHODS
    }

    fn call(&self, method: &str, arguments: &[Value]) -> Result<Value, String> {
        if let Some(other) = arguments.first().and_then(Self::of_value) {
            return Ok(self.compared(method, other));
        }
        if let Some(duration) = arguments.first().and_then(duration_of) {
            return Ok(Value::object(match method {
                "Add" => self.plus(duration),
                "Round" => self.rounded(duration),
                _ => self.truncated(duration),
            }));
        }
        Ok(match method {
            "AddDate" => match arguments {
                [years, months, days] => {
                    Value::object(self.plus_date(int(years), int(months), int(days)))
                }
                _ => Value::nil(),
            },
            "Format" => {
                let layout = arguments.first().and_then(Value::as_bytes);
                Value::from(self.format(layout.unwrap_or_default()))
            }
            "GoString" => Value::from(self.as_go()),
            "In" => match arguments.first().and_then(location_of) {
                Some(zone) => Value::object(self.in_zone(zone.clone())),
                None => return Err("time: missing Location in call to Time.In".to_owned()),
            },
            "IsDST" => Value::from(false),
            "IsZero" => Value::from(self.is_zero()),
            "Local" => Value::object(self.in_zone(Zone::Local)),
            "Location" => Value::object(Location(self.zone.clone())),
            "String" => Value::from(self.to_string()),
            "UTC" => Value::object(self.in_zone(Zone::Utc)),
            _ => self.part(method),
        })
    }

    fn print(&self) -> String {
        self.to_string()
    }

    fn to_value(&self) -> Value {
        Value::from(self.rfc3339())
    }

    fn encoded(&self, encoder: Encoder) -> Option<Encoded> {
        let layout = match (encoder, &self.zone) {
            (Encoder::Toml, Zone::Fixed { name, .. }) => toml_layout(name),
            _ => None,
        };
        let text = layout.map_or_else(|| self.rfc3339(), |layout| self.format(layout));
        Some(Encoded::Plain(String::from_utf8_lossy(&text).into_owned()))
    }

    fn is_equal(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The layouts of what TOML says without a zone, by the zone that its reader gives it.
const TOML_LAYOUTS: &[(&str, &[u8])] = &[
    ("datetime-local", b"2006-01-02T15:04:05.999999999"),
    ("date-local", b"2006-01-02"),
    ("time-local", b"15:04:05.999999999"),
];

fn toml_layout(zone: &str) -> Option<&'static [u8]> {
    let mut layouts = TOML_LAYOUTS.iter();
    layouts
        .find(|(name, _)| *name == zone)
        .map(|(_, layout)| *layout)
}

impl Time {
    /// The moment that TOML says, if it is one.
    pub(crate) fn of_toml(text: &str) -> Option<Self> {
        if let Ok(time) = parse(b"2006-01-02T15:04:05.999999999Z07:00", text.as_bytes()) {
            return Some(time);
        }
        TOML_LAYOUTS.iter().find_map(|(name, layout)| {
            let time = parse(layout, text.as_bytes()).ok()?;
            let zone = Zone::Fixed {
                name: (*name).into(),
                offset: 0,
            };
            Some(time.in_zone(zone))
        })
    }

    /// The moment that a value is.
    pub(crate) fn of_value(value: &Value) -> Option<&Self> {
        match &value.data {
            Data::Object(object) => object.as_any().downcast_ref(),
            _ => None,
        }
    }

    fn compared(&self, method: &str, other: &Self) -> Value {
        let order = self.nanoseconds_in_all().cmp(&other.nanoseconds_in_all());
        match method {
            "After" => Value::from(order.is_gt()),
            "Before" => Value::from(order.is_lt()),
            "Equal" => Value::from(order.is_eq()),
            "Compare" => Value::from(order as i64),
            _ => self.since(other).into(),
        }
    }

    /// A number that the calendar, the clock or the count since 1970 shows.
    fn part(&self, method: &str) -> Value {
        let civil = self.civil();
        let nanoseconds = i64::from(self.nanoseconds);
        let since_1970 = |per_second: i64| {
            let whole = self.seconds.wrapping_mul(per_second);
            whole.wrapping_add(nanoseconds / (super::SECOND / per_second))
        };
        let (number, kind) = match method {
            "Day" => (civil.day, IntKind::Int),
            "Hour" => (civil.hour, IntKind::Int),
            "Minute" => (civil.minute, IntKind::Int),
            "Month" => (civil.month, IntKind::Month),
            "Nanosecond" => (nanoseconds, IntKind::Int),
            "Second" => (civil.second, IntKind::Int),
            "Weekday" => (civil.weekday, IntKind::Weekday),
            "Year" => (civil.year, IntKind::Int),
            "YearDay" => (civil.day_of_year, IntKind::Int),
            "Unix" => (self.seconds, IntKind::Int64),
            "UnixMicro" => (since_1970(1_000_000), IntKind::Int64),
            "UnixMilli" => (since_1970(1_000), IntKind::Int64),
            _ => (since_1970(super::SECOND), IntKind::Int64),
        };
        Data::Int(number, kind).into()
    }

    /// As Go source.
    fn as_go(&self) -> String {
        let civil = self.civil();
        let month = super::integer_text(IntKind::Month, civil.month).unwrap_or_default();
        let zone = match &self.zone {
            Zone::Utc => "time.UTC".to_owned(),
            Zone::Local => "time.Local".to_owned(),
            Zone::Fixed { name, .. } => {
                format!("time.Location({})", quoted(name.as_bytes()))
            }
        };
        format!(
            "time.Date({}, time.{month}, {}, {}, {}, {}, {}, {zone})",
            civil.year, civil.day, civil.hour, civil.minute, civil.second, self.nanoseconds
        )
    }
}

fn int(value: &Value) -> i64 {
    match value.data {
        Data::Int(number, _) => number,
        _ => 0,
    }
}

fn location_of(value: &Value) -> Option<&Zone> {
    match &value.data {
        Data::Object(object) => {
            let location: &Location = object.as_any().downcast_ref()?;
            Some(&location.0)
        }
        _ => None,
    }
}

/// Go's `*time.Location`.
#[derive(Debug)]
struct Location(Zone);

impl Object for Location {
    fn type_name(&self) -> &'static str {
        "*time.Location"
    }

    fn kind_name(&self) -> &'static str {
        "ptr"
    }

    fn methods(&self) -> &'static [Method] {
        static METHODS: &[Method] = &[method("String", &[])];
        METHODS
    }

    fn call(&self, _: &str, _: &[Value]) -> Result<Value, String> {
        Ok(Value::from(self.0.at_any_time().0))
    }

    fn print(&self) -> String {
        self.0.at_any_time().0.to_owned()
    }

    fn is_equal(&self, other: &dyn Object) -> bool {
        let other: Option<&Self> = other.as_any().downcast_ref();
        other.is_some_and(|other| other.0 == self.0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
