//! Canonical JSON (RFC 8785): one text for one value, so that digests of JSON mean something.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::value::write_float;

/// Serialises `value` as canonical JSON: keys sorted by UTF-16 code units, no white space,
/// shortest numbers.
///
/// # Panics
/// When the type cannot be JSON at all (a map whose keys are not texts): a mistake in the type,
/// never in the data.
pub fn canonical_json<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).expect("types on the wire serialise to JSON");
    let mut out = String::new();
    write(&mut out, &value);
    out
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => write_float(out, float),
            _ => {
                let _ = write!(out, "{number}");
            }
        },
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
            out.push('{');
            for (index, (key, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(out, key);
                out.push(':');
                write(out, value);
            }
            out.push('}');
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_give_equal_text() {
        let value = serde_json::json!({"b": [1, 1.5, 1e21, null], "a": "x\n\u{1}é\"", "\u{10000}": 1, "\u{ff61}": 2});
        assert_eq!(
            canonical_json(&value),
            "{\"a\":\"x\\n\\u0001é\\\"\",\"b\":[1,1.5,1e+21,null],\"\u{10000}\":1,\"\u{ff61}\":2}"
        );
    }
}
