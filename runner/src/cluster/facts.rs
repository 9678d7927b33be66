//! What waiting has to know of an object that the object does not say itself.

use cairn_spec::ObjectId;
use serde_json::Value;

use super::{Cluster, ClusterError, Listed, is_built_in};

const STORAGE: &str = "storage.k8s.io/v1";
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
const DEFINITIONS: &str = "apiextensions.k8s.io/v1";

impl Cluster {
    /// True if a claim is bound only when a pod uses it.
    pub async fn binds_on_use(&self, claim: &Value) -> Result<bool, ClusterError> {
        let class = match claim["spec"]["storageClassName"].as_str() {
            // No class at all: only a volume that is there already can be bound.
            Some("") => return Ok(false),
            Some(name) => self.get(&of_cluster(STORAGE, "StorageClass", name)).await?,
            None => self.default_class().await?,
        };
        Ok(class.is_some_and(|class| class["volumeBindingMode"] == "WaitForFirstConsumer"))
    }

    async fn default_class(&self) -> Result<Option<Value>, ClusterError> {
        let resource = self
            .resource_of(&of_cluster(STORAGE, "StorageClass", ""))
            .await?;
        let classes = self.list(&resource, None, "", Listed::Whole).await?;
        let is_default = |class: &Value| {
            class["metadata"]["annotations"][DEFAULT_CLASS].as_str() == Some("true")
        };
        // Of several ones the newest counts, as for the API server.
        let mut defaults: Vec<Value> = classes.into_iter().filter(is_default).collect();
        defaults.sort_by(|a, b| created(a).cmp(created(b)));
        Ok(defaults.pop())
    }

    /// True if the definition of a custom resource says that it has conditions, which a controller
    /// will write. False for kinds without a definition.
    pub async fn promises_conditions(&self, id: &ObjectId) -> Result<bool, ClusterError> {
        let resource = self.resource_of(id).await?;
        if is_built_in(&resource.group) {
            return Ok(false);
        }
        let name = format!("{}.{}", resource.plural, resource.group);
        let definition = of_cluster(DEFINITIONS, "CustomResourceDefinition", &name);
        let Some(definition) = self.get(&definition).await? else {
            return Ok(false);
        };
        let versions = definition["spec"]["versions"].as_array();
        Ok(versions.into_iter().flatten().any(|version| {
            let status = &version["schema"]["openAPIV3Schema"]["properties"]["status"];
            version["name"] == resource.version
                && version["subresources"]["status"].is_object()
                && status["properties"]["conditions"].is_object()
        }))
    }
}

fn of_cluster(api_version: &str, kind: &str, name: &str) -> ObjectId {
    ObjectId {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: None,
        name: name.to_owned(),
    }
}

fn created(object: &Value) -> &str {
    object["metadata"]["creationTimestamp"]
        .as_str()
        .unwrap_or_default()
}
