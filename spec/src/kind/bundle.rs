//! `bundle.json` and `images.json` (`spec/bundle.md`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiVersion, BundleKind, ImageListKind, LayerKind, SecretRef};
use crate::{
    ChartName, ChartRepository, ClusterName, Digest, LayerName, PackName, ProfileName,
    VariableName, Version,
};

/// `bundle.json`, also the config of the bundle's artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleManifest {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `Bundle`.
    pub kind: BundleKind,
    /// The version of the compiler that made it.
    pub compiler: Version,
    /// The profile.
    pub profile: BundleProfile,
    /// The cluster, when it was built for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// The Kubernetes version it was built for.
    pub kubernetes: Version,
    /// The layers, in order.
    pub layers: Vec<BundleLayer>,
    /// Secrets that must be there before it is applied, by variable.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<VariableName, BundleSecret>,
    /// How many objects there are.
    pub objects: usize,
    /// How many images there are.
    pub images: usize,
    /// The digest of every other file of the bundle.
    pub files: BTreeMap<String, Digest>,
}

/// The profile of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleProfile {
    /// Its name.
    pub name: ProfileName,
    /// Its version.
    pub version: Version,
}

/// A layer of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleLayer {
    /// Its name.
    pub name: LayerName,
    /// Its kind.
    pub kind: LayerKind,
    /// Its pack; none for plain manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<BundlePack>,
    /// Its Helm charts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<BundleChart>,
    /// How many objects it has.
    pub objects: usize,
    /// How many host files it has.
    pub host_files: usize,
}

/// The pack of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundlePack {
    /// Its name.
    pub name: PackName,
    /// Its version.
    pub version: Version,
    /// The digest of its content.
    pub diff_id: Digest,
}

/// A Helm chart of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleChart {
    /// Its name.
    pub name: ChartName,
    /// Its version, as its `Chart.yaml` has it.
    pub version: String,
    /// The name of its release.
    pub release: String,
    /// The repository it came from, unless the pack brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<ChartRepository>,
    /// The SHA-256 digest of its archive, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// A secret that a bundle refers to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleSecret {
    /// Where it is kept; none when the cluster has yet to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// The text that stands for it in the manifests.
    pub placeholder: String,
}

/// `images.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageList {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `ImageList`.
    pub kind: ImageListKind,
    /// The images, sorted.
    pub images: Vec<BundleImage>,
}

/// An image and why it is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleImage {
    /// The reference as it stands in the manifests.
    pub image: String,
    /// The reference before a mirror took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror_of: Option<String>,
    /// The objects that use it, such as `Deployment kube-system/metrics-server (container metrics-server)`.
    pub used_by: Vec<String>,
}
