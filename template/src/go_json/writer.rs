//! `toJson`, `toPrettyJson` and `toRawJson`.

use std::fmt::{self, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    MAX_DEPTH,
    number::{format_general, write_json_float},
};
use crate::tree::{Report, Shape, Tree};

/// Which of Go's ways to write JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonStyle {
    /// `toJson`: on one line, with `<`, `>` and `&` escaped.
    Compact,
    /// `toPrettyJson`: indented by two, with `<`, `>` and `&` escaped.
    Pretty,
    /// `toRawJson`: on one line, `<`, `>` and `&` as they are.
    Raw,
}

/// Why a value cannot be written. `toJson` then gives the empty text, `mustToJson` this one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonWriteError {
    /// A number is infinite or not a number.
    NotFinite(String),
    /// Lists and maps nest deeper than [`MAX_DEPTH`].
    TooDeep,
}

impl fmt::Display for JsonWriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite(value) => write!(f, "json: unsupported value: {value}"),
            Self::TooDeep => write!(f, "json: exceeded max depth of {MAX_DEPTH}"),
        }
    }
}

impl std::error::Error for JsonWriteError {}

/// Writes a value, and reports what each key and scalar wrote.
pub fn write<T: Tree>(
    value: &T,
    style: JsonStyle,
    report: &mut impl Report<T>,
) -> Result<String, JsonWriteError> {
    let mut writer = Writer {
        out: String::new(),
        style,
        report,
        depth: 0,
    };
    writer.value(value)?;
    Ok(writer.out)
}

struct Writer<'r, R> {
    out: String,
    style: JsonStyle,
    report: &'r mut R,
    depth: usize,
}

impl<R> Writer<'_, R> {
    fn value<T: Tree>(&mut self, value: &T) -> Result<(), JsonWriteError>
    where
        R: Report<T>,
    {
        value.with_shape(|shape| match shape {
            Shape::List(items) if !items.is_empty() => {
                self.enter('[')?;
                self.report.enter(value);
                for (index, item) in items.iter().enumerate() {
                    self.separate(index);
                    self.value(item)?;
                }
                self.report.leave();
                self.leave(']');
                Ok(())
            }
            Shape::Map(mut entries) if !entries.is_empty() => {
                if !value.is_struct() {
                    entries.sort_unstable_by_key(|(key, _)| *key);
                }
                self.enter('{')?;
                self.report.enter(value);
                for (index, (key, item)) in entries.into_iter().enumerate() {
                    self.separate(index);
                    let start = self.out.len();
                    write_text(&mut self.out, key, self.style != JsonStyle::Raw);
                    self.report.key(value, key, start..self.out.len());
                    self.out.push(':');
                    if self.style == JsonStyle::Pretty {
                        self.out.push(' ');
                    }
                    self.value(item)?;
                }
                self.report.leave();
                self.leave('}');
                Ok(())
            }
            shape => {
                let start = self.out.len();
                self.scalar(&shape)?;
                self.report.value(value, start..self.out.len());
                Ok(())
            }
        })
    }

    fn scalar<T>(&mut self, shape: &Shape<'_, T>) -> Result<(), JsonWriteError> {
        match shape {
            Shape::Null | Shape::NilList => self.out.push_str("null"),
            Shape::Bool(true) => self.out.push_str("true"),
            Shape::Bool(false) => self.out.push_str("false"),
            Shape::Int(value) => self.out.push_str(&value.to_string()),
            Shape::Uint(value) => self.out.push_str(&value.to_string()),
            Shape::Float(value) if value.is_finite() => write_json_float(&mut self.out, *value),
            Shape::Float(value) => return Err(JsonWriteError::NotFinite(format_general(*value))),
            Shape::Plain(text) => {
                write_text(&mut self.out, text.as_bytes(), self.style != JsonStyle::Raw);
            }
            Shape::Text(text) => write_text(&mut self.out, text, self.style != JsonStyle::Raw),
            Shape::Bytes(bytes) => {
                let encoded = STANDARD.encode(bytes);
                write_text(&mut self.out, encoded.as_bytes(), false);
            }
            Shape::List(_) => self.out.push_str("[]"),
            Shape::Map(_) => self.out.push_str("{}"),
        }
        Ok(())
    }

    fn enter(&mut self, bracket: char) -> Result<(), JsonWriteError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(JsonWriteError::TooDeep);
        }
        self.out.push(bracket);
        Ok(())
    }

    fn leave(&mut self, bracket: char) {
        self.depth -= 1;
        self.new_line();
        self.out.push(bracket);
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push(',');
        }
        self.new_line();
    }

    fn new_line(&mut self) {
        if self.style == JsonStyle::Pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }
}

fn write_text(out: &mut String, text: &[u8], html: bool) {
    out.push('"');
    for chunk in text.utf8_chunks() {
        write_valid(out, chunk.valid(), html);
        for _ in chunk.invalid() {
            out.push_str("\\ufffd");
        }
    }
    out.push('"');
}

fn write_valid(out: &mut String, text: &str, html: bool) {
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            8 => "\\b",
            12 => "\\f",
            b'<' if html => "\\u003c",
            b'>' if html => "\\u003e",
            b'&' if html => "\\u0026",
            0..=0x1f => "",
            0xe2 if text[at..].starts_with('\u{2028}') => "\\u2028",
            0xe2 if text[at..].starts_with('\u{2029}') => "\\u2029",
            _ => continue,
        };
        out.push_str(&text[written..at]);
        written = at + if byte == 0xe2 { 3 } else { 1 };
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[written..]);
}
