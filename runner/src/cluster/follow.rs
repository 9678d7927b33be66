//! Following objects of many kinds at once: one watch a kind and namespace, merged.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::ObjectId;
use futures_util::{
    StreamExt as _,
    stream::{BoxStream, SelectAll, select_all, unfold},
};
use serde_json::Value;

use super::{Cluster, ClusterError, Event, Resource, Watch};

/// The changes of objects of many kinds.
pub struct Follow {
    events: SelectAll<BoxStream<'static, (usize, Result<Event, ClusterError>)>>,
    watched: Vec<Watched>,
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow")
            .field("watched", &self.watched)
            .finish_non_exhaustive()
    }
}

/// A kind's objects in one namespace, or in all of them.
#[derive(Debug, Clone)]
pub struct Place {
    /// The kind.
    pub resource: Resource,
    /// The namespace.
    pub namespace: Option<String>,
    /// Objects that are thought to be there.
    pub expected: BTreeSet<ObjectId>,
}

/// What one watch is of.
#[derive(Debug)]
struct Watched {
    resource: Resource,
    /// Those that are there, as far as is known.
    present: BTreeSet<ObjectId>,
}

/// An object as it is now; none if it is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Which one.
    pub id: ObjectId,
    /// What it is.
    pub object: Option<Value>,
}

impl Cluster {
    /// Follows all objects with a label that are of the kinds and in the namespaces of these. Those of
    /// these that are not there are seen as gone.
    pub async fn follow(&self, ids: &[ObjectId], label: &str) -> Result<Follow, ClusterError> {
        let mut places: BTreeMap<String, Place> = BTreeMap::new();
        for id in ids {
            let resource = self.resource_of(id).await?;
            let path = resource.path(id.namespace.as_deref());
            let place = places.entry(path).or_insert_with(|| Place {
                resource,
                namespace: id.namespace.clone(),
                expected: BTreeSet::new(),
            });
            place.expected.insert(id.clone());
        }
        Ok(self.follow_places(places.into_values(), label))
    }

    /// Follows all objects with a label in some places.
    pub fn follow_places(&self, places: impl IntoIterator<Item = Place>, label: &str) -> Follow {
        let mut watched = Vec::new();
        let mut streams = Vec::new();
        for (index, place) in places.into_iter().enumerate() {
            let (resource, namespace) = (place.resource, place.namespace.as_deref());
            let watch = Watch::new(self, resource.clone(), namespace, label);
            let events = unfold(watch, move |mut watch| async move {
                let event = watch.next().await;
                Some(((index, event), watch))
            });
            streams.push(events.boxed());
            watched.push(Watched {
                resource,
                present: place.expected,
            });
        }
        Follow {
            events: select_all(streams),
            watched,
        }
    }
}

impl Follow {
    /// Waits for the next changes: each object that is there is seen first. Never returns if there is
    /// nothing to follow. An error means that the API server was away for the whole patience.
    pub async fn next(&mut self) -> Result<Vec<Seen>, ClusterError> {
        let Some((index, event)) = self.events.next().await else {
            return std::future::pending().await;
        };
        let event = event?;
        let Some(watched) = self.watched.get_mut(index) else {
            return Ok(Vec::new());
        };
        Ok(watched.take(event))
    }
}

impl Watched {
    fn take(&mut self, event: Event) -> Vec<Seen> {
        match event {
            Event::All(objects) => {
                let mut missing = std::mem::take(&mut self.present);
                let mut seen: Vec<Seen> = Vec::new();
                for object in objects {
                    let id = self.id_of(&object);
                    missing.remove(&id);
                    self.present.insert(id.clone());
                    let object = Some(object);
                    seen.push(Seen { id, object });
                }
                seen.extend(missing.into_iter().map(|id| Seen { id, object: None }));
                seen
            }
            Event::Changed(object) => {
                let id = self.id_of(&object);
                self.present.insert(id.clone());
                let object = Some(object);
                vec![Seen { id, object }]
            }
            Event::Removed(object) => {
                let id = self.id_of(&object);
                self.present.remove(&id);
                vec![Seen { id, object: None }]
            }
        }
    }

    fn id_of(&self, object: &Value) -> ObjectId {
        let metadata = &object["metadata"];
        ObjectId {
            api_version: self.resource.api_version(),
            kind: self.resource.kind.clone(),
            namespace: metadata["namespace"].as_str().map(str::to_owned),
            name: metadata["name"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_new_list_lacks_is_gone() {
        let mut watched = Watched {
            resource: Resource {
                group: String::new(),
                version: "v1".to_owned(),
                kind: "Pod".to_owned(),
                plural: "pods".to_owned(),
                is_namespaced: true,
                is_listable: true,
            },
            present: BTreeSet::new(),
        };
        let pod = |name: &str| json!({"metadata": {"namespace": "n", "name": name}});
        watched.take(Event::All(vec![pod("a")]));
        watched.take(Event::Changed(pod("b")));
        let seen = watched.take(Event::All(vec![pod("b")]));
        let seen: Vec<_> = seen
            .iter()
            .map(|seen| (seen.id.name.as_str(), seen.object.is_some()))
            .collect();
        assert_eq!(seen, [("b", true), ("a", false)]);
    }
}
