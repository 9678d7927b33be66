//! Paths to fields, as people write them: `spec.containers[0].image`,
//! `metadata.annotations["a.b/c"]`, or a JSON Pointer, `/spec/containers/0/image`.

use std::fmt;

use cairn_spec::{Node, OriginId, Value, suggest};

use super::{Child, Fields};
use crate::Document;

/// Steps from the whole document down to a field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A key of a map; a number is an item, too, where a list stands.
    Key(String),
    /// An item, counted from 0.
    Item(usize),
    /// The item in which this key has this value.
    Where(String, String),
}

/// Why there is no field at a path: what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoField {
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// A field that was found.
#[derive(Debug, Clone)]
pub struct Found<'f> {
    /// Its path, in the one way in which paths are shown.
    pub path: String,
    /// Its value.
    pub node: &'f Node,
    /// The bytes that lead to it, outermost first: for each step the indentation, `-` and key.
    pub leads: Vec<std::ops::Range<usize>>,
}

impl Found<'_> {
    /// Nothing is below it.
    pub fn is_leaf(&self) -> bool {
        is_leaf(self.node)
    }
}

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, NoField> {
        if text.is_empty() || text.starts_with('/') {
            return Ok(Self {
                steps: pointer(text),
            });
        }
        let mut reader = Reader {
            text,
            rest: text.strip_prefix('.').unwrap_or(text),
        };
        let mut steps = Vec::new();
        while !reader.rest.is_empty() {
            steps.push(reader.step(steps.is_empty())?);
        }
        Ok(Self { steps })
    }

    /// The field of a document at this path.
    ///
    /// # Errors
    ///
    /// There is none; the nearest key is in the hint.
    pub fn find<'f>(&self, fields: &'f Fields, document: &Document) -> Result<Found<'f>, NoField> {
        let mut found = Found {
            path: String::new(),
            node: fields.root(),
            leads: Vec::new(),
        };
        for step in &self.steps {
            let children = fields.children(found.node, document.bytes());
            let Some(child) = children.into_iter().find(|child| step.is(child)) else {
                return Err(step.missing(&found));
            };
            found.path = below(&found.path, &child);
            found.leads.push(child.lead);
            found.node = child.node;
        }
        Ok(found)
    }

    /// The field of a tree of values at this path.
    ///
    /// # Errors
    ///
    /// There is none; the nearest key is in the hint.
    pub fn find_node<'n>(&self, root: &'n Node) -> Result<FoundNode<'n>, NoField> {
        let mut found = FoundNode {
            path: String::new(),
            node: root,
            keys: Vec::new(),
        };
        for step in &self.steps {
            let children = found.children();
            let Some((child, key)) = children.iter().find(|(child, _)| step.is(child)) else {
                return Err(step.missing(&Found {
                    path: found.path,
                    node: found.node,
                    leads: Vec::new(),
                }));
            };
            found = found.below(child, *key);
        }
        Ok(found)
    }
}

/// A field of a tree of values.
#[derive(Debug, Clone)]
pub struct FoundNode<'n> {
    /// Its path, in the one way in which paths are shown.
    pub path: String,
    /// Its value.
    pub node: &'n Node,
    /// The origins of the keys that lead to it, outermost first.
    pub keys: Vec<OriginId>,
}

impl<'n> FoundNode<'n> {
    /// What stands directly below it.
    fn children(&self) -> Vec<(Child<'n>, Option<OriginId>)> {
        let child = |key: Option<&'n str>, index: usize, node: &'n Node| Child {
            key,
            index,
            node,
            lead: 0..0,
            value: 0..0,
        };
        match &self.node.value {
            Value::Map(map) => map
                .fields()
                .map(|(key, field)| (child(Some(key), 0, &field.node), Some(field.key_origin)))
                .collect(),
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| (child(None, index, node), None))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn below(&self, child: &Child<'n>, key: Option<OriginId>) -> Self {
        Self {
            path: below(&self.path, child),
            node: child.node,
            keys: self.keys.iter().copied().chain(key).collect(),
        }
    }

    /// Nothing is below it.
    pub fn is_leaf(&self) -> bool {
        is_leaf(self.node)
    }

    /// All leaves at and below it, by key.
    pub fn leaves(self) -> Vec<Self> {
        let mut leaves = Vec::new();
        let mut open = vec![self];
        while let Some(found) = open.pop() {
            if found.is_leaf() {
                leaves.push(found);
                continue;
            }
            let children = found.children();
            let below = children.iter().rev();
            open.extend(below.map(|(child, key)| found.below(child, *key)));
        }
        leaves
    }
}

fn is_leaf(node: &Node) -> bool {
    match &node.value {
        Value::Map(map) => map.is_empty(),
        Value::List(items) => items.is_empty(),
        _ => true,
    }
}

/// The path of a child, as it is shown.
pub(super) fn below(path: &str, child: &Child<'_>) -> String {
    let Some(key) = child.key else {
        return format!("{path}[{}]", child.index);
    };
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if key.is_empty() || !key.chars().all(is_plain) {
        return format!("{path}[{key:?}]");
    }
    let dot = if path.is_empty() { "" } else { "." };
    format!("{path}{dot}{key}")
}

fn pointer(text: &str) -> Vec<Step> {
    let tokens = text.split('/').skip(1);
    tokens
        .map(|token| {
            let condition = token
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .and_then(|inner| inner.split_once('='));
            match condition {
                Some((key, value)) => Step::Where(unescaped(key), unescaped(value)),
                None => Step::Key(unescaped(token)),
            }
        })
        .collect()
}

fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
}

impl Reader<'_> {
    fn step(&mut self, is_first: bool) -> Result<Step, NoField> {
        if let Some(rest) = self.rest.strip_prefix('[') {
            return self.bracket(rest);
        }
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
        } else if !is_first {
            return Err(self.invalid("a `.` or `[` is missing"));
        }
        let end = self.rest.find(['.', '[']).unwrap_or(self.rest.len());
        let (key, rest) = self.rest.split_at(end);
        if key.is_empty() {
            return Err(self.invalid("a key is missing"));
        }
        self.rest = rest;
        Ok(Step::Key(key.to_owned()))
    }

    /// `0]`, `"key"]` or `name=value]`
    fn bracket(&mut self, rest: &str) -> Result<Step, NoField> {
        for quote in ['"', '\''] {
            let Some(quoted) = rest.strip_prefix(quote) else {
                continue;
            };
            let mut key = String::new();
            let mut chars = quoted.char_indices();
            while let Some((at, char)) = chars.next() {
                match char {
                    '\\' if quote == '"' => key.extend(chars.next().map(|(_, next)| next)),
                    _ if char == quote => {
                        let after = quoted.get(at + 1..).and_then(|it| it.strip_prefix(']'));
                        let start = self.rest.len() - after.map_or(0, str::len);
                        if after.is_none() {
                            return Err(self.invalid("a `]` is missing"));
                        }
                        self.rest = self.rest.get(start..).unwrap_or_default();
                        return Ok(Step::Key(key));
                    }
                    _ => key.push(char),
                }
            }
            return Err(self.invalid("a quote is missing"));
        }
        let Some((inner, _)) = rest.split_once(']') else {
            return Err(self.invalid("a `]` is missing"));
        };
        let step =
            match (inner.parse::<usize>(), inner.split_once('=')) {
                (Ok(index), _) => Step::Item(index),
                (_, Some((key, value))) => {
                    let value = value.trim_matches('"');
                    Step::Where(key.to_owned(), value.to_owned())
                }
                _ => return Err(self.invalid(
                    "between `[` and `]` stands neither a number nor a quoted key nor `name=value`",
                )),
            };
        self.rest = self.rest.get(inner.len() + 2..).unwrap_or_default();
        Ok(step)
    }

    fn invalid(&self, problem: &str) -> NoField {
        let at = self.text.len() - self.rest.len();
        NoField {
            message: format!("`{}` is no path: {problem} at byte {at}", self.text),
            hint: Some(
                "write it as in `spec.containers[0].image`, `metadata.labels[\"a.b/c\"]` or `/spec/containers/0/image`"
                    .to_owned(),
            ),
        }
    }
}

impl Step {
    fn is(&self, child: &Child<'_>) -> bool {
        match (self, child.key) {
            (Self::Key(wanted), Some(key)) => wanted == key,
            (Self::Key(number), None) => number.parse() == Ok(child.index),
            (Self::Item(index), None) => *index == child.index,
            (Self::Item(index), Some(key)) => index.to_string() == key,
            (Self::Where(key, wanted), None) => {
                let found = child.node.get(key).map(|node| match &node.value {
                    Value::String(text) => text.to_string(),
                    other => other.to_json().to_string(),
                });
                found.as_ref() == Some(wanted)
            }
            (Self::Where(..), Some(_)) => false,
        }
    }

    fn missing(&self, found: &Found<'_>) -> NoField {
        let path = if found.path.is_empty() {
            "the object"
        } else {
            found.path.as_str()
        };
        match &found.node.value {
            Value::Map(map) => {
                let hint = match self {
                    Self::Key(key) => suggest(key, map.keys().map(|key| &**key)),
                    _ => suggest("", map.keys().map(|key| &**key)),
                };
                NoField {
                    message: format!("{path} has no {self}"),
                    hint,
                }
            }
            Value::List(items) => NoField {
                message: format!("{path} has no {self}"),
                hint: Some(match items.len() {
                    0 => "the list is empty".to_owned(),
                    1 => "its only item is `[0]`".to_owned(),
                    count => format!("its items are `[0]` to `[{}]`", count - 1),
                }),
            },
            value => NoField {
                message: format!("{path} is a {}, so nothing is below it", value.kind()),
                hint: None,
            },
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key `{key}`"),
            Self::Item(index) => write!(f, "item `[{index}]`"),
            Self::Where(key, value) => write!(f, "item `[{key}={value}]`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<String> {
        let path = FieldPath::parse(text).unwrap();
        path.steps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_ways_to_write_a_path_mean_the_same() {
        let expected = ["key `a`", "item `[0]`", "key `b.c/d`"];
        assert_eq!(steps("a[0][\"b.c/d\"]"), expected);
        assert_eq!(steps(".a[0]['b.c/d']"), expected);
        assert_eq!(steps("/a/0/b.c~1d"), ["key `a`", "key `0`", "key `b.c/d`"]);
        assert_eq!(
            steps("spec.containers[name=app].image"),
            [
                "key `spec`",
                "key `containers`",
                "item `[name=app]`",
                "key `image`"
            ]
        );
        assert_eq!(steps("/c/[name=app]"), ["key `c`", "item `[name=app]`"]);
        assert!(steps("").is_empty());
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "a..b", "a[", "a[x]", "a[\"b", "a[\"b\"", "a[0]b", "a.", "[é",
        ] {
            let error = FieldPath::parse(text).unwrap_err();
            assert!(error.message.contains("is no path"), "{text}");
        }
    }
}
