//! JSON as schemas need it: numbers keep their text, which messages show.

use std::collections::BTreeMap;

/// How deep a schema may nest.
const MAX_DEPTH: usize = 200;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

/// A number and its text.
#[derive(Debug, Clone)]
pub(super) struct Number {
    pub(super) value: f64,
    pub(super) text: String,
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Number {
    fn new(text: String) -> Option<Self> {
        let value = text.parse().ok()?;
        Some(Self { value, text })
    }

    pub(super) fn is_integer(&self) -> bool {
        self.value.fract() == 0.0
    }
}

impl Json {
    /// Reads a text that holds one value, or nothing if it does not.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader {
            text,
            at: 0,
            depth: 0,
        };
        let value = reader.value()?;
        reader.space();
        (reader.at == text.len()).then_some(value)
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_object(&self) -> Option<&BTreeMap<String, Self>> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    pub(super) fn is_collection(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Object(_))
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value as Serde;
        match value {
            Serde::Null => Self::Null,
            Serde::Bool(value) => Self::Bool(*value),
            Serde::Number(number) => {
                Number::new(number.to_string()).map_or(Self::Null, Self::Number)
            }
            Serde::String(text) => Self::String(text.clone()),
            Serde::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Serde::Object(fields) => Self::Object(
                fields
                    .iter()
                    .map(|(key, value)| (key.clone(), Self::from(value)))
                    .collect(),
            ),
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &[u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.rest().iter().take_while(is_space).count();
    }

    fn eat(&mut self, expected: &str) -> Option<()> {
        self.rest().strip_prefix(expected.as_bytes())?;
        self.at += expected.len();
        Some(())
    }

    fn value(&mut self) -> Option<Json> {
        self.space();
        match self.rest().first()? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'"' => self.string().map(Json::String),
            b't' => self.eat("true").map(|()| Json::Bool(true)),
            b'f' => self.eat("false").map(|()| Json::Bool(false)),
            b'n' => self.eat("null").map(|()| Json::Null),
            _ => self.number().map(Json::Number),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Option<Json>) -> Option<Json> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self) -> Option<Json> {
        let mut fields = BTreeMap::new();
        self.space();
        if self.eat("}").is_some() {
            return Some(Json::Object(fields));
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            self.eat(":")?;
            fields.insert(key, self.value()?);
            self.space();
            if self.eat("}").is_some() {
                return Some(Json::Object(fields));
            }
            self.eat(",")?;
        }
    }

    fn array(&mut self) -> Option<Json> {
        let mut items = Vec::new();
        self.space();
        if self.eat("]").is_some() {
            return Some(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            if self.eat("]").is_some() {
                return Some(Json::Array(items));
            }
            self.eat(",")?;
        }
    }

    fn number(&mut self) -> Option<Number> {
        let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest().iter().take_while(is_part).count();
        let text = self.text.get(self.at..self.at + length)?;
        is_number(text.as_bytes()).then_some(())?;
        self.at += length;
        Number::new(text.to_owned())
    }

    fn string(&mut self) -> Option<String> {
        self.eat("\"")?;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..)?;
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ')?;
            out.push_str(rest.get(..plain)?);
            self.at += plain;
            if self.eat("\"").is_some() {
                return Some(out);
            }
            self.eat("\\")?;
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Option<char> {
        let escape = *self.rest().first()?;
        self.at += 1;
        Some(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                // Halves of a pair that stand alone become U+FFFD, as in Go.
                if !(0xd800..0xdc00).contains(&first) {
                    return Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                let before = self.at;
                let second = self.eat("\\u").and_then(|()| self.unit());
                let Some(low) = second.filter(|unit| (0xdc00..0xe000).contains(unit)) else {
                    self.at = before;
                    return Some(char::REPLACEMENT_CHARACTER);
                };
                char::from_u32(0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00))?
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let unit = is_hex.then(|| u32::from_str_radix(digits, 16).ok())?;
        self.at += 4;
        unit
    }
}

/// The grammar of RFC 8259, which is stricter than Rust's.
fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(text);
    let leading_zero = whole > 1 && text.first() == Some(&b'0');
    let mut rest = text.get(whole..).unwrap_or_default();
    if whole == 0 || leading_zero {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        rest = fraction.get(count..).unwrap_or_default();
        if count == 0 {
            return false;
        }
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or(rest.strip_prefix(b"E")) {
        let exponent = exponent
            .strip_prefix(b"-")
            .or(exponent.strip_prefix(b"+"))
            .unwrap_or(exponent);
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn numbers_keep_their_text() {
        let Some(Json::Array(items)) = Json::parse("[1.0, 1e3, -0, 12345678901234567890]") else {
            panic!("it is an array");
        };
        let texts: Vec<_> = items
            .iter()
            .map(|item| match item {
                Json::Number(number) => number.text.as_str(),
                _ => "",
            })
            .collect();
        assert_eq!(texts, ["1.0", "1e3", "-0", "12345678901234567890"]);
        for wrong in [
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "NaN",
            "[1,]",
            "{\"a\" 1}",
            "\"\n\"",
            "1 2",
        ] {
            assert_eq!(Json::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn texts_are_unescaped_as_in_go() {
        let text = Json::parse(r#""a\u00e9\ud83d\ude00\ud800x\"""#);
        assert_eq!(text, Some(Json::String("aé😀\u{fffd}x\"".to_owned())));
    }

    #[test]
    fn what_nests_too_deep_is_refused() {
        assert_eq!(Json::parse(&"[".repeat(100_000)), None);
    }
}
