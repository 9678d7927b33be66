//! Objects that are there: one, those with a label, and the end of one.

use bytes::Bytes;
use cairn_spec::ObjectId;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Cluster, ClusterError, Resource,
    request::{Call, JSON, encoded},
    view::{Sighting, View},
};

/// A list may become too old while it is read; then it is read anew, not for ever.
const LIST_ATTEMPTS: u32 = 3;

/// Metadata alone, which holds who owns which field too.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/// Which object it is; what it does not say is empty.
pub fn id_of(object: &Value) -> ObjectId {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    ObjectId {
        api_version: text("/apiVersion").unwrap_or_default(),
        kind: text("/kind").unwrap_or_default(),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name").unwrap_or_default(),
    }
}

/// How much of each object an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// All of it.
    Whole,
    /// `metadata`.
    Metadata,
}

impl Listed {
    pub(super) fn accept_one(self) -> &'static str {
        match self {
            Self::Whole => JSON,
            Self::Metadata => METADATA,
        }
    }

    fn accept_list(self) -> &'static str {
        match self {
            Self::Whole => JSON,
            Self::Metadata => METADATA_LIST,
        }
    }
}

/// What happens to objects that are owned by one that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They go afterwards.
    Background,
    /// They go first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How a deletion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone, or was gone already.
    Gone,
    /// It goes when its finalizers are done.
    Going,
    /// It has changed since it was judged, or is another object by now: nothing was deleted.
    Changed,
}

impl Cluster {
    /// An object as it is now.
    pub async fn get(&self, id: &ObjectId) -> Result<Option<Value>, ClusterError> {
        let resource = self.resource_of(id).await?;
        match self.ask(&Call::get(resource.path_of(id))).await {
            Ok(answer) => Ok(Some(answer.value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The objects with a label (`name=value`; empty: all), in one namespace or in all of them.
    /// It fails rather than leave out any.
    pub async fn list(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        label: &str,
        how: Listed,
    ) -> Result<Vec<Value>, ClusterError> {
        let wanted = Wanted {
            resource,
            namespace,
            label,
            how,
        };
        self.all(&wanted).await
    }

    /// The same by their metadata alone.
    pub async fn sightings(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        label: &str,
    ) -> Result<Vec<Sighting>, ClusterError> {
        let wanted = Wanted {
            resource,
            namespace,
            label,
            how: Listed::Metadata,
        };
        self.all(&wanted).await
    }

    async fn all<T: View>(&self, wanted: &Wanted<'_>) -> Result<Vec<T>, ClusterError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut objects = Vec::new();
            let listed = self.pages(wanted, |object| objects.push(object));
            match listed.await {
                Err(error) if error.has_code(410) && attempts < LIST_ATTEMPTS => {}
                listed => return listed.map(|_| objects),
            }
        }
    }

    /// Reads a list page by page; gives the version of the last one.
    pub(super) async fn pages<T: View>(
        &self,
        wanted: &Wanted<'_>,
        mut each: impl FnMut(T),
    ) -> Result<String, ClusterError> {
        let mut next = String::new();
        loop {
            let path = format!(
                "{}?limit={}&labelSelector={}&fieldSelector={}&continue={}",
                wanted.resource.path(wanted.namespace),
                T::PAGE_OBJECTS,
                encoded(wanted.label),
                encoded(T::FIELDS),
                encoded(&next),
            );
            let mut call = Call::get(path);
            call.accept = wanted.how.accept_list();
            let page: Page<T> = self.ask_typed(&call).await?;
            let items = match page.items {
                Some(items) => items,
                // Lists of metadata are null when they are empty.
                None if page.kind.ends_with("List") => Vec::new(),
                None => {
                    return Err(ClusterError::Answer {
                        request: format!("GET {}", call.path),
                        problem: "it is no list".to_owned(),
                    });
                }
            };
            for mut object in items {
                object.is_of(wanted.resource);
                each(object);
            }
            next = page.metadata.r#continue;
            if next.is_empty() {
                return Ok(page.metadata.resource_version);
            }
        }
    }

    /// Deletes the very object that was judged: the one with this uid, at this resource version.
    pub async fn delete(
        &self,
        resource: &Resource,
        id: &ObjectId,
        judged: &Judged<'_>,
        propagation: Propagation,
    ) -> Result<Deletion, ClusterError> {
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": match propagation {
                Propagation::Background => "Background",
                Propagation::Foreground => "Foreground",
                Propagation::Orphan => "Orphan",
            },
            "preconditions": {"uid": judged.uid, "resourceVersion": judged.resource_version},
        });
        let call = Call {
            method: Method::DELETE,
            path: resource.path_of(id),
            accept: JSON,
            content_type: JSON,
            body: Bytes::from(options.to_string()),
        };
        match self.ask(&call).await {
            // An object that stays for a while is shown; one that is gone is told by a status.
            Ok(answer) if answer.value["metadata"]["deletionTimestamp"].is_string() => {
                Ok(Deletion::Going)
            }
            Ok(_) => Ok(Deletion::Gone),
            Err(error) if error.is_not_found() => Ok(Deletion::Gone),
            Err(error) if error.has_code(409) => Ok(Deletion::Changed),
            Err(error) => Err(error),
        }
    }
}

/// What was known of an object when it was decided to delete it.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// Its uid.
    pub uid: &'a str,
    /// Its resource version.
    pub resource_version: &'a str,
}

/// What is listed.
pub(super) struct Wanted<'a> {
    pub(super) resource: &'a Resource,
    pub(super) namespace: Option<&'a str>,
    pub(super) label: &'a str,
    pub(super) how: Listed,
}

/// A part of a list.
#[derive(Deserialize)]
#[serde(bound = "T: View")]
struct Page<T> {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: PageMetadata,
    items: Option<Vec<T>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMetadata {
    resource_version: String,
    r#continue: String,
}
