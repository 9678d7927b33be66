//! Which pods belong to the newest revision of a workload: what an older revision's pods suffer from
//! says nothing about the new one.

use serde_json::Value as Json;

use super::{
    fields::{number, text},
    kstatus::group_kind,
};

const REVISION_ANNOTATION: &str = "deployment.kubernetes.io/revision";
const POD_TEMPLATE_HASH: &str = "pod-template-hash";
const CONTROLLER_REVISION_HASH: &str = "controller-revision-hash";

/// A label that the newest pods of a workload carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodLabel {
    /// Its key.
    pub key: &'static str,
    /// Its value.
    pub value: String,
}

/// The label that tells the newest pods of a workload from older ones, given the replica sets of a
/// deployment or the revisions of a daemon set. None for workloads whose pods are all alike,
/// and when the newest revision is not there yet: until a controller has seen what was applied, the
/// revision that it calls the newest is the one before.
pub fn newest_pods(workload: &Json, revisions: &[Json]) -> Option<PodLabel> {
    let generation = number(workload, &["metadata", "generation"], 0);
    if number(workload, &["status", "observedGeneration"], 0) != generation {
        return None;
    }
    let uid = text(workload, &["metadata", "uid"], "");
    let mut owned = revisions.iter().filter(|it| is_owned_by(it, uid));
    let (key, value) = match group_kind(workload) {
        ("apps", "Deployment") => {
            let annotation = ["metadata", "annotations", REVISION_ANNOTATION];
            let newest = text(workload, &annotation, "");
            let set =
                owned.find(|set| !newest.is_empty() && text(set, &annotation, "") == newest)?;
            (POD_TEMPLATE_HASH, label(set, POD_TEMPLATE_HASH))
        }
        ("apps", "StatefulSet") => (
            CONTROLLER_REVISION_HASH,
            text(workload, &["status", "updateRevision"], ""),
        ),
        ("apps", "DaemonSet") => {
            let newest = owned.max_by_key(|it| number(it, &["revision"], 0))?;
            (
                CONTROLLER_REVISION_HASH,
                label(newest, CONTROLLER_REVISION_HASH),
            )
        }
        _ => return None,
    };
    (!value.is_empty()).then(|| PodLabel {
        key,
        value: value.to_owned(),
    })
}

fn label<'a>(object: &'a Json, key: &str) -> &'a str {
    text(object, &["metadata", "labels", key], "")
}

fn is_owned_by(object: &Json, uid: &str) -> bool {
    let owners = object.pointer("/metadata/ownerReferences");
    let owners = owners
        .and_then(Json::as_array)
        .map_or(&[][..], Vec::as_slice);
    owners.iter().any(|owner| text(owner, &["uid"], "") == uid)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(owner: &str, revision: &str, hash: &str) -> Json {
        json!({"metadata": {
            "labels": {"pod-template-hash": hash},
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"uid": owner}],
        }})
    }

    fn value(workload: &Json, revisions: &[Json]) -> Option<String> {
        newest_pods(workload, revisions).map(|label| label.value)
    }

    #[test]
    fn what_was_not_seen_yet_has_no_newest_pods() {
        let mut deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "uid": "u", "generation": 3,
                "annotations": {"deployment.kubernetes.io/revision": "2"},
            },
            "status": {"observedGeneration": 2},
        });
        let sets = [set("u", "2", "bad")];
        assert_eq!(value(&deployment, &sets), None);
        deployment["status"]["observedGeneration"] = json!(3);
        assert_eq!(value(&deployment, &sets), Some("bad".to_owned()));
    }

    #[test]
    fn a_deployment_names_its_newest_replica_set() {
        let mut deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
            "uid": "u", "annotations": {"deployment.kubernetes.io/revision": "2"},
        }});
        let sets = [
            set("u", "1", "old"),
            set("other", "2", "foreign"),
            set("u", "2", "new"),
        ];
        assert_eq!(value(&deployment, &sets).as_deref(), Some("new"));
        assert_eq!(value(&deployment, &sets[..2]), None);
        deployment["metadata"]["generation"] = 3.into();
        deployment["status"] = json!({"observedGeneration": 2});
        assert_eq!(value(&deployment, &sets), None);
        deployment["status"] = json!({"observedGeneration": 3});
        assert_eq!(value(&deployment, &sets).as_deref(), Some("new"));
        deployment["metadata"]["annotations"] = json!({});
        assert_eq!(value(&deployment, &sets), None);
    }

    #[test]
    fn a_stateful_set_names_its_newest_revision() {
        let mut workload = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "status": {"updateRevision": "web-7"}});
        assert_eq!(value(&workload, &[]).as_deref(), Some("web-7"));
        workload["status"] = json!({});
        assert_eq!(value(&workload, &[]), None);
    }

    #[test]
    fn the_revision_of_a_daemon_set_is_the_highest_of_its_own() {
        let revision = |owner: &str, number: i64, hash: &str| {
            json!({"revision": number, "metadata": {
                "labels": {"controller-revision-hash": hash}, "ownerReferences": [{"uid": owner}],
            }})
        };
        let workload =
            json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"uid": "u"}});
        let revisions = [
            revision("u", 10, "new"),
            revision("u", 9, "old"),
            revision("v", 11, "foreign"),
        ];
        assert_eq!(value(&workload, &revisions).as_deref(), Some("new"));
    }

    #[test]
    fn pods_of_other_workloads_are_all_alike() {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"uid": "u"}});
        assert_eq!(newest_pods(&job, &[]), None);
    }
}
