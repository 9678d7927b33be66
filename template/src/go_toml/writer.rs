//! `toToml`: what is not a table comes first, then tables and lists of tables, both by key.

use std::fmt;

use super::MAX_DEPTH;
use crate::{
    go_json::format_general,
    tree::{Report, Shape, Tree},
    value::Encoder,
};

/// Why a value cannot be written. `toToml` then gives this text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TomlWriteError {
    /// A list holds a null.
    NullInList,
    /// A list of tables is not under a key.
    NoKey,
    /// The value is null.
    Null,
    /// Lists and maps nest deeper than [`MAX_DEPTH`].
    TooDeep,
}

impl fmt::Display for TomlWriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NullInList => f.write_str("toml: cannot encode array with nil element"),
            Self::NoKey => f.write_str("toml: top-level values must be Go maps or structs"),
            Self::Null => f.write_str("reflect: call of reflect.Value.Type on zero Value"),
            Self::TooDeep => write!(f, "toml: exceeded max depth of {MAX_DEPTH}"),
        }
    }
}

impl std::error::Error for TomlWriteError {}

/// Writes a value, and reports what each key and scalar wrote. Texts that are not UTF-8 come
/// out as they are.
pub fn write<T: Tree>(value: &T, report: &mut impl Report<T>) -> Result<Vec<u8>, TomlWriteError> {
    if value.with_shape(|shape| matches!(shape, Shape::Null)) {
        return Err(TomlWriteError::Null);
    }
    let mut writer = Writer {
        out: Vec::new(),
        report,
        path: Vec::new(),
    };
    writer.value(value, None)?;
    Ok(writer.out)
}

/// What TOML takes a value for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    /// A value on one line.
    Inline,
    Table,
    TableList,
}

fn kind<T: Tree>(value: &T, depth: usize) -> Result<Kind, TomlWriteError> {
    if depth > MAX_DEPTH {
        return Err(TomlWriteError::TooDeep);
    }
    value.with_shape_for(Encoder::Toml, |shape| match shape {
        Shape::Null | Shape::NilList => Ok(Kind::Null),
        Shape::Map(_) => Ok(Kind::Table),
        Shape::List(items) => {
            let mut all_tables = !items.is_empty();
            for item in items {
                match kind(item, depth + 1)? {
                    Kind::Null => return Err(TomlWriteError::NullInList),
                    Kind::Table => {}
                    Kind::Inline | Kind::TableList => all_tables = false,
                }
            }
            Ok(if all_tables {
                Kind::TableList
            } else {
                Kind::Inline
            })
        }
        _ => Ok(Kind::Inline),
    })
}

struct Writer<'r, R> {
    out: Vec<u8>,
    report: &'r mut R,
    /// The keys that lead to the current table, as they are written.
    path: Vec<Vec<u8>>,
}

/// A key of a map.
struct Under<'a, T> {
    map: &'a T,
    key: &'a [u8],
}

impl<R> Writer<'_, R> {
    fn value<T: Tree>(
        &mut self,
        value: &T,
        under: Option<Under<'_, T>>,
    ) -> Result<(), TomlWriteError>
    where
        R: Report<T>,
    {
        let depth = self.path.len();
        match kind(value, depth)? {
            Kind::Null => Ok(()),
            Kind::Inline => {
                if let Some(under) = &under {
                    self.indent(depth);
                    self.entry(value, under, depth)?;
                    self.new_line();
                    return Ok(());
                }
                self.element(value, depth)
            }
            Kind::Table => {
                let Some(under) = under else {
                    return self.table(value);
                };
                self.path.push(quoted_key(under.key));
                if depth == 0 {
                    self.new_line();
                }
                self.header(&under, "[", "]");
                self.table(value)?;
                self.path.pop();
                Ok(())
            }
            Kind::TableList => {
                let under = under.ok_or(TomlWriteError::NoKey)?;
                self.path.push(quoted_key(under.key));
                value.with_shape(|shape| {
                    if let Shape::List(items) = shape {
                        for item in items {
                            self.new_line();
                            self.header(&under, "[[", "]]");
                            self.table(item)?;
                        }
                    }
                    Ok(())
                })?;
                self.path.pop();
                Ok(())
            }
        }
    }

    /// Writes `[a.b]` for the current path.
    fn header<T>(&mut self, under: &Under<'_, T>, open: &str, close: &str)
    where
        R: Report<T>,
    {
        self.indent(self.path.len() - 1);
        self.out.extend_from_slice(open.as_bytes());
        let mut start = self.out.len();
        for (index, key) in self.path.iter().enumerate() {
            if index > 0 {
                self.out.push(b'.');
            }
            start = self.out.len();
            self.out.extend_from_slice(key);
        }
        self.report.key(under.map, under.key, start..self.out.len());
        self.out.extend_from_slice(close.as_bytes());
        self.new_line();
    }

    /// Writes the entries of a table, each on lines of its own.
    fn table<T: Tree>(&mut self, table: &T) -> Result<(), TomlWriteError>
    where
        R: Report<T>,
    {
        let depth = self.path.len();
        self.report.enter(table);
        let is_struct = table.is_struct();
        table.with_shape_for(Encoder::Toml, |shape| {
            let Shape::Map(entries) = shape else {
                return Ok(());
            };
            let (direct, tables) = split(entries, depth, is_struct)?;
            for (key, value) in direct.into_iter().chain(tables) {
                self.value(value, Some(Under { map: table, key }))?;
            }
            Ok(())
        })?;
        self.report.leave();
        Ok(())
    }

    /// Writes `key = value`.
    fn entry<T: Tree>(
        &mut self,
        value: &T,
        under: &Under<'_, T>,
        depth: usize,
    ) -> Result<(), TomlWriteError>
    where
        R: Report<T>,
    {
        let start = self.out.len();
        self.out.extend(quoted_key(under.key));
        self.report.key(under.map, under.key, start..self.out.len());
        self.out.extend_from_slice(b" = ");
        self.element(value, depth)
    }

    /// Writes a value on one line.
    fn element<T: Tree>(&mut self, value: &T, depth: usize) -> Result<(), TomlWriteError>
    where
        R: Report<T>,
    {
        if depth > MAX_DEPTH {
            return Err(TomlWriteError::TooDeep);
        }
        let is_struct = value.is_struct();
        value.with_shape_for(Encoder::Toml, |shape| match shape {
            Shape::List(items) if !items.is_empty() => {
                self.report.enter(value);
                self.out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.extend_from_slice(b", ");
                    }
                    self.element(item, depth + 1)?;
                }
                self.out.push(b']');
                self.report.leave();
                Ok(())
            }
            Shape::Map(entries) if !entries.is_empty() => {
                self.report.enter(value);
                self.out.push(b'{');
                let (direct, tables) = split(entries, depth, is_struct)?;
                let followed = !tables.is_empty();
                self.inline_entries(value, direct, followed, depth)?;
                self.inline_entries(value, tables, false, depth)?;
                self.out.push(b'}');
                self.report.leave();
                Ok(())
            }
            shape => {
                let start = self.out.len();
                self.scalar(&shape);
                self.report.value(value, start..self.out.len());
                Ok(())
            }
        })
    }

    /// As in Go, a null at the end leaves its comma behind.
    fn inline_entries<T: Tree>(
        &mut self,
        map: &T,
        entries: Vec<(&[u8], &T)>,
        followed: bool,
        depth: usize,
    ) -> Result<(), TomlWriteError>
    where
        R: Report<T>,
    {
        let last = entries.len().saturating_sub(1);
        for (index, (key, value)) in entries.into_iter().enumerate() {
            if value.with_shape(|shape| matches!(shape, Shape::Null | Shape::NilList)) {
                continue;
            }
            self.entry(value, &Under { map, key }, depth + 1)?;
            if followed || index != last {
                self.out.extend_from_slice(b", ");
            }
        }
        Ok(())
    }

    fn scalar<T>(&mut self, shape: &Shape<'_, T>) {
        match shape {
            Shape::Null | Shape::NilList => {}
            Shape::Bool(value) => self.push(&value.to_string()),
            Shape::Int(value) => self.push(&value.to_string()),
            Shape::Uint(value) => self.push(&value.to_string()),
            Shape::Float(value) => self.push(&float(*value)),
            Shape::Text(text) => self.out.extend(quoted(text)),
            Shape::Plain(text) => self.push(text),
            Shape::Bytes(bytes) => {
                let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
                self.push(&format!("[{}]", numbers.join(", ")));
            }
            Shape::List(_) => self.push("[]"),
            Shape::Map(_) => self.push("{}"),
        }
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn indent(&mut self, depth: usize) {
        self.out
            .extend(std::iter::repeat_n(*b"  ", depth).flatten());
    }

    /// Go's encoder has no empty first line.
    fn new_line(&mut self) {
        if !self.out.is_empty() {
            self.out.push(b'\n');
        }
    }
}

type Entries<'a, T> = Vec<(&'a [u8], &'a T)>;

/// Entries that stand in the table itself, and those that are tables of their own.
fn split<T: Tree>(
    mut entries: Entries<'_, T>,
    depth: usize,
    is_struct: bool,
) -> Result<(Entries<'_, T>, Entries<'_, T>), TomlWriteError> {
    if !is_struct {
        entries.sort_unstable_by_key(|(key, _)| *key);
    }
    let (mut direct, mut tables) = (Vec::new(), Vec::new());
    for (key, value) in entries {
        match kind(value, depth)? {
            Kind::Table | Kind::TableList => tables.push((key, value)),
            Kind::Null | Kind::Inline => direct.push((key, value)),
        }
    }
    Ok((direct, tables))
}

fn float(value: f64) -> String {
    if value.is_nan() {
        return if value.is_sign_negative() {
            "-nan"
        } else {
            "nan"
        }
        .to_owned();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let mut text = format_general(value);
    if !text.contains(['e', '.']) {
        text.push_str(".0");
    }
    text
}

pub(super) fn quoted_key(key: &[u8]) -> Vec<u8> {
    let is_bare = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !key.is_empty() && key.iter().all(is_bare) {
        return key.to_vec();
    }
    quoted(key)
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'"');
    for byte in text {
        let letter = match byte {
            b'"' | b'\\' => *byte,
            8 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            12 => b'f',
            b'\r' => b'r',
            0..=0x1f | 0x7f => {
                out.extend(format!("\\u{byte:04x}").bytes());
                continue;
            }
            _ => {
                out.push(*byte);
                continue;
            }
        };
        out.extend([b'\\', letter]);
    }
    out.push(b'"');
    out
}
