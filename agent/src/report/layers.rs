//! The layers of the bundle, as the runner's memory and the objects themselves say they are.

use std::collections::BTreeMap;

use cairn_runner::{
    drift::Drift,
    health::Status as Health,
    inventory::Identity,
    journal::{Journal, Phase},
    run::{ClusterStatus, LayerStatus},
};
use cairn_spec::{
    LayerName,
    agent::{Cut, DriftReport, DriftedField, LayerReport, MAX_LISTED, RejectedBundle, Status},
};

use super::cut::{first, heaviest, short};

/// How the layers are, by name.
pub(super) fn layers_of(cluster: &ClusterStatus) -> BTreeMap<LayerName, LayerReport> {
    let layers = cluster.layers.iter().enumerate();
    layers
        .map(|(place, layer)| {
            let report = describe(layer, place, &cluster.journal);
            (layer.layer.clone(), report)
        })
        .collect()
}

/// Adds what the journal says of bundles.
pub(super) fn describe_bundles(report: &mut Status, journal: &Journal) {
    report.good.clone_from(&journal.good);
    let rejected = journal.rejected.iter().map(|rejected| {
        let told = RejectedBundle {
            time: rejected.time,
            reason: short(&rejected.reason),
        };
        (rejected.bundle.to_string(), told)
    });
    report.rejected = heaviest(rejected, MAX_LISTED, |it| it.time);
}

/// Adds what somebody changed, and what is done about it: `correct`, `report` or `contested`.
pub fn describe_drift<'a>(
    report: &mut Status,
    drifted: impl Iterator<Item = (&'a Identity, &'a str, &'a [Drift])>,
) {
    let drifted = drifted.map(|(object, action, fields)| {
        let fields = fields.iter().take(MAX_LISTED).map(|drift| DriftedField {
            field: short(&drift.field),
            manager: short(&drift.manager),
            since: drift.time.clone(),
        });
        let told = DriftReport {
            action: action.to_owned(),
            fields: fields.collect(),
        };
        (object.to_string(), told)
    });
    report.drift = first(drifted);
}

fn describe(layer: &LayerStatus, place: usize, journal: &Journal) -> LayerReport {
    let mut health: BTreeMap<String, usize> = BTreeMap::new();
    for object in &layer.objects {
        *health
            .entry(format!("{:?}", object.health.status))
            .or_default() += 1;
    }
    let is_well = |status: Health| status == Health::Current;
    let unhealthy = layer.objects.iter().filter(|it| !is_well(it.health.status));
    let unhealthy = unhealthy.map(|it| (it.identity.to_string(), short(&it.health.message)));
    let unhealthy: Cut<String> = first(unhealthy);
    LayerReport {
        place,
        objects: layer.objects.len(),
        health,
        drifted: layer
            .objects
            .iter()
            .filter(|it| it.drifted == Some(true))
            .count(),
        unhealthy,
        error: error_of(layer, journal),
    }
}

/// Why the last run ended in this layer, if it did.
fn error_of(layer: &LayerStatus, journal: &Journal) -> String {
    let phase = journal.run.as_ref().map(|run| &run.phase);
    match phase {
        Some(Phase::Halted {
            layer: Some(name),
            reason,
        }) if *name == layer.layer => short(reason),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use cairn_runner::run::ObjectStatus;
    use serde_json::json;

    use super::*;

    fn object(name: &str, status: &str, drifted: bool) -> ObjectStatus {
        let health =
            json!({"status": status, "reason": "", "message": format!("{name} is {status}")});
        ObjectStatus {
            identity: Identity {
                group: "apps".to_owned(),
                kind: "Deployment".to_owned(),
                namespace: Some("shop".to_owned()),
                name: name.to_owned(),
            },
            health: serde_json::from_value(health).unwrap(),
            drifted: Some(drifted),
            drift: Vec::new(),
        }
    }

    #[test]
    fn layers_say_what_is_wrong_and_where_the_run_ended() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let journal = json!({
            "run": {
                "action": "upgrade", "bundle": digest, "started": "2026-01-01T00:00:00Z",
                "since": "2026-01-01T00:00:00Z",
                "phase": {"name": "halted", "layer": "web", "reason": "no image"},
            },
            "good": digest,
            "rejected": [{"bundle": digest, "time": "2026-01-01T00:00:00Z", "reason": "no image"}],
        });
        let layer = |name: &str, objects| LayerStatus {
            layer: name.parse().unwrap(),
            objects,
        };
        let cluster = ClusterStatus {
            journal: serde_json::from_value(journal).unwrap(),
            layers: vec![
                layer("base", vec![object("a", "Current", true)]),
                layer(
                    "web",
                    vec![object("b", "Failed", false), object("c", "Current", false)],
                ),
            ],
            damaged: Vec::new(),
        };
        insta::assert_json_snapshot!(layers_of(&cluster));
        let mut report = Status::default();
        describe_bundles(&mut report, &cluster.journal);
        assert_eq!(report.rejected.items.len(), 1);
        assert!(report.good.is_some());
    }

    #[test]
    fn drift_names_field_manager_and_time() {
        let object = object("a", "Current", true).identity;
        let drift = [Drift {
            field: "spec.replicas".to_owned(),
            manager: "kubectl-edit".to_owned(),
            time: "2026-01-01T00:00:00Z".to_owned(),
        }];
        let mut report = Status::default();
        describe_drift(&mut report, [(&object, "correct", &drift[..])].into_iter());
        let told = &report.drift.items["Deployment shop/a"];
        assert_eq!(told.fields[0].manager, "kubectl-edit");
    }
}
