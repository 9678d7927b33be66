//! A node, as much of it as is reported.

use std::collections::BTreeMap;

use cairn_runner::cluster::{Listed, Resource, View};
use cairn_spec::agent::{Capacity, NodeReport};
use jiff::Timestamp;
use serde::Deserialize;

use super::{cut::short, metadata::Key, observed::reported, quantity::Amounts};

/// Labels that say where a node is and what it is for.
const ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";
const ROLE: &str = "node-role.kubernetes.io/";

/// What is kept of a node.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "Node")]
pub(super) struct NodeView {
    pub(super) key: Key,
    version: String,
    pub(super) region: String,
    /// Such as `aws`, of `aws:///eu-central-1a/i-0…`.
    pub(super) provider: String,
    pub(super) report: NodeReport,
}

impl View for NodeView {
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

impl NodeView {
    /// How much there is to say of it.
    pub(super) fn weight(report: &NodeReport) -> u8 {
        if !report.ready {
            3
        } else if !report.conditions.is_empty() {
            2
        } else {
            u8::from(report.cordoned)
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Node {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    resource_version: String,
    creation_timestamp: Option<Timestamp>,
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    #[serde(rename = "providerID")]
    provider_id: String,
    unschedulable: bool,
    taints: Vec<Taint>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    conditions: Vec<Condition>,
    capacity: Amounts,
    allocatable: Amounts,
    node_info: Info,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Info {
    kubelet_version: String,
    container_runtime_version: String,
    os_image: String,
    kernel_version: String,
    architecture: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
    message: String,
}

impl From<Node> for NodeView {
    fn from(node: Node) -> Self {
        let Node {
            metadata,
            spec,
            status,
        } = node;
        let label = |name: &str| metadata.labels.get(name).cloned().unwrap_or_default();
        let is_ready = |it: &Condition| it.r#type == "Ready" && it.status == "True";
        let roles = metadata
            .labels
            .keys()
            .filter_map(|it| it.strip_prefix(ROLE));
        let mut taints: Vec<String> = spec.taints.iter().map(Taint::written).collect();
        taints.sort();
        let provider = spec.provider_id.split_once("://");
        let info = status.node_info;
        Self {
            region: label(REGION),
            provider: provider.map(|it| it.0.to_owned()).unwrap_or_default(),
            report: NodeReport {
                ready: status.conditions.iter().any(is_ready),
                cordoned: spec.unschedulable,
                conditions: status
                    .conditions
                    .iter()
                    .filter(|it| !it.is_as_it_should_be())
                    .map(|it| (it.named(), short(&it.message)))
                    .collect(),
                taints,
                created: metadata.creation_timestamp.map(reported),
                roles: roles.map(str::to_owned).collect(),
                zone: label(ZONE),
                kubelet: info.kubelet_version,
                runtime: info.container_runtime_version,
                os: info.os_image,
                kernel: info.kernel_version,
                architecture: info.architecture,
                resources: Capacity {
                    capacity: status.capacity.0,
                    allocatable: status.allocatable.0,
                    ..Capacity::default()
                },
            },
            key: Key::new(None, metadata.name),
            version: metadata.resource_version,
        }
    }
}

impl Taint {
    fn written(&self) -> String {
        if self.value.is_empty() {
            format!("{}:{}", self.key, self.effect)
        } else {
            format!("{}={}:{}", self.key, self.value, self.effect)
        }
    }
}

impl Condition {
    /// `Ready` is to be true, and everything else, such as pressure, is not.
    fn is_as_it_should_be(&self) -> bool {
        let wanted = if self.r#type == "Ready" {
            "True"
        } else {
            "False"
        };
        self.status == wanted
    }

    fn named(&self) -> String {
        format!("{}={}", self.r#type, self.status)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_says_what_is_wrong_with_it() {
        let node = json!({
            "metadata": {
                "name": "n1", "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {ROLE.to_owned() + "worker": "", ZONE: "z1", REGION: "r"},
            },
            "spec": {
                "providerID": "aws:///z1/i-0", "unschedulable": true,
                "taints": [
                    {"key": "b", "effect": "NoExecute"},
                    {"key": "a", "value": "1", "effect": "NoSchedule"},
                ],
            },
            "status": {
                "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                "allocatable": {"cpu": "3900m"},
                "conditions": [
                    {"type": "MemoryPressure", "status": "True", "message": "too little"},
                    {"type": "DiskPressure", "status": "False"},
                    {"type": "Ready", "status": "Unknown", "message": "gone"},
                ],
                "nodeInfo": {"kubeletVersion": "v1.36.3", "osImage": "Debian", "architecture": "arm64"},
            },
        });
        let view: NodeView = serde_json::from_str(&node.to_string()).unwrap();
        let report = &view.report;
        assert!(!report.ready && report.cordoned);
        let conditions: Vec<&String> = report.conditions.keys().collect();
        assert_eq!(conditions, ["MemoryPressure=True", "Ready=Unknown"]);
        assert_eq!(report.taints, ["a=1:NoSchedule", "b:NoExecute"]);
        assert_eq!(
            (report.roles.as_slice(), report.zone.as_str()),
            (&["worker".to_owned()][..], "z1")
        );
        assert_eq!((view.provider.as_str(), view.region.as_str()), ("aws", "r"));
        assert_eq!(report.resources.capacity.memory_bytes, 8 << 30);
        assert_eq!(report.resources.allocatable.cpu_m, 3_900);
        assert_eq!(NodeView::weight(report), 3);
    }
}
