//! Reads fields of objects that anybody may have written, with the leniency of kstatus: a number
//! that is none counts as missing, but conditions that are none are an error.

use serde_json::{Map, Value as Json};

/// A field is not what its name promises.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is {found}, expected {expected}")]
pub(crate) struct Malformed {
    field: String,
    found: &'static str,
    expected: &'static str,
}

/// A condition; what is missing is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition<'a> {
    pub(crate) kind: &'a str,
    pub(crate) status: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
}

impl Condition<'_> {
    pub(crate) fn is(&self, kind: &str, status: &str) -> bool {
        self.kind == kind && self.status == status
    }
}

/// The field at a path of keys; an error when a step on the way is neither a map nor null.
pub(crate) fn field<'a>(object: &'a Json, path: &[&str]) -> Result<Option<&'a Json>, Malformed> {
    let mut value = object;
    for (index, key) in path.iter().enumerate() {
        match value {
            Json::Object(fields) => match fields.get(*key) {
                Some(next) => value = next,
                None => return Ok(None),
            },
            Json::Null => return Ok(None),
            other => return Err(malformed(&path[..index], other, "a map")),
        }
    }
    Ok(Some(value))
}

/// The number at a path, or what counts when there is none.
pub(crate) fn number(object: &Json, path: &[&str], default: i64) -> i64 {
    let found = field(object, path).ok().flatten();
    found.and_then(Json::as_i64).unwrap_or(default)
}

/// The text at a path, or what counts when there is none.
pub(crate) fn text<'a>(object: &'a Json, path: &[&str], default: &'a str) -> &'a str {
    let found = field(object, path).ok().flatten();
    found.and_then(Json::as_str).unwrap_or(default)
}

/// The number at a path; an error when something else is there.
pub(crate) fn strict_number(object: &Json, path: &[&str]) -> Result<Option<i64>, Malformed> {
    match field(object, path)? {
        None => Ok(None),
        Some(found) => match found.as_i64() {
            Some(number) => Ok(Some(number)),
            None => Err(malformed(path, found, "an integer")),
        },
    }
}

/// The text at a path; an error when something else is there.
pub(crate) fn strict_text<'a>(
    object: &'a Json,
    path: &[&str],
) -> Result<Option<&'a str>, Malformed> {
    match field(object, path)? {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(other) => Err(malformed(path, other, "a text")),
    }
}

/// The list at a path; an error when something else is there.
pub(crate) fn strict_list<'a>(
    object: &'a Json,
    path: &[&str],
) -> Result<Option<&'a [Json]>, Malformed> {
    match field(object, path)? {
        None => Ok(None),
        Some(Json::Array(items)) => Ok(Some(items)),
        Some(other) => Err(malformed(path, other, "a list")),
    }
}

/// A map, or an error that names the field.
pub(crate) fn map<'a>(value: &'a Json, name: &str) -> Result<&'a Map<String, Json>, Malformed> {
    value
        .as_object()
        .ok_or_else(|| malformed(&[name], value, "a map"))
}

/// `status.conditions`, in their order.
pub(crate) fn conditions(object: &Json) -> Result<Vec<Condition<'_>>, Malformed> {
    let items = match field(object, &["status", "conditions"])? {
        None | Some(Json::Null) => return Ok(Vec::new()),
        Some(Json::Array(items)) => items,
        Some(other) => return Err(malformed(&["status", "conditions"], other, "a list")),
    };
    items.iter().map(condition).collect()
}

fn condition(item: &Json) -> Result<Condition<'_>, Malformed> {
    if item.is_null() {
        return Ok(Condition::default());
    }
    let fields = map(item, "status.conditions[]")?;
    let text = |key: &str| match fields.get(key) {
        None | Some(Json::Null) => Ok(""),
        Some(Json::String(text)) => Ok(text.as_str()),
        Some(other) => Err(malformed(&["status", "conditions[]", key], other, "a text")),
    };
    Ok(Condition {
        kind: text("type")?,
        status: text("status")?,
        reason: text("reason")?,
        message: text("message")?,
    })
}

fn malformed(path: &[&str], found: &Json, expected: &'static str) -> Malformed {
    let found = match found {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
    };
    Malformed {
        field: path.join("."),
        found,
        expected,
    }
}
