//! The status document: how the cluster is, and what the agent itself knows of its work.

use serde_json::Value as Json;

use crate::{
    observed::{Observations, drifts, what},
    report::{Reporter, describe_drift, fitted},
};

/// What is known of a cluster, as a hub is told.
pub fn status_of(reporter: &Reporter, known: &Observations) -> Json {
    let mut status = reporter.status(&known.journal);
    let drifted = known.drift.iter();
    let drifted =
        drifted.map(|(identity, (_, verdict))| (identity, what(verdict), drifts(verdict)));
    describe_drift(&mut status, drifted);
    fitted(status).1
}
