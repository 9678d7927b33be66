//! `fromJson` and `fromJsonArray`: what Go's scanner takes, and its words for what it does not.

use std::{fmt, sync::Arc};

use cairn_spec::{Field, Map, Node, OriginId, Origins, SourceId, Span, Value};

use super::{MAX_DEPTH, MAX_INPUT_BYTES, MAX_NODES};
use crate::go_yaml::valid_utf8;

/// Why a text cannot be read: its text is the one that Go prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonReadError {
    message: String,
    offset: Option<usize>,
}

impl JsonReadError {
    /// Where the mistake was found, in bytes from 0.
    pub fn offset(&self) -> Option<usize> {
        self.offset
    }

    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            offset: None,
        }
    }
}

impl fmt::Display for JsonReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for JsonReadError {}

type Read<T> = Result<T, JsonReadError>;

/// Where a text stands, for the origins of its keys and values.
#[derive(Debug)]
pub struct Places<'o> {
    /// The source that the text is in.
    pub source: SourceId,
    /// Where in the source it starts, in bytes.
    pub start: usize,
    /// Where the origins go.
    pub origins: &'o mut Origins,
}

/// Reads a text, whatever it holds; all numbers are floats.
pub fn read(text: &[u8]) -> Result<Node, JsonReadError> {
    let (node, out_of_range) = read_loosely(text)?;
    out_of_range.map_or(Ok(node), Err)
}

/// As [`read`], with an origin for each key and value.
pub fn read_placed(text: &[u8], places: &mut Places<'_>) -> Result<Node, JsonReadError> {
    let mut reader = Reader::new(text, Some(places))?;
    let node = reader.node(0)?;
    reader.expect_end()?;
    reader.out_of_range.map_or(Ok(node), Err)
}

/// Reads the value that a text starts with, as Go's `Decoder` does, and says where it ends, in
/// bytes.
pub fn read_prefix(text: &[u8], places: &mut Places<'_>) -> Result<(Node, usize), JsonReadError> {
    let mut reader = Reader::new(text, Some(places))?;
    let node = reader.node(0)?;
    let end = reader.at;
    reader.out_of_range.map_or(Ok((node, end)), Err)
}

/// The value, and what is wrong with a number in it, which Go says only of a value that has the
/// type that was asked for.
fn read_loosely(text: &[u8]) -> Read<(Node, Option<JsonReadError>)> {
    let mut reader = Reader::new(text, None)?;
    let node = reader.node(0)?;
    reader.expect_end()?;
    Ok((node, reader.out_of_range))
}

/// Reads a text that must be a map; null is Go's `nil` map.
pub fn read_map(text: &[u8]) -> Result<Node, JsonReadError> {
    let (node, out_of_range) = read_loosely(text)?;
    match node.value {
        Value::Map(_) | Value::Null => out_of_range.map_or(Ok(node), Err),
        _ => Err(mistyped(&node.value, "map[string]interface {}")),
    }
}

/// Reads a text that must be a list; null is Go's `nil` slice.
pub fn read_list(text: &[u8]) -> Result<Node, JsonReadError> {
    let (node, out_of_range) = read_loosely(text)?;
    match node.value {
        Value::List(_) | Value::Null => out_of_range.map_or(Ok(node), Err),
        _ => Err(mistyped(&node.value, "[]interface {}")),
    }
}

fn mistyped(value: &Value, go_type: &str) -> JsonReadError {
    let kind = go_kind(value);
    JsonReadError::new(format!(
        "json: cannot unmarshal {kind} into Go value of type {go_type}"
    ))
}

/// What Go calls a JSON value that has the wrong type.
pub fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Float(_) => "number",
        Value::String(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
    }
}

struct Reader<'t, 'o> {
    text: &'t [u8],
    at: usize,
    nodes: usize,
    places: Option<&'t mut Places<'o>>,
    /// The first number that no float can hold, which Go reports last.
    out_of_range: Option<JsonReadError>,
}

impl<'t, 'o> Reader<'t, 'o> {
    fn new(text: &'t [u8], places: Option<&'t mut Places<'o>>) -> Read<Self> {
        if text.len() > MAX_INPUT_BYTES {
            let bytes = text.len();
            return Err(JsonReadError::new(format!(
                "json: the text has {bytes} bytes, more than {MAX_INPUT_BYTES}"
            )));
        }
        Ok(Self {
            text,
            at: 0,
            nodes: 0,
            places,
            out_of_range: None,
        })
    }

    fn expect_end(&mut self) -> Read<()> {
        self.skip_space();
        if self.is_at_end() {
            return Ok(());
        }
        Err(self.unexpected("after top-level value"))
    }

    /// The origin of what stands from `start` to here.
    fn origin(&mut self, start: usize) -> OriginId {
        let Some(places) = &mut self.places else {
            return OriginId::GENERATED;
        };
        let offset = |at| u32::try_from(places.start + at).unwrap_or(u32::MAX);
        places.origins.add_span(Span {
            source: places.source,
            start: offset(start),
            end: offset(self.at),
        })
    }

    fn node(&mut self, depth: usize) -> Read<Node> {
        self.skip_space();
        let start = self.at;
        let value = self.value(depth)?;
        Ok(Node::new(value, self.origin(start)))
    }

    fn value(&mut self, depth: usize) -> Read<Value> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(JsonReadError::new(format!(
                "json: the text holds more than {MAX_NODES} values"
            )));
        }
        match self.peek()? {
            b'{' => self.map(depth + 1),
            b'[' => self.list(depth + 1),
            b'"' => Ok(Value::String(self.string()?)),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal("true", Value::Bool(true)),
            b'f' => self.literal("false", Value::Bool(false)),
            b'n' => self.literal("null", Value::Null),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn map(&mut self, depth: usize) -> Read<Value> {
        self.enter(depth)?;
        let mut map = Map::new();
        self.skip_space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Value::Map(map));
        }
        loop {
            self.skip_space();
            if self.peek()? != b'"' {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let start = self.at;
            let key = self.string()?;
            let key_origin = self.origin(start);
            self.skip_space();
            if self.peek()? != b':' {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            let node = self.node(depth)?;
            map.insert_field(key, Field { key_origin, node });
            self.skip_space();
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(Value::Map(map));
                }
                _ => return Err(self.unexpected("after object key:value pair")),
            }
        }
    }

    fn list(&mut self, depth: usize) -> Read<Value> {
        self.enter(depth)?;
        let mut items = Vec::new();
        self.skip_space();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.node(depth)?);
            self.skip_space();
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(Value::List(items));
                }
                _ => return Err(self.unexpected("after array element")),
            }
        }
    }

    fn enter(&mut self, depth: usize) -> Read<()> {
        self.at += 1;
        if depth > MAX_DEPTH {
            return Err(JsonReadError {
                message: format!("json: exceeded max depth of {MAX_DEPTH}"),
                offset: Some(self.at),
            });
        }
        Ok(())
    }

    fn literal(&mut self, word: &str, value: Value) -> Read<Value> {
        for expected in word.bytes() {
            if self.peek_or_space() != expected {
                let expected = char::from(expected);
                let context = format!("in literal {word} (expecting '{expected}')");
                return Err(self.unexpected(&context));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Read<Value> {
        let start = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
        }
        match self.peek_or_space() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            _ => return Err(self.unexpected("in numeric literal")),
        }
        if self.next_is(b".") {
            self.at += 1;
            self.some_digits("after decimal point in numeric literal")?;
        }
        if self.next_is(b"eE") {
            self.at += 1;
            if self.next_is(b"+-") {
                self.at += 1;
            }
            self.some_digits("in exponent of numeric literal")?;
        }
        let text = valid_utf8(&self.text[start..self.at]);
        let value: f64 = text.parse().unwrap_or(f64::INFINITY);
        if value.is_infinite() && self.out_of_range.is_none() {
            self.out_of_range = Some(JsonReadError {
                message: format!(
                    "json: cannot unmarshal number {text} into Go value of type float64"
                ),
                offset: Some(start),
            });
        }
        Ok(Value::Float(value))
    }

    fn digits(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self, context: &str) -> Read<()> {
        if !self.peek_or_space().is_ascii_digit() {
            return Err(self.unexpected(context));
        }
        self.digits();
        Ok(())
    }

    fn string(&mut self) -> Read<Arc<str>> {
        self.at += 1;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
            self.at += rest.iter().position(is_special).unwrap_or(rest.len());
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    has_escapes = true;
                    self.at += 1;
                    self.check_escape()?;
                }
                0..=0x1f => return Err(self.unexpected("in string literal")),
                _ => self.at += 1,
            }
        }
        let raw = valid_utf8(&self.text[start..self.at]);
        self.at += 1;
        if has_escapes {
            Ok(unescape(&raw).into())
        } else {
            Ok(raw.into())
        }
    }

    fn check_escape(&mut self) -> Read<()> {
        match self.peek_or_space() {
            b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => self.at += 1,
            b'u' => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek_or_space().is_ascii_hexdigit() {
                        return Err(self.unexpected("in \\u hexadecimal character escape"));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.unexpected("in string escape code")),
        }
        Ok(())
    }

    fn skip_space(&mut self) {
        while self.next_is(b" \t\r\n") {
            self.at += 1;
        }
    }

    fn next_is(&self, any: &[u8]) -> bool {
        self.text
            .get(self.at)
            .is_some_and(|byte| any.contains(byte))
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    fn peek(&self) -> Read<u8> {
        self.text.get(self.at).copied().ok_or(JsonReadError {
            message: "unexpected end of JSON input".to_owned(),
            offset: Some(self.text.len()),
        })
    }

    /// Where a space is wrong, Go takes the end for one.
    fn peek_or_space(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(b' ')
    }

    fn unexpected(&self, context: &str) -> JsonReadError {
        let byte = self.peek_or_space();
        let shown = match byte {
            b'\'' => "\\'".to_owned(),
            b'\\' => "\\\\".to_owned(),
            7 => "\\a".to_owned(),
            8 => "\\b".to_owned(),
            b'\t' => "\\t".to_owned(),
            b'\n' => "\\n".to_owned(),
            11 => "\\v".to_owned(),
            12 => "\\f".to_owned(),
            b'\r' => "\\r".to_owned(),
            b' '..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte).to_string(),
            0x80..=0xad => format!("\\u{byte:04x}"),
            _ => format!("\\x{byte:02x}"),
        };
        JsonReadError {
            message: format!("invalid character '{shown}' {context}"),
            offset: Some(self.at),
        }
    }
}

/// Resolves the escapes of a string whose syntax was checked.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or_default();
        rest = rest.get(at + 2..).unwrap_or_default();
        match escape {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let high = code_unit(rest);
                rest = rest.get(4..).unwrap_or_default();
                let low = rest.strip_prefix("\\u").map(code_unit);
                let pair = low.and_then(|low| surrogates(high, low));
                if pair.is_some() {
                    rest = rest.get(6..).unwrap_or_default();
                }
                out.push(
                    pair.or(char::from_u32(high))
                        .unwrap_or(char::REPLACEMENT_CHARACTER),
                );
            }
            other => out.push(char::from(other)),
        }
    }
    out.push_str(rest);
    out
}

fn code_unit(text: &str) -> u32 {
    text.get(..4)
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .unwrap_or_default()
}

fn surrogates(high: u32, low: u32) -> Option<char> {
    if !(0xd800..0xdc00).contains(&high) || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
}
