//! Patches as a profile writes them: which objects, what to change, how many to expect.
//!
//! These are data only; the compiler applies them (`spec/profile-patches.md`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One patch of rendered manifests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchSpec {
    /// The objects to change.
    pub target: PatchTarget,
    /// How `patch` is to be read.
    #[serde(default, rename = "type")]
    pub patch_type: PatchType,
    /// The change: a map for `strategic` and `merge`, a list of operations for `json6902`.
    pub patch: serde_json::Value,
    /// How many objects the target must match.
    #[serde(default, skip_serializing_if = "PatchExpect::is_default")]
    pub expect: PatchExpect,
}

/// Which objects a patch changes: those that match every field that is given.
///
/// All fields but `labelSelector` are globs, where `*` stands for any text and `?` for one character.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchTarget {
    /// The API group, such as `apps`; the empty text is the core group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The API version, such as `v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The kind, such as `Deployment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The name of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The namespace of the object; the empty text matches objects without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels of the object, in kubectl's syntax: `app=web,tier in (front,back),!legacy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,
    /// The layer of the profile that the object comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The pack that the object comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
}

impl PatchTarget {
    /// No field is given, so that every object would match.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How a patch is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PatchType {
    /// Kubernetes' strategic merge patch: maps merge, known lists merge by key.
    #[default]
    Strategic,
    /// JSON merge patch (RFC 7396): maps merge, lists are replaced.
    Merge,
    /// JSON Patch (RFC 6902): a list of operations.
    Json6902,
}

/// How many objects a patch's target must match; any other number is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatchExpect {
    /// At least so many.
    #[serde(default = "one")]
    pub min: u32,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

/// A patch that matches nothing is a mistake unless the profile says otherwise.
fn one() -> u32 {
    1
}

impl Default for PatchExpect {
    fn default() -> Self {
        Self {
            min: one(),
            max: None,
        }
    }
}

impl PatchExpect {
    /// At least one, without an upper bound.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The number is within the bounds.
    pub fn allows(&self, count: usize) -> bool {
        count >= self.min as usize && self.max.is_none_or(|max| count <= max as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_needs_only_target_and_patch() {
        let json = r#"{"target":{"kind":"Deployment"},"patch":{}}"#;
        let patch: PatchSpec = serde_json::from_str(json).unwrap();
        assert_eq!(patch.patch_type, PatchType::Strategic);
        assert_eq!(patch.expect, PatchExpect { min: 1, max: None });
        assert_eq!(
            serde_json::to_string(&patch).unwrap(),
            r#"{"target":{"kind":"Deployment"},"type":"strategic","patch":{}}"#
        );
    }

    #[test]
    fn unknown_fields_and_types_are_refused() {
        for json in [
            r#"{"target":{"kinds":"Deployment"},"patch":{}}"#,
            r#"{"target":{},"type":"json","patch":{}}"#,
            r#"{"target":{},"patch":{},"expect":{"minimum":0}}"#,
        ] {
            assert!(serde_json::from_str::<PatchSpec>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn expectations_have_bounds() {
        let expect = PatchExpect {
            min: 1,
            max: Some(2),
        };
        assert_eq!(
            [0, 1, 2, 3].map(|count| expect.allows(count)),
            [false, true, true, false]
        );
    }
}
