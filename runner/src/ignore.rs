//! Fields that belong to others, as a policy's rules say: they are not compared, and what is applied to
//! an object that is there leaves them as they are.
//!
//! A field that was ours and is left out of an apply goes, or falls back to its default. So of such a
//! field the value that is there is applied, and left out is what others have taken.

use cairn_spec::{
    ObjectId,
    agent::{IgnoreRule, ObjectKey},
};
use serde_json::{Map, Value as Json};

use crate::{
    diff::{Path, owns, same_item, tokens},
    inventory::{FIELD_MANAGER, PART_OF},
};

/// What makes an object the one it is stays, whatever is ignored.
const IDENTITY: [&str; 4] = [
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/namespace",
];

/// The fields of an object that belong to others, as JSON pointers.
pub fn ignored<'a>(rules: &'a [IgnoreRule], id: &ObjectId) -> Vec<&'a str> {
    let key = ObjectKey::from(id);
    let rules = rules.iter().filter(|rule| rule.target.holds(&key));
    rules
        .flat_map(|rule| &rule.paths)
        .map(String::as_str)
        .collect()
}

/// Changes an object that is about to be applied so that some fields stay as they are.
pub fn keep(object: &mut Json, live: &Json, pointers: &[&str]) {
    if pointers.is_empty() {
        return;
    }
    let before: Vec<(&str, Json)> = IDENTITY
        .iter()
        .filter_map(|pointer| Some((*pointer, object.pointer(pointer)?.clone())))
        .collect();
    let set = object["metadata"]["labels"].get(PART_OF).cloned();
    let ours = our_fields(live);
    for pointer in pointers {
        if let Some(tokens) = tokens(pointer) {
            keep_below(object, Some(live), &tokens, (&Path::default(), ours));
        }
    }
    for (pointer, value) in before {
        let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
        if let Some(Json::Object(fields)) = object.pointer_mut(parent) {
            fields.insert(key.to_owned(), value);
        }
    }
    if let Some(set) = set.as_ref().and_then(Json::as_str) {
        crate::inventory::mark(object, set);
    }
}

fn our_fields(live: &Json) -> Option<&Map<String, Json>> {
    let mut managers = live["metadata"]["managedFields"].as_array()?.iter();
    let ours = managers.find(|it| it["manager"] == FIELD_MANAGER && it["operation"] == "Apply")?;
    ours["fieldsV1"].as_object()
}

/// Where the walk is, and which fields are ours.
type Walk<'a> = (&'a Path, Option<&'a Map<String, Json>>);

fn keep_below(object: &mut Json, live: Option<&Json>, tokens: &[String], (path, ours): Walk<'_>) {
    let Some((token, rest)) = tokens.split_first() else {
        return;
    };
    match object {
        Json::Object(fields) => {
            let path = path.field(token);
            let live = live.and_then(|live| live.get(token));
            if !rest.is_empty() {
                if let Some(field) = fields.get_mut(token) {
                    keep_below(field, live, rest, (&path, ours));
                }
                return;
            }
            match live.and_then(|live| kept(live, &path, ours)) {
                Some(value) => fields.insert(token.clone(), value),
                None => fields.remove(token),
            };
        }
        Json::Array(items) => {
            let Some(index) = token.parse().ok().filter(|index| *index < items.len()) else {
                return;
            };
            let empty = Vec::new();
            let there = live.and_then(Json::as_array).unwrap_or(&empty);
            let (path, place) = same_item(path, items, index, there);
            let live = place.and_then(|place| there.get(place));
            if rest.is_empty() {
                match live.and_then(|live| kept(live, &path, ours)) {
                    Some(value) => items[index] = value,
                    None => drop(items.remove(index)),
                }
            } else if let Some(item) = items.get_mut(index) {
                keep_below(item, live, rest, (&path, ours));
            }
        }
        _ => {}
    }
}

/// As much of what is there as is ours; none if nothing is.
fn kept(live: &Json, path: &Path, ours: Option<&Map<String, Json>>) -> Option<Json> {
    if !ours.is_some_and(|ours| owns(ours, path.steps())) {
        return None;
    }
    let Json::Object(fields) = live else {
        return Some(live.clone());
    };
    let kept = fields
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), kept(value, &path.field(key), ours)?)));
    Some(Json::Object(kept.collect()))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn rule(target: &Json, paths: &[&str]) -> IgnoreRule {
        serde_json::from_value(json!({"target": target, "paths": paths})).unwrap()
    }

    #[test]
    fn rules_are_of_the_objects_that_they_name() {
        let rules = [
            rule(
                &json!({"group": "apps", "kind": "Deployment"}),
                &["/spec/replicas"],
            ),
            rule(&json!({"namespace": "shop"}), &["/metadata/annotations/a"]),
            rule(&json!({"name": "other"}), &["/spec"]),
            rule(&json!({}), &["/metadata/annotations/b"]),
        ];
        let id = |api_version: &str, namespace: Option<&str>| ObjectId {
            api_version: api_version.to_owned(),
            kind: "Deployment".to_owned(),
            namespace: namespace.map(str::to_owned),
            name: "web".to_owned(),
        };
        let of = |id| ignored(&rules, &id).join(" ");
        assert_snapshot!(of(id("apps/v1", Some("shop"))), @"/spec/replicas /metadata/annotations/a /metadata/annotations/b");
        assert_snapshot!(of(id("example.dev/v1", None)), @"/metadata/annotations/b");
    }

    fn applied(pointers: &[&str], ours: &Json) -> String {
        let mut object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop", "labels": {PART_OF: "s", "a": "b"}},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [
                {"name": "main", "image": "new"},
                {"name": "new", "image": "new"},
            ]}}},
        });
        let live = json!({
            "metadata": {
                "name": "web", "labels": {PART_OF: "s", "a": "b", "theirs": "c"},
                "managedFields": [
                    {"manager": "hpa", "operation": "Update", "fieldsV1": {}},
                    {"manager": "cairn", "operation": "Apply", "fieldsV1": ours},
                ],
            },
            "spec": {"replicas": 5, "paused": true, "template": {"spec": {"containers": [
                {"name": "sidecar", "image": "theirs"},
                {"name": "main", "image": "live"},
            ]}}},
        });
        keep(&mut object, &live, pointers);
        format!("{} {}", object["metadata"]["labels"], object["spec"])
    }

    #[test]
    fn what_others_have_taken_is_left_out_and_what_is_ours_stays_as_it_is() {
        let nothing = json!({});
        assert_snapshot!(applied(&["/spec/replicas", "/spec/paused"], &nothing), @r#"{"a":"b","applyset.kubernetes.io/part-of":"s"} {"template":{"spec":{"containers":[{"image":"new","name":"main"},{"image":"new","name":"new"}]}}}"#);
        let replicas = json!({"f:spec": {"f:replicas": {}}});
        assert_snapshot!(applied(&["/spec/replicas"], &replicas), @r#"{"a":"b","applyset.kubernetes.io/part-of":"s"} {"replicas":5,"template":{"spec":{"containers":[{"image":"new","name":"main"},{"image":"new","name":"new"}]}}}"#);
        // Items of lists are told by their keys, not by their places.
        let image = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"main\"}": {"f:image": {}}}}}}});
        let pointers = [
            "/spec/replicas",
            "/spec/template/spec/containers/0/image",
            "/spec/template/spec/containers/1/image",
            "/spec/template/spec/containers/7/image",
        ];
        assert_snapshot!(applied(&pointers, &image), @r#"{"a":"b","applyset.kubernetes.io/part-of":"s"} {"template":{"spec":{"containers":[{"image":"live","name":"main"},{"name":"new"}]}}}"#);
    }

    #[test]
    fn an_object_stays_the_one_it_is() {
        let labels = json!({"f:metadata": {"f:labels": {"f:a": {}}}});
        assert_snapshot!(applied(&["/metadata/labels", "/spec"], &labels), @r#"{"a":"b","applyset.kubernetes.io/part-of":"s"} null"#);
        assert_snapshot!(applied(&["/metadata", "/kind", "no pointer", "/spec/template"], &json!({})), @r#"{"applyset.kubernetes.io/part-of":"s"} {"replicas":1}"#);
    }
}
