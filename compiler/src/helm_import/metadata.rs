//! `Chart.yaml` becomes `pack.yaml`.

use std::collections::BTreeMap;

use cairn_spec::{
    ApiVersion, Constraints, Diagnostic, LayerKind, LintSettings, Maintainer, PackKind,
    PackManifest, PackMetadata, PackName, PackSpec, Version, VersionRange,
};

use crate::{ImportNote, ImportOutcome, Session, charts::LoadedChart, palette::label_of};

/// Networks that do not say that they are.
const NETWORKS: &[&str] = &["antrea", "calico", "cilium", "flannel", "tigera-operator"];
/// Annotations that name the licence.
const LICENSE_ANNOTATIONS: &[&str] = &["artifacthub.io/license", "licenses", "license"];

/// The manifest, so far without the chart.
pub(super) fn manifest(
    loaded: &LoadedChart,
    layer: Option<LayerKind>,
    notes: &mut Vec<ImportNote>,
    session: &mut Session,
) -> Option<PackManifest> {
    let chart = &loaded.chart.metadata;
    let name = label_of(&chart.name).and_then(|label| label.parse::<PackName>().ok());
    let version = chart.version.parse::<Version>();
    let (Some(name), Ok(version)) = (name, version) else {
        session.report(Diagnostic::error(
            "import-helm",
            format!(
                "no pack can have the name and version of the chart `{}` {}",
                chart.name, chart.version
            ),
        ));
        return None;
    };
    let license = LICENSE_ANNOTATIONS
        .iter()
        .find_map(|key| chart.annotations.get(*key))
        .map(|license| license.trim().to_owned())
        .filter(|license| !license.is_empty());
    if license.is_none() {
        notes.push(ImportNote {
            outcome: ImportOutcome::LeftOut,
            what: "pack.yaml: metadata.license".to_owned(),
            note: "the chart does not say it in an annotation: add it".to_owned(),
        });
    }
    let kubernetes = kubernetes(&chart.kube_version, notes);
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    let namespace = name.to_string();
    Some(PackManifest {
        api_version: ApiVersion,
        kind: PackKind,
        metadata: PackMetadata {
            name,
            version,
            display_name: Some(chart.name.clone()),
            description: text(&chart.description),
            keywords: chart.keywords.clone(),
            home: text(&chart.home),
            sources: chart.sources.clone(),
            license,
            maintainers: chart
                .maintainers
                .iter()
                .map(|maintainer| Maintainer {
                    name: maintainer.name.clone(),
                    email: text(&maintainer.email),
                    url: text(&maintainer.url),
                })
                .collect(),
        },
        spec: PackSpec {
            layer: layer.unwrap_or_else(|| guessed_layer(loaded)),
            category: None,
            namespace: Some(namespace),
            namespace_labels: BTreeMap::new(),
            kubernetes_version: None,
            charts: Vec::new(),
            constraints: Constraints {
                kubernetes,
                ..Constraints::default()
            },
            exports: BTreeMap::new(),
            health: Vec::new(),
            lint: LintSettings::default(),
        },
    })
}

/// `kubeVersion` as a range. `-0` at the end of a bound lets vendors' suffixes through, which
/// constraints on Kubernetes do anyway.
fn kubernetes(written: &str, notes: &mut Vec<ImportNote>) -> Option<VersionRange> {
    if written.is_empty() {
        return None;
    }
    let range = written.replace("-0", "").parse::<VersionRange>();
    if range.is_err() {
        notes.push(ImportNote {
            outcome: ImportOutcome::LeftOut,
            what: "Chart.yaml: kubeVersion".to_owned(),
            note: format!("`{written}` is not a range of versions: set `constraints.kubernetes`"),
        });
    }
    range.ok()
}

/// Networks and storage by what the chart says of itself; anything else is an add-on.
fn guessed_layer(loaded: &LoadedChart) -> LayerKind {
    let chart = &loaded.chart.metadata;
    let says = |word: &str| {
        let in_name = chart
            .name
            .split('-')
            .any(|part| part.eq_ignore_ascii_case(word));
        in_name
            || chart
                .keywords
                .iter()
                .any(|keyword| keyword.eq_ignore_ascii_case(word))
    };
    if NETWORKS.contains(&chart.name.as_str()) || says("cni") {
        LayerKind::Cni
    } else if says("csi") {
        LayerKind::Csi
    } else {
        LayerKind::Addon
    }
}
