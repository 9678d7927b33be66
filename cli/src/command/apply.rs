//! `cairn apply`: drives a bundle into a cluster.

use cairn_runner::run::{OnFailure, Options, Outcome as Applied, Progress, apply, store};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    args::Format,
    bundles::BundleArgs,
    client::runtime,
    cluster::{ClusterArgs, RunArgs, Target, failure_of, holder},
    config::Environment,
    exit::Outcome,
    output::{Output, count},
};

/// Apply a bundle to a cluster, layer by layer
///
/// Each layer must be healthy before the next begins. What earlier bundles brought and this one
/// does not have is deleted, if it is provably Cairn's. With `-o json`, each event is a line of JSON.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    bundle: BundleArgs,
    /// Try a bundle again that failed in this cluster before
    #[arg(long)]
    retry_rejected: bool,
    /// What happens when a layer fails
    #[arg(long, value_enum, default_value_t = OnFailureArg::Rollback, value_name = "HOW")]
    on_failure: OnFailureArg,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnFailureArg {
    /// The cluster goes back to the last good bundle, if there is one
    Rollback,
    /// It stays as it is
    Halt,
}

impl Apply {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        runtime()?.block_on(self.apply(environment, output))
    }

    async fn apply(&self, environment: &Environment, output: &Output) -> Outcome {
        let target = Target::read(&self.bundle, &self.cluster, environment, output).await?;
        let approved = self.run.approved();
        let holder = holder();
        let options = Options {
            on_failure: match self.on_failure {
                OnFailureArg::Rollback => OnFailure::Rollback,
                OnFailureArg::Halt => OnFailure::Halt,
            },
            ..self.run.options(&target.secrets, &approved, &holder)
        };
        // So that the cluster can come back to it.
        let kept = store::keep(&target.cluster, &target.artifact).await;
        kept.map_err(|error| failure_of(error, output))?;
        let mut changed = 0;
        let mut tell = |progress: Progress<'_>| {
            if let Progress::Applied { outcome, .. } = &progress {
                changed += usize::from(*outcome != Applied::Unchanged);
            }
            show(&progress, output);
        };
        let retry = self.retry_rejected;
        let applied = apply(
            &target.cluster,
            &target.bundle,
            (&target.digest, retry),
            &options,
            &mut tell,
        )
        .await;
        // Nothing is waited for here, so the run is done when it has ended.
        let _ = applied.map_err(|error| failure_of(error, output))?;
        if output.format == Format::Json {
            let done = json!({"event": "Done", "bundle": target.digest, "changed": changed});
            output.data(&format!("{done}\n"));
        } else {
            let layers = count(target.bundle.layers.len(), "layer");
            let objects = count(changed, "object");
            output.data(&format!("{layers} healthy, {objects} changed\n"));
        }
        Ok(())
    }
}

/// Shows what a run does: a line for people, or one of JSON.
pub(crate) fn show(progress: &Progress<'_>, output: &Output) {
    if output.format == Format::Json {
        let line = serde_json::to_string(progress).unwrap_or_default();
        output.data(&format!("{line}\n"));
        return;
    }
    let line = match progress {
        Progress::Layer { layer } => format!("{layer}"),
        Progress::Stage { .. } | Progress::Phase { .. } | Progress::Remembered { .. } => return,
        Progress::Applied {
            object, outcome, ..
        } => match outcome {
            Applied::Unchanged => return,
            Applied::Created => format!("  + {object}"),
            Applied::Configured => format!("  ~ {object}"),
            Applied::Recreated => format!("  ± {object}"),
            Applied::Skipped => format!("  . {object} is somebody else's"),
            Applied::Kept => format!("  . {object} does not go back"),
        },
        Progress::Health {
            object, verdict, ..
        } => format!("  … {object}: {}", verdict.message),
        Progress::Healthy { layer } => format!("  {layer} is healthy"),
        Progress::Waiting { closed } => format!("waiting: {}", closed.reason),
        Progress::RollingBack { to, reason } => format!("going back to {to}: {reason}"),
        Progress::Pruned {
            object, decision, ..
        } => format!("  - {object}: {decision}"),
    };
    output.message(&line);
}
