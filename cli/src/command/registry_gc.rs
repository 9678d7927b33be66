//! `cairn registry gc`: collects garbage, or says what it would collect.

use cairn_registry::{Found, Progress};
use cairn_spec::human_bytes;
use clap::Args;

use crate::{
    client::runtime,
    config::Environment,
    exit::Outcome,
    output::{Output, lines, table},
    storage::{StorageArgs, failed},
};

/// Remove what nothing refers to any more
///
/// A server does this by itself while it runs. Blobs that no manifest refers to, abandoned uploads
/// and, if the configuration says so, manifests without a tag are removed once nobody has relied on
/// them for a grace period (`limits.graceS`).
#[derive(Debug, Args)]
pub(crate) struct RegistryGc {
    /// Say what would be removed, and why; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Use another grace period than the configured one; 0 is safe unless servers share the storage
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u64>,
    #[command(flatten)]
    storage: StorageArgs,
}

impl RegistryGc {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        runtime()?.block_on(async {
            let maintenance = self.storage.open(environment, output).await?;
            if self.dry_run {
                let mut garbage = Vec::new();
                let mut found = |found: Found| garbage.push(found);
                let explained = maintenance.explain(self.grace, &mut found);
                explained.await.map_err(failed)?;
                print_garbage(output, &garbage);
            } else {
                let progress = maintenance.collect(self.grace).await.map_err(failed)?;
                print_progress(output, &progress);
            }
            Ok(())
        })
    }
}

fn print_garbage(output: &Output, garbage: &[Found]) {
    let size_bytes = garbage.iter().map(|found| found.size_bytes).sum();
    let rows: Vec<Vec<String>> = garbage
        .iter()
        .map(|found| {
            let repository = found.repository.as_ref();
            vec![
                found.kind.to_owned(),
                repository.map_or("-".to_owned(), ToString::to_string),
                found.name.clone(),
                human_bytes(found.size_bytes),
                cairn_spec::rfc_3339(found.since_unix_s),
                found.reason.to_owned(),
            ]
        })
        .collect();
    let heading = ["KIND", "REPOSITORY", "NAME", "SIZE", "SINCE", "REASON"];
    let names = || lines(garbage.iter().map(|found| &found.name));
    output.result(&garbage, || table(&heading, &rows), names);
    output.message(&format!(
        "{} would go, {}",
        garbage.len(),
        human_bytes(size_bytes)
    ));
}

fn print_progress(output: &Output, progress: &Progress) {
    let rows: Vec<Vec<String>> = [
        ("candidates examined", progress.examined),
        ("blobs taken out of repositories", progress.memberships),
        ("blobs deleted", progress.blobs),
        ("manifests deleted", progress.manifests),
        ("referrers corrected", progress.referrers),
        ("uploads ended", progress.uploads),
        ("lost payloads removed", progress.payloads),
        ("failures", progress.failures),
    ]
    .map(|(what, count)| vec![what.to_owned(), count.to_string()])
    .to_vec();
    let freed = human_bytes(progress.blob_bytes);
    let text = || format!("{}freed {freed}", table(&["WHAT", "COUNT"], &rows));
    output.result(progress, text, || freed.clone());
}
