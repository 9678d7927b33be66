//! How an agent is to treat its cluster: signed along with what is desired, so that it holds offline,
//! and against a hub that says otherwise.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Windows;
use crate::{Digest, LayerName, ObjectId, Timestamp};

/// How a cluster is to be treated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// When changes may be made.
    #[serde(default, skip_serializing_if = "is_default")]
    pub windows: Windows,
    /// Nothing is changed at all; drift is reported only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// What happens to objects that are there and not Cairn's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub adoption: Adoption,
    /// What happens when a bundle fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_failure: OnFailure,
    /// How long a layer may take to become healthy, in seconds: 1 to 86,400.
    #[serde(
        default = "default_timeout_s",
        skip_serializing_if = "is_default_timeout"
    )]
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_s: u32,
    /// What is done about drift.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drift: Drift,
    /// Fields that belong to others, such as replicas that an autoscaler sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<IgnoreRule>,
    /// Objects that may be deleted though they take data or other objects with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ObjectKey>,
    /// Much may be deleted at once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub approve_many_deletions: bool,
    /// Bundles that failed and are to be tried again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry: Vec<Digest>,
}

/// The time of a layer when the policy does not say, in seconds.
const DEFAULT_TIMEOUT_S: u32 = 600;

fn default_timeout_s() -> u32 {
    DEFAULT_TIMEOUT_S
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
fn is_default_timeout(timeout_s: &u32) -> bool {
    *timeout_s == DEFAULT_TIMEOUT_S
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            windows: Windows::default(),
            pause: None,
            adoption: Adoption::default(),
            on_failure: OnFailure::default(),
            timeout_s: DEFAULT_TIMEOUT_S,
            drift: Drift::default(),
            ignore: Vec::new(),
            approvals: Vec::new(),
            approve_many_deletions: false,
            retry: Vec::new(),
        }
    }
}

/// A stop of all changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pause {
    /// When it ends by itself; otherwise with the next desired state that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why, for those who wonder.
    pub reason: String,
}

/// What happens to an object that is there and not Cairn's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Adoption {
    /// The run fails.
    #[default]
    Refuse,
    /// It becomes Cairn's.
    Adopt,
    /// It stays as it is.
    Skip,
}

/// What happens when a bundle fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Back to the bundle that was healthy last.
    #[default]
    Rollback,
    /// It stays as far as it came.
    Halt,
}

/// What is done about drift: about most of it, and about that of some layers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Drift {
    /// In layers that are not named.
    #[serde(default, skip_serializing_if = "is_default")]
    pub default: DriftAction,
    /// In these layers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layers: BTreeMap<LayerName, DriftAction>,
}

impl Drift {
    /// What is done about drift of a layer.
    pub fn of(&self, layer: &LayerName) -> DriftAction {
        self.layers.get(layer).copied().unwrap_or(self.default)
    }
}

/// What is done about a field that somebody else changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DriftAction {
    /// Put it back.
    #[default]
    Correct,
    /// Say it.
    Report,
    /// Let it be.
    Ignore,
}

/// Fields that belong to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IgnoreRule {
    /// Of which objects; of all, if it names none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub target: IgnoreTarget,
    /// The fields as JSON pointers (RFC 6901), such as `/spec/replicas`, with all below them.
    #[schemars(length(min = 1))]
    pub paths: Vec<String>,
}

/// Which objects: those that have all that is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IgnoreTarget {
    /// The API group; empty for the core group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl IgnoreTarget {
    /// The object is one of them.
    pub fn holds(&self, object: &ObjectKey) -> bool {
        let fits = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        fits(&self.group, &object.group)
            && fits(&self.kind, &object.kind)
            && fits(
                &self.namespace,
                object.namespace.as_deref().unwrap_or_default(),
            )
            && fits(&self.name, &object.name)
    }
}

/// Who an object is, whatever version of its API it is written in.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectKey {
    /// The API group; empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace; none for objects of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl From<&ObjectId> for ObjectKey {
    fn from(id: &ObjectId) -> Self {
        Self {
            group: id.group().to_owned(),
            kind: id.kind.clone(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
        }
    }
}

/// Whether a value says nothing that its absence would not say.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
