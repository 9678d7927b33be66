//! Profiles (`spec/profile.md`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiVersion, GeneratedValues, ProfileKind, is_default};
use crate::{
    ChartName, ChartRepository, Digest, LayerName, PackName, PatchSpec, PresetName, ProfileName,
    VariableName, Version, VersionRange,
};

/// A profile: a stack of layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileManifest {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `Profile`.
    pub kind: ProfileKind,
    /// Who it is.
    pub metadata: ProfileMetadata,
    /// What it stacks.
    pub spec: ProfileSpec,
}

/// Who a profile is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileMetadata {
    /// The profile's name.
    pub name: ProfileName,
    /// The profile's version.
    pub version: Version,
    /// One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What a profile stacks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileSpec {
    /// How much of a cluster it describes.
    #[serde(rename = "type")]
    pub profile_type: ProfileType,
    /// The target, for profiles without a Kubernetes layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Version>,
    /// Profiles below this one, lowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<ProfileUse>,
    /// Where packs come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registries: Vec<RegistrySpec>,
    /// What a cluster may set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<VariableSpec>,
    /// The layers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerSpec>,
    /// Changes to rendered objects, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<PatchSpec>,
    /// Where images are pulled from instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<ImageMirror>,
}

/// How much of a cluster a profile describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProfileType {
    /// All of it.
    Cluster,
    /// Operating system, Kubernetes, network and storage.
    Infra,
    /// Add-ons only.
    Addon,
}

impl ProfileType {
    /// The name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Infra => "infra",
            Self::Addon => "addon",
        }
    }
}

/// A profile below another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileUse {
    /// The path of its file, relative to the file that names it.
    pub path: String,
    /// The versions that will do; any by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionRange>,
}

/// Where packs come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistrySpec {
    /// The name that layers use; `default` is taken when a layer names none.
    pub name: LayerName,
    /// `oci://HOST[:PORT]/PREFIX`: a pack is at `PREFIX/NAME`.
    pub url: String,
}

/// What a cluster may set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VariableSpec {
    /// The variable's name.
    pub name: VariableName,
    /// One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema of its value; a string by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<serde_json::Value>,
    /// The value when a cluster sets none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// A cluster must set it.
    #[serde(default)]
    pub required: bool,
    /// The value is a secret: a cluster names where it is kept, and it never enters a bundle.
    #[serde(default)]
    pub sensitive: bool,
}

/// One layer: exactly one of `pack`, `path`, `chart` and `manifests`, unless it only changes a layer of a
/// profile below.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LayerSpec {
    /// The layer's name, unique in the profile.
    pub name: LayerName,
    /// A pack of a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<PackName>,
    /// The pack versions that will do; the highest is taken and locked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionRange>,
    /// The registry, by its name in `registries`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<LayerName>,
    /// A local pack folder, relative to this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A Helm chart; the layer's values are the chart's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<LayerChart>,
    /// Local Kubernetes YAML: globs relative to this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifests: Option<Vec<String>>,
    /// Where namespaced objects without a namespace go, instead of the pack's own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Presets of the pack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presets: Option<Vec<PresetName>>,
    /// Values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<serde_json::Map<String, serde_json::Value>>,
    /// Files of values below `values`, lowest first, relative to this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_from: Option<Vec<String>>,
}

/// A Helm chart as a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LayerChart {
    /// The chart's name.
    pub name: ChartName,
    /// The repository it is fetched from.
    pub repository: ChartRepository,
    /// The versions that will do; the highest is taken and locked.
    pub version: VersionRange,
    /// The SHA-256 digest that its archive must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The name of its release; the layer's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Values for what is not deterministic in its templates (`spec/chart.md` §1); without them, such
    /// calls are refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub generated: GeneratedValues,
}

/// Images whose reference starts with `from` are pulled from `to`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageMirror {
    /// A registry host, optionally with a leading part of the repository.
    pub from: String,
    /// What stands in its place.
    pub to: String,
}
