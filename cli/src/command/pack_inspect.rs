//! `cairn pack inspect`: what a pack is.

use std::{fmt::Write as _, path::Path};

use cairn_oci::Progress;
use cairn_spec::{PackManifest, Reference, human_bytes};
use clap::Args;

use super::{pack_build::build, pack_pull::manifest_of};
use crate::{
    chart_source::ChartArgs,
    client::{ClientArgs, explain, runtime},
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    output::{Output, count},
    packs::{pull_limits, unpack},
};

/// Show what a pack is
///
/// Nothing is verified: use `cairn verify` for that, or `cairn pack pull`.
#[derive(Debug, Args)]
pub(crate) struct PackInspect {
    /// A folder, or HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]
    #[arg(value_name = "FOLDER|REFERENCE")]
    pack: String,
    #[command(flatten)]
    client: ClientArgs,
}

impl PackInspect {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let folder = Path::new(&self.pack);
        let (manifest, digest, files, bytes) = if folder.is_dir() {
            let charts = ChartArgs::default().fetcher(&self.client, environment)?;
            let built = build(folder, &charts, environment, output)?;
            (
                built.manifest,
                built.artifact.digest().clone(),
                built.tree.len(),
                built.tree.size_bytes(),
            )
        } else {
            let reference: Reference =
                self.pack
                    .parse()
                    .map_err(|error: cairn_spec::ReferenceError| {
                        Failure::new(ExitCode::InvalidInput, error)
                            .hint("there is no folder of that name either")
                    })?;
            let client = self.client.client(environment, Progress::default())?;
            let artifact = runtime()?.block_on(async {
                match client.pull_artifact(&reference, &pull_limits()).await {
                    Ok(artifact) => Ok(artifact),
                    Err(error) => Err(explain(&client, &reference, error).await),
                }
            })?;
            let unpacked = unpack(&reference, &artifact)?;
            (
                manifest_of(&unpacked, output)?,
                artifact.digest().clone(),
                unpacked.tree.len(),
                unpacked.tree.size_bytes(),
            )
        };
        let content = format!("{}, {}", count(files, "file"), human_bytes(bytes));
        output.result(
            &manifest,
            || describe(&manifest, digest.as_str(), &content),
            || format!("{} {}", manifest.metadata.name, manifest.metadata.version),
        );
        Ok(())
    }
}

fn describe(manifest: &PackManifest, digest: &str, content: &str) -> String {
    let (metadata, spec) = (&manifest.metadata, &manifest.spec);
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "{name:<13} {value}");
        }
    };
    line("Name", metadata.name.to_string());
    line("Version", metadata.version.to_string());
    line(
        "Description",
        metadata.description.clone().unwrap_or_default(),
    );
    line("Layer", spec.layer.to_string());
    line("Namespace", spec.namespace.clone().unwrap_or_default());
    line(
        "Kubernetes",
        spec.constraints
            .kubernetes
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    );
    let requires = spec.constraints.requires.iter().map(|requirement| {
        let what = requirement
            .pack
            .as_ref()
            .map(ToString::to_string)
            .or(requirement.capability.as_ref().map(ToString::to_string));
        let range = requirement
            .version
            .as_ref()
            .map(|range| format!(" {range}"))
            .unwrap_or_default();
        format!("{}{range}", what.unwrap_or_default())
    });
    line("Requires", requires.collect::<Vec<_>>().join(", "));
    line(
        "Provides",
        spec.constraints
            .provides
            .iter()
            .map(|provided| provided.capability.to_string())
            .collect::<Vec<_>>()
            .join(", "),
    );
    line(
        "Exports",
        spec.exports.keys().cloned().collect::<Vec<_>>().join(", "),
    );
    line("License", metadata.license.clone().unwrap_or_default());
    line("Content", content.to_owned());
    line("Digest", digest.to_owned());
    text
}
