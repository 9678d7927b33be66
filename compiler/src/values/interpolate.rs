//! Resolves `${…}` references in values: variables, other layers' values, cluster and profile.
//!
//! References form a graph of paths, not of layers: `a.x → b.y` and `b.z → a.w` is fine, a loop of
//! paths is an error that prints the loop.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use cairn_spec::{
    Diagnostic, Field, LayerName, Map, Node, Origin, SourceKind, Span, Value, VariableName,
    suggest, yaml::write_scalar,
};

use super::{
    merge::deleted_by,
    reference::{Piece, may_refer, never_closed, pieces},
};
use crate::Session;

/// A variable that has a value.
#[derive(Debug, Clone)]
pub(crate) enum Binding {
    /// The value, with the origin of where it was bound.
    Value(Node),
    /// A secret: the text that stands for it.
    Secret(String),
    /// Declared, without a value.
    Unset(Option<Span>),
    /// Its value cannot be used, which is reported already.
    Broken,
}

/// The values of a layer, before references are resolved.
#[derive(Debug, Clone)]
pub(crate) struct LayerValues {
    pub(crate) values: Node,
    /// The paths that the pack lets others read; none when it is not a pack.
    pub(crate) exports: Option<Vec<String>>,
}

/// What references can refer to.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) variables: BTreeMap<VariableName, Binding>,
    pub(crate) layers: BTreeMap<LayerName, LayerValues>,
    /// Layers that could not be resolved, which is reported already.
    pub(crate) broken: BTreeSet<LayerName>,
    /// `name`, `labels`.
    pub(crate) cluster: Option<Node>,
    /// `name`, `version`.
    pub(crate) profile: Option<Node>,
}

/// A place in a layer's values.
type Place = (LayerName, String);

/// Resolves references and remembers which layer reads which.
pub(crate) struct Interpolator<'a> {
    scope: &'a Scope,
    done: HashMap<Place, Node>,
    open: Vec<(Place, Option<Span>)>,
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
            layer_reads: BTreeSet::new(),
            secrets: BTreeSet::new(),
            variables: BTreeSet::new(),
        }
    }

    /// The values of a layer, references resolved.
    pub(crate) fn layer(&mut self, layer: &LayerName, session: &mut Session) -> Node {
        match self.scope.layers.get(layer) {
            Some(values) => self.resolve(
                &values.values,
                Some(&(layer.clone(), String::new())),
                session,
            ),
            None => Node::generated(Map::new()),
        }
    }

    /// A tree that is not a layer's values, such as a patch or a manifest of the profile.
    pub(crate) fn tree(&mut self, node: &Node, session: &mut Session) -> Node {
        self.resolve(node, None, session)
    }

    fn resolve(&mut self, node: &Node, place: Option<&Place>, session: &mut Session) -> Node {
        let below = |key: &str| place.map(|(layer, path)| (layer.clone(), format!("{path}/{key}")));
        match &node.value {
            Value::Map(map) => {
                let mut resolved = Map::new();
                for (key, field) in map.fields() {
                    let node = self.resolve(&field.node, below(key).as_ref(), session);
                    resolved.insert_field(
                        Arc::clone(key),
                        Field {
                            key_origin: field.key_origin,
                            node,
                        },
                    );
                }
                Node {
                    value: Value::Map(resolved),
                    origin: node.origin,
                }
            }
            Value::List(items) => {
                let items = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        self.resolve(item, below(&index.to_string()).as_ref(), session)
                    })
                    .collect();
                Node {
                    value: Value::List(items),
                    origin: node.origin,
                }
            }
            Value::String(text) if may_refer(text) && is_ours(node, session) => {
                if let Some(offset) = never_closed(text) {
                    let path = &text[offset + 2..];
                    session.report(
                        Diagnostic::error(
                            "reference-syntax",
                            format!("the reference `${{{path}` is never closed"),
                        )
                        .at(reference_span(session, node, text, offset, path))
                        .hint("add the `}`, or write `$${` to mean the text"),
                    );
                }
                self.text(node, text, place, session)
            }
            _ => node.clone(),
        }
    }

    fn text(
        &mut self,
        node: &Node,
        text: &str,
        place: Option<&Place>,
        session: &mut Session,
    ) -> Node {
        let Some(place) = place else {
            return self.substitute(node, text, None, session);
        };
        if let Some(done) = self.done.get(place) {
            return done.clone();
        }
        let span = session.span(node);
        if let Some(start) = self.open.iter().position(|(open, _)| open == place) {
            self.report_loop(start, span, session);
            return Node {
                value: Value::Null,
                origin: node.origin,
            };
        }
        self.open.push((place.clone(), span));
        let resolved = self.substitute(node, text, Some(&place.0), session);
        self.open.pop();
        self.done.insert(place.clone(), resolved.clone());
        resolved
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
        text: &str,
        reader: Option<&LayerName>,
        session: &mut Session,
    ) -> Node {
        let parts = pieces(text);
        if let [Piece::Reference { path, offset }] = parts.as_slice() {
            let span = reference_span(session, node, text, *offset, path);
            let Some(value) = self.look_up(path, span, reader, session) else {
                return Node {
                    value: Value::Null,
                    origin: node.origin,
                };
            };
            return refer(value, node, session);
        }
        let mut out = String::new();
        for part in parts {
            match part {
                Piece::Text(plain) => out.push_str(plain),
                Piece::Reference { path, offset } => {
                    let span = reference_span(session, node, text, offset, path);
                    match self
                        .look_up(path, span, reader, session)
                        .map(|found| found.value)
                    {
                        None => {}
                        Some(Value::String(value)) => out.push_str(&value),
                        Some(value @ (Value::Bool(_) | Value::Int(_) | Value::Float(_))) => {
                            out.push_str(&write_scalar(&value))
                        }
                        Some(other) => session.report(
                            Diagnostic::error(
                                "reference-kind",
                                format!(
                                    "`${{{path}}}` is a {} and cannot stand inside a text",
                                    other.kind()
                                ),
                            )
                            .at(span)
                            .hint("let the reference be the whole value"),
                        ),
                    }
                }
            }
        }
        Node::new(out, node.origin)
    }

    fn look_up(
        &mut self,
        path: &str,
        span: Option<Span>,
        reader: Option<&LayerName>,
        session: &mut Session,
    ) -> Option<Node> {
        let (root, rest) = path.split_once('.')?;
        match root {
            "var" => self.variable(rest, span, session),
            "layer" => self.layer_value(rest, span, reader, session),
            "cluster" => match self.scope.cluster.as_ref() {
                Some(cluster) => field(cluster, root, rest, span, session),
                None => {
                    session.report(
                        Diagnostic::error(
                            "reference-undefined",
                            format!("`${{{path}}}` needs a cluster"),
                        )
                        .at(span)
                        .hint("build with `--cluster FILE`"),
                    );
                    None
                }
            },
            _ => field(self.scope.profile.as_ref()?, root, rest, span, session),
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
            Binding::Value(node) => Some(node.clone()),
            Binding::Secret(placeholder) => {
                self.secrets.insert(name.clone());
                Some(Node::generated(placeholder.as_str()))
            }
            Binding::Broken => None,
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
        span: Option<Span>,
        reader: Option<&LayerName>,
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
                    .at(span)
                    .maybe_hint(suggest(name, scope.layers.keys().map(LayerName::as_str))),
            );
            return None;
        };
        if let Some(reader) = reader.filter(|reader| *reader != layer) {
            self.layer_reads.insert((reader.clone(), layer.clone()));
        }
        let is_exported = |exports: &Vec<String>| {
            exports.iter().any(|export| {
                path == export
                    || path
                        .strip_prefix(export.as_str())
                        .is_some_and(|rest| rest.starts_with('.'))
            })
        };
        let found = self.walk(layer, &values.values, path, span, session);
        if found.is_some()
            && reader != Some(layer)
            && values
                .exports
                .as_ref()
                .is_some_and(|exports| !is_exported(exports))
        {
            let exports = values.exports.iter().flatten().map(String::as_str);
            session.report(
                Diagnostic::warning("reference-not-exported", format!("the pack of layer `{name}` does not export `{path}`, so it may change without notice"))
                    .at(span)
                    .maybe_hint(suggest(path, exports).or_else(|| Some("name it under `spec.exports` of the pack".to_owned()))),
            );
        }
        found
    }

    /// Follows a dotted path through a layer's values, resolving references on the way.
    fn walk(
        &mut self,
        layer: &LayerName,
        root: &Node,
        path: &str,
        span: Option<Span>,
        session: &mut Session,
    ) -> Option<Node> {
        let mut here = root.clone();
        let mut pointer = String::new();
        let keys: Vec<&str> = path.split('.').filter(|key| !key.is_empty()).collect();
        for key in &keys {
            if let Value::String(text) = &here.value
                && may_refer(text)
                && is_ours(&here, session)
            {
                let text = Arc::clone(text);
                here = self.text(
                    &here,
                    &text,
                    Some(&(layer.clone(), pointer.clone())),
                    session,
                );
            }
            let next = match &here.value {
                Value::Map(map) => map.get(key),
                Value::List(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            let Some(next) = next.cloned() else {
                let keys_here = here
                    .as_map()
                    .map(|map| map.keys().map(|key| &**key).collect::<Vec<_>>())
                    .unwrap_or_default();
                let deleted =
                    deleted_by(root, &keys).and_then(|origin| session.origins.span(origin));
                session.report(
                    Diagnostic::error(
                        "reference-undefined",
                        format!("layer `{layer}` has no value `{path}`"),
                    )
                    .at(span)
                    .label(deleted, "deleted here")
                    .maybe_hint(suggest(key, keys_here.iter().copied())),
                );
                return None;
            };
            pointer = format!("{pointer}/{key}");
            here = next;
        }
        Some(self.resolve(&here, Some(&(layer.clone(), pointer)), session))
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

fn field(
    root: &Node,
    root_name: &str,
    path: &str,
    span: Option<Span>,
    session: &mut Session,
) -> Option<Node> {
    let mut here = root;
    for key in path.split('.') {
        match here.get(key) {
            Some(next) => here = next,
            None => {
                let keys: Vec<&str> = here
                    .as_map()
                    .map(|map| map.keys().map(|key| &**key).collect())
                    .unwrap_or_default();
                session.report(
                    Diagnostic::error(
                        "reference-undefined",
                        format!("`{root_name}` has no `{path}`"),
                    )
                    .at(span)
                    .maybe_hint(suggest(key, keys.iter().copied())),
                );
                return None;
            }
        }
    }
    Some(here.clone())
}

/// The place of a reference inside its text, when the text stands in its file as it is.
fn reference_span(
    session: &Session,
    node: &Node,
    text: &str,
    offset: usize,
    path: &str,
) -> Option<Span> {
    let span = session.span(node)?;
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
