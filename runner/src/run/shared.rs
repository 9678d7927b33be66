//! Whether a namespace holds objects of others.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::{
    cluster::{Cluster, Kinds, Listed, Resource},
    inventory::Identity,
};

/// What Kubernetes itself puts into namespaces, or makes of other objects, by kind.
const DERIVED: [(&str, &str); 5] = [
    ("", "Event"),
    ("events.k8s.io", "Event"),
    ("", "Endpoints"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("metrics.k8s.io", "PodMetrics"),
];
/// The same by kind and name.
const GIVEN: [(&str, &str); 2] = [
    ("ConfigMap", "kube-root-ca.crt"),
    ("ServiceAccount", "default"),
];

/// True unless everything in a namespace is one of ours, belongs to something else there, or is Kubernetes' own.
/// What cannot be listed counts as somebody else's.
pub(super) async fn is_shared(
    cluster: &Cluster,
    kinds: &Kinds,
    ours: &BTreeSet<&Identity>,
    namespace: &str,
) -> bool {
    for resource in kinds.namespaced() {
        let kind = (resource.group.as_str(), resource.kind.as_str());
        if DERIVED.contains(&kind) {
            continue;
        }
        let listed = cluster
            .list(resource, Some(namespace), "", Listed::Metadata)
            .await;
        let objects = match listed {
            Ok(objects) => objects,
            // The kind has gone since it was asked for.
            Err(error) if error.is_not_found() => continue,
            Err(_) => return true,
        };
        if objects
            .iter()
            .any(|object| is_foreign(resource, object, ours))
        {
            return true;
        }
    }
    false
}

fn is_foreign(resource: &Resource, object: &Json, ours: &BTreeSet<&Identity>) -> bool {
    let metadata = &object["metadata"];
    let text = |key: &str| metadata[key].as_str().unwrap_or_default();
    let owners = metadata["ownerReferences"].as_array();
    let is_owned = owners.is_some_and(|owners| !owners.is_empty());
    let is_given = GIVEN.contains(&(resource.kind.as_str(), text("name")));
    let identity = Identity {
        group: resource.group.clone(),
        kind: resource.kind.clone(),
        namespace: Some(text("namespace").to_owned()),
        name: text("name").to_owned(),
    };
    !is_owned && !is_given && !ours.contains(&identity)
}
