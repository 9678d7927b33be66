//! Reads an argument and sets what it says, path by path.

use std::sync::Arc;

use cairn_spec::{Field, Map, Node, Origin, OriginId, SourceKind, Span, Value};
use cairn_template::{
    go::quote,
    go_json::{self, Places},
};

use super::{
    Kind, MAX_DEPTH, MAX_INDEX, MAX_NAME_LEVELS, Mistake, Setting,
    index::{self, quoted_characters, wrong_type},
    scanner::{Scanner, Token},
};
use crate::Dialect;

/// Why reading stops.
enum Stop {
    /// The argument is at its end, which is no mistake, wherever that is.
    End,
    Mistake(String),
}

type Step<T = ()> = Result<T, Stop>;

/// How deep the value that is being read is.
#[derive(Clone, Copy, Default)]
struct Depth {
    /// Names in names.
    names: usize,
    /// Names and indexes.
    all: usize,
}

struct Reader<'r, 'a, 'f> {
    scanner: Scanner<'r>,
    setting: &'r mut Setting<'a, 'f>,
}

pub(super) fn apply(
    setting: &mut Setting<'_, '_>,
    argument: &str,
    values: &mut Map,
) -> Result<(), Mistake> {
    let mut reader = Reader {
        scanner: Scanner::new(argument),
        setting,
    };
    loop {
        match reader.key(values, Depth::default()) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Mistake(message)) => {
                return Err(Mistake {
                    message,
                    offset: reader.scanner.at,
                });
            }
        }
    }
}

fn mistake<T>(message: impl Into<String>) -> Step<T> {
    Err(Stop::Mistake(message.into()))
}

impl Reader<'_, '_, '_> {
    fn is_literal(&self) -> bool {
        self.setting.kind == Kind::Literal
    }

    /// A name, what is below it, and its value.
    fn key(&mut self, data: &mut Map, depth: Depth) -> Step {
        let depth = depth.deeper()?;
        let literal = self.is_literal();
        let stops: &[char] = if literal {
            &['=', '[', '.']
        } else {
            &['=', '[', '.', ',']
        };
        let (key, stop) = self.scanner.until(stops, literal);
        match stop {
            Some('=') => {
                let (value, is_end) = self.value()?;
                self.set(data, &key, value);
                if is_end { Err(Stop::End) } else { Ok(()) }
            }
            Some('.') => self.map(data, &key, depth),
            Some('[') => self.list(data, &key, depth),
            None if key.text.is_empty() => Err(Stop::End),
            None => mistake(format!("key {} has no value", key.quoted())),
            Some(_) => mistake(format!(
                "key {} has no value (cannot end with ,)",
                key.quoted()
            )),
        }
    }

    fn map(&mut self, data: &mut Map, key: &Token, depth: Depth) -> Step {
        let depth = Depth {
            names: depth.names + 1,
            ..depth
        };
        if depth.names > MAX_NAME_LEVELS {
            return mistake(format!(
                "value name nested level is greater than maximum supported nested level of {MAX_NAME_LEVELS}"
            ));
        }
        if let Some(node) = data.get_mut(&key.text) {
            let Value::Map(inner) = &mut node.value else {
                return mistake(wrong_type(&node.value, "map[string]interface {}"));
            };
            let result = self.key(inner, depth);
            return key.checked(inner, result);
        }
        let mut inner = Map::new();
        let result = self.key(&mut inner, depth);
        let is_empty = inner.is_empty();
        let result = key.checked(&inner, result);
        if !is_empty {
            let origin = self.setting.origin(&key.range);
            self.set(data, key, Node::new(inner, origin));
        }
        result
    }

    fn list(&mut self, data: &mut Map, key: &Token, depth: Depth) -> Step {
        let index = self.index()?;
        if let Some(node) = data.get_mut(&key.text) {
            let Value::List(list) = &mut node.value else {
                return mistake(wrong_type(&node.value, "[]interface {}"));
            };
            return self.item(list, index, depth);
        }
        let mut list = Vec::new();
        let result = self.item(&mut list, index, depth);
        let origin = self.setting.origin(&key.range);
        self.set(data, key, Node::new(list, origin));
        result
    }

    fn index(&mut self) -> Step<i64> {
        let literal = self.is_literal();
        let (index, stop) = self.scanner.until(&[']'], literal);
        if stop.is_none() {
            return match self.setting.dialect {
                Dialect::Helm4 => Err(Stop::End),
                Dialect::Helm3 => mistake("error parsing index: EOF"),
            };
        }
        index::parse(&index.text)
            .or_else(|problem| mistake(format!("error parsing index: {problem}")))
    }

    /// What is behind an index of a list, and its value.
    fn item(&mut self, list: &mut Vec<Node>, index: i64, depth: Depth) -> Step {
        let depth = depth.deeper()?;
        let Ok(at) = usize::try_from(index) else {
            return mistake(format!("negative {index} index not allowed"));
        };
        let literal = self.is_literal();
        let (token, stop) = self.scanner.until(&['[', '.', '='], literal);
        if !token.text.is_empty() {
            return mistake(format!(
                "unexpected data at end of array index: {}",
                quoted_characters(&token.text)
            ));
        }
        let here = token.range;
        match stop {
            None => Err(Stop::End),
            Some('=') => {
                let (value, _) = self.value()?;
                self.set_item(list, index, value)
            }
            Some('[') => {
                let next = self.index()?;
                match list.get_mut(at).map(|node| &mut node.value) {
                    Some(Value::List(inner)) => {
                        self.item(inner, next, depth)?;
                        check_index(index)
                    }
                    None | Some(Value::Null) => {
                        let mut inner = Vec::new();
                        self.item(&mut inner, next, depth)?;
                        let origin = self.setting.origin(&here);
                        self.set_item(list, index, Node::new(inner, origin))
                    }
                    Some(other) => mistake(wrong_type(other, "[]interface {}")),
                }
            }
            Some(_) => {
                if let Some(node) = list.get_mut(at) {
                    if node.value.as_map().is_none() {
                        let origin = self.setting.origin(&here);
                        let origin = self.setting.origins.overriding(origin, node.origin);
                        *node = Node::new(Map::new(), origin);
                    }
                    if let Value::Map(inner) = &mut node.value {
                        self.key(inner, depth)?;
                    }
                    return check_index(index);
                }
                let mut inner = Map::new();
                self.key(&mut inner, depth)?;
                let origin = self.setting.origin(&here);
                self.set_item(list, index, Node::new(inner, origin))
            }
        }
    }

    fn set_item(&mut self, list: &mut Vec<Node>, index: i64, value: Node) -> Step {
        check_index(index)?;
        let at = usize::try_from(index).unwrap_or_default();
        if let Some(node) = list.get_mut(at) {
            let origin = self.setting.origins.overriding(value.origin, node.origin);
            *node = Node { origin, ..value };
            return Ok(());
        }
        let missing = at + 1 - list.len();
        let Some(left) = self.setting.items_left.checked_sub(missing) else {
            let limit = super::MAX_SET_ITEMS;
            return mistake(format!(
                "the arguments make more than {limit} items of lists"
            ));
        };
        *self.setting.items_left = left;
        list.resize(at, Node::new(Value::Null, value.origin));
        list.push(value);
        Ok(())
    }

    /// Sets a value under a name, unless the name is empty.
    fn set(&mut self, data: &mut Map, key: &Token, value: Node) {
        if key.text.is_empty() {
            return;
        }
        if let Some(field) = data.field_mut(&key.text) {
            let loser = field.node.origin;
            let origin = self.setting.origins.overriding(value.origin, loser);
            field.node = Node { origin, ..value };
            return;
        }
        let field = Field {
            key_origin: self.setting.origin(&key.range),
            node: value,
        };
        data.insert_field(key.text.as_str(), field);
    }

    /// A value, and whether the argument ended where it would have begun.
    fn value(&mut self) -> Step<(Node, bool)> {
        let start = self.scanner.at;
        match self.setting.kind {
            Kind::Json => return Ok((self.json()?, false)),
            Kind::Literal => {
                let (token, _) = self.scanner.until(&[], true);
                return Ok((self.text(&token), false));
            }
            Kind::Typed | Kind::Text | Kind::File => {}
        }
        if self.scanner.rest().is_empty() {
            let origin = self.setting.origin(&(start..start));
            return Ok((Node::new("", origin), true));
        }
        if !self.scanner.take('{') {
            let (token, _) = self.scanner.until(&[','], false);
            return Ok((self.scalar(&token)?, false));
        }
        let mut items = Vec::new();
        loop {
            let (token, stop) = self.scanner.until(&[',', '}'], false);
            if stop.is_none() {
                return mistake("list must terminate with '}'");
            }
            items.push(self.scalar(&token)?);
            if stop == Some('}') {
                let origin = self.setting.origin(&(start..self.scanner.at));
                self.scanner.take(',');
                return Ok((Node::new(items, origin), false));
            }
        }
    }

    fn json(&mut self) -> Step<Node> {
        let start = self.scanner.at;
        if self.scanner.blank_value() {
            let origin = self.setting.origin(&(start..start));
            return Ok(Node::new(Value::Null, origin));
        }
        let mut places = Places {
            source: self.setting.source,
            start: self.scanner.at,
            origins: self.setting.origins,
        };
        let text = self.scanner.rest().as_bytes();
        match go_json::read_prefix(text, &mut places) {
            Ok((value, length)) => {
                self.scanner.at += length;
                self.scanner.blank_value();
                Ok(value)
            }
            Err(error) => {
                self.scanner.at += error.offset().unwrap_or_default();
                mistake(error.to_string())
            }
        }
    }

    fn scalar(&mut self, token: &Token) -> Step<Node> {
        match self.setting.kind {
            Kind::Typed => {
                let origin = self.setting.origin(&token.range);
                Ok(Node::new(typed(&token.text), origin))
            }
            Kind::File => self.file(token),
            Kind::Text | Kind::Json | Kind::Literal => Ok(self.text(token)),
        }
    }

    fn text(&mut self, token: &Token) -> Node {
        let origin = self.setting.origin(&token.range);
        Node::new(token.text.as_str(), origin)
    }

    /// The content of the file that the token names: the origin points at both.
    fn file(&mut self, token: &Token) -> Step<Node> {
        let path = token.text.as_str();
        let bytes = (self.setting.read_file)(path).map_err(Stop::Mistake)?;
        let Ok(text) = String::from_utf8(bytes) else {
            return mistake(format!("`{path}` is not UTF-8"));
        };
        let text: Arc<str> = text.into();
        let source = (self.setting.sources).add(path, Arc::clone(&text), SourceKind::Other);
        let content = self.setting.origins.add_span(Span {
            source,
            start: 0,
            end: u32::try_from(text.len()).unwrap_or(u32::MAX),
        });
        let name = self.setting.origin(&token.range);
        let origin = self.referring(name, content);
        Ok(Node::new(Value::String(text), origin))
    }

    fn referring(&mut self, name: OriginId, content: OriginId) -> OriginId {
        let origin = Origin {
            refers_to: Some(content),
            ..self.setting.origins.get(name).clone()
        };
        self.setting.origins.add(origin)
    }
}

fn check_index(index: i64) -> Step {
    if index > MAX_INDEX {
        return mistake(format!(
            "index of {index} is greater than maximum supported index of {MAX_INDEX}"
        ));
    }
    Ok(())
}

impl Depth {
    fn deeper(self) -> Step<Self> {
        if self.all >= MAX_DEPTH {
            return mistake(format!("values nest deeper than {MAX_DEPTH} levels"));
        }
        Ok(Self {
            all: self.all + 1,
            ..self
        })
    }
}

impl Token {
    fn quoted(&self) -> String {
        quote(self.text.as_bytes())
    }

    /// What reading the map of this name gave, which must not be nothing.
    fn checked(&self, inner: &Map, result: Step) -> Step {
        if result.is_ok() && inner.is_empty() {
            return mistake(format!("key map {} has no value", self.quoted()));
        }
        result
    }
}

fn typed(text: &str) -> Value {
    // Go folds letters as Unicode does, where a long s is an s.
    let is = |word: &str| text.replace('ſ', "s").eq_ignore_ascii_case(word);
    if is("true") {
        Value::Bool(true)
    } else if is("false") {
        Value::Bool(false)
    } else if is("null") {
        Value::Null
    } else if text.starts_with('0') && text != "0" {
        text.into()
    } else {
        text.parse::<i64>().map_or_else(|_| text.into(), Value::Int)
    }
}
