//! `cairn rollback`: back to a bundle that was healthy in a cluster, from what the cluster keeps.

use std::iter;

use cairn_runner::{
    bundle::Secrets,
    cluster::Cluster,
    journal::Refused,
    run::{Progress, RunError, roll_back, store},
};
use cairn_spec::Digest;
use clap::Args;
use serde_json::json;

use crate::{
    args::Format,
    client::runtime,
    cluster::{ClusterArgs, RunArgs, failed_run, holder},
    config::Environment,
    exit::{Failure, Outcome},
    output::{Output, count},
    run_view::RunView,
};

/// Go back to the bundle that was healthy in a cluster before
///
/// The cluster keeps its last bundles, so nothing else is needed. What only the newer bundle brought is
/// deleted, if it is provably Cairn's. Volumes and claims, definitions whose older version cannot
/// hold what is stored, and what says `cairn.dev/rollback: never` stay as they are. The bundle that is
/// left is not applied again without `--retry-rejected`. With `-o json`, each event is a line of JSON.
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// Go back to this bundle, if the cluster keeps it
    #[arg(long, value_name = "DIGEST")]
    to: Option<Digest>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl Rollback {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        runtime()?.block_on(self.rollback(environment, output))
    }

    async fn rollback(&self, environment: &Environment, output: &Output) -> Outcome {
        let cluster = self.cluster.connect(environment).await?;
        let (approved, holder) = (self.run.approved(), holder());
        let secrets = Secrets::default();
        let options = self.run.options(&secrets, &approved, &holder);
        let view = RunView::new(output, iter::empty::<&str>());
        let mut tell = |progress: Progress<'_>| view.tell(&progress);
        let run = roll_back(&cluster, self.to.as_ref(), &options, &mut tell);
        let (digest, _) = match view.follow(run).await {
            Ok(went) => went,
            Err(error) => return Err(failure(error, &cluster, output).await),
        };
        let (changed, deleted) = view.counts();
        if output.format == Format::Json {
            let done = json!({
                "event": "done", "bundle": digest, "changed": changed, "deleted": deleted,
            });
            output.data(&format!("{done}\n"));
        } else {
            let objects = count(changed, "object");
            output.data(&format!(
                "went back to {digest}, {objects} changed, {deleted} deleted\n"
            ));
        }
        Ok(())
    }
}

/// Which bundles there are to go back to is said when the one that was meant is not among them.
async fn failure(error: RunError, cluster: &Cluster, output: &Output) -> Failure {
    let is_missing = matches!(
        error,
        RunError::Store(store::StoreError::NotKept(_)) | RunError::Journal(Refused::NothingGood)
    );
    let failure = failed_run(error, output);
    if !is_missing {
        return failure;
    }
    let kept = store::kept(cluster).await.unwrap_or_default();
    let kept: Vec<String> = kept.iter().map(|digest| format!("`{digest}`")).collect();
    failure.hint(match kept.as_slice() {
        [] => "the cluster keeps no bundle: apply the one that is wanted".to_owned(),
        _ => format!("the cluster keeps {}: choose with `--to`", kept.join(", ")),
    })
}
