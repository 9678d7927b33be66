//! Renders a pack on its own, as its linter and its tests do.

use cairn_spec::{FileTree, LayerName, Node, PresetName, Span, Version};

use crate::{
    Session,
    charts::{DEFAULT_NAMESPACE, ServedApis},
    collect::{Collector, Home},
    object::Object,
    pack::Pack,
    pack_values::{check_values, pack_values},
    plan::sort_key,
    render::{Layer, LayerOutput, Target, named, render},
    values::merge,
};

/// The Kubernetes versions that Cairn knows: the minors whose published schemas it was built with.
pub const KUBERNETES_VERSIONS: std::ops::RangeInclusive<u64> = 25..=36;

/// What a pack renders to on its own.
#[derive(Debug, Default)]
pub(crate) struct PackOutput {
    /// The objects, sorted, the namespace included.
    pub(crate) objects: Vec<Object>,
    pub(crate) output: LayerOutput,
}

/// The newest Kubernetes version that Cairn knows and the pack allows.
pub(crate) fn newest_kubernetes(pack: &Pack) -> Version {
    let spec = &pack.manifest.spec;
    if let Some(version) = &spec.kubernetes_version {
        return version.clone();
    }
    let newest = Version::new(1, *KUBERNETES_VERSIONS.end(), 0);
    let allowed = |version: &Version| {
        spec.constraints
            .kubernetes
            .as_ref()
            .is_none_or(|range| range.matches_platform(version))
    };
    KUBERNETES_VERSIONS
        .rev()
        .map(|minor| Version::new(1, minor, 0))
        .find(allowed)
        .unwrap_or(newest)
}

/// Renders a pack with presets and values over its defaults. Problems are reported; with an error in
/// the values nothing is rendered.
pub(crate) fn render_pack(
    pack: &Pack,
    presets: &[(PresetName, Option<Span>)],
    values: Option<&Node>,
    kubernetes: &Version,
    session: &mut Session,
) -> PackOutput {
    let before = session.diagnostics.error_count();
    let mut merged = pack_values(pack, presets, session);
    if let Some(values) = values {
        merged = merge(merged, values.clone(), pack.schema.as_ref(), session);
    }
    check_values(&merged, pack.schema.as_ref(), session);
    if session.diagnostics.error_count() > before {
        return PackOutput::default();
    }
    let name: LayerName = pack
        .manifest
        .metadata
        .name
        .as_str()
        .parse()
        .expect("pack and layer names have the same rule");
    let namespace = pack.manifest.spec.namespace.as_deref();
    let namespace = namespace.or((!pack.charts.is_empty()).then_some(DEFAULT_NAMESPACE));
    let target = Target {
        kubernetes: kubernetes.clone(),
        profile: named(&[("name", "test"), ("version", "0.0.0")]),
        cluster: test_cluster(),
    };
    let layer = Layer {
        name: &name,
        kind: pack.manifest.spec.layer,
        pack,
        values: &merged,
        namespace,
        apis: &ServedApis::default(),
    };
    let mut output = render(&layer, &target, session);
    let mut collector = Collector::default();
    collector.learn(&output);
    collector.add(
        Home {
            layer: 0,
            namespace,
            labels: &pack.manifest.spec.namespace_labels,
        },
        &mut output,
        session,
    );
    let mut objects = collector.objects;
    objects.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    PackOutput { objects, output }
}

fn test_cluster() -> Node {
    let mut cluster = named(&[("name", "test")]);
    if let Some(map) = cluster.as_map_mut() {
        map.insert("labels", named(&[]));
    }
    cluster
}

/// Reads a pack on its own.
pub(crate) fn load_alone(label: &str, tree: &FileTree) -> (Session, Option<Pack>) {
    let mut session = Session::default();
    let pack = crate::pack::load(label, tree, &mut session);
    (session, pack)
}
