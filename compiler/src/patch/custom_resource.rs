//! Merge rules of custom resources, from the structural schemas of their definitions.

use cairn_spec::{Map, Node, Value};

use super::{
    merge_keys::{ANY_FIELD, Definition, FieldRule, Key, Merge, Table},
    session::scalar_text,
};

/// Adds the kinds of a `CustomResourceDefinition` to a table.
pub(super) fn learn(definition: &Node, table: &mut Table) {
    let text = |node: Option<&Node>| node.and_then(Node::as_str).unwrap_or_default().to_owned();
    if text(definition.get("kind")) != "CustomResourceDefinition" {
        return;
    }
    let group = text(definition.at(&["spec", "group"]));
    let kind = text(definition.at(&["spec", "names", "kind"]));
    let versions = definition.at(&["spec", "versions"]).and_then(Node::as_list);
    for version in versions.unwrap_or_default() {
        let Some(schema) = version.at(&["schema", "openAPIV3Schema"]) else {
            continue;
        };
        let mut fields = fields_of(schema, table);
        fields.insert("metadata".to_owned(), metadata(table));
        let index = table.define(fields);
        table.add_kind(&group, &text(version.get("name")), &kind, index);
    }
}

/// The metadata of every object, which definitions of custom resources leave to Kubernetes.
fn metadata(table: &mut Table) -> FieldRule {
    let rule = |merge| FieldRule { merge, below: None };
    let uid = Key {
        name: "uid".to_owned(),
        default: None,
    };
    let below = table.define(Definition::from([
        ("finalizers".to_owned(), rule(Merge::Union)),
        ("ownerReferences".to_owned(), rule(Merge::ByKey(vec![uid]))),
    ]));
    FieldRule {
        merge: Merge::Plain,
        below: Some(below),
    }
}

/// The fields of a schema that have rules, or have something with rules below them.
fn fields_of(schema: &Node, table: &mut Table) -> Definition {
    let properties = schema.get("properties").and_then(Node::as_map);
    let named = properties.into_iter().flat_map(Map::iter);
    let any = schema
        .get("additionalProperties")
        .map(|values| (ANY_FIELD, values));
    named
        .map(|(name, schema)| (&**name, schema))
        .chain(any)
        .filter_map(|(name, schema)| Some((name.to_owned(), rule_of(schema, table)?)))
        .collect()
}

fn rule_of(schema: &Node, table: &mut Table) -> Option<FieldRule> {
    if let Some(items) = schema.get("items") {
        let keys = keys_of(schema, items)?;
        return Some(FieldRule {
            merge: Merge::ByKey(keys),
            below: define(items, table),
        });
    }
    Some(FieldRule {
        merge: Merge::Plain,
        below: Some(define(schema, table)?),
    })
}

fn define(schema: &Node, table: &mut Table) -> Option<usize> {
    let fields = fields_of(schema, table);
    (!fields.is_empty()).then(|| table.define(fields))
}

fn keys_of(list: &Node, items: &Node) -> Option<Vec<Key>> {
    let names = list.get("x-kubernetes-list-map-keys")?.as_list()?;
    let key = |name: &Node| {
        let name = name.as_str()?;
        let default = items.at(&["properties", name, "default"]);
        Some(Key {
            name: name.to_owned(),
            default: default
                .map(|node| &node.value)
                .filter(|v| **v != Value::Null)
                .and_then(scalar_text),
        })
    };
    let keys: Vec<Key> = names.iter().filter_map(key).collect();
    (!keys.is_empty() && keys.len() == names.len()).then_some(keys)
}
