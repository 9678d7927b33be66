//! What references can refer to, and the values of every layer once they are resolved.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{Diagnostic, LayerName, Node, Schema, VariableName, Version};

use crate::{
    Session,
    pack_values::{check_values, pack_values},
    profile::{Cluster, Stack, StackLayer},
    render::{Target, named},
    resolve::ResolvedLayer,
    values::interpolate::{Binding, Interpolator, LayerValues, Scope},
};

/// What templates and references may know of the profile and the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// `name`, `version`.
    profile: Node,
    /// `name`, `labels`; named as the profile when there is no cluster.
    cluster: Node,
    has_cluster: bool,
}

impl Facts {
    pub(crate) fn new(stack: &Stack, cluster: Option<&Cluster>) -> Self {
        let name = cluster.map_or(stack.name.as_str(), |cluster| {
            cluster.manifest.metadata.name.as_str()
        });
        let labels = cluster.and_then(|cluster| cluster.node.pointer("/metadata/labels").cloned());
        let mut node = named(&[("name", name)]);
        if let Some(map) = node.as_map_mut() {
            map.insert("labels", labels.unwrap_or_else(|| named(&[])));
        }
        Self {
            profile: named(&[
                ("name", stack.name.as_str()),
                ("version", &stack.version.to_string()),
            ]),
            cluster: node,
            has_cluster: cluster.is_some(),
        }
    }

    pub(crate) fn target(&self, kubernetes: &Version) -> Target {
        Target {
            kubernetes: kubernetes.clone(),
            profile: self.profile.clone(),
            cluster: self.cluster.clone(),
        }
    }
}

/// What references can refer to: merged values of every layer, variables, cluster and profile.
pub(crate) fn scope(
    stack: &Stack,
    resolved: &[ResolvedLayer],
    facts: &Facts,
    variables: &BTreeMap<VariableName, Binding>,
    session: &mut Session,
) -> Scope {
    let layers: BTreeMap<LayerName, LayerValues> = resolved
        .iter()
        .map(|layer| (layer.layer.name.clone(), merged(layer, session)))
        .collect();
    let broken: BTreeSet<LayerName> = stack
        .layers
        .iter()
        .map(|layer| layer.name.clone())
        .filter(|name| !layers.contains_key(name))
        .chain(stack.refused.iter().cloned())
        .collect();
    Scope {
        variables: variables.clone(),
        layers,
        broken,
        cluster: facts.has_cluster.then(|| facts.cluster.clone()),
        profile: Some(facts.profile.clone()),
    }
}

/// A layer's values, references unresolved.
fn merged(layer: &ResolvedLayer, session: &mut Session) -> LayerValues {
    let before = session.diagnostics.error_count();
    let defaults = if let Some(resolved) = &layer.pack {
        pack_values(&resolved.pack, &layer.layer.presets, session)
    } else {
        refuse_presets(&layer.layer, session);
        StackLayer::no_defaults()
    };
    let values = layer
        .layer
        .merged_values(defaults, schema_of(layer), session);
    let exports = layer.pack.as_ref().map(|resolved| {
        let exports = &resolved.pack.manifest.spec.exports;
        exports.keys().cloned().collect()
    });
    LayerValues {
        values,
        exports,
        sound: layer.sound && session.diagnostics.error_count() == before,
    }
}

fn refuse_presets(layer: &StackLayer, session: &mut Session) {
    for (name, span) in &layer.presets {
        session.report(
            Diagnostic::error(
                "preset-undefined",
                format!(
                    "layer `{}` has no pack, so it has no preset `{name}`",
                    layer.name
                ),
            )
            .at(*span),
        );
    }
}

fn schema_of(layer: &ResolvedLayer) -> Option<&Schema> {
    layer.pack.as_ref()?.pack.schema.as_ref()
}

/// The final values of the layers that are sound: references resolved, and checked against the
/// packs' schemas. A layer with an error has none, so that nothing follows from the error.
pub(crate) fn final_values(
    resolved: &[ResolvedLayer],
    interpolator: &mut Interpolator<'_>,
    session: &mut Session,
) -> BTreeMap<LayerName, Node> {
    let mut all = BTreeMap::new();
    for layer in resolved {
        let Some(values) = interpolator.layer(&layer.layer.name, session) else {
            continue;
        };
        let before = session.diagnostics.error_count();
        check_values(&values, schema_of(layer), session);
        if session.diagnostics.error_count() == before {
            all.insert(layer.layer.name.clone(), values);
        }
    }
    all
}

/// The variables that values refer to, without secrets: part of the provenance.
pub(crate) fn used_variables(
    scope: &Scope,
    interpolator: &Interpolator<'_>,
) -> BTreeMap<String, serde_json::Value> {
    interpolator
        .variables
        .iter()
        .filter_map(|name| match scope.variables.get(name)? {
            Binding::Value(node) => Some((name.to_string(), node.to_json())),
            _ => None,
        })
        .collect()
}
