//! What an apply would change, field by field: the object as it is beside the server's dry run.
//!
//! Each change names the manager that set the old value. Secrets are never shown.

mod list;
mod managers;
mod path;
mod redact;

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use crate::bundle::Secrets;

pub(crate) use list::same_item;
pub(crate) use managers::owns;
pub use managers::{Owner, owner};
pub(crate) use path::tokens;
pub use path::{Path, Step};

/// What `metadata` holds that people and controllers write.
const METADATA: [&str; 4] = ["labels", "annotations", "finalizers", "ownerReferences"];
/// Top-level fields that say what an object is, or how it is.
const NOT_COMPARED: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];
/// `kubectl apply` keeps a copy of the whole object in the first one, and the API server counts in the second.
const NOBODYS_WISH: [&str; 2] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.daemonset.template.generation",
];

/// What is left out of a comparison, and what must not be shown.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// JSON Pointers: what is at or below them is not compared.
    pub ignore: &'a [&'a str],
    /// Texts that hold one of these are not shown.
    pub secrets: &'a Secrets,
}

/// A field that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The field.
    pub path: Path,
    /// What it was; none for a field that is new.
    pub old: Option<Json>,
    /// What it will be; none for a field that goes.
    pub new: Option<Json>,
    /// Who set the old value.
    pub owner: Option<Owner>,
}

/// What changes from the object as it is to the object as it would be.
pub fn changes(live: &Json, after: &Json, options: &Options<'_>) -> Vec<Change> {
    let mut comparison = Comparison {
        options,
        changes: Vec::new(),
    };
    for key in METADATA {
        let field = |object: &Json| {
            let mut field = object.get("metadata")?.get(key)?.clone();
            if let Some(fields) = field.as_object_mut() {
                fields.retain(|name, _| !NOBODYS_WISH.contains(&name.as_str()));
            }
            Some(field)
        };
        let path = Path::default().field("metadata").field(key);
        comparison.values(&path, field(live).as_ref(), field(after).as_ref());
    }
    let empty = Map::new();
    let old = live.as_object().unwrap_or(&empty);
    let new = after.as_object().unwrap_or(&empty);
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        if !NOT_COMPARED.contains(&key.as_str()) {
            let path = Path::default().field(key);
            comparison.values(&path, old.get(key), new.get(key));
        }
    }
    let mut changes = comparison.changes;
    for change in &mut changes {
        change.owner = owner(live, &change.path);
        redact::redact(live, change, options.secrets);
    }
    changes
}

struct Comparison<'a> {
    options: &'a Options<'a>,
    changes: Vec<Change>,
}

impl Comparison<'_> {
    fn values(&mut self, path: &Path, old: Option<&Json>, new: Option<&Json>) {
        if old == new || self.options.ignore.iter().any(|it| path.is_below(it)) {
            return;
        }
        match (old, new) {
            (Some(Json::Object(old)), Some(Json::Object(new))) => {
                for (key, old) in old {
                    self.values(&path.field(key), Some(old), new.get(key));
                }
                for (key, new) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                    self.values(&path.field(key), None, Some(new));
                }
            }
            (Some(Json::Array(old)), Some(Json::Array(new))) => self.lists(path, old, new),
            // A map that is new or goes is told field by field when something in it may be ignored
            // or is secret; a field of `metadata` always.
            (None, Some(Json::Object(fields))) if self.is_opened(path, fields) => {
                for (key, new) in fields {
                    self.values(&path.field(key), None, Some(new));
                }
            }
            (Some(Json::Object(fields)), None) if self.is_opened(path, fields) => {
                for (key, old) in fields {
                    self.values(&path.field(key), Some(old), None);
                }
            }
            _ => self.changes.push(Change {
                path: path.clone(),
                old: old.cloned(),
                new: new.cloned(),
                owner: None,
            }),
        }
    }

    fn is_opened(&self, path: &Path, fields: &Map<String, Json>) -> bool {
        let is_short = path.steps().len() <= 2;
        !fields.is_empty() && (is_short || self.options.ignore.iter().any(|it| path.is_above(it)))
    }

    fn lists(&mut self, path: &Path, old: &[Json], new: &[Json]) {
        let Some(keys) = list::merge_keys(old, new) else {
            for index in 0..old.len().max(new.len()) {
                self.values(&path.index(index), old.get(index), new.get(index));
            }
            return;
        };
        let find = |items: &[Json], wanted: &list::ItemKey| {
            items
                .iter()
                .position(|item| list::item_key(item, keys).as_ref() == Some(wanted))
        };
        let mut is_moved = false;
        let mut last_place = None;
        for (index, item) in old.iter().enumerate() {
            let Some(key) = list::item_key(item, keys) else {
                continue;
            };
            let place = find(new, &key);
            is_moved |= place.is_some() && place < last_place;
            last_place = place.max(last_place);
            let path = path.item(key, index);
            self.values(&path, Some(item), place.and_then(|place| new.get(place)));
        }
        for (index, item) in new.iter().enumerate() {
            let Some(key) = list::item_key(item, keys) else {
                continue;
            };
            if find(old, &key).is_none() {
                self.values(&path.item(key, index), None, Some(item));
            }
        }
        if is_moved {
            let names = |items: &[Json]| {
                let names = items.iter().filter_map(|item| list::item_key(item, keys));
                Json::Array(names.map(|key| list::name(&key).into()).collect())
            };
            self.changes.push(Change {
                path: path.clone(),
                old: Some(names(old)),
                new: Some(names(new)),
                owner: None,
            });
        }
    }
}

impl std::fmt::Display for Change {
    /// `spec.replicas: 2 → 3 (set by kubectl)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.path)?;
        match (&self.old, &self.new) {
            (None, Some(new)) => write!(f, "+ {new}")?,
            (Some(old), None) => write!(f, "- {old}")?,
            (Some(old), Some(new)) => write!(f, "{old} → {new}")?,
            (None, None) => {}
        }
        match &self.owner {
            Some(owner) if self.old.is_some() => write!(f, " (set by {})", owner.manager),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn diff(live: &Json, after: &Json, ignore: &[&str]) -> String {
        let options = Options {
            ignore,
            secrets: &Secrets::default(),
        };
        let changes = changes(live, after, &options);
        changes
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn what_servers_write_is_not_compared() {
        let live = json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": "a", "uid": "u", "resourceVersion": "1", "generation": 1, "managedFields": []}, "status": {"a": 1}});
        let after = json!({"apiVersion": "v2", "kind": "A", "metadata": {"name": "a", "uid": "u", "resourceVersion": "2", "generation": 2, "managedFields": [{}]}, "status": {"a": 2}});
        assert_snapshot!(diff(&live, &after, &[]), @"");
    }

    #[test]
    fn fields_are_told_one_by_one() {
        let live = json!({"metadata": {"labels": {"a": "1", "b": "1"}}, "spec": {"replicas": 2, "paused": true, "strategy": {"type": "Recreate"}}});
        let after = json!({"metadata": {"labels": {"a": "2", "c": "1"}, "annotations": {"d": "1"}}, "spec": {"replicas": 3, "strategy": "odd"}, "data": {"k": "v"}});
        assert_snapshot!(diff(&live, &after, &[]), @r#"
        metadata.labels.a: "1" → "2"
        metadata.labels.b: - "1"
        metadata.labels.c: + "1"
        metadata.annotations.d: + "1"
        data.k: + "v"
        spec.paused: - true
        spec.replicas: 2 → 3
        spec.strategy: {"type":"Recreate"} → "odd"
        "#);
    }

    #[test]
    fn items_are_found_by_their_keys() {
        let container = |name: &str, image: &str| json!({"name": name, "image": image, "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]});
        let pod =
            |containers: Json| json!({"spec": {"template": {"spec": {"containers": containers}}}});
        let live = pod(json!([container("a", "a:1"), container("b", "b:1")]));
        let mut after = pod(json!([container("b", "b:2"), container("c", "c:1")]));
        assert_snapshot!(diff(&live, &after, &[]), @r#"
        spec.template.spec.containers[name=a]: - {"image":"a:1","name":"a","ports":[{"containerPort":80},{"containerPort":80,"protocol":"UDP"}]}
        spec.template.spec.containers[name=b].image: "b:1" → "b:2"
        spec.template.spec.containers[name=c]: + {"image":"c:1","name":"c","ports":[{"containerPort":80},{"containerPort":80,"protocol":"UDP"}]}
        "#);
        after = live.clone();
        after["spec"]["template"]["spec"]["containers"][0]["ports"][1]["containerPort"] = 81.into();
        assert_snapshot!(diff(&live, &after, &[]), @r#"
        spec.template.spec.containers[name=a].ports[containerPort=80,protocol=UDP]: - {"containerPort":80,"protocol":"UDP"}
        spec.template.spec.containers[name=a].ports[containerPort=81,protocol=UDP]: + {"containerPort":81,"protocol":"UDP"}
        "#);
        after = pod(json!([container("b", "b:1"), container("a", "a:1")]));
        assert_snapshot!(diff(&live, &after, &[]), @r#"spec.template.spec.containers: ["name=a","name=b"] → ["name=b","name=a"]"#);
    }

    #[test]
    fn items_without_keys_are_told_by_their_places() {
        let live = json!({"spec": {"args": ["a", "b"], "rules": [{"x": 1}, {"x": 1}]}});
        let after = json!({"spec": {"args": ["a", "c", "d"], "rules": [{"x": 1}]}});
        assert_snapshot!(diff(&live, &after, &[]), @r#"
        spec.args[1]: "b" → "c"
        spec.args[2]: + "d"
        spec.rules[1]: - {"x":1}
        "#);
    }

    #[test]
    fn what_is_ignored_is_not_told() {
        let live = json!({"spec": {"replicas": 2, "a/b": 1, "items": [{"name": "x", "v": 1}, {"name": "y", "v": 1}]}});
        let after = json!({"spec": {"replicas": 3, "a/b": 2, "items": [{"name": "x", "v": 2}, {"name": "y", "v": 2}], "new": {"a": 1, "b": 2}}});
        assert_snapshot!(diff(&live, &after, &["/spec/replicas", "/spec/a~1b", "/spec/items/1", "/spec/new/a"]), @"
        spec.items[name=x].v: 1 → 2
        spec.new.b: + 2
        ");
        assert_snapshot!(diff(&live, &after, &["/spec"]), @"");
    }

    #[test]
    fn the_manager_of_the_old_value_is_named() {
        let live = json!({
            "metadata": {"managedFields": [
                {"manager": "cairn", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:paused": {}}}},
                {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            ]},
            "spec": {"replicas": 5, "paused": true, "other": 1},
        });
        let after = json!({"spec": {"replicas": 3, "paused": false, "other": 2, "new": 1}});
        assert_snapshot!(diff(&live, &after, &[]), @"
        spec.other: 1 → 2
        spec.paused: true → false (set by cairn)
        spec.replicas: 5 → 3 (set by kubectl-edit)
        spec.new: + 1
        ");
    }

    #[test]
    fn secrets_are_never_shown() {
        let secret = |data: Json| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": {NOBODYS_WISH[0]: data.to_string()}}, "data": data, "type": "Opaque"});
        let live = secret(json!({"a": "aHVudGVyMg==", "b": "aHVudGVyMg=="}));
        let after = secret(json!({"a": "aHVudGVyMw==", "c": "aHVudGVyMg=="}));
        let text = diff(&live, &after, &[]);
        assert_snapshot!(text, @r#"
        data.a: "*** (before)" → "*** (after)"
        data.b: - "***"
        data.c: + "***"
        "#);
        assert!(!text.contains("aHVudGVy"));
    }
}
