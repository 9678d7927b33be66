//! kstatus: what the fields that all objects share say, then the rule of the object's kind, then
//! its `Ready` condition, and else that it is as asked for.

use jiff::{Timestamp, ToSpan as _};
use serde_json::Value as Json;

use super::{
    Status, Verdict,
    fields::{
        Condition, Malformed, conditions, field, map, number, strict_list, strict_number,
        strict_text, text,
    },
    workloads::{daemon_set, deployment, replica_set, stateful_set},
};

/// A pod that no node takes is waited for this long, in seconds.
const SCHEDULING_GRACE_S: i64 = 15;

/// The verdict of kstatus on an object. Fields of a wrong type make it unknown.
pub fn kstatus(object: &Json, now: Timestamp) -> Verdict {
    decide(object, now)
        .unwrap_or_else(|error| Verdict::new(Status::Unknown, "Malformed", error.to_string()))
}

fn decide(object: &Json, now: Timestamp) -> Result<Verdict, Malformed> {
    let conditions = match shared_fields(object)? {
        Shared::Decided(verdict) => return Ok(verdict),
        Shared::Open(conditions) => conditions,
    };
    let (group, kind) = group_kind(object);
    match (group, kind) {
        ("", "Service") => Ok(service(object)),
        ("", "Pod") => pod(object, &conditions, now),
        ("", "Secret" | "ConfigMap") | ("batch", "CronJob") => {
            Ok(Verdict::current("Resource is always ready"))
        }
        ("", "PersistentVolumeClaim") => Ok(claim(object)),
        ("apps", "StatefulSet") => Ok(stateful_set(object)),
        ("apps" | "extensions", "DaemonSet") => daemon_set(object),
        ("apps" | "extensions", "Deployment") => Ok(deployment(object, &conditions)),
        ("apps" | "extensions", "ReplicaSet") => Ok(replica_set(object, &conditions)),
        // Its generation was checked already, and nothing else says more.
        ("policy", "PodDisruptionBudget") => {
            Ok(Verdict::current("AllowedDisruptions has been computed."))
        }
        ("batch", "Job") => Ok(job(object, &conditions)),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Ok(definition(&conditions)),
        _ => {
            Ok(ready_condition(&conditions)
                .unwrap_or_else(|| Verdict::current("Resource is current")))
        }
    }
}

/// The API group, empty for the core group, and the kind.
pub(super) fn group_kind(object: &Json) -> (&str, &str) {
    let api_version = text(object, &["apiVersion"], "");
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    (group, text(object, &["kind"], ""))
}

enum Shared<'a> {
    Decided(Verdict),
    Open(Vec<Condition<'a>>),
}

/// Deletion, generations and the two standard conditions.
fn shared_fields(object: &Json) -> Result<Shared<'_>, Malformed> {
    let deletion = strict_text(object, &["metadata", "deletionTimestamp"])?;
    if deletion.is_some_and(|time| !time.is_empty()) {
        let message = "Resource scheduled for deletion";
        return Ok(Shared::Decided(Verdict::new(
            Status::Terminating,
            "",
            message,
        )));
    }
    if let Some(generation) = strict_number(object, &["metadata", "generation"])?
        && let Some(observed) = strict_number(object, &["status", "observedGeneration"])?
        && observed != generation
    {
        let kind = text(object, &["kind"], "");
        return Ok(Shared::Decided(Verdict::in_progress(
            "LatestGenerationNotObserved",
            format!(
                "{kind} generation is {generation}, but latest observed generation is {observed}"
            ),
        )));
    }
    let conditions = conditions(object)?;
    for condition in &conditions {
        let (reason, message) = (condition.reason.to_owned(), condition.message);
        if condition.is("Reconciling", "True") {
            return Ok(Shared::Decided(Verdict::in_progress(reason, message)));
        }
        if condition.is("Stalled", "True") {
            return Ok(Shared::Decided(Verdict::failed(reason, message)));
        }
    }
    Ok(Shared::Open(conditions))
}

fn ready_condition(conditions: &[Condition<'_>]) -> Option<Verdict> {
    let mut ready = conditions.iter().filter(|it| it.kind == "Ready");
    ready.find_map(|condition| match condition.status {
        "True" => Some(Verdict::current("Resource is Ready")),
        "False" | "Unknown" => Some(Verdict::in_progress(
            condition.reason.to_owned(),
            condition.message,
        )),
        _ => None,
    })
}

fn service(object: &Json) -> Verdict {
    let is_balanced = text(object, &["spec", "type"], "ClusterIP") == "LoadBalancer";
    if is_balanced && text(object, &["spec", "clusterIP"], "").is_empty() {
        let message = "ClusterIP not set. Service type: LoadBalancer";
        return Verdict::in_progress("NoIPAssigned", message);
    }
    Verdict::current("Service is ready")
}

fn claim(object: &Json) -> Verdict {
    match text(object, &["status", "phase"], "unknown") {
        "Bound" => Verdict::current("PVC is Bound"),
        phase => Verdict::in_progress("NotBound", format!("PVC is not Bound. phase: {phase}")),
    }
}

fn pod(object: &Json, conditions: &[Condition<'_>], now: Timestamp) -> Result<Verdict, Malformed> {
    Ok(match text(object, &["status", "phase"], "") {
        "Succeeded" => Verdict::current("Pod has completed successfully"),
        "Failed" => Verdict::current("Pod has completed, but not successfully"),
        "Running" => {
            if conditions.iter().any(|it| it.is("Ready", "True")) {
                return Ok(Verdict::current("Pod is Ready"));
            }
            let crashing = crash_looping_containers(object)?;
            if crashing.is_empty() {
                let message = "Pod is running but is not Ready";
                return Ok(Verdict::in_progress("PodRunningNotReady", message));
            }
            let message = format!("Containers in CrashLoop state: {}", crashing.join(","));
            Verdict::failed("ContainerCrashLooping", message)
        }
        "Pending" => {
            let scheduled = conditions.iter().find(|it| it.is("PodScheduled", "False"));
            if scheduled.is_none_or(|it| it.reason != "Unschedulable") {
                Verdict::in_progress("PodPending", "Pod is in the Pending phase")
            } else if is_younger_than(object, SCHEDULING_GRACE_S, now) {
                Verdict::in_progress("PodNotScheduled", "Pod has not been scheduled")
            } else {
                Verdict::failed("PodUnschedulable", "Pod could not be scheduled")
            }
        }
        "" => Verdict::in_progress("PodNotObserved", "Pod phase not available"),
        phase => Verdict::new(Status::Unknown, "", format!("unknown phase {phase}")),
    })
}

fn is_younger_than(object: &Json, seconds: i64, now: Timestamp) -> bool {
    let created = text(object, &["metadata", "creationTimestamp"], "");
    created.parse::<Timestamp>().is_ok_and(|created| {
        now.checked_sub(seconds.seconds())
            .is_ok_and(|limit| limit < created)
    })
}

fn crash_looping_containers(object: &Json) -> Result<Vec<&str>, Malformed> {
    let mut names = Vec::new();
    let statuses = strict_list(object, &["status", "containerStatuses"])?;
    for status in statuses.unwrap_or_default() {
        map(status, "status.containerStatuses[]")?;
        let Some(name) = strict_text(status, &["name"])? else {
            continue;
        };
        let Some(state) = field(status, &["state"])? else {
            continue;
        };
        map(state, "state")?;
        let Some(waiting) = field(state, &["waiting"])? else {
            continue;
        };
        map(waiting, "state.waiting")?;
        if strict_text(waiting, &["reason"])? == Some("CrashLoopBackOff") {
            names.push(name);
        }
    }
    Ok(names)
}

fn job(object: &Json, conditions: &[Condition<'_>]) -> Verdict {
    let status = |key| number(object, &["status", key], 0);
    let parallelism = number(object, &["spec", "parallelism"], 1);
    let completions = number(object, &["spec", "completions"], parallelism);
    let (succeeded, active, failed) = (status("succeeded"), status("active"), status("failed"));
    for condition in conditions {
        if condition.is("Complete", "True") {
            let message = format!("Job Completed. succeeded: {succeeded}/{completions}");
            return Verdict::current(message);
        }
        if condition.is("Failed", "True") {
            let message = format!("Job Failed. failed: {failed}/{completions}");
            return Verdict::failed("JobFailed", message);
        }
    }
    if text(object, &["status", "startTime"], "").is_empty() {
        return Verdict::in_progress("JobNotStarted", "Job not started");
    }
    Verdict::current(format!(
        "Job in progress. success:{succeeded}, active: {active}, failed: {failed}"
    ))
}

fn definition(conditions: &[Condition<'_>]) -> Verdict {
    for condition in conditions {
        let failed = || Verdict::failed(condition.reason.to_owned(), condition.message);
        if condition.is("NamesAccepted", "False") {
            return failed();
        }
        if condition.is("Established", "False") && condition.reason != "Installing" {
            return failed();
        }
        if condition.is("Established", "True") {
            return Verdict::current("CRD is established");
        }
    }
    Verdict::in_progress("Installing", "Install in progress")
}
