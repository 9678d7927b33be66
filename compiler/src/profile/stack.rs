//! A profile with the profiles below it: one stack of layers.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{
    ImageMirror, LayerChart, LayerName, Map, Node, PackName, PatchSpec, PresetName, ProfileName,
    ProfileType, RegistrySpec, Schema, Span, VariableName, VariableSpec, Version, VersionRange,
};

use crate::{Session, values::merge};

/// A profile with everything below it.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) name: ProfileName,
    pub(crate) version: Version,
    pub(crate) profile_type: ProfileType,
    pub(crate) kubernetes: Option<(Version, Option<Span>)>,
    pub(crate) registries: BTreeMap<LayerName, RegistrySpec>,
    pub(crate) variables: BTreeMap<VariableName, DeclaredVariable>,
    pub(crate) layers: Vec<StackLayer>,
    /// Layers that are left out because they make no sense, which is reported already.
    pub(crate) refused: BTreeSet<LayerName>,
    pub(crate) patches: Vec<(PatchSpec, Node)>,
    pub(crate) mirrors: Vec<ImageMirror>,
    /// The place of the profile's name.
    pub(crate) span: Option<Span>,
}

/// A variable and where it is declared.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredVariable {
    pub(crate) spec: VariableSpec,
    pub(crate) node: Node,
}

/// A layer: what it is and the values written for it, lowest first.
#[derive(Debug, Clone)]
pub(crate) struct StackLayer {
    pub(crate) name: LayerName,
    pub(crate) content: Content,
    pub(crate) namespace: Option<String>,
    pub(crate) presets: Vec<(PresetName, Option<Span>)>,
    pub(crate) values: Vec<Node>,
    pub(crate) span: Option<Span>,
}

/// What a layer is made of.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A pack of a registry.
    Pack {
        name: PackName,
        range: VersionRange,
        registry: LayerName,
        span: Option<Span>,
    },
    /// A local pack folder.
    Local {
        path: String,
        beside: String,
        span: Option<Span>,
    },
    /// A Helm chart of a repository.
    Chart {
        chart: Box<LayerChart>,
        span: Option<Span>,
    },
    /// Local Kubernetes YAML.
    Manifests {
        globs: Vec<(String, Option<Span>)>,
        beside: String,
    },
}

impl Stack {
    /// Every layer of the profile is among `resolved` many: nothing is missing because of an error.
    pub(crate) fn is_complete(&self, resolved: usize) -> bool {
        self.refused.is_empty() && resolved == self.layers.len()
    }

    /// Puts this (so far empty or partial) profile on top of one it uses.
    pub(super) fn put_on(&mut self, base: Self) {
        self.kubernetes = base.kubernetes.or(self.kubernetes.take());
        self.registries.extend(base.registries);
        self.variables.extend(base.variables);
        self.patches.extend(base.patches);
        self.mirrors.extend(base.mirrors);
        self.refused.extend(base.refused);
        for layer in base.layers {
            match self
                .layers
                .iter_mut()
                .find(|below| below.name == layer.name)
            {
                Some(below) => {
                    below.content = layer.content;
                    below.values.extend(layer.values);
                    below.namespace = layer.namespace.or(below.namespace.take());
                    if !layer.presets.is_empty() {
                        below.presets = layer.presets;
                    }
                }
                None => self.layers.push(layer),
            }
        }
    }
}

impl StackLayer {
    /// All values written for the layer over `defaults`, references unresolved.
    pub(crate) fn merged_values(
        &self,
        defaults: Node,
        schema: Option<&Schema>,
        session: &mut Session,
    ) -> Node {
        self.values
            .iter()
            .cloned()
            .fold(defaults, |low, high| merge(low, high, schema, session))
    }

    /// An empty map, for layers without a pack.
    pub(crate) fn no_defaults() -> Node {
        Node::generated(Map::new())
    }
}
