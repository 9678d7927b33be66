//! What a hub is told of the cluster: what the reports see, and what the agent knows of its own work.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use cairn_runner::{cluster::Cluster, journal::Phase, run};
use cairn_spec::{
    LayerName, Timestamp,
    agent::{LayerReport, Metrics, Status},
};
use serde_json::Value as Json;
use tokio::time::sleep;

use crate::{
    clock::Clock,
    enforce::causes,
    observed::{Observed, drifts, what},
    report::{Reporter, Syncing, describe_bundles, describe_drift, describe_layers, fitted},
};

/// Whether a run has ended is looked at this often; it asks nobody.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

/// Finds out what is told.
#[derive(Debug)]
pub struct Telling {
    cluster: Cluster,
    reporter: Reporter,
    observed: Observed,
    layers: Mutex<BTreeMap<LayerName, LayerReport>>,
}

impl Telling {
    /// Nothing is known yet.
    pub fn new(cluster: Cluster, clock: Clock, observed: Observed) -> Self {
        Self {
            reporter: Reporter::new(cluster.clone(), clock),
            cluster,
            observed,
            layers: Mutex::default(),
        }
    }

    /// Watches, for as long as it is polled.
    pub async fn run(&self) -> Infallible {
        let (never, _) = tokio::join!(self.reporter.run(), self.look_at_layers());
        never
    }

    /// After each run all objects are looked at once: what changes later is told by what drifts, and by
    /// the workloads.
    async fn look_at_layers(&self) -> Infallible {
        let mut told: Option<Timestamp> = None;
        loop {
            sleep(LOOKED_EVERY).await;
            let run = self.observed.now().journal.run;
            let ended = run.filter(|run| matches!(run.phase, Phase::Done | Phase::Halted { .. }));
            let ended = ended.map(|run| run.since);
            if ended.is_none() || ended == told {
                continue;
            }
            match run::status(&self.cluster).await {
                Ok(status) => {
                    let mut report = Status::default();
                    describe_layers(&mut report, &status);
                    let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
                    *layers = report.layers;
                    told = ended;
                }
                Err(error) => {
                    tracing::warn!(error = causes(&error), "the layers cannot be looked at");
                    told = ended;
                }
            }
        }
    }

    /// How the cluster is.
    pub fn status(&self) -> Json {
        let known = self.observed.now();
        let mut status = self.reporter.status();
        let layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        status.layers.clone_from(&layers);
        drop(layers);
        describe_bundles(&mut status, &known.journal);
        let drifted = known.drift.iter();
        let drifted =
            drifted.map(|(object, (_, verdict))| (object, what(verdict), drifts(verdict)));
        describe_drift(&mut status, drifted);
        fitted(status).1
    }

    /// What was measured since the last time.
    pub fn metrics(&self, syncing: Syncing) -> Metrics {
        self.reporter.metrics(syncing)
    }
}
