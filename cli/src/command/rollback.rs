//! `cairn rollback`: back to a bundle that was healthy in a cluster, from what the cluster keeps.

use cairn_runner::{
    bundle::Secrets,
    cluster::Cluster,
    journal::Refused,
    run::{Outcome as Applied, Progress, RunError, roll_back, store},
};
use cairn_spec::Digest;
use clap::Args;
use serde_json::json;

use super::apply::show;
use crate::{
    args::Format,
    client::runtime,
    cluster::{ClusterArgs, RunArgs, failure_of, holder},
    config::Environment,
    exit::{Failure, Outcome},
    output::{Output, count},
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
        let mut changed = 0;
        let mut tell = |progress: Progress<'_>| {
            if let Progress::Applied { outcome, .. } = &progress {
                let stays = matches!(outcome, Applied::Unchanged | Applied::Kept);
                changed += usize::from(!stays);
            }
            show(&progress, output);
        };
        let went = roll_back(&cluster, self.to.as_ref(), &options, &mut tell).await;
        let (digest, _) = match went {
            Ok(went) => went,
            Err(error) => return Err(failure(error, &cluster, output).await),
        };
        if output.format == Format::Json {
            let done = json!({"event": "Done", "bundle": digest, "changed": changed});
            output.data(&format!("{done}\n"));
        } else {
            let objects = count(changed, "object");
            output.data(&format!("went back to {digest}, {objects} changed\n"));
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
    let failure = failure_of(error, output);
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
