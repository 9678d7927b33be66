//! What applying one patch to one object carries along: the path for messages, the problems
//! found, and the origins that its writes leave behind.

use std::{collections::BTreeMap, sync::Arc};

use cairn_spec::{Diagnostic, Map, Node, OriginId, Origins, Span, Value};

/// One patch at work on one object.
pub(super) struct Session<'a> {
    origins: &'a mut Origins,
    /// The origin of the patch as a whole, for what has none of its own.
    patch: OriginId,
    path: Vec<String>,
    problems: Vec<Diagnostic>,
    deletions: &'a mut Deletions,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        origins: &'a mut Origins,
        patch: OriginId,
        deletions: &'a mut Deletions,
    ) -> Self {
        Self {
            origins,
            patch,
            path: Vec::new(),
            problems: Vec::new(),
            deletions,
        }
    }

    /// Runs `inner` one step further down. A step is a key, or a list item such as `[name=app]`.
    pub(super) fn below<T>(&mut self, step: &str, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step.to_owned());
        let result = inner(self);
        self.path.pop();
        result
    }

    /// The current path for messages: `spec.containers[name=app].image`.
    pub(super) fn path(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            if !text.is_empty() && !step.starts_with('[') {
                text.push('.');
            }
            text.push_str(step);
        }
        text
    }

    /// Reports an error at a place in the patch.
    pub(super) fn problem(&mut self, code: &'static str, message: impl Into<String>, at: OriginId) {
        let problem = Diagnostic::error(code, message).at(self.span(at));
        self.problems.push(problem);
    }

    /// Reports an error at a place in the patch, and what to do about it.
    pub(super) fn problem_with_hint(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        at: OriginId,
        hint: impl Into<Option<String>>,
    ) {
        let problem = Diagnostic::error(code, message)
            .at(self.span(at))
            .maybe_hint(hint.into());
        self.problems.push(problem);
    }

    /// Adds a second place to the last problem, such as what stands in the object.
    pub(super) fn also_at(&mut self, place: OriginId, text: &str) {
        let span = self.origins.span(place);
        if let Some(last) = self.problems.pop() {
            self.problems.push(last.label(span, text));
        }
    }

    pub(super) fn problems(&self) -> &[Diagnostic] {
        &self.problems
    }

    pub(super) fn into_problems(self) -> Vec<Diagnostic> {
        self.problems
    }

    /// The origin of a patch node, or of the patch when the node has none.
    pub(super) fn own(&self, origin: OriginId) -> OriginId {
        if origin == OriginId::GENERATED {
            self.patch
        } else {
            origin
        }
    }

    fn span(&self, origin: OriginId) -> Option<Span> {
        let origin = self.own(origin);
        self.origins
            .span(origin)
            .or_else(|| self.origins.span(self.patch))
    }

    /// The origin of a patch node that replaces what `loser` wrote.
    pub(super) fn over(&mut self, winner: OriginId, loser: Option<OriginId>) -> OriginId {
        let winner = self.own(winner);
        match loser {
            Some(loser) => self.origins.overriding(winner, loser),
            None => winner,
        }
    }

    /// The origin of a value that the patch takes from elsewhere in the object.
    pub(super) fn referring(
        &mut self,
        by: OriginId,
        source: OriginId,
        loser: Option<OriginId>,
    ) -> OriginId {
        let mut origin = self.origins.get(self.own(by)).clone();
        origin.refers_to = Some(source);
        origin.overrides = loser;
        self.origins.add(origin)
    }

    /// A copy of a patch node as it is, with an origin for everything in it.
    pub(super) fn adopt(&self, node: &Node) -> Node {
        let value = match &node.value {
            Value::List(items) => Value::List(items.iter().map(|item| self.adopt(item)).collect()),
            Value::Map(map) => {
                let mut copy = Map::new();
                for (key, field) in map.fields() {
                    let mut field = field.clone();
                    field.key_origin = self.own(field.key_origin);
                    field.node = self.adopt(&field.node);
                    copy.insert_field(Arc::clone(key), field);
                }
                Value::Map(copy)
            }
            scalar => scalar.clone(),
        };
        Node::new(value, self.own(node.origin))
    }

    /// Remembers that the patch deletes what the current path names, and whether it was there.
    pub(super) fn note_deletion(&mut self, by: OriginId, found: bool) {
        let path = self.path();
        let origin = self.own(by);
        let (_, hit) = self.deletions.all.entry(path).or_insert((origin, false));
        *hit |= found;
    }

    /// Tags mean something in values only; nothing in a patch is ignored silently.
    pub(super) fn refuse_tags(&mut self, body: &Node) {
        let mut tagged = Vec::new();
        body.walk(&mut |node| {
            if let Some(tag) = &self.origins.get(node.origin).tag {
                tagged.push((tag.to_string(), node.origin));
            }
        });
        for (tag, origin) in tagged {
            self.problem_with_hint(
                "patch-tag",
                format!("the tag `!{tag}` has no meaning in a patch"),
                origin,
                Some("a strategic patch has directives, such as `$patch: replace`".to_owned()),
            );
        }
    }
}

/// Deletions of one patch over all objects: one that never finds anything is probably a typo.
#[derive(Default)]
pub(super) struct Deletions {
    all: BTreeMap<String, (OriginId, bool)>,
}

impl Deletions {
    pub(super) fn into_warnings(self, origins: &Origins) -> impl Iterator<Item = Diagnostic> {
        self.all
            .into_iter()
            .filter(|(_, (_, found))| !found)
            .map(|(path, (origin, _))| {
                Diagnostic::warning(
                    "patch-deletes-nothing",
                    format!("the patch deletes `{path}`, which no matched object has"),
                )
                .at(origins.span(origin))
            })
    }
}

/// The text of a scalar, by which list items are told apart: `53` and `"53"` are the same port.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        Value::String(text) => Some(text.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}
