//! Indexes of lists, and what Helm says of wrong ones.

use cairn_spec::{Node, Value};
use cairn_template::go::{quote, show};

/// The number of an index, as Go's `strconv.Atoi` reads it.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let reason = if is_number {
            "value out of range"
        } else {
            "invalid syntax"
        };
        format!("strconv.Atoi: parsing {}: {reason}", quote(text.as_bytes()))
    })
}

/// Go's `%q` of characters: each of them in quotes.
pub(super) fn quoted_characters(text: &str) -> String {
    let characters = text
        .chars()
        .map(|c| Node::generated(i64::from(u32::from(c))));
    show(&Value::List(characters.collect()), 'q')
}

/// What Go says when it panics, since a value is not of the type that a path needs.
pub(super) fn wrong_type(value: &Value, wanted: &str) -> String {
    let kind = match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    };
    format!("unable to parse key: interface conversion: interface {{}} is {kind}, not {wanted}")
}
