//! Resolves `${…}` references in values: variables, other layers' values, cluster and profile.
//!
//! References form a graph of paths, not of layers: `a.x → b.y` and `b.z → a.w` is fine, a loop of
//! paths is an error that prints the loop. What failed stays failed: whoever reads it fails too,
//! without a word, so that one mistake is one finding.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use cairn_spec::{
    Diagnostic, Field, LayerName, Map, Node, Origin, SourceKind, Span, Value, VariableName,
    suggest, yaml::write_scalar,
};

pub(crate) use super::scope::{Binding, LayerValues, Scope};
use super::{
    merge::deleted_by,
    reference::{Piece, may_refer, never_closed, pieces},
};
use crate::Session;

/// A place in a layer's values: the layer and a JSON Pointer.
type Place = (LayerName, String);

/// A text whose references are resolved.
#[derive(Debug, Clone)]
struct Resolved {
    node: Node,
    failed: bool,
}

/// A reference that is being looked up.
#[derive(Debug, Clone, Copy)]
struct Reference<'a> {
    /// Everything between the braces.
    path: &'a str,
    span: Option<Span>,
    /// The layer whose values it stands in.
    reader: Option<&'a LayerName>,
}

/// Resolves references and remembers which layer reads which.
pub(crate) struct Interpolator<'a> {
    scope: &'a Scope,
    done: HashMap<Place, Resolved>,
    open: Vec<(Place, Option<Span>)>,
    /// How many references failed so far, those that read a failed one included.
    failures: usize,
    /// `(reader, read)`.
    pub(crate) layer_reads: BTreeSet<(LayerName, LayerName)>,
    /// Secrets that a value refers to.
    pub(crate) secrets: BTreeSet<VariableName>,
    /// Variables that a value refers to.
    pub(crate) variables: BTreeSet<VariableName>,
}

impl<'a> Interpolator<'a> {
    pub(crate) fn new(scope: &'a Scope) -> Self {
        Self {
            scope,
            done: HashMap::new(),
            open: Vec::new(),
            failures: 0,
            layer_reads: BTreeSet::new(),
            secrets: BTreeSet::new(),
            variables: BTreeSet::new(),
        }
    }

    /// The values of a layer, references resolved; none when the layer has an error.
    pub(crate) fn layer(&mut self, layer: &LayerName, session: &mut Session) -> Option<Node> {
        let values = self.scope.layers.get(layer)?;
        let before = self.failures;
        let root = (layer.clone(), String::new());
        let node = self.resolve(&values.values, Some(&root), session);
        (values.sound && self.failures == before).then_some(node)
    }

    /// A tree that is not a layer's values, such as a patch or a manifest of the profile; none when
    /// a reference in it failed.
    pub(crate) fn tree(&mut self, node: &Node, session: &mut Session) -> Option<Node> {
        let before = self.failures;
        let resolved = self.resolve(node, None, session);
        (self.failures == before).then_some(resolved)
    }

    fn resolve(&mut self, node: &Node, place: Option<&Place>, session: &mut Session) -> Node {
        let below = |key: &str| place.map(|(layer, path)| (layer.clone(), format!("{path}/{key}")));
        let value = match &node.value {
            Value::Map(map) => {
                let mut resolved = Map::new();
                for (key, field) in map.fields() {
                    let node = self.resolve(&field.node, below(key).as_ref(), session);
                    let key_origin = field.key_origin;
                    resolved.insert_field(Arc::clone(key), Field { key_origin, node });
                }
                Value::Map(resolved)
            }
            Value::List(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    resolved.push(self.resolve(item, below(&index.to_string()).as_ref(), session));
                }
                Value::List(resolved)
            }
            Value::String(text) if may_refer(text) && is_ours(node, session) => {
                report_never_closed(node, text, session);
                return self.text(node, place, session);
            }
            _ => return node.clone(),
        };
        Node {
            value,
            origin: node.origin,
        }
    }

    /// A text that may hold references; at a place in a layer's values it is resolved only once.
    fn text(&mut self, node: &Node, place: Option<&Place>, session: &mut Session) -> Node {
        let Some(place) = place else {
            return self.substitute(node, None, session);
        };
        if let Some(done) = self.done.get(place) {
            self.failures += usize::from(done.failed);
            return done.node.clone();
        }
        let span = session.span(node);
        if let Some(start) = self.open.iter().position(|(open, _)| open == place) {
            self.report_loop(start, span, session);
            return self.failed(node);
        }
        let before = self.failures;
        self.open.push((place.clone(), span));
        let resolved = self.substitute(node, Some(&place.0), session);
        self.open.pop();
        let done = Resolved {
            node: resolved.clone(),
            failed: self.failures > before,
        };
        self.done.insert(place.clone(), done);
        resolved
    }

    fn failed(&mut self, node: &Node) -> Node {
        self.failures += 1;
        Node {
            value: Value::Null,
            origin: node.origin,
        }
    }

    fn report_loop(&self, start: usize, span: Option<Span>, session: &mut Session) {
        let name = |(layer, path): &Place| format!("{layer}{}", path.replace('/', "."));
        let members = &self.open[start..];
        let mut names: Vec<String> = members.iter().map(|(place, _)| name(place)).collect();
        names.push(names[0].clone());
        let mut diagnostic = Diagnostic::error(
            "reference-cycle",
            format!(
                "values refer to each other in a loop: {}",
                names.join(" → ")
            ),
        )
        .at(span);
        for (place, span) in members {
            if diagnostic
                .labels
                .iter()
                .all(|label| Some(label.span) != *span)
            {
                diagnostic =
                    diagnostic.label(*span, format!("`{}` refers on from here", name(place)));
            }
        }
        session.report(diagnostic.hint("give one of them a value of its own"));
    }

    fn substitute(
        &mut self,
        node: &Node,
        reader: Option<&LayerName>,
        session: &mut Session,
    ) -> Node {
        let text = node.as_str().unwrap_or_default();
        let parts = pieces(text);
        if let [Piece::Reference { path, offset }] = parts.as_slice() {
            let span = reference_span(session, node, *offset, path);
            let reference = Reference { path, span, reader };
            return match self.look_up(reference, session) {
                Some(value) => refer(value, node, session),
                None => self.failed(node),
            };
        }
        let mut out = String::new();
        for part in parts {
            match part {
                Piece::Text(plain) => out.push_str(plain),
                Piece::Reference { path, offset } => {
                    let span = reference_span(session, node, offset, path);
                    let reference = Reference { path, span, reader };
                    match self.printed(reference, session) {
                        Some(text) => out.push_str(&text),
                        None => self.failures += 1,
                    }
                }
            }
        }
        Node::new(out, node.origin)
    }

    /// What a reference prints inside a text.
    fn printed(&mut self, reference: Reference<'_>, session: &mut Session) -> Option<String> {
        let before = self.failures;
        let found = self.look_up(reference, session)?;
        match found.value {
            Value::String(text) => Some(text.to_string()),
            value @ (Value::Bool(_) | Value::Int(_) | Value::Float(_)) => {
                Some(write_scalar(&value))
            }
            _ if self.failures > before => None,
            other => {
                session.report(
                    Diagnostic::error(
                        "reference-kind",
                        format!(
                            "`${{{}}}` is {} and cannot stand inside a text",
                            reference.path,
                            with_article(other.kind())
                        ),
                    )
                    .at(reference.span)
                    .hint("let the reference be the whole value"),
                );
                None
            }
        }
    }

    /// What a reference refers to; none when that failed, which is reported.
    fn look_up(&mut self, reference: Reference<'_>, session: &mut Session) -> Option<Node> {
        let (root, rest) = reference.path.split_once('.')?;
        match root {
            "var" => self.variable(rest, reference.span, session),
            "layer" => self.layer_value(rest, reference, session),
            "cluster" => {
                if self.scope.cluster.is_none() {
                    session.report(
                        Diagnostic::error(
                            "reference-undefined",
                            format!("`${{{}}}` needs a cluster", reference.path),
                        )
                        .at(reference.span)
                        .hint("build with `--cluster FILE`"),
                    );
                }
                field(self.scope.cluster.as_ref()?, reference, session)
            }
            _ => field(self.scope.profile.as_ref()?, reference, session),
        }
    }

    fn variable(&mut self, name: &str, span: Option<Span>, session: &mut Session) -> Option<Node> {
        let known = self.scope.variables.keys().map(VariableName::as_str);
        let Some((name, binding)) = self
            .scope
            .variables
            .iter()
            .find(|(other, _)| other.as_str() == name)
        else {
            let hint = suggest(name, known)
                .or_else(|| Some(format!("declare it: `variables: [{{name: {name}}}]`")));
            session.report(
                Diagnostic::error(
                    "variable-undefined",
                    format!("there is no variable `{name}`"),
                )
                .at(span)
                .maybe_hint(hint),
            );
            return None;
        };
        self.variables.insert(name.clone());
        match binding {
            Binding::Broken => None,
            Binding::Value(node) => Some(node.clone()),
            Binding::Secret(placeholder) => {
                self.secrets.insert(name.clone());
                Some(Node::generated(placeholder.as_str()))
            }
            Binding::Unset(declared) => {
                session.report(
                    Diagnostic::error(
                        "variable-unset",
                        format!("the variable `{name}` has no value"),
                    )
                    .at(span)
                    .label(*declared, "declared here, without a default")
                    .hint("set it in the cluster's `variables`, or give it a default"),
                );
                None
            }
        }
    }

    fn layer_value(
        &mut self,
        rest: &str,
        reference: Reference<'_>,
        session: &mut Session,
    ) -> Option<Node> {
        let (name, path) = rest.split_once('.').unwrap_or((rest, ""));
        let scope = self.scope;
        if scope.broken.iter().any(|broken| broken.as_str() == name) {
            return None;
        }
        let Some((layer, values)) = scope
            .layers
            .iter()
            .find(|(other, _)| other.as_str() == name)
        else {
            session.report(
                Diagnostic::error("reference-undefined", format!("there is no layer `{name}`"))
                    .at(reference.span)
                    .maybe_hint(suggest(name, scope.layers.keys().map(LayerName::as_str))),
            );
            return None;
        };
        if let Some(reader) = reference.reader.filter(|reader| *reader != layer) {
            self.layer_reads.insert((reader.clone(), layer.clone()));
        }
        let found = self.walk((layer, values), path, reference.span, session);
        if found.is_some()
            && reference.reader != Some(layer)
            && let Some(exports) = &values.exports
            && !is_exported(exports, path)
        {
            let known = exports.iter().map(String::as_str);
            session.report(
                Diagnostic::warning("reference-not-exported", format!("the pack of layer `{name}` does not export `{path}`, so it may change without notice"))
                    .at(reference.span)
                    .maybe_hint(suggest(path, known).or_else(|| Some("name it under `spec.exports` of the pack".to_owned()))),
            );
        }
        found
    }

    /// Follows a dotted path through a layer's values, resolving references on the way.
    fn walk(
        &mut self,
        (layer, values): (&LayerName, &LayerValues),
        path: &str,
        span: Option<Span>,
        session: &mut Session,
    ) -> Option<Node> {
        let mut here = values.values.clone();
        let mut pointer = String::new();
        // What a reference stands for is resolved already; resolving it again would read texts of
        // other places as references.
        let mut resolved = false;
        let keys: Vec<&str> = path.split('.').filter(|key| !key.is_empty()).collect();
        for key in &keys {
            if !resolved
                && let Value::String(text) = &here.value
                && may_refer(text)
                && is_ours(&here, session)
            {
                let before = self.failures;
                here = self.text(&here, Some(&(layer.clone(), pointer.clone())), session);
                resolved = true;
                if self.failures > before {
                    return None;
                }
            }
            let next = match &here.value {
                Value::Map(map) => map.get(key),
                Value::List(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            let Some(next) = next.cloned() else {
                // Where the layer has an error, the value may be missing because of it.
                if values.sound {
                    let missing = Diagnostic::error(
                        "reference-undefined",
                        format!("layer `{layer}` has no value `{path}`"),
                    );
                    let deleted = (1..=keys.len())
                        .find_map(|end| deleted_by(&values.values, &keys[..end]))
                        .and_then(|origin| session.origins.span(origin));
                    session.report(
                        missing
                            .at(span)
                            .label(deleted, "deleted here")
                            .maybe_hint(suggest(key, keys_of(&here))),
                    );
                }
                return None;
            };
            pointer = format!("{pointer}/{key}");
            here = next;
        }
        if resolved {
            return Some(here);
        }
        Some(self.resolve(&here, Some(&(layer.clone(), pointer)), session))
    }
}

/// A path is exported when it or a path above it is.
fn is_exported(exports: &[String], path: &str) -> bool {
    exports.iter().any(|export| {
        path.strip_prefix(export.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

fn keys_of(node: &Node) -> impl Iterator<Item = &str> + Clone {
    node.as_map()
        .into_iter()
        .flat_map(|map| map.keys().map(|key| &**key))
}

fn with_article(kind: &str) -> String {
    match kind {
        "null" => "null".to_owned(),
        kind => format!("a {kind}"),
    }
}

/// Packs know nothing of the profile, so only what the profile's author or the cluster's operator
/// wrote is searched for references.
fn is_ours(node: &Node, session: &Session) -> bool {
    matches!(
        session.source_kind(session.span(node)),
        Some(SourceKind::Profile | SourceKind::Cluster | SourceKind::CommandLine)
    )
}

fn field(root: &Node, reference: Reference<'_>, session: &mut Session) -> Option<Node> {
    let (root_name, path) = reference.path.split_once('.')?;
    let mut here = root;
    for key in path.split('.') {
        let Some(next) = here.get(key) else {
            let missing = Diagnostic::error(
                "reference-undefined",
                format!("`{root_name}` has no `{path}`"),
            );
            session.report(
                missing
                    .at(reference.span)
                    .maybe_hint(suggest(key, keys_of(here))),
            );
            return None;
        };
        here = next;
    }
    Some(here.clone())
}

/// A reference without its closing brace is a mistake, not a text.
fn report_never_closed(node: &Node, text: &str, session: &mut Session) {
    let Some(offset) = never_closed(text) else {
        return;
    };
    let path = &text[offset + 2..];
    session.report(
        Diagnostic::error(
            "reference-syntax",
            format!("the reference `${{{path}` is never closed"),
        )
        .at(reference_span(session, node, offset, path))
        .hint("add the `}`, or write `$${` to mean the text"),
    );
}

/// The place of a reference inside its text, when the text stands in its file as it is.
fn reference_span(session: &Session, node: &Node, offset: usize, path: &str) -> Option<Span> {
    let span = session.span(node)?;
    let text = node.as_str()?;
    let written = session
        .sources
        .get(span.source)
        .text
        .get(span.start as usize..span.end as usize)?;
    match written.find(text) {
        Some(start) => {
            let start = span.start + u32::try_from(start + offset).ok()?;
            Some(Span {
                start,
                end: start + u32::try_from(path.len() + 3).ok()?,
                ..span
            })
        }
        None => Some(span),
    }
}

/// A value in the place of the reference to it: its leaves are written here, and say what they refer to.
fn refer(found: Node, here: &Node, session: &mut Session) -> Node {
    let origin = Origin {
        refers_to: Some(found.origin),
        ..session.origins.get(here.origin).clone()
    };
    Node {
        value: found.value,
        origin: session.origins.add(origin),
    }
}
