//! As much of an object as its health is judged by: not who owns its fields, and not what a definition says
//! of its kinds, which is most of many a bundle.

use std::fmt;

use cairn_spec::ObjectId;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::{Listed, Resource, View};

/// An object without what its health does not depend on.
#[derive(Debug, Default)]
pub(super) struct Judgeable {
    rest: Value,
    /// Not read before it is known what it is of.
    spec: Option<Box<RawValue>>,
}

impl Judgeable {
    /// The object.
    pub(super) fn of(self, id: &ObjectId) -> Value {
        let Self { mut rest, spec } = self;
        if let Some(fields) = rest.as_object_mut()
            && let Some(spec) = spec
            && !is_definition(id)
            && let Ok(spec) = serde_json::from_str(spec.get())
        {
            fields.insert("spec".to_owned(), spec);
        }
        rest
    }
}

/// Takes from an object what its health does not depend on.
pub(super) fn slim(id: &ObjectId, mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        if is_definition(id) {
            fields.remove("spec");
        }
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
    }
    object
}

fn is_definition(id: &ObjectId) -> bool {
    id.group() == "apiextensions.k8s.io" && id.kind == "CustomResourceDefinition"
}

impl View for Judgeable {
    const LISTED: Listed = Listed::Whole;

    fn is_of(&mut self, resource: &Resource) {
        self.rest.is_of(resource);
    }

    fn place(&self) -> (Option<&str>, &str) {
        self.rest.place()
    }

    fn version(&self) -> &str {
        self.rest.version()
    }
}

impl<'de> Deserialize<'de> for Judgeable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Judgeable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Judgeable, A::Error> {
        let mut rest = Map::new();
        let mut spec = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "spec" => spec = Some(map.next_value()?),
                "metadata" => {
                    let Metadata(metadata) = map.next_value()?;
                    rest.insert(key, Value::Object(metadata));
                }
                _ => {
                    rest.insert(key, map.next_value()?);
                }
            }
        }
        let rest = Value::Object(rest);
        Ok(Judgeable { rest, spec })
    }
}

/// `metadata` without `managedFields`.
struct Metadata(Map<String, Value>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kept;
        impl<'de> Visitor<'de> for Kept {
            type Value = Metadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("metadata")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut kept = Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "managedFields" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        kept.insert(key, map.next_value()?);
                    }
                }
                Ok(Metadata(kept))
            }
        }
        deserializer.deserialize_map(Kept)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::id_of;

    #[test]
    fn what_does_not_count_is_not_kept() {
        for (api_version, kind) in [
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            ("apps/v1", "Deployment"),
        ] {
            let object = json!({
                "apiVersion": api_version, "kind": kind,
                "metadata": {"name": "a", "namespace": "n", "resourceVersion": "7", "managedFields": [{}], "uid": "u"},
                "spec": {"versions": []}, "status": {"conditions": []},
            });
            let id = id_of(&object);
            let read: Judgeable = serde_json::from_str(&object.to_string()).unwrap();
            assert_eq!((read.place(), read.version()), ((Some("n"), "a"), "7"));
            let slimmed = slim(&id, object.clone());
            assert_eq!(slimmed["metadata"].get("managedFields"), None);
            assert_eq!(slimmed.get("spec").is_some(), kind == "Deployment");
            assert_eq!(slimmed["status"], object["status"]);
            assert_eq!(read.of(&id), slimmed);
        }
    }
}
