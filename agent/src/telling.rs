//! What a hub is told of the cluster: what the reports see, and what the agent knows of its own work.

use std::convert::Infallible;

use cairn_runner::cluster::Cluster;
use cairn_spec::agent::{ClusterIdentity, Metrics};
use serde_json::Value as Json;
use tokio::sync::watch;

use crate::{
    clock::Clock,
    observed::{Observed, drifts, what},
    report::{Pressing, Reporter, Syncing, describe_drift, fitted},
};

/// Finds out what is told.
#[derive(Debug)]
pub struct Telling {
    reporter: Reporter,
    observed: Observed,
}

impl Telling {
    /// Nothing is known yet.
    pub fn new(cluster: Cluster, clock: Clock, observed: Observed) -> Self {
        Self {
            reporter: Reporter::new(cluster, clock, ClusterIdentity::default()),
            observed,
        }
    }

    /// Watches, for as long as it is polled.
    pub async fn run(&self) -> Infallible {
        self.reporter.run().await
    }

    /// How the cluster is.
    pub fn status(&self) -> Json {
        let known = self.observed.now();
        let mut status = self.reporter.status(&known.journal);
        let drifted = known.drift.iter();
        let drifted =
            drifted.map(|(object, (_, verdict))| (object, what(verdict), drifts(verdict)));
        describe_drift(&mut status, drifted);
        fitted(status).1
    }

    /// What is to be told at once when it changes.
    pub fn pressing(&self) -> watch::Receiver<Pressing> {
        self.reporter.pressing()
    }

    /// What was measured since the last time.
    pub fn metrics(&self, syncing: Syncing) -> Metrics {
        self.reporter.metrics(syncing)
    }
}
