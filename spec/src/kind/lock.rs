//! `profile.lock` (`spec/profile.md` §6), what exactly a build used, and `pack.lock`
//! (`spec/pack.md` §2), which charts a pack was built with: independent of mirrors.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiVersion, LockKind, PackLockKind};
use crate::{
    ChartName, ChartRepository, Digest, LayerName, PackName, ProfileName, Version, VersionRange,
};

/// `profile.lock`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lock {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `Lock`.
    pub kind: LockKind,
    /// The profile.
    pub profile: ProfileName,
    /// The packs, by name and version.
    pub packs: Vec<LockedPack>,
    /// The charts of layers, by name and version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charts: Vec<LockedChart>,
}

/// A pack that is locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LockedPack {
    /// The pack.
    pub name: PackName,
    /// Its version.
    pub version: Version,
    /// The name of the registry it came from, as the profile calls it: never its address.
    pub registry: LayerName,
    /// The range it was chosen from; when the profile asks for another, it is chosen anew.
    pub range: VersionRange,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The digest of its uncompressed content.
    pub diff_id: Digest,
    /// The key ids that signed it, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<String>,
    /// The layers that use it, sorted.
    pub required_by: Vec<LayerName>,
}

/// A chart that is locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LockedChart {
    /// The chart.
    pub name: ChartName,
    /// Its version.
    pub version: Version,
    /// The repository, as it is written where the chart is asked for.
    pub repository: ChartRepository,
    /// The range it was chosen from; when another is asked for, it is chosen anew.
    pub range: VersionRange,
    /// The SHA-256 digest of its archive.
    pub digest: Digest,
    /// The layers of the profile that use it, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_by: Vec<LayerName>,
}

/// `pack.lock`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackLock {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `PackLock`.
    pub kind: PackLockKind,
    /// The charts that were fetched, by name.
    pub charts: Vec<LockedChart>,
}
