//! A pod, as much of it as is reported: what it asks for, and what is wrong with it.

use cairn_runner::cluster::{Listed, Resource, View};
use cairn_spec::agent::{OutOfMemory, Pending, Resources, Restarts};
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    cut::short,
    metadata::{Key, Metadata},
    observed::reported,
    quantity::{Amounts, add, at_least},
};

/// A pod that waits for longer is reported, in seconds.
const PATIENCE_S: i64 = 300;

/// What is kept of a pod.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Pod")]
pub(super) struct PodView {
    pub(super) key: Key,
    version: String,
    /// Empty until it is scheduled.
    pub(super) node: String,
    pub(super) phase: String,
    /// It takes what it asks for from its node.
    pub(super) counts: bool,
    pub(super) requests: Resources,
    pub(super) limits: Resources,
    pub(super) restarts: Option<Restarts>,
    pub(super) out_of_memory: Option<OutOfMemory>,
    waiting: Option<Box<Waiting>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Waiting {
    since: Option<Timestamp>,
    reason: String,
    message: String,
}

impl View for PodView {
    const LISTED: Listed = Listed::Whole;
    // They are large, and memory that was needed once is not always given back.
    const PAGE_OBJECTS: usize = 100;

    fn is_of(&mut self, _: &Resource) {}

    fn place(&self) -> (Option<&str>, &str) {
        self.key.place()
    }

    fn version(&self) -> &str {
        &self.version
    }
}

impl PodView {
    /// What it waits for, if it does for too long.
    pub(super) fn pending(&self, now: Timestamp) -> Option<Pending> {
        let waiting = self.waiting.as_deref()?;
        let since = waiting.since?;
        if now.duration_since(since).as_secs() < PATIENCE_S {
            return None;
        }
        Some(Pending {
            since: Some(reported(since)),
            reason: waiting.reason.clone(),
            message: waiting.message.clone(),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pod {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: String,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    resources: Option<Requirements>,
    overhead: Option<Amounts>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    resources: Requirements,
    restart_policy: String,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Requirements {
    requests: Amounts,
    limits: Amounts,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    conditions: Vec<Condition>,
    container_statuses: Vec<ContainerStatus>,
    init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Condition {
    r#type: String,
    status: String,
    reason: String,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    restart_count: u64,
    state: State,
    last_state: State,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    waiting: Option<Why>,
    terminated: Option<Why>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Why {
    reason: String,
    message: String,
    finished_at: Option<Timestamp>,
}

impl From<Pod> for PodView {
    fn from(pod: Pod) -> Self {
        let is_over = matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
        Self {
            counts: !is_over && !pod.spec.node_name.is_empty(),
            requests: pod
                .spec
                .total(|resources| resources.requests.0, Overhead::Always),
            limits: pod
                .spec
                .total(|resources| resources.limits.0, Overhead::OfLimited),
            restarts: pod.status.restarts(),
            out_of_memory: pod.status.out_of_memory(),
            waiting: pod
                .status
                .waiting(pod.metadata.creation_timestamp)
                .map(Box::new),
            key: pod.metadata.key(),
            version: pod.metadata.resource_version,
            node: pod.spec.node_name,
            phase: pod.status.phase,
        }
    }
}

/// Which amounts a pod's overhead is added to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overhead {
    Always,
    /// Only those that are limited at all.
    OfLimited,
}

impl Spec {
    /// What the scheduler counts
    /// (<https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers>):
    /// containers and sidecars together, or the neediest moment of the start if that takes more; what the
    /// pod says as a whole stands in place of that; and what running a pod at all takes.
    fn total(&self, of: fn(&Requirements) -> Resources, overhead: Overhead) -> Resources {
        let mut total = Resources::default();
        for container in &self.containers {
            add(&mut total, &of(&container.resources));
        }
        let mut sidecars = Resources::default();
        let mut start = Resources::default();
        for container in &self.init_containers {
            let mut needed = of(&container.resources);
            if container.restart_policy == "Always" {
                add(&mut total, &needed);
                add(&mut sidecars, &needed);
                needed = sidecars;
            } else {
                add(&mut needed, &sidecars);
            }
            at_least(&mut start, &needed);
        }
        at_least(&mut total, &start);
        if let Some(pod) = &self.resources {
            let said = of(pod);
            for (to, said) in [
                (&mut total.cpu_m, said.cpu_m),
                (&mut total.memory_bytes, said.memory_bytes),
            ] {
                if said > 0 {
                    *to = said;
                }
            }
        }
        if let Some(Amounts(mut more)) = self.overhead {
            if overhead == Overhead::OfLimited {
                for (more, limit) in [
                    (&mut more.cpu_m, total.cpu_m),
                    (&mut more.memory_bytes, total.memory_bytes),
                    (
                        &mut more.ephemeral_storage_bytes,
                        total.ephemeral_storage_bytes,
                    ),
                ] {
                    if limit == 0 {
                        *more = 0;
                    }
                }
            }
            add(&mut total, &more);
        }
        total.pods = 1;
        total
    }
}

impl Status {
    fn containers(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.init_container_statuses
            .iter()
            .chain(&self.container_statuses)
    }

    fn restarts(&self) -> Option<Restarts> {
        let count = self.containers().map(|container| container.restart_count);
        let count = count.fold(0, u64::saturating_add);
        let most = self.containers().max_by_key(|it| it.restart_count)?;
        let reason = [&most.state.waiting, &most.last_state.terminated]
            .into_iter()
            .flatten()
            .next();
        (count > 0).then(|| Restarts {
            count,
            reason: reason.map(|it| short(&it.reason)).unwrap_or_default(),
        })
    }

    fn out_of_memory(&self) -> Option<OutOfMemory> {
        let ended = self.containers().flat_map(|container| {
            let states = [&container.state, &container.last_state];
            let ended = states.into_iter().filter_map(|it| it.terminated.as_ref());
            ended.map(move |ended| (container, ended))
        });
        let killed = ended.filter(|(_, ended)| ended.reason == "OOMKilled");
        let (container, ended) = killed.max_by_key(|(_, ended)| ended.finished_at)?;
        Some(OutOfMemory {
            container: short(&container.name),
            time: ended.finished_at.map(reported),
        })
    }

    /// What keeps it pending: what its containers wait for, or else what its first unmet condition says.
    fn waiting(&self, since: Option<Timestamp>) -> Option<Waiting> {
        if self.phase != "Pending" {
            return None;
        }
        let waiting = self.containers().filter_map(|it| it.state.waiting.as_ref());
        let waiting =
            waiting.max_by_key(|it| !matches!(it.reason.as_str(), "" | "PodInitializing"));
        let unmet = self.conditions.iter().find(|it| it.status == "False");
        let is_scheduled = |it: &&Condition| it.r#type != "PodScheduled";
        let (reason, message) = match (waiting, unmet) {
            (_, Some(unmet)) if !is_scheduled(&unmet) => (&unmet.reason, &unmet.message),
            (Some(waiting), _) => (&waiting.reason, &waiting.message),
            (None, Some(unmet)) => (&unmet.reason, &unmet.message),
            (None, None) => return Some(Waiting::unknown(since)),
        };
        Some(Waiting {
            since,
            reason: short(reason),
            message: short(message),
        })
    }
}

impl Waiting {
    fn unknown(since: Option<Timestamp>) -> Self {
        Self {
            since,
            reason: "Unknown".to_owned(),
            message: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn view(pod: &Json) -> PodView {
        serde_json::from_str(&pod.to_string()).unwrap()
    }

    fn container(cpu: &str, memory: &str) -> Json {
        json!({"resources": {"requests": {"cpu": cpu, "memory": memory}}})
    }

    fn sidecar(cpu: &str, memory: &str) -> Json {
        let mut container = container(cpu, memory);
        container["restartPolicy"] = json!("Always");
        container
    }

    fn requests(spec: &Json) -> (u64, u64) {
        let requests = view(&json!({"spec": spec})).requests;
        (requests.cpu_m, requests.memory_bytes)
    }

    #[test]
    fn requests_are_what_the_scheduler_counts() {
        let main = [container("100m", "10"), container("200m", "20")];
        assert_eq!(requests(&json!({"containers": main})), (300, 30));
        // The start takes more of one, running more of the other.
        let init = [container("1", "5")];
        let spec = json!({"containers": main, "initContainers": init});
        assert_eq!(requests(&spec), (1_000, 30));
        // A sidecar runs beside what starts after it, and beside the containers.
        let init = [
            container("500m", "0"),
            sidecar("50m", "40"),
            container("400m", "0"),
        ];
        let spec = json!({"containers": main, "initContainers": init});
        assert_eq!(requests(&spec), (500, 70));
        let spec = json!({"containers": main, "overhead": {"cpu": "10m", "memory": "1"}});
        assert_eq!(requests(&spec), (310, 31));
        let whole = json!({"requests": {"cpu": "2"}});
        assert_eq!(
            requests(&json!({"containers": main, "resources": whole})),
            (2_000, 30)
        );
    }

    #[test]
    fn overhead_limits_only_what_is_limited() {
        let pod = view(&json!({"spec": {
            "containers": [{"resources": {"limits": {"memory": "100"}}}],
            "overhead": {"cpu": "10m", "memory": "1"},
        }}));
        assert_eq!((pod.limits.cpu_m, pod.limits.memory_bytes), (0, 101));
    }

    #[test]
    fn only_pods_that_are_on_a_node_and_not_over_count() {
        for (phase, node, counts) in [
            ("Running", "n", true),
            ("Pending", "n", true),
            ("Pending", "", false),
            ("Succeeded", "n", false),
            ("Failed", "n", false),
        ] {
            let pod = json!({"spec": {"nodeName": node}, "status": {"phase": phase}});
            assert_eq!(view(&pod).counts, counts, "{phase} on {node}");
        }
    }

    #[test]
    fn what_waits_says_why_after_five_minutes() {
        let unschedulable = json!({
            "metadata": {"name": "p", "namespace": "n", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"phase": "Pending", "conditions": [{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "0/3 nodes are available",
            }]},
        });
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let pod = view(&unschedulable);
        assert_eq!(pod.pending(at("2026-01-01T00:04:59Z")), None);
        let pending = pod.pending(at("2026-01-01T00:05:00Z")).unwrap();
        assert_eq!(pending.reason, "Unschedulable");
        assert_eq!(pending.message, "0/3 nodes are available");
        let mut pulling = unschedulable;
        pulling["status"] = json!({
            "phase": "Pending",
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}],
            "containerStatuses": [
                {"name": "a", "state": {"waiting": {"reason": "PodInitializing"}}},
                {"name": "b", "state": {"waiting": {"reason": "ImagePullBackOff"}}},
            ],
        });
        let pending = view(&pulling).pending(at("2026-01-02T00:00:00Z")).unwrap();
        assert_eq!(pending.reason, "ImagePullBackOff");
    }

    #[test]
    fn restarts_and_lack_of_memory_are_seen() {
        let pod = view(
            &json!({"status": {"phase": "Running", "containerStatuses": [
                {"name": "a", "restartCount": 1},
                {
                    "name": "b", "restartCount": 4,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"reason": "OOMKilled", "finishedAt": "2026-01-01T00:00:00Z"}},
                },
            ]}}),
        );
        let restarts = pod.restarts.unwrap();
        assert_eq!(
            (restarts.count, restarts.reason.as_str()),
            (5, "CrashLoopBackOff")
        );
        let killed = pod.out_of_memory.unwrap();
        assert_eq!(killed.container, "b");
        assert_eq!(killed.time.unwrap().to_string(), "2026-01-01T00:00:00Z");
    }
}
