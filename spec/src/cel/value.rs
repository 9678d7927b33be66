//! Values while an expression is evaluated: those of the object as it is, and those that are made.

use std::{borrow::Cow, rc::Rc};

use serde_json::{Map, Value as Json};

use super::CelError;

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Cow<'a, str>),
    List(List<'a>),
    Map(Fields<'a>),
}

/// A list of the object, or one that was made.
#[derive(Debug, Clone)]
pub(super) enum List<'a> {
    Given(&'a [Json]),
    Made(Rc<Vec<Value<'a>>>),
}

/// A map of the object, or one that was made.
#[derive(Debug, Clone)]
pub(super) enum Fields<'a> {
    Given(&'a Map<String, Json>),
    Made(Rc<Vec<(Value<'a>, Value<'a>)>>),
}

impl<'a> Value<'a> {
    pub(super) fn of(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(it) => Self::Bool(*it),
            Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), _, _) => Self::Int(number),
                (None, Some(number), _) => Self::Uint(number),
                (None, None, number) => Self::Double(number.unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(Cow::Borrowed(text)),
            Json::Array(items) => Self::List(List::Given(items)),
            Json::Object(fields) => Self::Map(Fields::Given(fields)),
        }
    }

    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Uint(_) => "an unsigned integer",
            Self::Double(_) => "a floating-point number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    pub(super) fn truth(&self) -> Result<bool, CelError> {
        match self {
            Self::Bool(truth) => Ok(*truth),
            other => Err(CelError::Unfit(format!(
                "expected a boolean, found {}",
                other.kind()
            ))),
        }
    }

    /// What it costs to look at all of it, not counting what is in lists and maps.
    pub(super) fn cost(&self) -> u64 {
        match self {
            Self::Text(text) => 1 + text.len() as u64 / 16,
            _ => 1,
        }
    }
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Given(items) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value<'a>> {
        match self {
            Self::Given(items) => items.get(index).map(Value::of),
            Self::Made(items) => items.get(index).cloned(),
        }
    }
}

impl<'a> Fields<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Given(fields) => fields.len(),
            Self::Made(fields) => fields.len(),
        }
    }

    /// The keys; making them costs as much as there are.
    pub(super) fn keys(&self) -> List<'a> {
        List::Made(Rc::new(match self {
            Self::Given(fields) => fields
                .keys()
                .map(|key| Value::Text(Cow::Borrowed(key)))
                .collect(),
            Self::Made(fields) => fields.iter().map(|(key, _)| key.clone()).collect(),
        }))
    }
}
