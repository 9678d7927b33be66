//! The pods of workloads, by who owns them: only as much of each as says how it is.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::ObjectId;
use serde_json::Value;

use super::{Cluster, ClusterError, Follow, Listed, Place, Seen, id_of};
use crate::health::newest_pods;

/// What is followed in the namespaces of workloads.
const FOLLOWED: [(&str, &str); 3] = [
    ("v1", "Pod"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "ControllerRevision"),
];

/// Pods and revisions in some namespaces.
#[derive(Debug)]
pub(super) struct Pods {
    follow: Follow,
    running: BTreeMap<ObjectId, Value>,
    revisions: BTreeMap<ObjectId, Value>,
}

impl Pods {
    /// Follows what belongs to workloads among these.
    pub(super) async fn of(cluster: &Cluster, ids: &[ObjectId]) -> Result<Self, ClusterError> {
        let places = places(cluster, ids).await?;
        Ok(Self {
            follow: cluster.follow_places(places, ""),
            running: BTreeMap::new(),
            revisions: BTreeMap::new(),
        })
    }

    /// What belongs to workloads among these at this moment; it is not followed.
    pub(super) async fn now(cluster: &Cluster, ids: &[ObjectId]) -> Result<Self, ClusterError> {
        let mut pods = Self {
            follow: cluster.follow_places([], ""),
            running: BTreeMap::new(),
            revisions: BTreeMap::new(),
        };
        for place in places(cluster, ids).await? {
            let namespace = place.namespace.as_deref();
            let listed = cluster
                .list(&place.resource, namespace, "", Listed::Whole)
                .await?;
            for object in listed {
                pods.take(id_of(&object), Some(object));
            }
        }
        Ok(pods)
    }

    /// Waits until something changes.
    pub(super) async fn next(&mut self) -> Result<(), ClusterError> {
        for Seen { id, object } in self.follow.next().await? {
            self.take(id, object);
        }
        Ok(())
    }

    fn take(&mut self, id: ObjectId, object: Option<Value>) {
        let of_kind = if id.kind == "Pod" {
            &mut self.running
        } else {
            &mut self.revisions
        };
        match object {
            Some(object) => of_kind.insert(id, what_counts(object)),
            None => of_kind.remove(&id),
        };
    }

    /// The pods of a workload's newest revision.
    pub(super) fn newest(&self, id: &ObjectId, workload: &Value) -> Vec<&Value> {
        let Some(uid) = workload["metadata"]["uid"].as_str() else {
            return Vec::new();
        };
        let here = |(of, _): &(&ObjectId, &Value)| of.namespace == id.namespace;
        let revisions: Vec<&Value> = self
            .revisions
            .iter()
            .filter(here)
            .map(|(_, revision)| revision)
            .filter(|revision| owner(revision) == Some(uid))
            .collect();
        let owned: Vec<Value> = revisions.iter().copied().cloned().collect();
        let label = newest_pods(workload, &owned);
        if label.is_none() && id.kind != "Job" && id.kind != "ReplicaSet" {
            return Vec::new();
        }
        let is_owner = |owner: &str| {
            let mut sets = revisions.iter();
            owner == uid || sets.any(|set| set["metadata"]["uid"].as_str() == Some(owner))
        };
        self.running
            .iter()
            .filter(here)
            .map(|(_, pod)| pod)
            .filter(|pod| owner(pod).is_some_and(is_owner))
            .filter(|pod| {
                label.as_ref().is_none_or(|label| {
                    pod["metadata"]["labels"][label.key].as_str() == Some(&label.value)
                })
            })
            .collect()
    }
}

/// Where that which belongs to workloads is.
async fn places(cluster: &Cluster, ids: &[ObjectId]) -> Result<Vec<Place>, ClusterError> {
    let mut places = BTreeMap::new();
    for workload in ids.iter().filter(|id| is_workload(id)) {
        for (api_version, kind) in FOLLOWED {
            let id = ObjectId {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                ..workload.clone()
            };
            let place = Place {
                resource: cluster.resource_of(&id).await?,
                namespace: workload.namespace.clone(),
                expected: BTreeSet::new(),
            };
            places.insert((kind, workload.namespace.clone()), place);
        }
    }
    Ok(places.into_values().collect())
}

/// Its pods say how it is.
pub(crate) fn is_workload(id: &ObjectId) -> bool {
    matches!(
        (id.group(), id.kind.as_str()),
        (
            "apps",
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"
        ) | ("batch", "Job")
    )
}

/// The uid of the controller.
fn owner(object: &Value) -> Option<&str> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let mut controllers = owners.iter().filter(|owner| owner["controller"] == true);
    controllers.next()?["uid"].as_str()
}

/// Thousands of pods are held, so without their specifications.
fn what_counts(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|key, _| key != "spec" && key != "data");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    object
}
