//! `cairn uninstall`: takes away what Cairn has in a cluster.

use std::{collections::BTreeSet, time::Duration};

use cairn_runner::{
    bundle::Secrets,
    run::{Adoption, Options, Progress, uninstall},
};
use clap::Args;

use super::apply::show;
use crate::{
    client::runtime,
    cluster::{ApprovalArgs, ClusterArgs, failure_of},
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
        let options = Options {
            secrets: &Secrets::default(),
            adoption: Adoption::Refuse,
            timeout: Duration::ZERO,
            load_balancer_address: false,
            approved: &approved,
            // All of it is what was asked for.
            approved_amount: true,
            ignore: &[],
        };
        let mut tell = |progress: Progress<'_>| show(&progress, output);
        let gone = uninstall(&cluster, &options, &mut tell).await;
        gone.map_err(|error| failure_of(error, output))
    }
}
