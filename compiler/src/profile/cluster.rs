//! Reads a cluster and puts its overrides on top of a profile's stack.

use cairn_spec::{ClusterManifest, Diagnostic, LayerName, Node, SourceKind, Span, suggest};

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
    let text = std::sync::Arc::clone(&file.text);
    let read = session.read_kind::<ClusterManifest>(&file.name, file.text, SourceKind::Cluster);
    let Some((manifest, node)) = read else {
        hide_secrets(&file.name, &text, stack.as_deref(), session);
        return None;
    };
    let cluster = Cluster { manifest, node };
    if let Some(stack) = stack {
        check_profile(&cluster, stack, session);
        apply_overrides(&cluster, stack, session);
    }
    Some(cluster)
}

/// Hides the values of sensitive variables in a cluster that cannot be read, line by line, so that
/// no message shows them. Without a profile nobody knows which are, so all values are hidden.
fn hide_secrets(name: &str, text: &str, stack: Option<&Stack>, session: &mut Session) {
    let secrets: Option<Vec<&str>> = stack.map(|stack| {
        let sensitive = stack.variables.iter().filter(|(_, it)| it.spec.sensitive);
        sensitive.map(|(name, _)| name.as_str()).collect()
    });
    let Some(source) = session.sources.find(name) else {
        return;
    };
    let mut offset = 0;
    // The indentation of a secret's key: deeper lines belong to its value.
    let mut inside: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indentation = line.len() - line.trim_start().len();
        let from = match (inside, secret_in(line, secrets.as_deref())) {
            (_, Some(from)) => {
                inside = Some(indentation);
                Some(from)
            }
            (Some(key), None) if indentation > key && !line.contains("secretRef") => Some(0),
            _ => {
                inside = None;
                None
            }
        };
        if let Some(from) = from {
            let bound = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
            session.sources.hide(Span {
                source,
                start: bound(offset + from),
                end: bound(offset + line.len()),
            });
        }
        offset += line.len();
    }
}

/// Where a value begins that must not be shown; `secrets` are the keys, or none for any key.
fn secret_in(line: &str, secrets: Option<&[&str]>) -> Option<usize> {
    if line.contains("secretRef") {
        return None;
    }
    match secrets {
        None => line.find(": ").map(|colon| colon + 2),
        Some(secrets) => secrets
            .iter()
            .filter_map(|name| {
                let end = line.find(name)? + name.len();
                let rest = line[end..].trim_start_matches(['"', '\'', ' ']);
                rest.strip_prefix(':').map(|value| line.len() - value.len())
            })
            .min(),
    }
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
            .label(stack.span, "this is the profile being built")
            .hint("build the profile that the cluster names, or change the cluster"),
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
            .at(session.span_at(&cluster.node, "/spec/profile/version"))
            .hint("change the range, or build another version of the profile"),
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
