//! `cairn profile tree`: the stack of layers, and why each is where it is.

use std::fmt::Write as _;

use cairn_compiler::{LayerSummary, LockMode};
use clap::Args;
use serde_json::json;

use super::profile_build::ProfileArgs;
use crate::{
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    output::{Output, count},
};

/// Show the stack of layers and why each is where it is
#[derive(Debug, Args)]
pub(crate) struct ProfileTree {
    #[command(flatten)]
    profile: ProfileArgs,
}

impl ProfileTree {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let build = self.profile.build(LockMode::Keep, environment, output)?;
        let layers: Vec<_> = build
            .layers
            .iter()
            .map(|layer| {
                json!({
                    "name": layer.name,
                    "kind": layer.kind,
                    "pack": layer.pack.as_ref().map(|(name, _)| name),
                    "chart": layer.chart.as_ref().map(|(name, _)| name),
                    "version": layer.pack.as_ref().map(|(_, version)| version).or(layer.chart.as_ref().map(|(_, version)| version)),
                    "range": layer.range,
                    "digest": layer.digest,
                    "signers": layer.signers,
                    "presets": layer.presets,
                    "needs": layer.needs.iter().map(|(name, reason)| json!({"layer": name, "reason": reason})).collect::<Vec<_>>(),
                    "objects": layer.objects,
                    "hostFiles": layer.host_files,
                })
            })
            .collect();
        output.result(
            &layers,
            || tree(&build.layers),
            || {
                build
                    .layers
                    .iter()
                    .map(|layer| layer.name.as_str())
                    .collect::<Vec<_>>()
                    .join(
                        "
",
                    )
            },
        );
        if build.session.diagnostics.has_errors() {
            Err(Failure::reported(ExitCode::InvalidInput))
        } else {
            Ok(())
        }
    }
}

/// Layers in the order of installation, each with what it needs.
fn tree(layers: &[LayerSummary]) -> String {
    let mut text = String::new();
    for (index, layer) in layers.iter().enumerate() {
        let last = index + 1 == layers.len();
        let (branch, trunk) = if last {
            ("└─", "  ")
        } else {
            ("├─", "│ ")
        };
        let mut facts = Vec::new();
        match (&layer.pack, &layer.chart) {
            (Some((name, version)), _) => facts.push(format!("{name} {version}")),
            (None, Some((name, version))) => facts.push(format!("chart {name} {version}")),
            (None, None) => facts.push("manifests".to_owned()),
        }
        if let Some(range) = &layer.range {
            facts.push(format!("from {range}"));
        }
        if !layer.presets.is_empty() {
            facts.push(format!("presets {}", layer.presets.join(", ")));
        }
        facts.push(count(layer.objects, "object"));
        if layer.host_files > 0 {
            facts.push(count(layer.host_files, "host file"));
        }
        let _ = writeln!(
            text,
            "{branch} {} [{}] {}",
            layer.name,
            layer.kind,
            facts.join(" · ")
        );
        for (name, reason) in &layer.needs {
            let _ = writeln!(text, "{trunk}   needs {name}: {reason}");
        }
    }
    text
}
