//! kstatus' rules for what keeps pods running.

use serde_json::Value as Json;

use super::{
    Verdict,
    fields::{Condition, Malformed, number, strict_number, text},
};

/// A deployment without this deadline never says that it progresses.
const NO_DEADLINE: i64 = i32::MAX as i64;

pub(super) fn deployment(object: &Json, conditions: &[Condition<'_>]) -> Verdict {
    let deadline = number(object, &["spec", "progressDeadlineSeconds"], NO_DEADLINE);
    let mut is_progressing = deadline == NO_DEADLINE;
    let mut is_available = false;
    for condition in conditions {
        match condition.kind {
            "Progressing" if condition.reason == "ProgressDeadlineExceeded" => {
                return Verdict::failed("ProgressDeadlineExceeded", "Progress deadline exceeded");
            }
            "Progressing" if condition.reason == "NewReplicaSetAvailable" => {
                is_progressing |= condition.status == "True";
            }
            "Available" => is_available |= condition.status == "True",
            _ => {}
        }
    }
    let wanted = number(object, &["spec", "replicas"], 1);
    let status = |key| number(object, &["status", key], 0);
    let (replicas, updated) = (status("replicas"), status("updatedReplicas"));
    let (ready, available) = (status("readyReplicas"), status("availableReplicas"));
    first_of([
        less("LessReplicas", "Replicas", replicas, wanted),
        less("LessUpdated", "Updated", updated, wanted),
        extra_pods(replicas, wanted),
        less("LessAvailable", "Available", available, updated),
        less("LessReady", "Ready", ready, wanted),
        unless(
            is_progressing,
            "ReplicaSetNotAvailable",
            "ReplicaSet not Available",
        ),
        unless(
            is_available,
            "DeploymentNotAvailable",
            "Deployment not Available",
        ),
    ])
    .unwrap_or_else(|| Verdict::current(format!("Deployment is available. Replicas: {replicas}")))
}

pub(super) fn replica_set(object: &Json, conditions: &[Condition<'_>]) -> Verdict {
    if conditions.iter().any(|it| it.is("ReplicaFailure", "True")) {
        let message = "Replica Failure condition. Check Pods";
        return Verdict::in_progress("ReplicaFailure", message);
    }
    let wanted = number(object, &["spec", "replicas"], 1);
    let status = |key| number(object, &["status", key], 0);
    let replicas = status("replicas");
    first_of([
        less(
            "LessLabelled",
            "Labelled",
            status("fullyLabeledReplicas"),
            wanted,
        ),
        less(
            "LessAvailable",
            "Available",
            status("availableReplicas"),
            wanted,
        ),
        less("LessReady", "Ready", status("readyReplicas"), wanted),
        extra_pods(replicas, wanted),
    ])
    .unwrap_or_else(|| Verdict::current(format!("ReplicaSet is available. Replicas: {replicas}")))
}

pub(super) fn stateful_set(object: &Json) -> Verdict {
    if text(object, &["spec", "updateStrategy", "type"], "") == "OnDelete" {
        return Verdict::current("StatefulSet is using the ondelete update strategy");
    }
    let wanted = number(object, &["spec", "replicas"], 1);
    let status = |key| number(object, &["status", key], 0);
    let (replicas, ready) = (status("replicas"), status("readyReplicas"));
    let partition = number(
        object,
        &["spec", "updateStrategy", "rollingUpdate", "partition"],
        -1,
    );
    let unready = first_of([
        less("LessReplicas", "Replicas", replicas, wanted),
        less("LessReady", "Ready", ready, wanted),
        extra_pods(replicas, wanted),
    ]);
    if let Some(unready) = unready {
        return unready;
    }
    if partition != -1 {
        let updated = status("updatedReplicas");
        let to_update = wanted.saturating_sub(partition);
        return less("PartitionRollout", "updated", updated, to_update).unwrap_or_else(|| {
            Verdict::current(format!("Partition rollout complete. updated: {updated}"))
        });
    }
    let revision = |key| text(object, &["status", key], "");
    let is_new = revision("currentRevision") == revision("updateRevision");
    first_of([
        less("LessCurrent", "current", status("currentReplicas"), wanted),
        unless(
            is_new,
            "RevisionMismatch",
            "Waiting for updated revision to match current",
        ),
    ])
    .unwrap_or_else(|| scheduled_as_expected(replicas))
}

pub(super) fn daemon_set(object: &Json) -> Result<Verdict, Malformed> {
    let kind = text(object, &["kind"], "");
    if strict_number(object, &["metadata", "generation"])?.is_none() {
        let message = format!("{kind} metadata.generation not found");
        return Ok(Verdict::in_progress("NoGeneration", message));
    }
    if strict_number(object, &["status", "observedGeneration"])?.is_none() {
        let message = format!("{kind} status.observedGeneration not found");
        return Ok(Verdict::in_progress("NoObservedGeneration", message));
    }
    let wanted = number(object, &["status", "desiredNumberScheduled"], -1);
    let status = |key| number(object, &["status", key], 0);
    Ok(first_of([
        unless(
            wanted != -1,
            "NoDesiredNumber",
            "Missing .status.desiredNumberScheduled",
        ),
        less(
            "LessCurrent",
            "Current",
            status("currentNumberScheduled"),
            wanted,
        ),
        less(
            "LessUpdated",
            "Updated",
            status("updatedNumberScheduled"),
            wanted,
        ),
        less(
            "LessAvailable",
            "Available",
            status("numberAvailable"),
            wanted,
        ),
        less("LessReady", "Ready", status("numberReady"), wanted),
    ])
    .unwrap_or_else(|| scheduled_as_expected(wanted)))
}

fn scheduled_as_expected(replicas: i64) -> Verdict {
    Verdict::current(format!(
        "All replicas scheduled as expected. Replicas: {replicas}"
    ))
}

fn first_of<const N: usize>(rules: [Option<Verdict>; N]) -> Option<Verdict> {
    rules.into_iter().flatten().next()
}

fn less(reason: &'static str, what: &str, found: i64, wanted: i64) -> Option<Verdict> {
    (found < wanted).then(|| Verdict::in_progress(reason, format!("{what}: {found}/{wanted}")))
}

fn extra_pods(replicas: i64, wanted: i64) -> Option<Verdict> {
    (replicas > wanted).then(|| {
        let extra = replicas.saturating_sub(wanted);
        Verdict::in_progress("ExtraPods", format!("Pending termination: {extra}"))
    })
}

fn unless(is_so: bool, reason: &'static str, message: &str) -> Option<Verdict> {
    (!is_so).then(|| Verdict::in_progress(reason, message))
}
