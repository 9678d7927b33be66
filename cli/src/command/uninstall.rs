//! `cairn uninstall`: takes away what Cairn has in a cluster.

use std::collections::BTreeSet;

use cairn_runner::{
    bundle::Secrets,
    run::{Options, Progress, uninstall},
};
use clap::Args;

use super::apply::show;
use crate::{
    client::runtime,
    cluster::{ApprovalArgs, ClusterArgs, failure_of, holder},
    config::Environment,
    exit::Outcome,
    output::Output,
};

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
        let mut tell = |progress: Progress<'_>| show(&progress, output);
        let gone = uninstall(&cluster, &options, &mut tell).await;
        // Nothing is waited for here, so the run is done when it has ended.
        gone.map(drop).map_err(|error| failure_of(error, output))
    }
}
