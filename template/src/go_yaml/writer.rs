//! `toYaml` and `toYamlPretty`: value trees as go-yaml writes them, byte for byte.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Dialect, MAX_DEPTH, WriteError, order,
    output::{INDENT, Output},
    scalar::{self, Meaning},
    style::{self, Analysis, Style},
    through_json,
};
use crate::{
    go_json::{format_general, write_json_float},
    tree::{Report, Shape, Tree},
    value::Encoder,
};

/// The longest key that stands before its `:` without a `?`, in bytes.
const SIMPLE_KEY_BYTES: usize = 128;
/// go-yaml breaks base64 into lines of this many characters.
const BASE64_LINE: usize = 70;

/// Writes a value as `sigs.k8s.io/yaml` does (`toYaml`, without Helm's removal of the last line
/// break), and reports what each key and scalar wrote.
pub fn write<T: Tree>(value: &T, report: &mut impl Report<T>) -> Result<String, WriteError> {
    write_in(Dialect::V2, value, report)
}

/// Writes a value as go-yaml's version 3 does with an indentation of two (`toYamlPretty`).
pub fn write_pretty<T: Tree>(value: &T, report: &mut impl Report<T>) -> Result<String, WriteError> {
    write_in(Dialect::V3, value, report)
}

fn write_in<T: Tree>(
    dialect: Dialect,
    value: &T,
    report: &mut impl Report<T>,
) -> Result<String, WriteError> {
    let mut writer = Writer {
        out: Output::new(dialect),
        report,
        depth: 0,
    };
    writer.value(value, Place::Root)?;
    writer.out.write_indent();
    Ok(writer.out.text)
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    Entry,
}

struct Writer<'r, R> {
    out: Output,
    report: &'r mut R,
    depth: usize,
}

/// A key as it is sorted and written, and its value.
struct Entry<'a, T> {
    raw: &'a [u8],
    text: Cow<'a, str>,
    value: &'a T,
}

impl<R> Writer<'_, R> {
    fn value<T: Tree>(&mut self, value: &T, place: Place) -> Result<(), WriteError>
    where
        R: Report<T>,
    {
        let dialect = self.out.dialect;
        let write = |shape: Shape<'_, T>| match shape {
            Shape::List(items) if !items.is_empty() => {
                self.report.enter(value);
                self.list(items, place)?;
                self.report.leave();
                Ok(())
            }
            Shape::Map(entries) if !entries.is_empty() => {
                self.report.enter(value);
                self.map(value, &entries)?;
                self.report.leave();
                Ok(())
            }
            Shape::Bytes(bytes) if self.out.dialect == Dialect::V3 && !bytes.is_empty() => {
                self.numbers(bytes, place)?;
                self.reported(value);
                Ok(())
            }
            shape => {
                self.scalar(&shape)?;
                self.reported(value);
                Ok(())
            }
        };
        match dialect {
            Dialect::V2 => value.with_shape(write),
            Dialect::V3 => value.with_shape_for(Encoder::Yaml, write),
        }
    }

    /// Tells of the lines that were written for a value.
    fn reported<T>(&mut self, value: &T)
    where
        R: Report<T>,
    {
        for range in self.out.pieces.drain(..) {
            self.report.value(value, range);
        }
    }

    /// Writes bytes as the list of numbers that they are to Go.
    fn numbers(&mut self, bytes: &[u8], place: Place) -> Result<(), WriteError> {
        let outer = self.start_list(place)?;
        for byte in bytes {
            self.start_item();
            self.plain(&byte.to_string());
        }
        self.end(outer);
        Ok(())
    }

    fn list<T: Tree>(&mut self, items: &[T], place: Place) -> Result<(), WriteError>
    where
        R: Report<T>,
    {
        let outer = self.start_list(place)?;
        for item in items {
            self.start_item();
            self.value(item, Place::Item)?;
        }
        self.end(outer);
        Ok(())
    }

    /// Indents for a list, and gives the indentation to go back to.
    fn start_list(&mut self, place: Place) -> Result<Option<usize>, WriteError> {
        self.enter()?;
        let outer = self.out.indent;
        let indentless =
            self.out.dialect == Dialect::V2 && place == Place::Entry && !self.out.indention;
        if !indentless {
            self.out.deeper(0);
        }
        Ok(outer)
    }

    fn start_item(&mut self) {
        self.out.write_indent();
        self.out.write_indicator("-", true, true);
    }

    fn end(&mut self, outer: Option<usize>) {
        self.out.indent = outer;
        self.depth -= 1;
    }

    fn map<T: Tree>(&mut self, map: &T, entries: &[(&[u8], &T)]) -> Result<(), WriteError>
    where
        R: Report<T>,
    {
        self.enter()?;
        let outer = self.out.deeper(0);
        let entries = entries
            .iter()
            .map(|&(raw, value)| {
                let text = match self.out.dialect {
                    Dialect::V2 => through_json::key(raw)?,
                    Dialect::V3 => through_json::valid(raw),
                };
                Ok(Entry { raw, text, value })
            })
            .collect::<Result<Vec<_>, WriteError>>()?;
        let keeps_order = self.out.dialect == Dialect::V3 && map.is_struct();
        if keeps_order
            || order::is_sorted(entries.iter().map(|entry| &*entry.text), self.out.dialect)
        {
            for entry in &entries {
                self.entry(map, entry)?;
            }
        } else {
            let mut sorted: Vec<_> = entries.iter().map(|entry| (&*entry.text, entry)).collect();
            order::sort(&mut sorted, self.out.dialect);
            for (_, entry) in sorted {
                self.entry(map, entry)?;
            }
        }
        self.end(outer);
        Ok(())
    }

    fn entry<T: Tree>(&mut self, map: &T, entry: &Entry<'_, T>) -> Result<(), WriteError>
    where
        R: Report<T>,
    {
        self.out.write_indent();
        let simple = self.key(entry);
        for range in self.out.pieces.drain(..) {
            self.report.key(map, entry.raw, range);
        }
        if simple {
            self.out.write_indicator(":", false, false);
        } else {
            self.out.write_indent();
            self.out.write_indicator(":", true, true);
        }
        self.value(entry.value, Place::Entry)
    }

    /// Writes a key, and says whether it stands on one line with its `:`.
    fn key<T>(&mut self, entry: &Entry<'_, T>) -> bool {
        let text = Text::new(entry.raw, &entry.text, self.out.dialect);
        let analysis = Analysis::new(&text.content, self.out.dialect);
        let simple = !analysis.multiline
            && text.content.len() + text.tag.map_or(0, str::len) <= SIMPLE_KEY_BYTES;
        if !simple {
            self.out.write_indicator("?", true, true);
        }
        self.text(&text, analysis, simple);
        simple
    }

    fn scalar<T>(&mut self, shape: &Shape<'_, T>) -> Result<(), WriteError> {
        match shape {
            Shape::Null => self.plain("null"),
            Shape::NilList if self.out.dialect == Dialect::V2 => self.plain("null"),
            Shape::Bool(true) => self.plain("true"),
            Shape::Bool(false) => self.plain("false"),
            Shape::Int(value) => self.plain(&value.to_string()),
            Shape::Uint(value) => self.plain(&value.to_string()),
            Shape::Plain(text) => self.plain(text),
            Shape::Float(value) => self.plain(&float(*value, self.out.dialect)?),
            Shape::Bytes(bytes) if self.out.dialect == Dialect::V2 => {
                return self.scalar::<T>(&Shape::Text(STANDARD.encode(bytes).as_bytes()));
            }
            Shape::Bytes(_) | Shape::List(_) | Shape::NilList => self.empty("[]"),
            Shape::Map(_) => self.empty("{}"),
            Shape::Text(raw) => {
                let dialect = self.out.dialect;
                let valid = match dialect {
                    Dialect::V2 => through_json::value(raw)?,
                    Dialect::V3 => through_json::valid(raw),
                };
                let text = Text::new(raw, &valid, dialect);
                let analysis = Analysis::new(&text.content, dialect);
                self.text(&text, analysis, false);
            }
        }
        Ok(())
    }

    fn plain(&mut self, text: &str) {
        style::write(&mut self.out, text, Style::Plain, true);
    }

    fn empty(&mut self, brackets: &str) {
        self.out.space();
        self.out.begin_piece();
        self.out.write_indicator(brackets, false, false);
        self.out.end_piece();
    }

    fn text(&mut self, text: &Text<'_>, analysis: Analysis, simple_key: bool) {
        let style = analysis.allowed(text.wanted, &text.content, simple_key);
        let outer = self.out.deeper(INDENT);
        if let Some(tag) = text.tag {
            self.out.space();
            self.out.begin_piece();
            self.out.write_indicator(tag, false, false);
            self.out.end_piece();
        }
        style::write(&mut self.out, &text.content, style, !simple_key);
        self.out.indent = outer;
    }

    fn enter(&mut self) -> Result<(), WriteError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(WriteError::TooDeep);
        }
        Ok(())
    }
}

/// A text as it is to be written.
struct Text<'a> {
    content: Cow<'a, str>,
    tag: Option<&'static str>,
    wanted: Style,
}

impl<'a> Text<'a> {
    /// `valid` is `raw` with what is not UTF-8 replaced, which only version 2 writes.
    fn new(raw: &[u8], valid: &'a str, dialect: Dialect) -> Self {
        if dialect == Dialect::V3 && std::str::from_utf8(raw).is_err() {
            let content = base64(raw);
            return Self {
                wanted: if content.contains('\n') {
                    Style::Literal
                } else {
                    Style::Plain
                },
                content: Cow::Owned(content),
                tag: Some("!!binary"),
            };
        }
        Self {
            wanted: if valid.contains('\n') {
                Style::Literal
            } else if reads_back(valid, dialect) {
                Style::Plain
            } else {
                Style::DoubleQuoted
            },
            content: Cow::Borrowed(valid),
            tag: None,
        }
    }
}

/// Unquoted, the text is read as the same text.
fn reads_back(text: &str, dialect: Dialect) -> bool {
    scalar::meaning(text, true, dialect) == Meaning::Text
        && !scalar::is_base_60(text)
        && !(dialect == Dialect::V3 && scalar::is_old_bool(text))
}

fn float(value: f64, dialect: Dialect) -> Result<String, WriteError> {
    if dialect == Dialect::V3 {
        return Ok(match format_general(value).as_str() {
            "+Inf" => ".inf".to_owned(),
            "-Inf" => "-.inf".to_owned(),
            "NaN" => ".nan".to_owned(),
            text => text.to_owned(),
        });
    }
    if !value.is_finite() {
        return Err(WriteError::NotFinite(format_general(value)));
    }
    let mut text = String::new();
    write_json_float(&mut text, value);
    // go-yaml reads JSON's number back before it writes it.
    Ok(match scalar::meaning(&text, false, dialect) {
        Meaning::Int(value) => value.to_string(),
        Meaning::Uint(value) => value.to_string(),
        _ => format_general(value),
    })
}

fn base64(bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    if encoded.len() < BASE64_LINE {
        return encoded;
    }
    let mut out = String::with_capacity(encoded.len() + encoded.len() / BASE64_LINE + 1);
    for line in encoded.as_bytes().chunks(BASE64_LINE) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push('\n');
    }
    out
}
