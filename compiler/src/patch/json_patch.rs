//! JSON Patch (RFC 6902): operations on places, all of them or none.

use cairn_spec::{Field, Map, Node, OriginId, Value, suggest};

use super::{
    pointer::{Failure, Pointer, Step},
    session::Session,
};

/// One operation, read and ready for any object.
#[derive(Debug)]
pub(super) struct Operation<'p> {
    action: Action<'p>,
    path: Pointer,
    origin: OriginId,
    /// Its position in the patch, for messages.
    index: usize,
}

#[derive(Debug)]
enum Action<'p> {
    Add(&'p Node),
    Remove,
    Replace(&'p Node),
    Move(Pointer),
    Copy(Pointer),
    Test(&'p Node),
}

const NAMES: [&str; 6] = ["add", "remove", "replace", "move", "copy", "test"];

/// Reads the operations of a patch; what is wrong with them is reported.
pub(super) fn read<'p>(body: &'p Node, session: &mut Session<'_>) -> Vec<Operation<'p>> {
    let Some(items) = body.as_list() else {
        let found = body.value.kind();
        session.problem_with_hint(
            "patch-body",
            format!("a patch of `type: json6902` is a list of operations, found a {found}"),
            body.origin,
            "write a map with `type: strategic` or `type: merge`".to_owned(),
        );
        return Vec::new();
    };
    let read = |(index, item)| read_operation(index, item, session);
    items.iter().enumerate().filter_map(read).collect()
}

fn read_operation<'p>(
    index: usize,
    item: &'p Node,
    session: &mut Session<'_>,
) -> Option<Operation<'p>> {
    let Some(map) = item.as_map() else {
        let found = item.value.kind();
        session.problem(
            "patch-operation",
            format!("an operation is a map, found a {found}"),
            item.origin,
        );
        return None;
    };
    for (key, field) in map.fields() {
        const KEYS: [&str; 4] = ["op", "path", "from", "value"];
        if !KEYS.contains(&&**key) {
            let message = format!("an operation has no `{key}`");
            session.problem_with_hint(
                "patch-operation",
                message,
                field.key_origin,
                suggest(key, KEYS),
            );
        }
    }
    let name = text(map, "op", item, session)?;
    let path = pointer(map, "path", item, session);
    let action = match name {
        "add" => Action::Add(value(map, name, item, session)?),
        "replace" => Action::Replace(value(map, name, item, session)?),
        "test" => Action::Test(value(map, name, item, session)?),
        "remove" => Action::Remove,
        "move" => Action::Move(pointer(map, "from", item, session)?),
        "copy" => Action::Copy(pointer(map, "from", item, session)?),
        other => {
            let message = format!("there is no operation `{other}`");
            session.problem_with_hint(
                "patch-operation",
                message,
                item.origin,
                suggest(other, NAMES),
            );
            return None;
        }
    };
    let unused = match action {
        Action::Move(_) | Action::Copy(_) => "value",
        Action::Remove if map.contains_key("value") => "value",
        _ => "from",
    };
    if let Some(field) = map.field(unused) {
        let message = format!("`{name}` has no `{unused}`");
        session.problem("patch-operation", message, field.key_origin);
    }
    Some(Operation {
        action,
        path: path?,
        origin: item.origin,
        index,
    })
}

fn text<'p>(map: &'p Map, key: &str, item: &Node, session: &mut Session<'_>) -> Option<&'p str> {
    let node = map.get(key);
    let text = node.and_then(Node::as_str);
    if text.is_none() {
        let message = match node {
            None => format!("an operation needs `{key}`"),
            Some(node) => format!("`{key}` is a text, found a {}", node.value.kind()),
        };
        session.problem("patch-operation", message, node.unwrap_or(item).origin);
    }
    text
}

fn pointer(map: &Map, key: &str, item: &Node, session: &mut Session<'_>) -> Option<Pointer> {
    match Pointer::parse(text(map, key, item, session)?) {
        Ok(pointer) => Some(pointer),
        Err(Failure { message, hint }) => {
            let at = map.get(key).unwrap_or(item).origin;
            session.problem_with_hint("patch-path", message, at, hint);
            None
        }
    }
}

fn value<'p>(map: &'p Map, name: &str, item: &Node, session: &mut Session<'_>) -> Option<&'p Node> {
    let value = map.get("value");
    if value.is_none() {
        session.problem(
            "patch-operation",
            format!("`{name}` needs a `value`"),
            item.origin,
        );
    }
    value
}

/// Applies operations in order, up to the first that fails.
pub(super) fn apply(object: &mut Node, operations: &[Operation<'_>], session: &mut Session<'_>) {
    for operation in operations {
        if let Err(Failure { message, hint }) = operation.apply(object, session) {
            let name = match operation.action {
                Action::Add(_) => "add",
                Action::Remove => "remove",
                Action::Replace(_) => "replace",
                Action::Move(_) => "move",
                Action::Copy(_) => "copy",
                Action::Test(_) => "test",
            };
            let (number, path) = (operation.index + 1, &operation.path);
            let code = match operation.action {
                Action::Test(_) => "patch-test",
                _ => "patch-path",
            };
            session.problem_with_hint(
                code,
                format!("operation {number}, `{name} {path}`: {message}"),
                operation.origin,
                hint,
            );
            return;
        }
    }
    if object.as_map().is_none() {
        let found = object.value.kind();
        session.problem(
            "patch-body",
            format!("the patch makes a {found} of the object"),
            object.origin,
        );
    }
}

impl Operation<'_> {
    fn apply(&self, object: &mut Node, session: &mut Session<'_>) -> Result<(), Failure> {
        match &self.action {
            Action::Add(value) => self.insert(object, session.adopt(value), session),
            Action::Remove => self.path.remove(object, session.own(self.origin)).map(drop),
            Action::Replace(value) => {
                let steps = self.path.resolve(object)?;
                let target = walk(object, &steps)?;
                let loser = target.origin;
                *target = session.adopt(value);
                target.origin = session.over(value.origin, Some(loser));
                Ok(())
            }
            Action::Move(from) => {
                let (from_text, to_text) = (from.to_string(), self.path.to_string());
                if to_text
                    .strip_prefix(&from_text)
                    .is_some_and(|rest| rest.starts_with('/'))
                {
                    return Err(failure(format!("`{from_text}` cannot move into itself")));
                }
                let moved = from.remove(object, session.own(self.origin))?;
                self.insert(object, self.refer(moved, session), session)
            }
            Action::Copy(from) => {
                let steps = from.resolve(object)?;
                let copy = walk(object, &steps)?.clone();
                self.insert(object, self.refer(copy, session), session)
            }
            Action::Test(expected) => {
                let steps = self.path.resolve(object)?;
                let found = walk(object, &steps)?;
                if same_json(&found.value, &expected.value) {
                    return Ok(());
                }
                Err(failure(format!(
                    "expected {}, found {}",
                    brief(expected),
                    brief(found)
                )))
            }
        }
    }

    /// A value from elsewhere in the object, which this operation refers to.
    fn refer(&self, mut node: Node, session: &mut Session<'_>) -> Node {
        node.origin = session.referring(self.origin, node.origin, None);
        node
    }

    /// `add`: into a list before a position, or under a key whether or not it is there.
    fn insert(
        &self,
        object: &mut Node,
        mut node: Node,
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        if self.path.is_root() {
            node.origin = session.over(node.origin, Some(object.origin));
            *object = node;
            return Ok(());
        }
        let (parents, last) = self.path.resolve_place(object)?;
        match (&mut walk(object, &parents)?.value, last) {
            (Value::Map(map), Step::Key(key)) => {
                let existing = map.field(&key);
                let key_origin =
                    existing.map_or_else(|| session.own(self.origin), |field| field.key_origin);
                if let Some(loser) = existing.map(|field| field.node.origin) {
                    node.origin = session.over(node.origin, Some(loser));
                }
                map.insert_field(key, Field { key_origin, node });
            }
            (Value::List(items), Step::Index(index)) if index <= items.len() => {
                items.insert(index, node);
            }
            (Value::List(items), _) => items.push(node),
            _ => {}
        }
        Ok(())
    }
}

impl Pointer {
    /// Takes out what is at a pointer.
    fn remove(&self, object: &mut Node, by: OriginId) -> Result<Node, Failure> {
        let steps = self.resolve(object)?;
        let Some((last, parents)) = steps.split_last() else {
            return Err(failure("the whole object cannot be removed so".to_owned()));
        };
        let removed = match (&mut walk(object, parents)?.value, last) {
            (Value::Map(map), Step::Key(key)) => map.delete(key, by).map(|field| field.node),
            (Value::List(items), Step::Index(index)) => Some(items.remove(*index)),
            _ => None,
        };
        removed.ok_or_else(|| failure(format!("nothing is at `{self}`")))
    }
}

/// Goes down steps that have been resolved.
fn walk<'n>(root: &'n mut Node, steps: &[Step]) -> Result<&'n mut Node, Failure> {
    steps
        .iter()
        .try_fold(root, |node, step| step.of_mut(node))
        .ok_or_else(|| failure("the place is gone".to_owned()))
}

fn failure(message: String) -> Failure {
    Failure {
        message,
        hint: None,
    }
}

/// Equal as JSON is: numbers by value (RFC 6902 §4.6).
fn same_json(left: &Value, right: &Value) -> bool {
    match (left, right) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a float beside an integer has lost it already"
        )]
        #[expect(
            clippy::float_cmp,
            reason = "numerically equal is what the RFC asks for"
        )]
        (Value::Int(int), Value::Float(float)) | (Value::Float(float), Value::Int(int)) => {
            *int as f64 == *float
        }
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(l, r)| same_json(&l.value, &r.value))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right.iter())
                    .all(|((lk, l), (rk, r))| lk == rk && same_json(&l.value, &r.value))
        }
        (left, right) => left.same_data(right),
    }
}

/// A value for a message, cut when it is long.
fn brief(node: &Node) -> String {
    /// The longest text of a value, in characters.
    const LONGEST: usize = 60;
    let text = node.to_json().to_string();
    if text.chars().count() <= LONGEST {
        return format!("`{text}`");
    }
    format!("`{}…`", text.chars().take(LONGEST).collect::<String>())
}
