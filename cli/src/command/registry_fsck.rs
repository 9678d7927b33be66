//! `cairn registry fsck`: checks a registry's storage.

use cairn_registry::{Finding, FsckOptions};
use cairn_spec::human_bytes;
use clap::Args;
use serde_json::json;

use crate::{
    client::runtime,
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    output::{Output, lines},
    storage::{StorageArgs, failed},
};

/// Check a registry's storage, and repair it
///
/// Every record is compared with those it names: manifests have their content, tags their
/// manifests, and whatever nobody needs is known to garbage collection. Ends with 7 when something
/// is broken. Over a bucket that servers write to meanwhile, run it twice: what both runs find is
/// broken.
#[derive(Debug, Args)]
pub(crate) struct RegistryFsck {
    /// Read and hash all content, not only look whether it is there
    #[arg(long)]
    read_data: bool,
    /// Repair what other records still say; remove what leads nowhere, so that it can be pushed again
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    storage: StorageArgs,
}

impl RegistryFsck {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let options = FsckOptions {
            read_data: self.read_data,
            repair: self.repair,
        };
        let (findings, checked) = runtime()?.block_on(async {
            let maintenance = self.storage.open(environment, output).await?;
            let mut findings = Vec::new();
            let mut found = |finding: Finding| findings.push(finding);
            let checked = maintenance.fsck(options, &mut found).await;
            Ok::<_, Failure>((findings, checked.map_err(failed)?))
        })?;
        let shown: String = findings.iter().map(describe).collect();
        let read = if self.read_data {
            format!(", {} of content", human_bytes(checked.content_bytes))
        } else {
            String::new()
        };
        let keys = || lines(findings.iter().map(|found| &found.key));
        output.result(
            &json!({"findings": findings, "checked": checked}),
            || {
                format!(
                    "{shown}{} records{read}: {} broken, {} repaired",
                    checked.records, checked.broken, checked.repaired
                )
            },
            keys,
        );
        if checked.broken > 0 {
            return Err(Failure::reported(ExitCode::InvalidInput));
        }
        Ok(())
    }
}

fn describe(finding: &Finding) -> String {
    let next = if finding.repaired {
        "repaired".to_owned()
    } else {
        format!("hint: {}", finding.remedy)
    };
    format!("{}\n  {}\n  {next}\n\n", finding.key, finding.problem)
}
