//! Reads a cluster and puts its overrides on top of a profile's stack.

use cairn_spec::{ClusterManifest, Diagnostic, LayerName, Node, SourceKind, suggest};

use super::stack::Stack;
use crate::{ProfileFiles, Session};

/// A cluster, with the places in its file.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) manifest: ClusterManifest,
    pub(crate) node: Node,
}

/// Reads a cluster file, checks that it fits the profile, and adds its overrides to the layers.
pub(crate) fn load_cluster(
    path: &str,
    files: &dyn ProfileFiles,
    stack: Option<&mut Stack>,
    session: &mut Session,
) -> Option<Cluster> {
    let file = match files.read("", path) {
        Ok(file) => file,
        Err(error) => {
            session.report(error.at(None));
            return None;
        }
    };
    let (manifest, node) =
        session.read_kind::<ClusterManifest>(&file.name, file.text, SourceKind::Cluster)?;
    let cluster = Cluster { manifest, node };
    if let Some(stack) = stack {
        check_profile(&cluster, stack, session);
        apply_overrides(&cluster, stack, session);
    }
    Some(cluster)
}

fn check_profile(cluster: &Cluster, stack: &Stack, session: &mut Session) {
    let wanted = &cluster.manifest.spec.profile;
    if wanted.name != stack.name {
        session.report(
            Diagnostic::error(
                "cluster-profile",
                format!(
                    "the cluster runs profile `{}`, not `{}`",
                    wanted.name, stack.name
                ),
            )
            .at(session.span_at(&cluster.node, "/spec/profile/name"))
            .label(stack.span, "this is the profile being built"),
        );
    } else if let Some(range) = wanted
        .version
        .as_ref()
        .filter(|range| !range.matches(&stack.version))
    {
        session.report(
            Diagnostic::error(
                "cluster-profile",
                format!(
                    "the cluster wants `{range}` of profile `{}`, which is version {}",
                    stack.name, stack.version
                ),
            )
            .at(session.span_at(&cluster.node, "/spec/profile/version")),
        );
    }
}

fn apply_overrides(cluster: &Cluster, stack: &mut Stack, session: &mut Session) {
    for (index, change) in cluster.manifest.spec.overrides.iter().enumerate() {
        let at = format!("/spec/overrides/{index}");
        let names: Vec<LayerName> = stack
            .layers
            .iter()
            .map(|layer| layer.name.clone())
            .collect();
        let Some(layer) = stack
            .layers
            .iter_mut()
            .find(|layer| layer.name == change.layer)
        else {
            if stack.refused.contains(&change.layer) {
                continue;
            }
            session.report(
                Diagnostic::error(
                    "layer-undefined",
                    format!("the profile has no layer `{}`", change.layer),
                )
                .at(session.span_at(&cluster.node, &format!("{at}/layer")))
                .maybe_hint(suggest(
                    change.layer.as_str(),
                    names.iter().map(LayerName::as_str),
                )),
            );
            continue;
        };
        if let Some(presets) = &change.presets {
            let place = |index| session.span_at(&cluster.node, &format!("{at}/presets/{index}"));
            layer.presets = presets
                .iter()
                .enumerate()
                .map(|(index, preset)| (preset.clone(), place(index)))
                .collect();
        }
        let values = cluster.node.pointer(&format!("{at}/values"));
        layer
            .values
            .extend(values.filter(|values| values.as_map().is_some()).cloned());
    }
}
