//! `cairn registry quota`: shows how much of the quotas is used.

use cairn_registry::{QuotaReport, QuotaStatus};
use cairn_spec::human_bytes;
use clap::Args;

use crate::{
    client::runtime,
    config::Environment,
    exit::Outcome,
    output::{Output, lines, table},
    storage::{StorageArgs, failed},
};

/// Show how much of the quotas is used
///
/// The configuration says which quotas there are (`quotas.rules`). What servers have accepted in
/// the last seconds may be missing. While a server holds the folder, its metrics say the same.
#[derive(Debug, Args)]
pub(crate) struct RegistryQuota {
    /// Show the repositories that the quotas cover, too
    #[arg(long)]
    repositories: bool,
    #[command(flatten)]
    storage: StorageArgs,
}

impl RegistryQuota {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let report = runtime()?.block_on(async {
            let maintenance = self.storage.open(environment, output).await?;
            maintenance.quotas().await.map_err(failed)
        })?;
        let text = || {
            let mut text = quotas(&report.quotas);
            if self.repositories {
                text.push('\n');
                text.push_str(&repositories(&report));
            }
            text
        };
        let names = || lines(report.quotas.iter().map(|quota| &quota.name));
        output.result(&report, text, names);
        if report.quotas.is_empty() {
            output.message("no quota is configured");
        }
        Ok(())
    }
}

fn quotas(quotas: &[QuotaStatus]) -> String {
    let unlimited = || "-".to_owned();
    let rows: Vec<Vec<String>> = quotas
        .iter()
        .map(|quota| {
            let used = quota.used_bytes;
            let percent = used.zip(quota.max_bytes).map(|(used, max)| {
                let percent = u128::from(used) * 100 / u128::from(max.max(1));
                format!("{percent} %")
            });
            vec![
                quota.name.clone(),
                quota.repositories.clone(),
                used.map_or("not counted".to_owned(), human_bytes),
                quota.max_bytes.map_or_else(unlimited, human_bytes),
                percent.unwrap_or_else(unlimited),
                quota.repository_count.to_string(),
                quota
                    .max_repositories
                    .map_or_else(unlimited, |max| max.to_string()),
            ]
        })
        .collect();
    let heading = [
        "QUOTA",
        "REPOSITORIES",
        "USED",
        "OF",
        "PERCENT",
        "COUNT",
        "OF",
    ];
    table(&heading, &rows)
}

fn repositories(report: &QuotaReport) -> String {
    let rows: Vec<Vec<String>> = report
        .repositories
        .iter()
        .map(|usage| {
            vec![
                usage.repository.to_string(),
                human_bytes(usage.bytes),
                usage.blobs.to_string(),
                usage.manifests.to_string(),
            ]
        })
        .collect();
    table(&["REPOSITORY", "USED", "BLOBS", "MANIFESTS"], &rows)
}
