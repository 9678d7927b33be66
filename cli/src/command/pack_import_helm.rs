//! `cairn pack import helm`: a Helm chart wrapped as a pack.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use cairn_chart::ChartLimits;
use cairn_compiler::{HelmContent, HelmImportRequest, import_helm, newest};
use cairn_spec::{
    ArchiveLimits, ChartName, ChartRepository, File, FileTree, LayerKind, VersionRange,
};
use clap::Args;
use serde_json::json;

use super::{pack_import_palette::report, pack_new::Layer};
use crate::{
    chart_folder::read_chart_folder,
    chart_source::{ChartArgs, Charts},
    client::ClientArgs,
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    files::{read_bytes, replace_folder},
    output::{Output, count, lines},
};

/// Wrap a Helm chart as a pack
///
/// The chart is a folder, an archive, or URL/NAME in a repository over HTTPS or in an OCI registry:
/// `cairn pack import helm oci://registry.example.com/charts/web --version ^1.2`. A chart of a
/// repository is named in `pack.yaml` with its digest, and fetched when the pack is built.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub(crate) struct PackImportHelm {
    /// A folder, an archive, or `URL/NAME` in a repository, `https://…` or `oci://…`
    #[arg(value_name = "CHART")]
    chart: String,
    /// The versions that will do, of a chart in a repository; the highest is taken
    #[arg(long, value_name = "RANGE")]
    version: Option<VersionRange>,
    /// Put the chart into the pack, instead of its address and digest
    #[arg(long)]
    vendor: bool,
    /// The layer the pack belongs to; guessed by what the chart says of itself
    #[arg(long, value_enum)]
    layer: Option<Layer>,
    /// Where to write the pack [default: NAME]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    charts: ChartArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// A chart that was read or fetched.
struct Found {
    content: HelmContent,
    repository: Option<ChartRepository>,
}

impl PackImportHelm {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let found = self.find(environment)?;
        let (session, import) = import_helm(&HelmImportRequest {
            label: self.chart.clone(),
            content: found.content,
            repository: found.repository.filter(|_| !self.vendor),
            layer: self.layer.map(LayerKind::from),
        });
        output.diagnostics(&session);
        let Some(import) = import else {
            return Err(Failure::reported(ExitCode::InvalidInput));
        };
        let metadata = &import.manifest.metadata;
        let folder = self
            .output
            .unwrap_or_else(|| PathBuf::from(metadata.name.as_str()));
        replace_folder(&folder, &import.tree, "pack.yaml")?;
        output.result(
            &json!({
                "name": metadata.name,
                "version": metadata.version,
                "output": folder,
                "charts": import.manifest.spec.charts,
                "images": import.images,
                "notes": import.notes,
            }),
            || report(&import.notes),
            || lines([folder.display().to_string()]),
        );
        output.message(&format!(
            "wrote {} with {} and {} in the defaults",
            folder.display(),
            count(import.tree.len(), "file"),
            count(import.images.len(), "image"),
        ));
        output.message(&format!(
            "next: `cairn pack lint {0}` and `cairn pack test {0}`",
            folder.display()
        ));
        Ok(())
    }

    fn find(&self, environment: &Environment) -> Result<Found, Failure> {
        let text = &self.chart;
        if text.contains("://") {
            let fetcher = self.charts.fetcher(&self.client, environment)?;
            return self.fetch(&fetcher.charts);
        }
        if self.version.is_some() {
            return Err(Failure::new(
                ExitCode::Usage,
                anyhow!(
                    "`--version` chooses among the charts of a repository, and `{text}` is a file"
                ),
            )
            .hint("write the chart as https://HOST/PATH/NAME or oci://HOST/PATH/NAME"));
        }
        let path = Path::new(text);
        let content = if path.is_dir() {
            HelmContent::Folder(folder(path)?)
        } else {
            HelmContent::Archive(read_bytes(path, ArchiveLimits::PACK.packed_bytes)?.into())
        };
        Ok(Found {
            content,
            repository: None,
        })
    }

    fn fetch(&self, charts: &Charts) -> Result<Found, Failure> {
        let (repository, name) = address(&self.chart)?;
        let versions = charts.versions(&repository, &name)?;
        let range = self.version.clone().unwrap_or_else(VersionRange::any);
        let Some(version) = range.highest(&versions) else {
            let message =
                format!("no version of the chart `{name}` at {repository} matches `{range}`");
            return Err(Failure::new(ExitCode::NotFound, anyhow!(message)).hint(newest(&versions)));
        };
        let fetched = charts.fetch(&repository, &name, version, None)?;
        Ok(Found {
            content: HelmContent::Archive(fetched.archive),
            repository: Some(repository),
        })
    }
}

/// The files of a chart's folder, without what its `.helmignore` leaves out.
fn folder(path: &Path) -> Result<FileTree, Failure> {
    let refuse = |error: anyhow::Error| Failure::new(ExitCode::InvalidInput, error);
    let files =
        read_chart_folder(path, &ChartLimits::HELM).map_err(|error| refuse(error.into()))?;
    let mut tree = FileTree::new();
    for file in files {
        let bytes = file.bytes().map_err(|error| refuse(error.into()))?;
        let added = file.path.parse().and_then(|path| {
            let file = File {
                bytes: bytes.to_vec().into(),
                executable: false,
            };
            tree.insert(path, file)
        });
        added.map_err(|error| refuse(error.into()))?;
    }
    Ok(tree)
}

/// `URL/NAME` as a repository and the name of a chart in it.
fn address(text: &str) -> Result<(ChartRepository, ChartName), Failure> {
    let refuse = |reason: String| {
        Failure::new(ExitCode::Usage, anyhow!(reason))
            .hint("write the chart as https://HOST/PATH/NAME or oci://HOST/PATH/NAME")
    };
    let bare = text.trim_end_matches('/');
    let (repository, name) = bare
        .rsplit_once('/')
        .filter(|(repository, _)| !repository.ends_with('/'))
        .ok_or_else(|| refuse("the address names no chart".to_owned()))?;
    Ok((
        repository
            .parse()
            .map_err(|error: cairn_spec::NameError| refuse(error.to_string()))?,
        name.parse()
            .map_err(|error: cairn_spec::NameError| refuse(error.to_string()))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_an_address_is_the_charts_name() {
        let (repository, name) = address("oci://registry.example.com/charts/web/").unwrap();
        assert_eq!(repository.as_str(), "oci://registry.example.com/charts");
        assert_eq!(name.as_str(), "web");
        for bad in [
            "oci://web",
            "https://",
            "ftp://host/web",
            "https://me:pw@host/web",
        ] {
            let failure = address(bad).unwrap_err();
            let text = failure.error.unwrap().to_string();
            assert!(!text.contains("pw"), "{text}");
        }
    }
}
