//! What an agent tells of its cluster: the status document (`spec/agent.md`).
//!
//! It is state, not a list of events: whoever has the last one knows all there is to know. Nothing in it is
//! null, so that a JSON merge patch leads from one to the next. What could grow is a map whose keys stay the
//! same while the thing is there, and is cut: `leftOut` says how many more there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, LayerName, Timestamp};

/// The most nodes that are told one by one.
pub const MAX_NODES: usize = 100;
/// The most entries of any other list.
pub const MAX_LISTED: usize = 50;
/// The most warnings.
pub const MAX_WARNINGS: usize = 200;
/// The longest text of somebody else that is passed on, in bytes.
pub const MAX_TEXT_BYTES: usize = 500;
/// The largest document, in bytes of JSON.
pub const MAX_STATUS_BYTES: usize = 512 << 10;

/// How a cluster is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Which cluster, and what runs there.
    pub identity: ClusterIdentity,
    /// What the cluster has, and how much of it is spoken for.
    pub capacity: Capacity,
    /// Its nodes, by name.
    pub nodes: Nodes,
    /// What does not run as it should.
    pub workloads: Workloads,
    /// The bundle's layers, by name.
    pub layers: BTreeMap<LayerName, LayerReport>,
    /// Objects of the bundle that somebody changed.
    pub drift: Cut<DriftReport>,
    /// Certificates, by where they are.
    pub certificates: Cut<Certificate>,
    /// Warning events, those that were seen last.
    pub warnings: Cut<Warning>,
    /// Bundles that failed here and are not tried again, newest last.
    pub rejected: Cut<RejectedBundle>,
    /// The bundle that was healthy last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good: Option<Digest>,
    /// What could not be found out, and why: by what it is about.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, String>,
}

/// Things by a key that stays, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cut<T> {
    /// Those that are told.
    #[serde(bound(deserialize = "T: Deserialize<'de>"))]
    pub items: BTreeMap<String, T>,
    /// How many are not.
    pub left_out: usize,
}

impl<T> Default for Cut<T> {
    fn default() -> Self {
        Self {
            items: BTreeMap::new(),
            left_out: 0,
        }
    }
}

/// Which cluster, and what runs there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterIdentity {
    /// The UID of the namespace `kube-system`.
    pub cluster_uid: String,
    /// The API server's version, such as `v1.36.3`.
    pub kubernetes_version: String,
    /// The agent's version.
    pub agent_version: String,
    /// Who built Kubernetes, such as `k3s`, as its version says; empty for Kubernetes itself.
    pub distribution: String,
    /// The provider as nodes name it, such as `aws`; empty when they do not.
    pub provider: String,
    /// The region of the nodes, if they are all in one.
    pub region: String,
    /// The zones of the nodes.
    pub zones: Vec<String>,
}

/// Amounts of what pods use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// Processor time, in thousandths of a core.
    pub cpu_m: u64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Local storage, in bytes.
    pub ephemeral_storage_bytes: u64,
    /// Pods.
    pub pods: u64,
}

/// What a cluster or a node has, and how much of it is spoken for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Capacity {
    /// What there is.
    pub capacity: Resources,
    /// What pods may have of it.
    pub allocatable: Resources,
    /// What pods have asked for, as the scheduler counts.
    pub requests: Resources,
    /// What pods may use at most; those without a limit count nothing.
    pub limits: Resources,
}

/// Nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Nodes {
    /// How many there are.
    pub count: usize,
    /// How many are ready.
    pub ready: usize,
    /// How many take no new pods.
    pub cordoned: usize,
    /// Kubelets by version.
    pub kubelet_versions: BTreeMap<String, usize>,
    /// Those that are told one by one: what is wrong first.
    pub items: BTreeMap<String, NodeReport>,
    /// How many are not.
    pub left_out: usize,
}

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeReport {
    /// It takes part.
    pub ready: bool,
    /// It takes no new pods.
    pub cordoned: bool,
    /// Conditions that are not as they should be, with their messages.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, String>,
    /// Taints, as `kubectl` writes them: `key=value:effect`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<String>,
    /// When it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Its roles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Its zone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// The kubelet's version.
    pub kubelet: String,
    /// The container runtime and its version.
    pub runtime: String,
    /// The operating system.
    pub os: String,
    /// The kernel's version.
    pub kernel: String,
    /// The processor's architecture.
    pub architecture: String,
    /// What it has.
    #[serde(flatten)]
    pub resources: Capacity,
}

/// What runs, and what does not run as it should.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Workloads {
    /// Pods by phase.
    pub pods: BTreeMap<String, usize>,
    /// Workloads by kind.
    pub kinds: BTreeMap<String, usize>,
    /// Workloads that have fewer ready pods than they want.
    pub not_ready: Cut<NotReady>,
    /// Pods whose containers started again most often.
    pub restarts: Cut<Restarts>,
    /// Pods that wait for more than five minutes.
    pub pending: Cut<Pending>,
    /// Pods with a container that ran out of memory.
    pub out_of_memory: Cut<OutOfMemory>,
}

/// A workload that has fewer ready pods than it wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NotReady {
    /// How many it wants.
    pub desired: u64,
    /// How many are ready.
    pub ready: u64,
}

/// A pod whose containers started again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Restarts {
    /// How often.
    pub count: u64,
    /// Why last.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A pod that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pending {
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// For what, such as `Unschedulable` or `ImagePullBackOff`.
    pub reason: String,
    /// The same in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// A pod with a container that ran out of memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutOfMemory {
    /// The container.
    pub container: String,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
}

/// A layer of the bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LayerReport {
    /// Its place among the layers.
    pub place: usize,
    /// How many objects it has.
    pub objects: usize,
    /// Objects by health, such as `Current`.
    pub health: BTreeMap<String, usize>,
    /// How many objects somebody changed.
    pub drifted: usize,
    /// What is not healthy, and why.
    pub unhealthy: Cut<String>,
    /// Why the last run ended in this layer; empty when it did not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// An object that somebody changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DriftReport {
    /// What is done about it: `correct`, `report` or `contested`.
    pub action: String,
    /// The fields that are not as they were applied.
    pub fields: Vec<DriftedField>,
}

/// A field that is not as it was applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DriftedField {
    /// The field, such as `spec.replicas`.
    pub field: String,
    /// Who changed it; empty when the server does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub manager: String,
    /// When, RFC 3339; empty when the server does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub since: String,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Whom it names: its subject, or its first alternative name.
    pub name: String,
    /// When it ends.
    pub not_after: Timestamp,
}

/// A warning, however often it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// What it is about: `Kind namespace/name`.
    pub object: String,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// How often it came.
    pub count: u64,
    /// When it came last.
    pub last: Timestamp,
}

/// A bundle that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectedBundle {
    /// When.
    pub time: Timestamp,
    /// Why.
    pub reason: String,
}

/// What is measured: it changes all the time, so it is no part of the status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metrics {
    /// When the last sample was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// What the nodes use together; none when nobody measures it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What each node uses, those with the most memory.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, NodeUsage>,
    /// How many nodes are left out.
    pub left_out: usize,
    /// The agent itself.
    pub agent: AgentMetrics,
}

/// What is used, over the samples since the last report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// Processor time, in thousandths of a core.
    pub cpu_m: Series,
    /// Memory, in bytes.
    pub memory_bytes: Series,
}

/// What a node uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeUsage {
    /// Processor time, in thousandths of a core.
    pub cpu_m: u64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
}

/// Samples in short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Series {
    /// The last one.
    pub value: u64,
    /// The least one.
    pub min: u64,
    /// The mean.
    pub avg: u64,
    /// The greatest one.
    pub max: u64,
    /// How many there were.
    pub count: u64,
}

/// The agent itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentMetrics {
    /// Memory that is its own, in bytes (`VmRSS`).
    pub rss_bytes: u64,
    /// Processor time since it started, in milliseconds.
    pub cpu_ms: u64,
    /// How long the last exchange with the hub took, without waiting, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_latency_ms: Option<u64>,
    /// How far its clock is ahead of the hub's, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_s: Option<i64>,
    /// Half of the requests to the API server took no longer, in milliseconds.
    pub api_p50_ms: u64,
    /// Of a hundred requests to the API server, 99 took no longer, in milliseconds.
    pub api_p99_ms: u64,
    /// Requests to the API server in the last minute, without watches.
    pub api_requests_per_minute: u64,
}
