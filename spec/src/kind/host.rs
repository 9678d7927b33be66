//! What a node does with a layer's host files (`spec/pack.md` §5).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiVersion, HostPlanKind, HostStepsKind};
use crate::{Digest, LayerName, PackName, TreePath};

/// `host/steps.yaml` of a pack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostSteps {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `HostSteps`.
    pub kind: HostStepsKind,
    /// The steps, in order.
    pub steps: Vec<HostStep>,
}

/// The role of a node.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum HostRole {
    /// Runs the control plane.
    ControlPlane,
    /// Runs workloads only.
    Worker,
}

/// One step: a name and exactly one action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostStep {
    /// The step's name, unique in its pack.
    pub name: PackName,
    /// The nodes that do it; all by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<HostRole>,
    /// Put a file in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<HostFile>,
    /// Set kernel parameters, now and at every boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysctl: Option<BTreeMap<String, String>>,
    /// Load a kernel module, now and at every boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Install a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<HostPackage>,
    /// Enable and start a systemd unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<HostUnit>,
    /// Run a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<HostCommand>,
}

impl HostStep {
    /// How many actions the step has; exactly one is right.
    pub fn action_count(&self) -> usize {
        [
            self.file.is_some(),
            self.sysctl.is_some(),
            self.module.is_some(),
            self.package.is_some(),
            self.unit.is_some(),
            self.command.is_some(),
        ]
        .into_iter()
        .filter(|present| *present)
        .count()
    }
}

/// A file to put in place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostFile {
    /// Where it goes on the node: an absolute path.
    pub path: String,
    /// Where it is below `host/`.
    pub source: TreePath,
    /// Its permissions, in octal.
    #[serde(default = "default_mode")]
    pub mode: String,
}

fn default_mode() -> String {
    "0644".to_owned()
}

/// A package to install.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostPackage {
    /// The package's name.
    pub name: String,
    /// A version or pattern in the package manager's own syntax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A systemd unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostUnit {
    /// The unit's name, such as `containerd.service`.
    pub name: String,
    /// Start it at boot.
    #[serde(default)]
    pub enabled: bool,
    /// What it should be now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<UnitState>,
}

/// What a unit should be now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnitState {
    /// Running.
    Started,
    /// Running, and restarted when a file of the layer changed.
    Restarted,
    /// Not running.
    Stopped,
}

/// A command: program and arguments, no shell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostCommand {
    /// What to run.
    pub run: Vec<String>,
    /// Succeeds when there is nothing left to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check: Vec<String>,
    /// Takes it back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<String>,
}

/// `host/host-plan.json` of a bundle: the steps of all layers, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostPlan {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `HostPlan`.
    pub kind: HostPlanKind,
    /// The steps.
    pub steps: Vec<HostPlanStep>,
}

/// A step and the layer it belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostPlanStep {
    /// The layer.
    pub layer: LayerName,
    /// The step; a file's `source` is below the bundle's `host/`.
    #[serde(flatten)]
    pub step: HostStep,
    /// The digest of the file, when the step puts one in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}
