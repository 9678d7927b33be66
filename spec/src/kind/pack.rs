//! `pack.yaml` and presets (`spec/pack.md` §2 and §3).

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiVersion, GeneratedValues, HealthRule, PackKind, PresetKind, is_default};
use crate::{
    CapabilityName, ChartName, ChartRepository, Digest, PackName, PresetName, Version, VersionRange,
};

/// `pack.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackManifest {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `Pack`.
    pub kind: PackKind,
    /// Who it is.
    pub metadata: PackMetadata,
    /// What it does.
    pub spec: PackSpec,
}

/// Who a pack is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackMetadata {
    /// The pack's name.
    pub name: PackName,
    /// The pack's version.
    pub version: Version,
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// The home page of what it wraps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Where the sources are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// An SPDX licence expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Who looks after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintainers: Vec<Maintainer>,
}

/// Who looks after a pack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Maintainer {
    /// A person's or a team's name.
    pub name: String,
    /// An e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A web page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Which layer of the stack a pack belongs to; the order is the order of installation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LayerKind {
    /// The operating system of the nodes.
    Os,
    /// The Kubernetes distribution.
    Kubernetes,
    /// The network.
    Cni,
    /// The storage.
    Csi,
    /// Everything on top.
    Addon,
}

impl LayerKind {
    /// The name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Os => "os",
            Self::Kubernetes => "kubernetes",
            Self::Cni => "cni",
            Self::Csi => "csi",
            Self::Addon => "addon",
        }
    }
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a pack does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackSpec {
    /// Which layer it belongs to.
    pub layer: LayerKind,
    /// A word for catalogs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Where namespaced objects without a namespace go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels of that namespace.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub namespace_labels: BTreeMap<String, String>,
    /// The Kubernetes version this pack installs; only for Kubernetes layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<Version>,
    /// Its Helm charts: where they come from, and how they are rendered. A chart that is in
    /// `charts/` needs an entry only to say the latter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<PackChart>,
    /// What it needs and what it does not go with.
    #[serde(default, skip_serializing_if = "Constraints::is_empty")]
    pub constraints: Constraints,
    /// Values that other layers may read: a path and its JSON Schema.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exports: BTreeMap<String, serde_json::Value>,
    /// How objects of kinds that say it in their own way are judged, in this layer and in all others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub health: Vec<HealthRule>,
    /// What the linter should let pass.
    #[serde(default, skip_serializing_if = "LintSettings::is_empty")]
    pub lint: LintSettings,
}

/// A Helm chart of a pack; its values are those under `charts.NAME` of the pack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackChart {
    /// The chart's name.
    pub name: ChartName,
    /// The repository it is fetched from when the pack is built, unless it is in `charts/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<ChartRepository>,
    /// The versions that will do; the highest is taken and locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionRange>,
    /// The SHA-256 digest of its archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The name of its release; the layer's by default, with the chart's when there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Values for what is not deterministic in its templates (`spec/chart.md` §1); without them, such
    /// calls are refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub generated: GeneratedValues,
}

/// What a pack needs and what it does not go with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Constraints {
    /// The Kubernetes versions it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<VersionRange>,
    /// Packs or capabilities that must be in the profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<PackRequirement>,
    /// Versions that a pack must have if it is in the profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constrains: Vec<PackConstraint>,
    /// Packs that must not be in the profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<PackConflict>,
    /// Capabilities it brings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provides: Vec<Provides>,
    /// The versions of itself it can be installed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_from: Option<VersionRange>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Platform::is_empty")]
    pub platform: Platform,
}

impl Constraints {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A pack or a capability that must be in the profile: exactly one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackRequirement {
    /// The pack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackName>,
    /// The capability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<CapabilityName>,
    /// The versions that will do; any by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionRange>,
}

/// Versions that a pack must have if it is in the profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackConstraint {
    /// The pack.
    pub pack: PackName,
    /// The versions that will do.
    pub version: VersionRange,
}

/// A pack that must not be in the profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackConflict {
    /// The pack.
    pub pack: PackName,
    /// The versions it does not go with; any by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionRange>,
}

/// A capability that a pack brings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provides {
    /// The capability.
    pub capability: CapabilityName,
    /// Its version; the pack's own by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// No other pack of the profile may bring it.
    #[serde(default)]
    pub exclusive: bool,
}

/// Where a pack runs; an empty list is no restriction.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Platform {
    /// Operating systems, by the name of their pack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub os: Vec<String>,
    /// Processor architectures, such as `amd64`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arch: Vec<String>,
    /// Clouds, such as `aws` or `edge`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cloud: Vec<String>,
}

impl Platform {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What the linter should let pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LintSettings {
    /// Codes that are accepted here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<LintAllow>,
}

impl LintSettings {
    fn is_empty(&self) -> bool {
        self.allow.is_empty()
    }
}

/// A code that is accepted, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LintAllow {
    /// The code.
    pub code: String,
    /// Why it is accepted.
    pub reason: String,
}

/// `presets/NAME.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresetManifest {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `Preset`.
    pub kind: PresetKind,
    /// Who it is.
    pub metadata: PresetMetadata,
    /// What it sets.
    pub spec: PresetSpec,
}

/// Who a preset is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresetMetadata {
    /// The preset's name: the name of its file.
    pub name: PresetName,
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What a preset sets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresetSpec {
    /// At most one preset of a group is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The values.
    pub values: BTreeMap<String, serde_json::Value>,
}
