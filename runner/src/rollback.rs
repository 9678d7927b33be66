//! What does not go back when a cluster does: objects that hold data, definitions whose objects are
//! stored in versions that the older one does not have, and what says so itself.

use serde_json::Value as Json;

/// Says that an object stays as it is when the cluster goes back.
const NEVER: (&str, &str) = ("cairn.dev/rollback", "never");

/// Why an object that is there stays as it is; none if it goes back. `desired` is what the older
/// bundle has of it, if anything.
pub fn stays(live: &Json, desired: Option<&Json>) -> Option<String> {
    let says_never = |object: &Json| object["metadata"]["annotations"][NEVER.0] == NEVER.1;
    if says_never(live) || desired.is_some_and(says_never) {
        return Some(format!("its annotation `{}: {}`", NEVER.0, NEVER.1));
    }
    let api_version = live["apiVersion"].as_str().unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = live["kind"].as_str().unwrap_or_default();
    match (group, kind) {
        ("", "PersistentVolume" | "PersistentVolumeClaim") => Some("it holds data".to_owned()),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => lost_version(live, desired?),
        _ => None,
    }
}

/// A version in which objects may be stored, and which the older definition does not have.
fn lost_version(live: &Json, desired: &Json) -> Option<String> {
    let versions = desired["spec"]["versions"].as_array()?;
    let stored = live["status"]["storedVersions"].as_array()?;
    let lost = stored
        .iter()
        .find(|stored| versions.iter().all(|version| version["name"] != **stored))?;
    let lost = lost.as_str().unwrap_or_default();
    Some(format!("objects are stored in its version `{lost}`"))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn definition(stored: &[&str], versions: &[&str]) -> Json {
        let versions: Vec<Json> = versions.iter().map(|name| json!({"name": name})).collect();
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "spec": {"versions": versions}, "status": {"storedVersions": stored},
        })
    }

    #[test]
    fn data_and_what_says_so_stay() {
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim"});
        assert_snapshot!(stays(&claim, Some(&claim)).unwrap(), @"it holds data");
        assert_snapshot!(stays(&claim, None).unwrap(), @"it holds data");
        // Another group's kind of the same name is no claim of Kubernetes.
        let other = json!({"apiVersion": "example.dev/v1", "kind": "PersistentVolumeClaim"});
        assert_eq!(stays(&other, None), None);
        let plain = json!({"apiVersion": "v1", "kind": "ConfigMap"});
        let mut marked = plain.clone();
        marked["metadata"]["annotations"] = json!({"cairn.dev/rollback": "never"});
        assert_eq!(stays(&plain, Some(&plain)), None);
        assert_snapshot!(stays(&marked, Some(&plain)).unwrap(), @"its annotation `cairn.dev/rollback: never`");
        assert_snapshot!(stays(&plain, Some(&marked)).unwrap(), @"its annotation `cairn.dev/rollback: never`");
    }

    #[test]
    fn a_definition_keeps_versions_in_which_objects_are_stored() {
        let old = definition(&[], &["v1"]);
        let live = definition(&["v1", "v2"], &["v1", "v2"]);
        assert_snapshot!(stays(&live, Some(&old)).unwrap(), @"objects are stored in its version `v2`");
        let live = definition(&["v1"], &["v1", "v2"]);
        assert_eq!(stays(&live, Some(&old)), None);
        assert_eq!(stays(&live, None), None);
    }
}
