//! Tests of a pack (`spec/pack.md` §6).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ApiVersion, PackTestKind};
use crate::{PackName, PresetName, TreePath, Version};

/// `tests/*.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackTest {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `PackTest`.
    pub kind: PackTestKind,
    /// Who it is.
    pub metadata: PackTestMetadata,
    /// What goes in and what must come out.
    pub spec: PackTestSpec,
}

/// Who a test is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackTestMetadata {
    /// The test's name.
    pub name: PackName,
    /// One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What goes into a test and what must come out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackTestSpec {
    /// The presets to choose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub presets: Vec<PresetName>,
    /// The values to set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, serde_json::Value>,
    /// The target; by default the newest version that Cairn knows and the pack allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Version>,
    /// What must come out.
    pub expect: PackTestExpect,
}

/// What must come out of a test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackTestExpect {
    /// Each must match exactly one object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ExpectedObject>,
    /// None of these may be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<ObjectPattern>,
    /// How many objects there are in all, the namespace included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// Host files that must exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host: Vec<String>,
    /// Texts that a host file must hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub host_contains: BTreeMap<String, Vec<String>>,
    /// Findings that must be reported; with one of them an error, nothing else is expected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<ExpectedDiagnostic>,
    /// A file below `tests/` with the whole output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<TreePath>,
}

/// An object that must be there exactly once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectedObject {
    /// Its `apiVersion`, when it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace, when it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// JSON Pointers and the values that stand there; null means that nothing does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, serde_json::Value>,
}

/// Objects that must not be there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectPattern {
    /// Their kind.
    pub kind: String,
    /// Their name; any by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their namespace; any or none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A finding that must be reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectedDiagnostic {
    /// Its code.
    pub code: String,
    /// A text that its message holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
}
