//! What charts get on the command line for what is not deterministic, and objects that stand in
//! for those of a cluster (`spec/chart.md`).

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use cairn_chart::{ChartHost, ClusterObjects, UnnamedCalls};
use cairn_spec::{
    Diagnostics, GeneratedValues, GeneratedValuesManifest, SourceId, SourceKind, decode,
    yaml::read_one,
};
use clap::Args;
use sha2::{Digest as _, Sha256};

use crate::{
    charts::{Texts, read_file},
    exit::{ExitCode, Failure},
    output::Output,
};

/// What templates may ask for that the chart does not know.
#[derive(Debug, Default, Args)]
pub(crate) struct GeneratedArgs {
    /// Which values calls get that give another one at each render (spec/chart.md §1)
    #[arg(long, value_name = "FILE")]
    generated_values: Option<PathBuf>,
    /// A text that seeded values follow from
    #[arg(long, value_name = "TEXT", default_value = "")]
    seed: String,
    /// Objects that `lookup` finds, as `kubectl get -o yaml` prints them
    #[arg(long, value_name = "FILE")]
    objects: Vec<PathBuf>,
    /// Generate all other values anew at each render, as Helm does
    #[arg(long, conflicts_with = "seed")]
    allow_nondeterministic: bool,
}

impl GeneratedArgs {
    /// Reads the files, and makes what answers the templates of a release.
    pub(crate) fn host(
        &self,
        release: &str,
        namespace: &str,
        texts: &mut Texts,
        output: &Output,
    ) -> Result<ChartHost, Failure> {
        let mut diagnostics = Diagnostics::new();
        let values = self.values(texts, &mut diagnostics)?;
        let mut objects = ClusterObjects::new();
        for path in &self.objects {
            let source = add(path, texts)?;
            objects.read(&texts.sources, source, &mut texts.origins, &mut diagnostics);
        }
        for finding in diagnostics.iter() {
            output.finding(finding, &texts.sources);
        }
        if diagnostics.has_errors() {
            return Err(Failure::reported(ExitCode::InvalidInput));
        }
        let host = ChartHost {
            release: release.to_owned(),
            namespace: namespace.to_owned(),
            values,
            objects,
            ..ChartHost::default()
        };
        if self.allow_nondeterministic {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = now.ok().and_then(|now| i64::try_from(now.as_secs()).ok());
            return Ok(ChartHost {
                seed: rand::random(),
                unnamed_calls: UnnamedCalls::Seeded,
                now,
                ..host
            });
        }
        Ok(ChartHost {
            seed: seed(&self.seed),
            ..host
        })
    }

    fn values(
        &self,
        texts: &mut Texts,
        diagnostics: &mut Diagnostics,
    ) -> Result<GeneratedValues, Failure> {
        let Some(path) = &self.generated_values else {
            return Ok(GeneratedValues::default());
        };
        let source = add(path, texts)?;
        let node = read_one(&texts.sources, source, &mut texts.origins, diagnostics);
        let manifest: Option<GeneratedValuesManifest> =
            node.and_then(|node| decode(&node, &texts.origins, diagnostics));
        Ok(manifest.map(|manifest| manifest.spec).unwrap_or_default())
    }
}

/// What seeded values follow from. Nearly every chart is rendered without a seed; then nothing
/// need be hashed, for which the processor would first be asked what it can.
fn seed(text: &str) -> [u8; 32] {
    /// SHA-256 of nothing.
    const OF_NOTHING: [u8; 32] = [
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ];
    match text {
        "" => OF_NOTHING,
        text => Sha256::digest(text).into(),
    }
}

fn add(path: &Path, texts: &mut Texts) -> Result<SourceId, Failure> {
    let bytes = read_file(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let name = path.display().to_string();
    Ok(texts.sources.add(name, text, SourceKind::Other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_of_nothing_is_its_digest() {
        assert_eq!(seed("")[..], Sha256::digest("")[..]);
    }
}
