//! `cairn registry retention`: applies the rules of retention, or explains what they decide.

use cairn_registry::{Decision, RepositoryVerdicts, RetentionOptions, RetentionReport};
use clap::Args;
use serde::Serialize;

use crate::{
    client::runtime,
    config::Environment,
    exit::Outcome,
    output::{Output, count, lines, table},
    storage::{StorageArgs, failed},
};

/// Remove the tags and manifests that the rules of retention do not keep
///
/// A server does this by itself every `retention.intervalS`. With `--dry-run` nothing is changed:
/// for each tag and manifest it says whether it stays, and which part of which rule says so.
#[derive(Debug, Args)]
pub(crate) struct RegistryRetention {
    /// Say what the rules decide, and why; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Show only what goes
    #[arg(long)]
    removals: bool,
    /// The clock is right: do not wait because it is far from what the last pass knew
    #[arg(long)]
    accept_clock: bool,
    #[command(flatten)]
    storage: StorageArgs,
}

/// What the command prints.
#[derive(Serialize)]
struct Result<'a> {
    #[serde(flatten)]
    report: RetentionReport,
    decided: &'a [RepositoryVerdicts],
}

impl RegistryRetention {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let mut decided = Vec::new();
        let options = RetentionOptions {
            dry_run: self.dry_run,
            accept_clock: self.accept_clock,
        };
        let report = runtime()?.block_on(async {
            let maintenance = self.storage.open(environment, output).await?;
            let mut add = |mut repository: RepositoryVerdicts| {
                if self.removals {
                    let goes = |it: &cairn_registry::Verdict| it.decision == Decision::Remove;
                    repository.verdicts.retain(goes);
                }
                decided.push(repository);
            };
            maintenance.retain(options, &mut add).await.map_err(failed)
        })?;
        let result = Result {
            report,
            decided: &decided,
        };
        output.result(&result, || verdicts(&decided), || removed(&decided));
        output.message(&summary(&report, self.dry_run));
        Ok(())
    }
}

fn verdicts(decided: &[RepositoryVerdicts]) -> String {
    let rows: Vec<Vec<String>> = decided
        .iter()
        .flat_map(|of| {
            of.verdicts.iter().map(|verdict| {
                vec![
                    of.repository.to_string(),
                    verdict.kind.to_owned(),
                    verdict.name.clone(),
                    match verdict.decision {
                        Decision::Keep => "keep".to_owned(),
                        Decision::Remove => "remove".to_owned(),
                    },
                    of.rule.clone(),
                    verdict.reason.clone(),
                ]
            })
        })
        .collect();
    let heading = ["REPOSITORY", "KIND", "NAME", "DECISION", "RULE", "REASON"];
    table(&heading, &rows)
}

fn removed(decided: &[RepositoryVerdicts]) -> String {
    let removed = decided.iter().flat_map(|of| {
        let removals = of.verdicts.iter();
        removals
            .filter(|verdict| verdict.decision == Decision::Remove)
            .map(|verdict| {
                let mark = if verdict.kind == "tag" { ':' } else { '@' };
                format!("{}{mark}{}", of.repository, verdict.name)
            })
    });
    lines(removed)
}

fn summary(report: &RetentionReport, is_dry_run: bool) -> String {
    let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let tags = count(number(report.tags_removed), "tag");
    let manifests = count(number(report.manifests_removed), "manifest");
    let what = if is_dry_run {
        "would go"
    } else {
        "are removed"
    };
    let held = report.held_until_unix_s.map(|until_unix_s| {
        format!(
            "; the clock is far from what the last pass knew, so nothing is removed before {} unless --accept-clock says that it is right",
            cairn_spec::rfc_3339(until_unix_s)
        )
    });
    format!("{tags} and {manifests} {what}{}", held.unwrap_or_default())
}
