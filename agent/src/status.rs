//! The status document, as far as the agent itself knows it.

use cairn_spec::agent::{ClusterIdentity, Cut, DriftReport, DriftedField, RejectedBundle, Status};
use serde_json::Value as Json;

use crate::observed::{Observations, drifts, what};

/// More of each list is left out.
const MAX_LISTED: usize = 50;

/// What is known of a cluster, as a hub is told.
pub fn status_of(identity: &ClusterIdentity, known: &Observations) -> Json {
    let status = Status {
        identity: identity.clone(),
        good: known.journal.good.clone(),
        rejected: cut(known.journal.rejected.iter().map(|it| {
            let rejected = RejectedBundle {
                time: it.time,
                reason: it.reason.clone(),
            };
            (it.bundle.to_string(), rejected)
        })),
        drift: cut(known.drift.iter().map(|(identity, (_, verdict))| {
            let fields = drifts(verdict).iter().map(|drift| DriftedField {
                field: drift.field.clone(),
                manager: drift.manager.clone(),
                since: drift.time.clone(),
            });
            let report = DriftReport {
                action: what(verdict).to_owned(),
                fields: fields.take(MAX_LISTED).collect(),
            };
            (identity.to_string(), report)
        })),
        ..Status::default()
    };
    serde_json::to_value(status).unwrap_or_default()
}

fn cut<T>(all: impl Iterator<Item = (String, T)>) -> Cut<T> {
    let mut cut = Cut::default();
    for (key, item) in all {
        if cut.items.len() < MAX_LISTED {
            cut.items.insert(key, item);
        } else {
            cut.left_out += 1;
        }
    }
    cut
}
