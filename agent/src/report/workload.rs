//! A deployment, stateful set or daemon set, as much of it as says whether it has its pods.

use cairn_runner::cluster::{Listed, Resource, View};
use cairn_spec::agent::NotReady;
use serde::Deserialize;

use super::metadata::{Key, Metadata};

/// What runs pods for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WorkloadKind {
    DaemonSet,
    Deployment,
    StatefulSet,
}

impl WorkloadKind {
    pub(super) const ALL: [Self; 3] = [Self::DaemonSet, Self::Deployment, Self::StatefulSet];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DaemonSet => "DaemonSet",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
        }
    }
}

/// What is kept of a workload.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Workload")]
pub(super) struct WorkloadView {
    pub(super) key: Key,
    version: String,
    desired: u64,
    ready: u64,
}

impl View for WorkloadView {
    const LISTED: Listed = Listed::Whole;

    fn is_of(&mut self, _: &Resource) {}

    fn place(&self) -> (Option<&str>, &str) {
        self.key.place()
    }

    fn version(&self) -> &str {
        &self.version
    }
}

impl WorkloadView {
    pub(super) fn not_ready(&self) -> Option<NotReady> {
        (self.ready < self.desired).then_some(NotReady {
            desired: self.desired,
            ready: self.ready,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Workload {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    replicas: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    ready_replicas: u64,
    /// Of daemon sets alone.
    desired_number_scheduled: Option<u64>,
    number_ready: u64,
}

impl From<Workload> for WorkloadView {
    fn from(workload: Workload) -> Self {
        let Workload {
            metadata,
            spec,
            status,
        } = workload;
        let (desired, ready) = match status.desired_number_scheduled {
            Some(desired) => (desired, status.number_ready),
            None => (spec.replicas.unwrap_or(1), status.ready_replicas),
        };
        Self {
            key: metadata.key(),
            version: metadata.resource_version,
            desired,
            ready,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn workloads_that_lack_pods_are_told() {
        for (spec, status, lacks) in [
            (
                json!({"replicas": 2}),
                json!({"readyReplicas": 1}),
                Some((2, 1)),
            ),
            (json!({"replicas": 0}), json!({}), None),
            (json!({}), json!({}), Some((1, 0))),
            (
                json!({}),
                json!({"desiredNumberScheduled": 3, "numberReady": 2}),
                Some((3, 2)),
            ),
            (
                json!({}),
                json!({"desiredNumberScheduled": 0, "numberReady": 0}),
                None,
            ),
        ] {
            let workload = json!({"spec": spec, "status": status}).to_string();
            let view: WorkloadView = serde_json::from_str(&workload).unwrap();
            let found = view.not_ready().map(|it| (it.desired, it.ready));
            assert_eq!(found, lacks, "{workload}");
        }
    }
}
