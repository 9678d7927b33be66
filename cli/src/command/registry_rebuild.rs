//! `cairn registry rebuild`: recomputes what follows from other records.

use clap::Args;

use crate::{
    client::runtime,
    config::Environment,
    exit::Outcome,
    output::{Output, table},
    storage::{StorageArgs, failed},
};

/// Recompute everything that follows from manifests, tags and blobs
///
/// Lists of referrers, hints on tags, the blobs of each repository, the queue of garbage collection
/// and what quotas go by are made anew. Nothing is removed; the next garbage collection looks at everything
/// once.
#[derive(Debug, Args)]
pub(crate) struct RegistryRebuild {
    #[command(flatten)]
    storage: StorageArgs,
}

impl RegistryRebuild {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let rebuilt = runtime()?.block_on(async {
            let maintenance = self.storage.open(environment, output).await?;
            maintenance.rebuild().await.map_err(failed)
        })?;
        let rows: Vec<Vec<String>> = [
            ("manifests read", rebuilt.manifests),
            ("tags read", rebuilt.tags),
            ("blobs read", rebuilt.blobs),
            ("repositories written", rebuilt.repositories),
            ("blobs given back to repositories", rebuilt.memberships),
            ("referrers corrected", rebuilt.referrers),
            ("hints written", rebuilt.hints),
            ("candidates queued", rebuilt.candidates),
            ("repositories counted anew", rebuilt.usages),
        ]
        .map(|(what, count)| vec![what.to_owned(), count.to_string()])
        .to_vec();
        let text = || table(&["WHAT", "COUNT"], &rows);
        output.result(&rebuilt, text, String::new);
        Ok(())
    }
}
