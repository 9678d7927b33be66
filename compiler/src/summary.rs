//! What a build tells people of each layer.

use cairn_spec::{ChartName, Digest, LayerKind, LayerName, PackName, Version};

use crate::{
    constraints::Requirement, object::Object, render::LayerOutput, resolve::ResolvedLayer,
};

/// A layer, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSummary {
    /// Its name.
    pub name: LayerName,
    /// Its kind.
    pub kind: LayerKind,
    /// The name and version of its pack.
    pub pack: Option<(PackName, Version)>,
    /// The name and version of its chart, when it is one.
    pub chart: Option<(ChartName, Version)>,
    /// The version range the profile asks for; none for a local folder.
    pub range: Option<String>,
    /// The digest of the pack's manifest, when it comes from a registry, or of the chart's archive.
    pub digest: Option<Digest>,
    /// The key ids that signed it.
    pub signers: Vec<String>,
    /// The presets that are chosen.
    pub presets: Vec<String>,
    /// The layers it needs, and why.
    pub needs: Vec<(LayerName, String)>,
    /// How many objects it renders.
    pub objects: usize,
    /// How many host files it renders.
    pub host_files: usize,
}

pub(crate) fn summaries(
    layers: &[&ResolvedLayer],
    objects: &[Object],
    outputs: &[LayerOutput],
    requirements: &[Requirement],
) -> Vec<LayerSummary> {
    let mut counts = vec![0; layers.len()];
    for object in objects {
        counts[object.layer] += 1;
    }
    layers
        .iter()
        .enumerate()
        .map(|(index, layer)| {
            let locked = layer.pack.as_ref().and_then(|pack| pack.locked.as_ref());
            let chart = layer.chart.as_ref().map(|chart| &chart.locked);
            LayerSummary {
                name: layer.layer.name.clone(),
                kind: layer.kind,
                pack: layer.pack.as_ref().map(|resolved| {
                    let metadata = &resolved.pack.manifest.metadata;
                    (metadata.name.clone(), metadata.version.clone())
                }),
                chart: chart.map(|chart| (chart.name.clone(), chart.version.clone())),
                range: locked
                    .map(|locked| &locked.range)
                    .or(chart.map(|chart| &chart.range))
                    .map(ToString::to_string),
                digest: locked
                    .map(|locked| &locked.digest)
                    .or(chart.map(|chart| &chart.digest))
                    .cloned(),
                signers: locked
                    .map(|locked| locked.signers.clone())
                    .unwrap_or_default(),
                presets: layer
                    .layer
                    .presets
                    .iter()
                    .map(|(name, _)| name.to_string())
                    .collect(),
                needs: requirements
                    .iter()
                    .filter(|requirement| requirement.layer == layer.layer.name)
                    .map(|requirement| (requirement.needs.clone(), requirement.reason.clone()))
                    .collect(),
                objects: counts[index],
                host_files: outputs.get(index).map_or(0, |output| output.host.len()),
            }
        })
        .collect()
}
