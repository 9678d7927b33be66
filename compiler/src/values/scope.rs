//! What references can refer to.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{LayerName, Node, Span, VariableName};

/// What a variable is bound to.
#[derive(Debug, Clone)]
pub(crate) enum Binding {
    /// The value, with the origin of where it was bound.
    Value(Node),
    /// A secret: the text that stands for it.
    Secret(String),
    /// Declared, without a value.
    Unset(Option<Span>),
    /// Bound to something that will not do, which is reported already.
    Broken,
}

/// The values of a layer, before references are resolved.
#[derive(Debug, Clone)]
pub(crate) struct LayerValues {
    pub(crate) values: Node,
    /// The paths that the pack lets others read; none when it is not a pack.
    pub(crate) exports: Option<Vec<String>>,
    /// No error was found in the layer so far.
    pub(crate) sound: bool,
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
