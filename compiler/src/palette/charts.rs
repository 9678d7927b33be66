//! The charts of a Palette pack: archives stay as they are, and so do the names of releases.

use cairn_spec::{ArchiveLimits, ChartName, File, Node, PackChart, PackManifest, read_tar_gzip};
use cairn_template::go_yaml;

use super::Importer;
use crate::charts::is_release;

impl Importer<'_> {
    pub(super) fn charts(&mut self, manifest: &mut PackManifest) {
        let pack = self.pack;
        for path in &pack.charts {
            let Some(file) = self.source.get(path) else {
                self.left(
                    path.clone(),
                    "`pack.json` names the chart, but the file is not there",
                );
                continue;
            };
            let name = match chart_name(path, file) {
                Ok(name) => name,
                Err(reason) => {
                    self.left(path.clone(), reason);
                    continue;
                }
            };
            if manifest.spec.charts.iter().any(|chart| chart.name == name) {
                self.left(
                    path.clone(),
                    format!("another chart of the pack is called `{name}`, too"),
                );
                continue;
            }
            let file_name = path.rsplit('/').next().unwrap_or(path);
            let bytes = file.bytes.to_vec();
            self.put(&format!("charts/{file_name}"), bytes);
            let release = self.release(&name);
            manifest.spec.charts.push(PackChart {
                name,
                repository: None,
                version: None,
                digest: None,
                release,
                generated: cairn_spec::GeneratedValues::default(),
            });
        }
        self.values_without_chart(manifest);
    }

    /// Palette's name of the release: that of `releaseNameOverride`, else pack and chart.
    fn release(&mut self, chart: &ChartName) -> Option<String> {
        let overrides = self.values.pack("releaseNameOverride");
        let written = overrides
            .and_then(|names| names.get(chart.as_str()))
            .and_then(Node::as_str)
            .filter(|name| !name.is_empty());
        let release = written.map_or_else(|| format!("{}-{chart}", self.pack.name), str::to_owned);
        let is_good = is_release(&release);
        if !is_good {
            self.left(
                format!("the release `{release}`"),
                "it cannot be the name of a release: the release is called as the layer",
            );
        }
        is_good.then_some(release)
    }

    fn values_without_chart(&mut self, manifest: &PackManifest) {
        let values = self.values;
        let charts = values.kept.get("charts").and_then(Node::as_map);
        for (name, _) in charts.into_iter().flat_map(cairn_spec::Map::iter) {
            let is_known = manifest
                .spec
                .charts
                .iter()
                .any(|chart| chart.name.as_str() == &**name);
            if !is_known {
                self.left(
                    format!("values.yaml: charts.{name}"),
                    "the pack has no chart of this name, so nothing reads the values",
                );
            }
        }
    }
}

/// The name that the `Chart.yaml` of an archive says.
fn chart_name(path: &str, file: &File) -> Result<ChartName, String> {
    let (tree, _) = read_tar_gzip(&file.bytes, &ArchiveLimits::PACK)
        .map_err(|error| format!("the archive cannot be read: {error}"))?;
    let chart_yaml = tree
        .iter()
        .find(|(path, _)| {
            path.file_name() == "Chart.yaml" && path.as_str().matches('/').count() == 1
        })
        .ok_or_else(|| format!("`{path}` holds no chart: it has no `Chart.yaml`"))?
        .1;
    let node = go_yaml::read_map(
        &chart_yaml.bytes,
        &go_yaml::ReadOptions::default(),
        &mut cairn_spec::Origins::new(),
    )
    .map_err(|error| format!("its `Chart.yaml` cannot be read: {error}"))?;
    let name = node.get("name").and_then(Node::as_str).unwrap_or_default();
    name.parse().map_err(|error| format!("{error}"))
}
