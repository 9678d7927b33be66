//! JSON Pointers (RFC 6901) with predicates: `/spec/containers/[name=app]/image`.
//!
//! A token in brackets with a `=` selects the one item of a list that has these values. Where the
//! pointer meets a map, the token is an ordinary key, so every RFC 6901 pointer means what it always
//! did. Dots in a predicate descend (`[metadata.name=data]`), `[=text]` selects a scalar, and a
//! value in double quotes may contain `,` and `]`.

use std::{fmt, sync::Arc};

use cairn_spec::{Node, Value, nearest};

use super::session::scalar_text;

/// A pointer as it is written.
#[derive(Debug, Clone)]
pub(super) struct Pointer {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone)]
struct Token {
    /// The token as it is written, for messages.
    written: String,
    /// The key that it names in a map.
    key: Arc<str>,
    predicate: Option<Vec<Condition>>,
}

/// A path of keys below an item, empty for the item itself, and the text of the scalar there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    path: Vec<String>,
    text: String,
}

/// A step from a value to one below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(Arc<str>),
    Index(usize),
    /// Past the end of a list.
    End,
}

/// Why a pointer leads nowhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Failure {
    fn new(message: String, hint: Option<String>) -> Self {
        Self { message, hint }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokens
            .iter()
            .try_for_each(|token| write!(f, "/{}", token.written))
    }
}

impl Pointer {
    /// Reads a pointer.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        if !text.is_empty() && !text.starts_with('/') {
            let message = format!("`{text}` is not a JSON Pointer, which starts with `/`");
            return Err(Failure::new(
                message,
                Some(format!("write `/{}`", text.replace('.', "/"))),
            ));
        }
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(after) = rest.strip_prefix('/') {
            let end = token_end(after);
            tokens.push(Token::parse(&after[..end])?);
            rest = &after[end..];
        }
        Ok(Self { tokens })
    }

    /// The pointer names the whole document.
    pub(super) fn is_root(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The steps to a value that must be there.
    pub(super) fn resolve(&self, root: &Node) -> Result<Vec<Step>, Failure> {
        let mut node = root;
        let mut steps = Vec::with_capacity(self.tokens.len());
        for (depth, token) in self.tokens.iter().enumerate() {
            let step = token.step(node, || self.prefix(depth))?;
            let child = step.of(node);
            node = child.ok_or_else(|| token.missing(node, &self.prefix(depth)))?;
            steps.push(step);
        }
        Ok(steps)
    }

    /// The steps to a place whose parent must be there, and its last step, which may be new.
    pub(super) fn resolve_place(&self, root: &Node) -> Result<(Vec<Step>, Step), Failure> {
        let Some((last, parents)) = self.tokens.split_last() else {
            return Err(Failure::new(
                "the whole document has no parent".to_owned(),
                None,
            ));
        };
        let parents = Self {
            tokens: parents.to_vec(),
        };
        let steps = parents.resolve(root)?;
        let parent = steps
            .iter()
            .try_fold(root, |node, step| step.of(node))
            .unwrap_or(root);
        let step = last.step(parent, || parents.to_string())?;
        match (&step, parent.as_list()) {
            (Step::Index(index), Some(items)) if *index > items.len() => {
                Err(last.missing(parent, &parents.to_string()))
            }
            _ => Ok((steps, step)),
        }
    }

    fn prefix(&self, depth: usize) -> String {
        let tokens = self.tokens[..depth].to_vec();
        Self { tokens }.to_string()
    }
}

/// Where a token ends: at the next `/`, except within a predicate.
fn token_end(text: &str) -> usize {
    let plain = text.find('/').unwrap_or(text.len());
    if !text.starts_with('[') {
        return plain;
    }
    let mut quoted = false;
    for (index, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ']' if !quoted => {
                let end = index + 1;
                let ends = text[end..].is_empty() || text[end..].starts_with('/');
                return if ends && text[..end].contains('=') {
                    end
                } else {
                    plain
                };
            }
            _ => {}
        }
    }
    plain
}

impl Token {
    fn parse(written: &str) -> Result<Self, Failure> {
        let bad_escape = written
            .split('~')
            .skip(1)
            .any(|after| !after.starts_with(['0', '1']));
        if bad_escape {
            let message = format!("`{written}` has a `~` that is neither `~0` nor `~1`");
            return Err(Failure::new(
                message,
                Some("write `~0` for `~` and `~1` for `/`".to_owned()),
            ));
        }
        let key = written.replace("~1", "/").replace("~0", "~");
        let inner = key
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let predicate = inner
            .filter(|inner| inner.contains('='))
            .map(parse_conditions);
        let predicate = match predicate {
            Some(Some(conditions)) => Some(conditions),
            Some(None) => {
                let message =
                    format!("`{written}` is not a predicate such as `[name=app,kind=\"b\"]`");
                return Err(Failure::new(message, None));
            }
            None => None,
        };
        Ok(Self {
            written: written.to_owned(),
            key: key.into(),
            predicate,
        })
    }

    /// The step that this token stands for in a value; it may lead to nothing.
    fn step(&self, node: &Node, prefix: impl Fn() -> String) -> Result<Step, Failure> {
        let items = match &node.value {
            Value::Map(_) => return Ok(Step::Key(Arc::clone(&self.key))),
            Value::List(items) => items,
            other => {
                let message = format!(
                    "`{}` is a {}, which has nothing below it",
                    name(&prefix()),
                    other.kind()
                );
                return Err(Failure::new(message, None));
            }
        };
        if let Some(conditions) = &self.predicate {
            return self.select(items, conditions, &prefix());
        }
        if &*self.key == "-" {
            return Ok(Step::End);
        }
        let digits = self.key.bytes().all(|byte| byte.is_ascii_digit());
        let leading_zero = self.key.len() > 1 && self.key.starts_with('0');
        match self.key.parse() {
            Ok(index) if digits && !leading_zero => Ok(Step::Index(index)),
            _ => {
                let message = format!(
                    "`{}` is a list, `{}` is no position in it",
                    name(&prefix()),
                    self.written
                );
                let hint = if self.written.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    format!("use a predicate such as `[name={}]`", self.written)
                } else {
                    "positions count from 0, without leading zeros".to_owned()
                };
                Err(Failure::new(message, Some(hint)))
            }
        }
    }

    /// The one item that meets the conditions.
    fn select(
        &self,
        items: &[Node],
        conditions: &[Condition],
        prefix: &str,
    ) -> Result<Step, Failure> {
        let meets = |item: &Node| conditions.iter().all(|condition| condition.holds(item));
        let found: Vec<usize> = items
            .iter()
            .enumerate()
            .filter(|(_, item)| meets(item))
            .map(|(index, _)| index)
            .collect();
        match (found.as_slice(), conditions) {
            ([only], _) => Ok(Step::Index(*only)),
            ([], [Condition { path, text }, ..]) => {
                let there: Vec<String> = items
                    .iter()
                    .filter_map(|item| text_at(item, path))
                    .collect();
                let message = format!("no item of `{}` has `{}`", name(prefix), self.written);
                Err(Failure::new(
                    message,
                    what_is_there(text, there.iter().map(String::as_str)),
                ))
            }
            (many, _) => {
                let message = format!(
                    "{} items of `{}` have `{}`",
                    many.len(),
                    name(prefix),
                    self.written
                );
                Err(Failure::new(
                    message,
                    Some("add a condition, separated by `,`".to_owned()),
                ))
            }
        }
    }

    /// What to say when nothing is at this token.
    fn missing(&self, node: &Node, prefix: &str) -> Failure {
        let prefix = name(prefix);
        match &node.value {
            Value::List(items) => {
                let message = match items.len() {
                    0 => format!("`{prefix}` is an empty list"),
                    1 => format!("`{prefix}` has one item, nothing is at `{}`", self.written),
                    count => format!(
                        "`{prefix}` has {count} items, nothing is at `{}`",
                        self.written
                    ),
                };
                Failure::new(message, None)
            }
            Value::Map(map) => {
                let message = format!("`{prefix}` has no `{}`", self.key);
                Failure::new(
                    message,
                    what_is_there(&self.key, map.keys().map(|key| &**key)),
                )
            }
            other => Failure::new(format!("`{prefix}` is a {}", other.kind()), None),
        }
    }
}

/// What a mistyped word may mean, or else what there is, when that is not much.
fn what_is_there<'t>(word: &str, there: impl Iterator<Item = &'t str> + Clone) -> Option<String> {
    /// More than so many names are not listed.
    const SHOWN: usize = 12;
    if let Some(near) = nearest(word, there.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let names: Vec<&str> = there.collect();
    match names.len() {
        1..=SHOWN => Some(format!("there is `{}`", names.join("`, `"))),
        _ => None,
    }
}

/// A pointer in words; the empty one is the document.
fn name(pointer: &str) -> &str {
    if pointer.is_empty() {
        "the object"
    } else {
        pointer
    }
}

impl Step {
    /// The value that this step leads to.
    pub(super) fn of<'n>(&self, node: &'n Node) -> Option<&'n Node> {
        match (self, &node.value) {
            (Self::Key(key), Value::Map(map)) => map.get(key),
            (Self::Index(index), Value::List(items)) => items.get(*index),
            _ => None,
        }
    }

    /// The value that this step leads to, to change it.
    pub(super) fn of_mut<'n>(&self, node: &'n mut Node) -> Option<&'n mut Node> {
        match (self, &mut node.value) {
            (Self::Key(key), Value::Map(map)) => map.get_mut(key),
            (Self::Index(index), Value::List(items)) => items.get_mut(*index),
            _ => None,
        }
    }
}

impl Condition {
    fn holds(&self, item: &Node) -> bool {
        text_at(item, &self.path).as_ref() == Some(&self.text)
    }
}

fn text_at(item: &Node, path: &[String]) -> Option<String> {
    let node = path.iter().try_fold(item, |node, key| node.get(key))?;
    scalar_text(&node.value)
}

/// `name=app,metadata.name="a,b"`.
fn parse_conditions(text: &str) -> Option<Vec<Condition>> {
    let mut conditions = Vec::new();
    let mut rest = text;
    loop {
        let (path, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        let keys = path.split('.').filter(|_| !path.is_empty());
        if keys.clone().any(str::is_empty) {
            return None;
        }
        conditions.push(Condition {
            path: keys.map(str::to_owned).collect(),
            text: value.to_owned(),
        });
        match after {
            "" => return Some(conditions),
            _ => rest = after.strip_prefix(',')?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(pointer: &str) -> Result<serde_json::Value, String> {
        let root = Node::from(serde_json::json!({
            "a/b": {"~c": 1, "": 2},
            "list": [
                {"name": "x", "port": 80, "metadata": {"name": "m/n"}},
                {"name": "y", "port": 80, "metadata": {"name": "a,]b"}},
                "plain",
            ],
            "[name=x]": true,
        }));
        let text = |failure: Failure| match failure.hint {
            Some(hint) => format!("{}; {hint}", failure.message),
            None => failure.message,
        };
        let steps = Pointer::parse(pointer)
            .and_then(|p| p.resolve(&root))
            .map_err(text)?;
        let node = steps.iter().try_fold(&root, |node, step| step.of(node));
        Ok(node.unwrap().to_json())
    }

    #[test]
    fn pointers_and_predicates_find_values() {
        let cases = [
            ("/a~1b/~0c", "1"),
            ("/a~1b/", "2"),
            ("/list/0/name", r#""x""#),
            ("/list/[name=y]/name", r#""y""#),
            ("/list/[port=80,name=y]/name", r#""y""#),
            ("/list/[metadata.name=m/n]/name", r#""x""#),
            ("/list/[metadata.name=\"a,]b\"]/name", r#""y""#),
            ("/list/[=plain]", r#""plain""#),
            ("/[name=x]", "true"),
        ];
        for (pointer, expected) in cases {
            assert_eq!(
                resolved(pointer).unwrap().to_string(),
                expected,
                "{pointer}"
            );
        }
    }

    #[test]
    fn failures_say_what_is_there() {
        let cases = [
            (
                "list",
                "`list` is not a JSON Pointer, which starts with `/`; write `/list`",
            ),
            ("/lst", "`the object` has no `lst`; did you mean `list`?"),
            ("/list/9", "`/list` has 3 items, nothing is at `9`"),
            ("/list/-", "`/list` has 3 items, nothing is at `-`"),
            (
                "/list/01",
                "`/list` is a list, `01` is no position in it; positions count from 0, without leading zeros",
            ),
            (
                "/list/[name=z]",
                "no item of `/list` has `[name=z]`; did you mean `x`?",
            ),
            (
                "/list/[port=80]",
                "2 items of `/list` have `[port=80]`; add a condition, separated by `,`",
            ),
            (
                "/list/x",
                "`/list` is a list, `x` is no position in it; use a predicate such as `[name=x]`",
            ),
            ("/list/[a=b=\"c]", "no item of `/list` has `[a=b=\"c]`"),
            (
                "/list/[.a=b]",
                "`[.a=b]` is not a predicate such as `[name=app,kind=\"b\"]`",
            ),
            (
                "/a~2",
                "`a~2` has a `~` that is neither `~0` nor `~1`; write `~0` for `~` and `~1` for `/`",
            ),
            (
                "/list/0/name/x",
                "`/list/0/name` is a string, which has nothing below it",
            ),
        ];
        for (pointer, expected) in cases {
            assert_eq!(resolved(pointer).unwrap_err(), expected, "{pointer}");
        }
    }
}
