//! Watches what Cairn has in a cluster, by its metadata: which objects may have drifted.
//!
//! One watch a kind, of the objects that carry the label of a set. Of an object nothing is kept but
//! what its inventory says.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::ObjectId;

use super::{Corrected, Looked, Memory, RunError};
use crate::{
    cluster::{Cluster, ClusterError, Follow, Kinds, Place, Seen, Sighting},
    drift::is_suspect,
    inventory::{Entry, Identity, PART_OF},
};

/// A watch over the objects of all inventories, as they were when it began.
#[derive(Debug)]
pub struct DriftWatch {
    follow: Follow<Sighting>,
    entries: BTreeMap<Identity, Entry>,
    /// What the start has found, and is still to be told.
    found: Vec<Noticed>,
}

/// What a watch notices.
#[derive(Debug, PartialEq, Eq)]
pub enum Noticed {
    /// These may have drifted, so a look at them is worth it.
    Suspects(BTreeSet<Identity>),
    /// Objects cannot be watched for now. What changes meanwhile is noticed later, or by a look at all of them.
    Blind {
        /// Their kind, as `KIND.GROUP`.
        kind: String,
        /// Why.
        reason: String,
    },
}

impl DriftWatch {
    /// Reads the inventories and begins to watch. After another bundle was applied, a new one is needed.
    pub async fn start(cluster: &Cluster) -> Result<Self, RunError> {
        let memory = Memory::read(cluster).await?;
        let kinds = cluster.discover().await.map_err(RunError::kinds)?;
        let sets: Vec<String> = memory.sets().into_iter().collect();
        let label = format!("{PART_OF} in ({})", sets.join(","));
        let inventories = memory.inventories.into_iter();
        let entries: BTreeMap<Identity, Entry> = inventories.flat_map(|it| it.entries).collect();
        let (places, found) = places(&entries, &kinds);
        Ok(Self {
            follow: cluster.follow_places(places, &label),
            entries,
            found,
        })
    }

    /// All that is watched over.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.entries.keys()
    }

    /// Waits until something is noticed. May be dropped and called again without losing anything.
    pub async fn next(&mut self) -> Noticed {
        loop {
            if let Some(noticed) = self.found.pop() {
                return noticed;
            }
            let (place, happened) = self.follow.next_of().await;
            match happened {
                Ok(seen) => {
                    let suspects = self.suspects(seen);
                    if !suspects.is_empty() {
                        return Noticed::Suspects(suspects);
                    }
                }
                Err(error) => self.failed(place, &error),
            }
        }
    }

    /// An object is known to be as it was found: it is suspected when it changes again.
    pub fn looked(&mut self, looked: &Looked) {
        if let (Some(entry), Some(there)) = (
            self.entries.get_mut(&Identity::from(&looked.id)),
            &looked.there,
        ) {
            entry.uid = Some(there.uid.clone());
            entry.owned.clone_from(&there.owned);
        }
    }

    /// The same of an object that was put back.
    pub fn corrected(&mut self, corrected: &Corrected) {
        self.looked(&corrected.looked);
    }

    fn suspects(&self, seen: Vec<Seen<Sighting>>) -> BTreeSet<Identity> {
        let identities = seen.into_iter().map(|seen| {
            let there = seen.object.map(|object| object.presence);
            (Identity::from(&seen.id), there)
        });
        identities
            .filter(|(identity, there)| {
                let entry = self.entries.get(identity);
                entry.is_some_and(|entry| is_suspect(entry, there.as_ref()))
            })
            .map(|(identity, _)| identity)
            .collect()
    }

    /// Watches namespace by namespace where all of them at once are refused. A kind that is gone has
    /// taken its objects along.
    fn failed(&mut self, place: usize, error: &ClusterError) {
        let Some(place) = self.follow.place(place) else {
            return;
        };
        if error.is_forbidden() && place.resource.is_namespaced && place.namespace.is_none() {
            for narrow in by_namespace(place) {
                self.follow.add(narrow);
            }
            return;
        }
        if error.is_not_found() {
            let gone = place.expected.iter().map(|id| {
                let object = None;
                let id = id.clone();
                Seen { id, object }
            });
            let suspects = self.suspects(gone.collect());
            if !suspects.is_empty() {
                self.found.push(Noticed::Suspects(suspects));
            }
        }
        self.found.push(Noticed::Blind {
            kind: kind_name(&place.resource.group, &place.resource.kind),
            reason: error.to_string(),
        });
    }
}

/// Where the objects are, and what is known without a watch.
fn places(entries: &BTreeMap<Identity, Entry>, kinds: &Kinds) -> (Vec<Place>, Vec<Noticed>) {
    let mut places: BTreeMap<(&str, &str), Place> = BTreeMap::new();
    let mut blind: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut gone = BTreeSet::new();
    for (identity, entry) in entries {
        let kind = (identity.group.as_str(), identity.kind.as_str());
        let Some(resource) = kinds.preferred(kind.0, kind.1) else {
            if !kinds.is_sure_of(kind.0) {
                blind.insert(kind);
            } else if is_suspect(entry, None) {
                gone.insert(identity.clone());
            }
            continue;
        };
        let place = places.entry(kind).or_insert_with(|| Place {
            resource: resource.clone(),
            namespace: None,
            expected: BTreeSet::new(),
        });
        place.expected.insert(ObjectId {
            api_version: resource.api_version(),
            kind: identity.kind.clone(),
            namespace: identity.namespace.clone(),
            name: identity.name.clone(),
        });
    }
    let mut found: Vec<Noticed> = blind
        .into_iter()
        .map(|(group, kind)| Noticed::Blind {
            kind: kind_name(group, kind),
            reason: format!("the API `{group}` does not answer"),
        })
        .collect();
    if !gone.is_empty() {
        found.push(Noticed::Suspects(gone));
    }
    (places.into_values().collect(), found)
}

fn by_namespace(place: Place) -> Vec<Place> {
    let mut narrow: BTreeMap<Option<String>, BTreeSet<ObjectId>> = BTreeMap::new();
    for id in place.expected {
        narrow.entry(id.namespace.clone()).or_default().insert(id);
    }
    narrow
        .into_iter()
        .map(|(namespace, expected)| Place {
            resource: place.resource.clone(),
            namespace,
            expected,
        })
        .collect()
}

fn kind_name(group: &str, kind: &str) -> String {
    match group {
        "" => kind.to_owned(),
        group => format!("{kind}.{group}"),
    }
}
