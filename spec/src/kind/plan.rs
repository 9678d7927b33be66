//! `plan.json` of a bundle (`spec/bundle.md` §4): what to apply in which order, and what to wait for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiVersion, LayerKind, PlanKind};
use crate::{Digest, LayerName};

/// `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `Plan`.
    pub kind: PlanKind,
    /// The layers, in order.
    pub layers: Vec<PlanLayer>,
    /// Why which layer comes before which.
    pub edges: Vec<PlanEdge>,
}

/// A layer of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanLayer {
    /// The layer's name.
    pub name: LayerName,
    /// Its kind.
    pub kind: LayerKind,
    /// The stages that are not empty, in order.
    pub stages: Vec<PlanStage>,
    /// What must be so before the next layer starts.
    pub gates: Vec<Gate>,
}

/// The stages inside a layer, in order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Namespaces.
    Namespaces,
    /// Custom resource definitions; they must be established before the next stage.
    CustomResourceDefinitions,
    /// Cluster roles and their bindings, priority, storage, runtime, ingress and gateway classes.
    ClusterScope,
    /// Service accounts, roles and their bindings, quotas, limits, network policies.
    Access,
    /// Configuration, secrets, volumes and claims.
    Configuration,
    /// Services, workloads, disruption budgets, autoscalers, ingresses.
    Workloads,
    /// Custom resources.
    CustomResources,
    /// API services, webhooks and admission policies: last, so that their backends are up.
    Admission,
}

/// The objects of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanStage {
    /// The stage.
    pub stage: Stage,
    /// The objects, sorted.
    pub objects: Vec<PlanObject>,
}

/// An object of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanObject {
    /// Who it is.
    #[serde(flatten)]
    pub id: ObjectId,
    /// Its file below `manifests/`.
    pub file: String,
    /// The digest of that file.
    pub digest: Digest,
}

/// Who an object is: what makes it the same object in another version of a bundle.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct ObjectId {
    /// `apiVersion`, such as `apps/v1`; its version does not take part in identity.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace; none for objects of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl ObjectId {
    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// What must be so before the next layer starts: this object, with this content, is ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gate {
    /// The object.
    #[serde(flatten)]
    pub object: ObjectId,
    /// The digest of its file: an older version that is still running does not open the gate.
    pub digest: Digest,
}

/// Why a layer comes before another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanEdge {
    /// The earlier layer.
    pub from: LayerName,
    /// The later layer.
    pub to: LayerName,
    /// Why, in words.
    pub reason: String,
    /// The later layer cannot work without the earlier one; a soft edge is only a preference.
    pub hard: bool,
}
