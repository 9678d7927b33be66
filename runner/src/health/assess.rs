//! What waiting for a layer asks beyond kstatus: Jobs are waited for until they end, as Flux does,
//! load balancers until they have an address, claims not at all when they bind on first use, and
//! custom resources until their controller has said something.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::{
    Status, Verdict,
    fields::{field, number, text},
    kstatus::{group_kind, kstatus},
};

/// The controller of a custom resource has this long to write its first status. After that, it is
/// taken for one that writes none.
const FIRST_STATUS: SignedDuration = SignedDuration::from_secs(30);

/// What an object does not say about itself.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The time.
    pub now: Timestamp,
    /// When the object was applied.
    pub applied: Timestamp,
    /// A claim whose storage class binds it when a pod uses it (`WaitForFirstConsumer`).
    pub binds_on_use: bool,
    /// The definition of this custom resource has `status.conditions`, so a controller will write some.
    pub promises_conditions: bool,
    /// Services of type `LoadBalancer` must have an address.
    pub load_balancer_address: bool,
}

/// Whether an object is as its layer needs it.
pub fn assess(object: &Json, facts: &Facts) -> Verdict {
    let verdict = kstatus(object, facts.now);
    match group_kind(object) {
        ("batch", "Job") => job(object, verdict),
        ("", "Service") if facts.load_balancer_address => load_balancer(object, verdict),
        ("", "PersistentVolumeClaim") if facts.binds_on_use => claim(object, verdict),
        _ if facts.promises_conditions => first_status(object, verdict, facts),
        _ => verdict,
    }
}

/// The verdict on an applied object that is not there: fine for a Job that asked to be deleted when
/// it had ended.
pub fn missing(applied: &Json) -> Verdict {
    let is_passing = number(applied, &["spec", "ttlSecondsAfterFinished"], -1) >= 0;
    if group_kind(applied) == ("batch", "Job") && is_passing {
        return Verdict::current("Job has ended and was deleted");
    }
    Verdict::new(Status::NotFound, "NotFound", "Resource not found")
}

/// kstatus calls a running Job current, and waits for one that is suspended.
fn job(object: &Json, verdict: Verdict) -> Verdict {
    let is_suspended = field(object, &["spec", "suspend"]) == Ok(Some(&Json::Bool(true)));
    match verdict.status {
        Status::Current if is_complete(object) => verdict,
        Status::Current if !is_suspended => Verdict::in_progress("JobInProgress", verdict.message),
        Status::InProgress if verdict.reason != "JobNotStarted" => verdict,
        Status::Current | Status::InProgress if is_suspended => {
            Verdict::current("Job is suspended")
        }
        _ => verdict,
    }
}

fn is_complete(job: &Json) -> bool {
    super::fields::conditions(job)
        .is_ok_and(|conditions| conditions.iter().any(|it| it.is("Complete", "True")))
}

/// kstatus calls a load balancer without an address current.
fn load_balancer(object: &Json, verdict: Verdict) -> Verdict {
    let is_balanced = text(object, &["spec", "type"], "") == "LoadBalancer";
    let addresses = field(object, &["status", "loadBalancer", "ingress"]);
    let has_address = addresses
        .ok()
        .flatten()
        .and_then(Json::as_array)
        .is_some_and(|addresses| !addresses.is_empty());
    if verdict.status != Status::Current || !is_balanced || has_address {
        return verdict;
    }
    Verdict::in_progress("NoAddressAssigned", "Load balancer has no address")
}

/// kstatus waits for a claim that nothing uses yet.
fn claim(object: &Json, verdict: Verdict) -> Verdict {
    let is_pending = text(object, &["status", "phase"], "Pending") == "Pending";
    if verdict.status != Status::InProgress || !is_pending {
        return verdict;
    }
    Verdict::current("PVC binds when a pod uses it")
}

/// kstatus calls a custom resource current before its controller has seen it.
fn first_status(object: &Json, verdict: Verdict, facts: &Facts) -> Verdict {
    let has_conditions = super::fields::conditions(object).is_ok_and(|all| !all.is_empty());
    let waited = facts.now.duration_since(facts.applied);
    if verdict.status != Status::Current || has_conditions || waited >= FIRST_STATUS {
        return verdict;
    }
    Verdict::in_progress("NoStatus", "Waiting for the controller's first status")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    const NOW: &str = "2026-01-01T00:01:00Z";

    fn facts() -> Facts {
        Facts {
            now: NOW.parse().unwrap(),
            applied: "2026-01-01T00:00:50Z".parse().unwrap(),
            binds_on_use: false,
            promises_conditions: false,
            load_balancer_address: false,
        }
    }

    fn verdict(verdict: &Verdict) -> String {
        format!(
            "{:?} {}: {}",
            verdict.status, verdict.reason, verdict.message
        )
    }

    #[test]
    fn jobs_are_waited_for_until_they_end() {
        let mut job = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"},
            "status": {"startTime": "2026-01-01T00:00:50Z", "active": 1},
        });
        assert_snapshot!(verdict(&assess(&job, &facts())), @"InProgress JobInProgress: Job in progress. success:0, active: 1, failed: 0");
        job["status"]["conditions"] = json!([{"type": "Complete", "status": "True"}]);
        assert_snapshot!(verdict(&assess(&job, &facts())), @"Current : Job Completed. succeeded: 0/1");
        job["status"]["conditions"] = json!([{"type": "Failed", "status": "True"}]);
        assert_snapshot!(verdict(&assess(&job, &facts())), @"Failed JobFailed: Job Failed. failed: 0/1");
    }

    #[test]
    fn a_suspended_job_is_not_waited_for() {
        let mut job = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x", "generation": 1},
            "spec": {"suspend": true},
            "status": {"conditions": [{"type": "Suspended", "status": "True"}]},
        });
        assert_snapshot!(verdict(&assess(&job, &facts())), @"Current : Job is suspended");
        job["status"]["observedGeneration"] = json!(0);
        assert_eq!(assess(&job, &facts()).status, Status::InProgress);
        job["metadata"]["deletionTimestamp"] = json!(NOW);
        assert_eq!(assess(&job, &facts()).status, Status::Terminating);
    }

    #[test]
    fn a_job_that_deletes_itself_may_be_gone() {
        let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {}});
        assert_eq!(missing(&job).status, Status::NotFound);
        job["spec"]["ttlSecondsAfterFinished"] = json!(0);
        assert_eq!(missing(&job).status, Status::Current);
        job["kind"] = json!("CronJob");
        assert_eq!(missing(&job).status, Status::NotFound);
    }

    #[test]
    fn load_balancers_need_an_address_when_asked() {
        let mut service = json!({
            "apiVersion": "v1", "kind": "Service",
            "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"},
            "status": {"loadBalancer": {}},
        });
        assert_eq!(assess(&service, &facts()).status, Status::Current);
        let strict = Facts {
            load_balancer_address: true,
            ..facts()
        };
        assert_snapshot!(verdict(&assess(&service, &strict)), @"InProgress NoAddressAssigned: Load balancer has no address");
        service["status"]["loadBalancer"]["ingress"] = json!([{"ip": "192.0.2.1"}]);
        assert_eq!(assess(&service, &strict).status, Status::Current);
    }

    #[test]
    fn claims_that_bind_on_use_are_not_waited_for() {
        let mut claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Pending"},
        });
        assert_eq!(assess(&claim, &facts()).status, Status::InProgress);
        let on_use = Facts {
            binds_on_use: true,
            ..facts()
        };
        assert_eq!(assess(&claim, &on_use).status, Status::Current);
        claim["status"]["phase"] = json!("Lost");
        assert_eq!(assess(&claim, &on_use).status, Status::InProgress);
    }

    #[test]
    fn custom_resources_wait_for_their_first_status() {
        let mut resource = json!({"apiVersion": "example.dev/v1", "kind": "Thing", "metadata": {}});
        assert_eq!(assess(&resource, &facts()).status, Status::Current);
        let promised = Facts {
            promises_conditions: true,
            ..facts()
        };
        assert_snapshot!(verdict(&assess(&resource, &promised)), @"InProgress NoStatus: Waiting for the controller's first status");
        let later = Facts {
            applied: "2026-01-01T00:00:30Z".parse().unwrap(),
            ..promised
        };
        assert_eq!(assess(&resource, &later).status, Status::Current);
        resource["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        assert_eq!(assess(&resource, &promised).status, Status::Current);
    }
}
