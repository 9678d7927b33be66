//! What kinds the API server knows, where they are, and which of that is not sure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cairn_spec::ObjectId;
use serde::Deserialize;

use super::{
    Cluster, ClusterError,
    request::{Call, encoded},
};

/// Discovery of all groups at once: in place since Kubernetes 1.26.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

/// A kind at one version, and its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// The kind's name in paths.
    pub plural: String,
    /// True if its objects are in namespaces.
    pub is_namespaced: bool,
    /// True if there are objects of it that can be listed: some kinds are only questions.
    pub is_listable: bool,
}

/// The kinds of a cluster at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds {
    /// By group and kind; versions as the API server prefers them.
    resources: BTreeMap<(String, String), Vec<Resource>>,
    unsure: BTreeSet<String>,
}

impl Kinds {
    /// The kind at the version that an object names.
    pub fn of(&self, id: &ObjectId) -> Option<&Resource> {
        let version = id.api_version.rsplit('/').next()?;
        let versions = self.versions(id.group(), &id.kind);
        versions.iter().find(|resource| resource.version == version)
    }

    /// The kind at the version that the API server prefers; versions do not make an object another one.
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&Resource> {
        self.versions(group, kind).first()
    }

    /// The kinds whose objects can be listed, each at the version that the API server prefers.
    pub fn listable(&self) -> impl Iterator<Item = &Resource> {
        let all = self.resources.values();
        let preferred = all.filter_map(|versions| versions.first());
        preferred.filter(|resource| resource.is_listable)
    }

    /// Those of them whose objects are in namespaces.
    pub fn namespaced(&self) -> impl Iterator<Item = &Resource> {
        self.listable().filter(|resource| resource.is_namespaced)
    }

    /// False if the group may have more kinds than are known: its API does not answer.
    pub fn is_sure_of(&self, group: &str) -> bool {
        !self.unsure.contains(group)
    }

    /// False if there may be more kinds than are known.
    pub fn are_all(&self) -> bool {
        self.unsure.is_empty()
    }

    fn versions(&self, group: &str, kind: &str) -> &[Resource] {
        let key = (group.to_owned(), kind.to_owned());
        self.resources.get(&key).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, groups: Groups) {
        for group in groups.items {
            let name = group.metadata.name;
            for version in group.versions {
                if version.freshness == "Stale" {
                    self.unsure.insert(name.clone());
                }
                for served in version.resources {
                    let resource = Resource {
                        group: name.clone(),
                        version: version.name.clone(),
                        kind: served.response_kind.kind,
                        plural: served.resource,
                        is_namespaced: served.scope == "Namespaced",
                        is_listable: served.verbs.iter().any(|verb| verb == "list"),
                    };
                    let key = (resource.group.clone(), resource.kind.clone());
                    self.resources.entry(key).or_default().push(resource);
                }
            }
        }
    }
}

impl Resource {
    /// `apiVersion` of its objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The path of all its objects, or of those in one namespace.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        let Self {
            group,
            version,
            plural,
            ..
        } = self;
        let api = if group.is_empty() {
            format!("/api/{version}")
        } else {
            format!("/apis/{group}/{version}")
        };
        match namespace.filter(|_| self.is_namespaced) {
            Some(namespace) => format!("{api}/namespaces/{}/{plural}", encoded(namespace)),
            None => format!("{api}/{plural}"),
        }
    }

    /// The path of one of its objects.
    pub(super) fn path_of(&self, id: &ObjectId) -> String {
        let folder = self.path(id.namespace.as_deref());
        format!("{folder}/{}", encoded(&id.name))
    }
}

/// `APIGroupDiscoveryList`.
#[derive(Debug, Deserialize)]
struct Groups {
    items: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    /// Missing for the core group.
    #[serde(default)]
    name: String,
}

#[derive(Debug, Deserialize)]
struct Version {
    #[serde(rename = "version")]
    name: String,
    #[serde(default)]
    resources: Vec<Served>,
    #[serde(default)]
    freshness: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Served {
    resource: String,
    #[serde(default)]
    response_kind: ResponseKind,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct ResponseKind {
    #[serde(default)]
    kind: String,
}

impl Cluster {
    /// The kinds, asked for once.
    pub async fn kinds(&self) -> Result<Arc<Kinds>, ClusterError> {
        if let Some(known) = &*self.kinds.read().await {
            return Ok(Arc::clone(known));
        }
        self.discover().await
    }

    /// The kinds, asked for anew: after definitions have changed.
    pub async fn discover(&self) -> Result<Arc<Kinds>, ClusterError> {
        let mut kinds = Kinds::default();
        for path in ["/api", "/apis"] {
            let call = Call {
                accept: AGGREGATED,
                ..Call::get(path.to_owned())
            };
            let answer = self.ask(&call).await?;
            let groups = serde_json::from_value(answer.value).map_err(|error| {
                let problem = format!("{error}; Kubernetes before 1.26 is not supported");
                ClusterError::Answer {
                    request: format!("GET {path}"),
                    problem,
                }
            })?;
            kinds.add(groups);
        }
        let kinds = Arc::new(kinds);
        *self.kinds.write().await = Some(Arc::clone(&kinds));
        Ok(kinds)
    }

    /// Where an object is. A kind that is not known may have become known since.
    pub async fn resource_of(&self, id: &ObjectId) -> Result<Resource, ClusterError> {
        if let Some(resource) = self.kinds().await?.of(id) {
            return Ok(resource.clone());
        }
        let kinds = self.discover().await?;
        let resource = kinds.of(id).cloned();
        resource.ok_or_else(|| ClusterError::UnknownKind {
            api_version: id.api_version.clone(),
            kind: id.kind.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_have_paths_and_groups_that_do_not_answer_are_unsure() {
        let mut kinds = Kinds::default();
        let groups = json!({"items": [
            {"metadata": {}, "versions": [{"version": "v1", "resources": [
                {"resource": "pods", "responseKind": {"kind": "Pod"}, "scope": "Namespaced"},
            ]}]},
            {"metadata": {"name": "x.io"}, "versions": [
                {"version": "v2", "freshness": "Current", "resources": [
                    {"resource": "things", "responseKind": {"kind": "Thing"}, "scope": "Cluster"},
                ]},
                {"version": "v1", "freshness": "Stale"},
            ]},
        ]});
        kinds.add(serde_json::from_value(groups).unwrap());
        let mut id = ObjectId {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: Some("a".to_owned()),
            name: "b".to_owned(),
        };
        let pod = kinds.of(&id).unwrap();
        assert_eq!(pod.path_of(&id), "/api/v1/namespaces/a/pods/b");
        assert!(kinds.is_sure_of(""));
        id.api_version = "x.io/v1".to_owned();
        id.kind = "Thing".to_owned();
        assert_eq!(kinds.of(&id), None);
        let thing = kinds.preferred("x.io", "Thing").unwrap();
        assert_eq!(thing.path_of(&id), "/apis/x.io/v2/things/b");
        assert!(!kinds.is_sure_of("x.io"));
    }
}
