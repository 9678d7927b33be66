//! How much of an object is read: all of it, or as much of its metadata as says whether it is as we left it.
//!
//! A cluster has thousands of objects, and who watches them keeps none.

use cairn_spec::{Digest, ObjectId, canonical_json};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};

use super::{Listed, Presence, Resource};
use crate::inventory::FIELD_MANAGER;

/// What is read of an object.
pub trait View: DeserializeOwned + Default + Send + 'static {
    /// What the API server is asked for.
    const LISTED: Listed;
    /// A selector of fields, such as `type=Warning`; empty for all objects.
    const FIELDS: &'static str = "";
    /// How many objects one page of a list has: fewer take less memory at a time.
    const PAGE_OBJECTS: usize = 500;

    /// Notes which kind it is of: items of a list do not say what they are.
    fn is_of(&mut self, resource: &Resource);

    /// The namespace, and the name.
    fn place(&self) -> (Option<&str>, &str);

    /// Its version.
    fn version(&self) -> &str;

    /// Which object it is.
    fn id(&self, resource: &Resource) -> ObjectId {
        let (namespace, name) = self.place();
        ObjectId {
            api_version: resource.api_version(),
            kind: resource.kind.clone(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }
}

impl View for Value {
    const LISTED: Listed = Listed::Whole;

    fn is_of(&mut self, resource: &Resource) {
        self["apiVersion"] = json!(resource.api_version());
        self["kind"] = json!(resource.kind);
    }

    fn place(&self) -> (Option<&str>, &str) {
        let metadata = &self["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default();
        (metadata["namespace"].as_str(), name)
    }

    fn version(&self) -> &str {
        self["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
    }
}

/// An object by its metadata alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Partial")]
pub struct Sighting {
    /// The namespace.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
    /// How it is there.
    pub presence: Presence,
}

impl View for Sighting {
    const LISTED: Listed = Listed::Metadata;

    fn is_of(&mut self, _: &Resource) {}

    fn place(&self) -> (Option<&str>, &str) {
        (self.namespace.as_deref(), &self.name)
    }

    fn version(&self) -> &str {
        &self.presence.resource_version
    }
}

/// `PartialObjectMetadata`, or what a watch says instead of one.
#[derive(Deserialize)]
struct Partial {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    namespace: Option<String>,
    name: String,
    uid: String,
    resource_version: String,
    deletion_timestamp: Option<String>,
    labels: Option<Labels>,
    managed_fields: Option<Vec<Managed>>,
}

/// Of labels, the one that says which set it is part of.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Labels {
    #[serde(rename = "applyset.kubernetes.io/part-of")]
    set: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Managed {
    manager: String,
    operation: String,
    subresource: String,
    api_version: Option<String>,
    fields_v1: Option<Box<RawValue>>,
}

impl From<Partial> for Sighting {
    fn from(Partial { metadata }: Partial) -> Self {
        let managed = metadata.managed_fields.unwrap_or_default();
        Self {
            namespace: metadata.namespace,
            name: metadata.name,
            presence: Presence {
                uid: metadata.uid,
                resource_version: metadata.resource_version,
                owned: managed.iter().find(|it| it.is_ours()).map(Managed::digest),
                is_going: metadata.deletion_timestamp.is_some(),
                set: metadata.labels.and_then(|labels| labels.set),
            },
        }
    }
}

impl Managed {
    fn is_ours(&self) -> bool {
        self.manager == FIELD_MANAGER && self.operation == "Apply" && self.subresource.is_empty()
    }

    fn digest(&self) -> Digest {
        let text = self.fields_v1.as_ref().map_or("null", |raw| raw.get());
        let fields: Value = serde_json::from_str(text).unwrap_or_default();
        Digest::sha256(canonical_json(&json!([self.api_version, fields])).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::presence_of;

    #[test]
    fn metadata_alone_says_what_the_whole_object_says() {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7",
                "labels": {"a": "b", crate::inventory::PART_OF: "applyset-x-v1"},
                "managedFields": [
                    {
                        "manager": "theirs", "operation": "Update", "apiVersion": "v1",
                        "fieldsV1": {"f:data": {"f:c": {}}},
                    },
                    {
                        "manager": "cairn", "operation": "Apply", "apiVersion": "v1",
                        "fieldsV1": {"f:data": {"f:b": {}, "f:a": {}}},
                    },
                ],
            },
        });
        let sighting: Sighting = serde_json::from_str(&object.to_string()).unwrap();
        assert_eq!(sighting.presence, presence_of(&object));
        assert!(sighting.presence.owned.is_some());
        assert_eq!(sighting.presence.set.as_deref(), Some("applyset-x-v1"));
        assert_eq!(sighting.place(), (Some("n"), "a"));
        let going = json!({"metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z", "managedFields": null}});
        let sighting: Sighting = serde_json::from_str(&going.to_string()).unwrap();
        assert_eq!(sighting.presence, presence_of(&going));
        // What a watch says besides objects.
        let status: Sighting =
            serde_json::from_str(r#"{"kind": "Status", "metadata": {}, "code": 410}"#).unwrap();
        assert_eq!(status, Sighting::default());
    }
}
