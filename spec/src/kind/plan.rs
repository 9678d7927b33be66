//! `plan.json` of a bundle (`spec/bundle.md` §4): what to apply in which order, and what to wait for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiVersion, HealthRule, LayerKind, PlanKind};
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
    /// How its pack wants objects to be judged that say it in their own way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<HealthRule>,
    /// What its charts render and the bundle does not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
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
    /// Hooks of charts that run before an installation, an upgrade or a rollback, each when those
    /// of lower weight are done.
    PreHooks,
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
    /// Hooks of charts that run after an installation, an upgrade or a rollback, each when those
    /// of lower weight are done.
    PostHooks,
}

impl Stage {
    /// How names of files begin: sorted, they are in the order of the stages.
    pub fn file_prefix(self) -> &'static str {
        match self {
            Self::Namespaces => "1",
            Self::CustomResourceDefinitions => "2",
            Self::PreHooks => "2h",
            Self::ClusterScope => "3",
            Self::Access => "4",
            Self::Configuration => "5",
            Self::Workloads => "6",
            Self::CustomResources => "7",
            Self::Admission => "8",
            Self::PostHooks => "9",
        }
    }
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
    /// When it runs, for hooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<PlanHook>,
}

/// When a hook of a chart runs, and when it goes (<https://helm.sh/docs/topics/charts_hooks/>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanHook {
    /// Such as `pre-install`, sorted; one that also runs after installations stands in the
    /// earlier stage.
    pub events: Vec<String>,
    /// Hooks of lower weight run first.
    pub weight: i64,
    /// When it is deleted, such as `before-hook-creation`, sorted.
    pub delete_policies: Vec<String>,
}

/// An object that a chart renders and the bundle does not hold, since a plan has no place for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeftOut {
    /// Who it is.
    #[serde(flatten)]
    pub id: ObjectId,
    /// The events it is a hook of, such as `pre-delete`.
    pub events: Vec<String>,
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
