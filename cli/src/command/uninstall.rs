//! `cairn uninstall`: takes away what Cairn has in a cluster.

use std::{collections::BTreeSet, iter};

use cairn_runner::{
    bundle::Secrets,
    run::{Options, Progress, uninstall},
};
use clap::Args;
use serde_json::json;

use crate::{
    args::Format,
    client::runtime,
    cluster::{ApprovalArgs, ClusterArgs, ObjectName, failed_run, holder},
    config::Environment,
    exit::Outcome,
    output::{Output, count},
    run_view::RunView,
};

/// How a run says that somebody must approve a deletion.
const TO_APPROVE: &str = "kept until approved";

/// Delete what Cairn has applied to a cluster, the last layer first
///
/// Only what is provably Cairn's is deleted. What takes data or other objects with it stays until it is
/// approved.
#[derive(Debug, Args)]
pub(crate) struct Uninstall {
    #[command(flatten)]
    approvals: ApprovalArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl Uninstall {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        runtime()?.block_on(self.uninstall(environment, output))
    }

    async fn uninstall(&self, environment: &Environment, output: &Output) -> Outcome {
        let cluster = self.cluster.connect(environment).await?;
        let approved: BTreeSet<_> = self.approvals.identities();
        let (secrets, holder) = (Secrets::default(), holder());
        let options = Options {
            approved: &approved,
            // All of it is what was asked for.
            approved_amount: true,
            ..Options::new(&secrets, &holder)
        };
        let view = RunView::new(output, iter::empty::<&str>());
        let mut kept = Vec::new();
        let mut tell = |progress: Progress<'_>| {
            if let Progress::Pruned {
                object, decision, ..
            } = &progress
                && decision.starts_with(TO_APPROVE)
            {
                kept.push(ObjectName::from((*object).clone()).to_string());
            }
            view.tell(&progress);
        };
        let run = uninstall(&cluster, &options, &mut tell);
        let gone = view.follow(run).await;
        // Nothing is waited for here, so the run is done when it has ended.
        let _ = gone.map_err(|error| failed_run(error, output))?;
        let (_, deleted) = view.counts();
        if output.format == Format::Json {
            let done = json!({"event": "done", "deleted": deleted, "toApprove": kept});
            output.data(&format!("{done}\n"));
            return Ok(());
        }
        output.data(&format!("{} deleted\n", count(deleted, "object")));
        if !kept.is_empty() {
            let options: Vec<String> = kept
                .iter()
                .map(|name| format!("  --approve-deletion {name}"))
                .collect();
            output.message(&format!(
                "kept until approved, since data or other objects go with them or their inventory was lost:\n{}",
                options.join("\n")
            ));
        }
        Ok(())
    }
}
