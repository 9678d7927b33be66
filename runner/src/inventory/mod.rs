//! What a layer has in a cluster: the memory by which Cairn knows what is its own.
//!
//! An inventory is written before anything is applied, as the union of what was and what will be,
//! and shrinks when deletions are confirmed. So a crash leaves objects in two inventories, never in none.

mod config_map;

use std::collections::BTreeMap;

use cairn_spec::{Digest, LayerName, ObjectId, Stage};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

pub use config_map::{Damage, Encoded, Home, PARENTS, decode, encode, layer_of, parts_of, set_id};

/// The name under which Cairn owns fields.
pub const FIELD_MANAGER: &str = "cairn";
/// The label of an object that names the set it is part of (`ApplySet`, KEP-3659).
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";

/// Who an object is, whatever the version of its API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace; none for objects of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl From<&ObjectId> for Identity {
    fn from(id: &ObjectId) -> Self {
        Self {
            group: id.group().to_owned(),
            kind: id.kind.clone(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
        }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// What is known of an object that was applied, or is about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// The version of the API it was applied with.
    pub version: String,
    /// Its stage: objects go in the reverse order of their coming.
    pub stage: Stage,
    /// The server's own name for it; none until it was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// It was not there before.
    #[serde(default)]
    pub created: bool,
    /// The digest of what was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<Digest>,
    /// The digest of the fields that the server says are ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned: Option<Digest>,
}

/// The objects of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// The layer.
    pub layer: LayerName,
    /// Its place among the layers: those that came last go first.
    pub place: usize,
    /// The cluster, by the UID of its namespace `kube-system`.
    pub cluster: String,
    /// Found by labels after it was lost: nothing is pruned by it, unless somebody agrees, until it was
    /// applied once more.
    pub recovered: bool,
    /// What its objects say they are part of, when nobody knows any more what the layer was called.
    pub found_set: Option<String>,
    /// The objects.
    pub entries: BTreeMap<Identity, Entry>,
}

impl Inventory {
    /// An inventory without objects.
    pub fn new(layer: LayerName, cluster: impl Into<String>) -> Self {
        Self {
            layer,
            place: 0,
            cluster: cluster.into(),
            recovered: false,
            found_set: None,
            entries: BTreeMap::new(),
        }
    }

    /// The set that its objects say they are part of.
    pub fn set(&self, namespace: &str) -> String {
        let found = self.found_set.clone();
        found.unwrap_or_else(|| set_id(&self.layer, namespace))
    }

    /// Adds what is about to be applied. An object that another layer has comes with what is known
    /// of it, so that it is the same object there and not deleted here.
    pub fn extend_with<'a>(
        &mut self,
        planned: impl IntoIterator<Item = (&'a ObjectId, Stage)>,
        others: &[Self],
    ) {
        for (id, stage) in planned {
            let identity = Identity::from(id);
            let known = others.iter().find_map(|other| other.entries.get(&identity));
            let entry = self.entries.entry(identity).or_insert_with(|| {
                known.cloned().unwrap_or_else(|| Entry {
                    version: String::new(),
                    stage,
                    uid: None,
                    created: false,
                    desired: None,
                    owned: None,
                })
            });
            let version = id.api_version.rsplit_once('/').map(|(_, version)| version);
            version
                .unwrap_or(&id.api_version)
                .clone_into(&mut entry.version);
            entry.stage = stage;
        }
    }
}

/// Puts the label on an object that makes it part of a set.
pub fn mark(object: &mut Json, set: &str) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    if labels.is_null() {
        *labels = json!({});
    }
    if let Some(labels) = labels.as_object_mut() {
        labels.insert(PART_OF.to_owned(), set.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(api_version: &str, name: &str) -> ObjectId {
        ObjectId {
            api_version: api_version.to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("n".to_owned()),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_new_version_of_an_api_is_the_same_object() {
        let mut inventory = Inventory::new("web".parse().unwrap(), "c");
        let (old, new) = (id("apps/v1beta1", "a"), id("apps/v1", "a"));
        inventory.extend_with([(&old, Stage::Workloads)], &[]);
        inventory.entries.values_mut().next().unwrap().uid = Some("u".to_owned());
        inventory.extend_with([(&new, Stage::Workloads)], &[]);
        let entries: Vec<_> = inventory.entries.values().collect();
        assert_eq!(entries.len(), 1);
        assert_eq!(
            (entries[0].version.as_str(), entries[0].uid.as_deref()),
            ("v1", Some("u"))
        );
    }

    #[test]
    fn the_union_keeps_what_is_no_longer_planned() {
        let mut inventory = Inventory::new("web".parse().unwrap(), "c");
        inventory.extend_with([(&id("apps/v1", "a"), Stage::Workloads)], &[]);
        inventory.extend_with([(&id("apps/v1", "b"), Stage::Workloads)], &[]);
        let names: Vec<_> = inventory
            .entries
            .keys()
            .map(|it| it.name.as_str())
            .collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn an_object_that_moves_between_layers_keeps_its_uid() {
        let moving = id("apps/v1", "a");
        let mut old = Inventory::new("old".parse().unwrap(), "c");
        old.extend_with([(&moving, Stage::Workloads)], &[]);
        let entry = old.entries.values_mut().next().unwrap();
        (entry.uid, entry.created) = (Some("u".to_owned()), true);
        let mut new = Inventory::new("new".parse().unwrap(), "c");
        new.extend_with([(&moving, Stage::CustomResources)], &[old.clone()]);
        let entry = &new.entries[&Identity::from(&moving)];
        assert_eq!(
            (entry.uid.as_deref(), entry.created, entry.stage),
            (Some("u"), true, Stage::CustomResources)
        );
        assert_eq!(old.entries.len(), 1);
    }

    #[test]
    fn objects_are_marked_whatever_their_metadata_is() {
        let mut object = json!({"metadata": {"labels": {"a": "b"}}});
        mark(&mut object, "s");
        assert_eq!(
            object,
            json!({"metadata": {"labels": {"a": "b", PART_OF: "s"}}})
        );
        for mut bare in [
            json!({}),
            json!({"metadata": {}}),
            json!({"metadata": {"labels": null}}),
        ] {
            mark(&mut bare, "s");
            assert_eq!(bare, json!({"metadata": {"labels": {PART_OF: "s"}}}));
        }
    }
}
