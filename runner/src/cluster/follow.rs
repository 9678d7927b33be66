//! Following objects of many kinds at once: one watch a kind and namespace, merged.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cairn_spec::ObjectId;
use futures_util::{
    StreamExt as _,
    stream::{BoxStream, SelectAll, unfold},
};
use serde_json::Value;
use tokio::time::sleep;

use super::{Cluster, ClusterError, Event, Resource, View, Watch};

/// A watch that failed is tried again after this time, then after twice it, and so on.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The changes of objects of many kinds.
pub struct Follow<T = Value> {
    cluster: Cluster,
    label: String,
    events: SelectAll<Events<T>>,
    watched: Vec<Watched>,
}

/// The place that something happens in, and what it is.
type Events<T> = BoxStream<'static, (usize, Result<Event<T>, ClusterError>)>;

impl<T> std::fmt::Debug for Follow<T> {
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
    namespace: Option<String>,
    /// Those that are there, as far as is known.
    present: BTreeSet<ObjectId>,
}

/// An object as it is now; none if it is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen<T = Value> {
    /// Which one.
    pub id: ObjectId,
    /// What it is.
    pub object: Option<T>,
}

impl Cluster {
    /// Follows all objects with a label that are of the kinds and in the namespaces of these. Those of
    /// these that are not there are seen as gone.
    pub async fn follow<T: View>(
        &self,
        ids: &[ObjectId],
        label: &str,
    ) -> Result<Follow<T>, ClusterError> {
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
    pub fn follow_places<T: View>(
        &self,
        places: impl IntoIterator<Item = Place>,
        label: &str,
    ) -> Follow<T> {
        let mut follow = Follow {
            cluster: self.clone(),
            label: label.to_owned(),
            events: SelectAll::new(),
            watched: Vec::new(),
        };
        for place in places {
            follow.add(place);
        }
        follow
    }
}

impl<T: View> Follow<T> {
    /// Follows one more place.
    pub fn add(&mut self, place: Place) {
        let index = self.watched.len();
        let (resource, namespace) = (place.resource, place.namespace);
        let watch = Watch::new(
            &self.cluster,
            resource.clone(),
            namespace.as_deref(),
            &self.label,
        );
        // Whoever may not see all namespaces may see some.
        let may_be_narrowed = namespace.is_none() && resource.is_namespaced;
        self.events.push(events(index, watch, may_be_narrowed));
        self.watched.push(Watched {
            resource,
            namespace,
            present: place.expected,
        });
    }

    /// Waits for the next changes: each object that is there is seen first. Never returns if there is
    /// nothing to follow. An error means that the API server was away for the whole patience, or
    /// refuses; asking again goes on, but not where all namespaces were asked for and that was refused.
    pub async fn next(&mut self) -> Result<Vec<Seen<T>>, ClusterError> {
        self.next_of().await.1
    }

    /// The same, with the place that it happened in.
    pub async fn next_of(&mut self) -> (usize, Result<Vec<Seen<T>>, ClusterError>) {
        let Some((index, event)) = self.events.next().await else {
            return std::future::pending().await;
        };
        let watched = self.watched.get_mut(index);
        (
            index,
            event.map(|event| watched.map_or_else(Vec::new, |watched| watched.take(event))),
        )
    }

    /// A place, with the objects that are there as far as is known.
    pub fn place(&self, index: usize) -> Option<Place> {
        let watched = self.watched.get(index)?;
        Some(Place {
            resource: watched.resource.clone(),
            namespace: watched.namespace.clone(),
            expected: watched.present.clone(),
        })
    }
}

/// What a watch tells, with pauses after failures. One that asks for too much ends when it is refused.
fn events<T: View>(index: usize, watch: Watch<T>, may_be_narrowed: bool) -> Events<T> {
    let start = Some((watch, Duration::ZERO));
    let events = unfold(start, move |state| async move {
        let (mut watch, pause): (Watch<T>, Duration) = state?;
        sleep(pause).await;
        let event = watch.next().await;
        let state = match &event {
            Ok(_) => Some((watch, Duration::ZERO)),
            Err(error) if may_be_narrowed && error.is_forbidden() => None,
            Err(_) => Some((watch, LONGEST_PAUSE.min(FIRST_PAUSE.max(pause * 2)))),
        };
        Some(((index, event), state))
    });
    events.boxed()
}

impl Watched {
    fn take<T: View>(&mut self, event: Event<T>) -> Vec<Seen<T>> {
        match event {
            Event::All(objects) => {
                let mut missing = std::mem::take(&mut self.present);
                let mut seen = Vec::new();
                for object in objects {
                    let id = object.id(&self.resource);
                    missing.remove(&id);
                    self.present.insert(id.clone());
                    let object = Some(object);
                    seen.push(Seen { id, object });
                }
                seen.extend(missing.into_iter().map(|id| Seen { id, object: None }));
                seen
            }
            Event::Changed(object) => {
                let id = object.id(&self.resource);
                self.present.insert(id.clone());
                let object = Some(object);
                vec![Seen { id, object }]
            }
            Event::Removed(object) => {
                let id = object.id(&self.resource);
                self.present.remove(&id);
                vec![Seen { id, object: None }]
            }
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
            namespace: None,
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
