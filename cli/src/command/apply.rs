//! `cairn apply`: drives a bundle into a cluster.

use cairn_runner::run::{OnFailure, Options, Progress, apply, check_rights, store};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    args::Format,
    bundles::BundleArgs,
    client::runtime,
    cluster::{ClusterArgs, RunArgs, Target, failed_run, holder},
    config::Environment,
    exit::Outcome,
    output::{Output, count},
    run_view::RunView,
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
        let ready = check_rights(&target.cluster, &target.bundle, &options).await;
        ready.map_err(|error| failed_run(error, output))?;
        // So that the cluster can come back to it.
        let kept = store::keep(&target.cluster, &target.artifact).await;
        kept.map_err(|error| failed_run(error, output))?;
        let layers = target.bundle.layers.iter().map(|layer| &layer.name);
        let view = RunView::new(output, layers);
        let mut tell = |progress: Progress<'_>| view.tell(&progress);
        let run = apply(
            &target.cluster,
            &target.bundle,
            (&target.digest, self.retry_rejected),
            &options,
            &mut tell,
        );
        let applied = view.follow(run).await;
        // Nothing is waited for here, so the run is done when it has ended.
        let _ = applied.map_err(|error| failed_run(error, output))?;
        let (changed, deleted) = view.counts();
        let layers = target.bundle.layers.len();
        if output.format == Format::Json {
            let done = json!({
                "event": "done", "bundle": target.digest,
                "layers": layers, "changed": changed, "deleted": deleted,
            });
            output.data(&format!("{done}\n"));
        } else {
            let layers = count(layers, "layer");
            let objects = count(changed, "object");
            output.data(&format!(
                "{layers} healthy, {objects} changed, {deleted} deleted\n"
            ));
        }
        Ok(())
    }
}
