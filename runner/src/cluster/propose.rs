//! What an apply would do to each object, found out without writing anything.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use cairn_spec::{Digest, ObjectId};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::{
    Applied, Cluster, ClusterError, Conflict, Force, Mode, Refusal, Resource, owned_fields,
};
use crate::ignore::keep;

use crate::inventory::PART_OF;

/// What an apply would do.
#[derive(Debug, Clone, PartialEq)]
pub enum Proposal {
    /// The object is new; this is what would be there.
    Create(Value),
    /// It cannot be asked yet, since its kind or its namespace is not there: why.
    Later(String),
    /// The object is there; it would be merged into, if need be against other managers.
    Merge {
        /// What is there.
        live: Value,
        /// What would be there.
        after: Value,
        /// Fields that would be taken from others.
        conflicts: Vec<Conflict>,
    },
    /// The object is there, and has fields that cannot be changed to what they should be.
    Immutable {
        /// What is there.
        live: Value,
        /// What the API server says.
        refusal: Refusal,
    },
    /// The API server would refuse it.
    Refused(Refusal),
}

/// What metadata says of an object that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence {
    /// Its uid.
    pub uid: String,
    /// Its version.
    pub resource_version: String,
    /// The fields that we hold; none if we hold none.
    pub owned: Option<Digest>,
    /// True if it has been deleted and waits for its finalizers.
    pub is_going: bool,
    /// The set that its label says it is part of.
    pub set: Option<String>,
}

/// An object that may be applied.
#[derive(Debug)]
pub struct Candidate<'a> {
    /// Which one.
    pub id: &'a ObjectId,
    /// What is wanted.
    pub object: &'a Value,
    /// Its fields that belong to others, as JSON pointers.
    pub ignored: Vec<&'a str>,
}

impl<'a> Candidate<'a> {
    /// What is applied to an object as it is there.
    pub fn beside(&self, live: Option<&Value>) -> Cow<'a, Value> {
        match live {
            Some(live) if !self.ignored.is_empty() => {
                let mut object = self.object.clone();
                keep(&mut object, live, &self.ignored);
                Cow::Owned(object)
            }
            _ => Cow::Borrowed(self.object),
        }
    }
}

/// Kind and namespace: what one list covers.
type Place = (String, String, Option<String>);

impl Cluster {
    /// Asks for each object, some at a time; the answers are in the order of the objects.
    pub async fn propose_all(
        &self,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<Proposal>, ClusterError> {
        let asked = candidates.iter().map(|it| self.propose_keeping(it));
        let mut answers = stream::iter(asked).buffered(self.pace.concurrency.max(1));
        let mut proposals = Vec::with_capacity(candidates.len());
        while let Some(proposal) = answers.next().await {
            proposals.push(proposal?);
        }
        Ok(proposals)
    }

    /// Asks what an apply would do.
    pub async fn propose(&self, id: &ObjectId, object: &Value) -> Result<Proposal, ClusterError> {
        let ignored = Vec::new();
        self.propose_keeping(&Candidate {
            id,
            object,
            ignored,
        })
        .await
    }

    async fn propose_keeping(&self, candidate: &Candidate<'_>) -> Result<Proposal, ClusterError> {
        match self.would_do(candidate).await {
            Err(ClusterError::UnknownKind { api_version, kind }) => Ok(Proposal::Later(format!(
                "`{kind}` in `{api_version}` is not known yet"
            ))),
            Err(ClusterError::Refused(refusal)) => Ok(Proposal::Refused(*refusal)),
            answer => answer,
        }
    }

    async fn would_do(&self, candidate: &Candidate<'_>) -> Result<Proposal, ClusterError> {
        let id = candidate.id;
        let live = self.get(id).await?;
        let object = &*candidate.beside(live.as_ref());
        let asked = self.apply(id, object, Mode::DryRun, Force::Ask).await;
        let Some(live) = live else {
            return match asked {
                Ok(Applied::Created(after) | Applied::Merged(after)) => Ok(Proposal::Create(after)),
                Ok(Applied::Conflicts(_)) => Ok(Proposal::Later("it has just appeared".to_owned())),
                Err(error) if error.is_not_found() => Ok(Proposal::Later(format!(
                    "the namespace `{}` is not there yet",
                    id.namespace.as_deref().unwrap_or_default()
                ))),
                Err(error) => Err(error),
            };
        };
        let (asked, conflicts) = match asked {
            Ok(Applied::Conflicts(conflicts)) => {
                let taken = self.apply(id, object, Mode::DryRun, Force::Take).await;
                (taken, conflicts)
            }
            asked => (asked, Vec::new()),
        };
        match asked {
            Ok(Applied::Created(after) | Applied::Merged(after)) => Ok(Proposal::Merge {
                live,
                after,
                conflicts,
            }),
            // Nothing conflicts with an apply that takes what it wants.
            Ok(Applied::Conflicts(conflicts)) => Ok(Proposal::Merge {
                after: live.clone(),
                live,
                conflicts,
            }),
            Err(ClusterError::Refused(refusal)) if refusal.is_about_immutable_fields() => {
                Ok(Proposal::Immutable {
                    live,
                    refusal: *refusal,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Which of these objects are there, by lists of metadata: one a kind and namespace.
    ///
    /// Objects without the label are left out. It fails rather than leave out any other.
    pub async fn presence(
        &self,
        ids: &[ObjectId],
        label: &str,
    ) -> Result<BTreeMap<ObjectId, Presence>, ClusterError> {
        let mut lists: BTreeMap<Place, (Resource, BTreeSet<&ObjectId>)> = BTreeMap::new();
        for id in ids {
            let resource = match self.resource_of(id).await {
                // Without its kind, there is no object.
                Err(ClusterError::UnknownKind { .. }) => continue,
                resource => resource?,
            };
            let place = (
                id.api_version.clone(),
                id.kind.clone(),
                id.namespace.clone(),
            );
            let list = lists.entry(place);
            list.or_insert_with(|| (resource, BTreeSet::new()))
                .1
                .insert(id);
        }
        let asked = lists.values().map(async |(resource, ids)| {
            let namespace = ids.first().and_then(|id| id.namespace.as_deref());
            let listed = self.sightings(resource, namespace, label);
            Ok::<_, ClusterError>((ids, listed.await?))
        });
        let mut answers = stream::iter(asked).buffer_unordered(self.pace.concurrency.max(1));
        let mut present = BTreeMap::new();
        while let Some(answer) = answers.next().await {
            let (ids, sightings) = answer?;
            let mut by_name: BTreeMap<String, Presence> = sightings
                .into_iter()
                .map(|seen| (seen.name, seen.presence))
                .collect();
            for id in ids {
                if let Some(presence) = by_name.remove(&id.name) {
                    present.insert((*id).clone(), presence);
                }
            }
        }
        Ok(present)
    }
}

/// What an object's metadata says of it.
pub fn presence_of(object: &Value) -> Presence {
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
    Presence {
        uid: text("uid").to_owned(),
        resource_version: text("resourceVersion").to_owned(),
        owned: owned_fields(object),
        is_going: object["metadata"]["deletionTimestamp"].is_string(),
        set: object["metadata"]["labels"][PART_OF]
            .as_str()
            .map(str::to_owned),
    }
}
