//! Pods that will not become ready by waiting, so that a workload fails at once and with a reason.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::{
    Status, Verdict,
    fields::{conditions, field, number, text},
};

/// What a waiting container says when waiting does not help: its image cannot be had, or its
/// specification cannot be run.
const HOPELESS: [&str; 6] = [
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "CreateContainerError",
    "RunContainerError",
];
/// A container that crashes may be waiting for what comes up beside it; not for ever.
const MAX_RESTARTS: i64 = 3;
/// An autoscaler has this long to bring a node.
const SCHEDULING_GRACE: SignedDuration = SignedDuration::from_secs(120);

/// Why a pod will not become ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodFailure {
    /// The pod.
    pub pod: String,
    /// The container, whose log says more when it ran.
    pub container: Option<String>,
    /// Such as `ImagePullBackOff`.
    pub reason: String,
    /// What the cluster says about it.
    pub message: String,
}

/// Why a pod will not become ready, if that is known already.
pub fn pod_failure(pod: &Json, now: Timestamp) -> Option<PodFailure> {
    if !text(pod, &["metadata", "deletionTimestamp"], "").is_empty() {
        return None;
    }
    let mut containers = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .filter_map(|key| field(pod, &["status", key]).ok().flatten()?.as_array())
        .flatten();
    containers
        .find_map(|status| container_failure(pod, status))
        .or_else(|| unschedulable(pod, now))
}

/// The verdict on a workload, given the pods of its newest revision.
pub fn with_pods<'a>(
    verdict: Verdict,
    pods: impl IntoIterator<Item = &'a Json>,
    now: Timestamp,
) -> Verdict {
    if verdict.status != Status::InProgress {
        return verdict;
    }
    let mut failures = pods.into_iter().filter_map(|pod| pod_failure(pod, now));
    match failures.next() {
        None => verdict,
        Some(failure) => {
            let place = match &failure.container {
                Some(container) => format!("container {container} of pod {}", failure.pod),
                None => format!("pod {}", failure.pod),
            };
            let mut message = format!("{place}: {}", failure.reason);
            if !failure.message.is_empty() {
                message = format!("{message}: {}", failure.message);
            }
            match failures.count() {
                0 => {}
                1 => message.push_str(" (and 1 pod more)"),
                more => message = format!("{message} (and {more} pods more)"),
            }
            Verdict::failed(failure.reason, message)
        }
    }
}

fn container_failure(pod: &Json, status: &Json) -> Option<PodFailure> {
    let reason = text(status, &["state", "waiting", "reason"], "");
    let is_crashing =
        reason == "CrashLoopBackOff" && number(status, &["restartCount"], 0) >= MAX_RESTARTS;
    (is_crashing || HOPELESS.contains(&reason)).then(|| PodFailure {
        pod: text(pod, &["metadata", "name"], "").to_owned(),
        container: Some(text(status, &["name"], "").to_owned()),
        reason: reason.to_owned(),
        message: text(status, &["state", "waiting", "message"], "").to_owned(),
    })
}

fn unschedulable(pod: &Json, now: Timestamp) -> Option<PodFailure> {
    let conditions = conditions(pod).ok()?;
    let refused = conditions
        .iter()
        .find(|it| it.is("PodScheduled", "False") && it.reason == "Unschedulable")?;
    let created = text(pod, &["metadata", "creationTimestamp"], "");
    let waited = now.duration_since(created.parse().ok()?);
    (waited >= SCHEDULING_GRACE).then(|| PodFailure {
        pod: text(pod, &["metadata", "name"], "").to_owned(),
        container: None,
        reason: refused.reason.to_owned(),
        message: refused.message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:10:00Z".parse().unwrap()
    }

    fn waiting(reason: &str, restarts: i64) -> Json {
        json!({
            "metadata": {"name": "web-1", "creationTimestamp": "2026-01-01T00:09:00Z"},
            "status": {"phase": "Pending", "containerStatuses": [
                {"name": "sidecar", "state": {"running": {}}},
                {"name": "web", "restartCount": restarts, "state": {"waiting": {"reason": reason, "message": "it said so"}}},
            ]},
        })
    }

    fn workload(pods: &[Json]) -> String {
        let verdict = Verdict::in_progress("LessReady", "Ready: 0/1");
        let verdict = with_pods(verdict, pods, now());
        format!(
            "{:?} {}: {}",
            verdict.status, verdict.reason, verdict.message
        )
    }

    #[test]
    fn images_that_cannot_be_had_fail_a_workload() {
        assert_snapshot!(workload(&[waiting("ImagePullBackOff", 0)]), @"Failed ImagePullBackOff: container web of pod web-1: ImagePullBackOff: it said so");
        assert_snapshot!(workload(&[waiting("ContainerCreating", 0)]), @"InProgress LessReady: Ready: 0/1");
    }

    #[test]
    fn every_failed_pod_counts_and_the_first_is_named() {
        let pods = [
            waiting("InvalidImageName", 0),
            waiting("ErrImagePull", 0),
            waiting("ErrImageNeverPull", 0),
        ];
        assert_snapshot!(workload(&pods), @"Failed InvalidImageName: container web of pod web-1: InvalidImageName: it said so (and 1 pod more)");
    }

    #[test]
    fn crashes_count_from_the_third_restart() {
        assert!(pod_failure(&waiting("CrashLoopBackOff", 2), now()).is_none());
        let failure = pod_failure(&waiting("CrashLoopBackOff", 3), now()).unwrap();
        assert_eq!(failure.container.as_deref(), Some("web"));
    }

    #[test]
    fn init_containers_count() {
        let mut pod = waiting("PodInitializing", 0);
        pod["status"]["initContainerStatuses"] = json!([{"name": "migrate", "restartCount": 5, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]);
        let failure = pod_failure(&pod, now()).unwrap();
        assert_eq!(failure.container.as_deref(), Some("migrate"));
    }

    #[test]
    fn pods_that_are_leaving_do_not_count() {
        let mut pod = waiting("ImagePullBackOff", 0);
        pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:09:59Z");
        assert!(pod_failure(&pod, now()).is_none());
    }

    #[test]
    fn pods_without_a_node_count_after_a_while() {
        let mut pod = json!({
            "metadata": {"name": "web-1", "creationTimestamp": "2026-01-01T00:09:00Z"},
            "status": {"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"},
            ]},
        });
        assert!(pod_failure(&pod, now()).is_none());
        pod["metadata"]["creationTimestamp"] = json!("2026-01-01T00:08:00Z");
        assert_snapshot!(workload(&[pod]), @"Failed Unschedulable: pod web-1: Unschedulable: 0/3 nodes are available");
    }

    #[test]
    fn a_workload_that_is_current_is_not_asked_for_its_pods() {
        let verdict = with_pods(
            Verdict::current("fine"),
            &[waiting("ImagePullBackOff", 0)],
            now(),
        );
        assert_eq!(verdict.status, Status::Current);
    }
}
