//! What is wrong with a value itself, whatever its type: `type`, `const`, `enum` and `format`.

use crate::schema::{
    instance::{Instance, Shape},
    json::Json,
    model::Schema,
    violation::single_quoted,
};

/// In which words a mistake is told, once somebody asks.
pub(super) type Words<'c> = Box<dyn FnOnce() -> String + 'c>;

/// What is wrong with the value, if anything is.
pub(super) fn mismatch<'c>(schema: &'c Schema, value: Shape<'c>) -> Option<Words<'c>> {
    if !schema.types.is_empty() && !value.is_of(schema.types) {
        return Some(Box::new(move || {
            format!("got {}, want {}", value.kind().name(), schema.types.names())
        }));
    }
    let equals = |json: &Json| value.equals(Instance::Json(json).shape());
    if let Some(constant) = &schema.constant
        && !equals(constant)
    {
        return Some(Box::new(|| {
            if constant.is_collection() {
                "'const' failed".to_owned()
            } else {
                format!("value must be {}", display(constant))
            }
        }));
    }
    if let Some(allowed) = &schema.enumeration
        && !allowed.iter().any(equals)
    {
        return Some(Box::new(|| not_in(allowed)));
    }
    if let (Some(format), Shape::String(text)) = (schema.format, value)
        && let Err(reason) = format.check(text)
    {
        return Some(Box::new(move || {
            let (text, name) = (single_quoted(text), format.name());
            format!("{text} is not valid {name}: {reason}")
        }));
    }
    None
}

fn not_in(allowed: &[Json]) -> String {
    if allowed.iter().any(Json::is_collection) {
        return "'enum' failed".to_owned();
    }
    let shown: Vec<_> = allowed.iter().map(display).collect();
    match shown.as_slice() {
        [one] => format!("value must be {one}"),
        _ => format!("value must be one of {}", shown.join(", ")),
    }
}

/// A value that is no collection.
fn display(value: &Json) -> String {
    match value {
        Json::Null => "<nil>".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => number.text.clone(),
        Json::String(text) => single_quoted(text),
        Json::Array(_) | Json::Object(_) => "value".to_owned(),
    }
}
