//! How what was applied is now: layers, objects, their health.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{LayerName, ObjectId};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::Value as Json;

use super::{Memory, NAMESPACE, Options, RunError, look, secrets, store::load_bundle};
use crate::{
    cluster::{Cluster, ClusterError, Listed, id_of as object_id, owned_fields},
    drift::Drift,
    health::{Status, Verdict, missing},
    inventory::{Entry, Identity, Inventory, PART_OF},
    journal::Journal,
};

/// How many objects are asked for at once.
const CONCURRENCY: usize = 8;

/// How a cluster is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// How far runs are.
    pub journal: Journal,
    /// The layers in order.
    pub layers: Vec<LayerStatus>,
    /// Inventories that cannot be read, and why.
    pub damaged: Vec<String>,
}

/// How a layer is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerStatus {
    /// The layer.
    pub layer: LayerName,
    /// Its objects.
    pub objects: Vec<ObjectStatus>,
}

/// How an object is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStatus {
    /// The object.
    #[serde(flatten)]
    pub identity: Identity,
    /// Its health.
    pub health: Verdict,
    /// Somebody changed a field of ours, or deleted it; none when it is not known.
    pub drifted: Option<bool>,
    /// What somebody changed, as far as it is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
}

/// Asks for all objects that Cairn has in a cluster.
pub async fn status(cluster: &Cluster) -> Result<ClusterStatus, RunError> {
    let memory = Memory::read(cluster).await?;
    let mut layers = Vec::new();
    for inventory in &memory.inventories {
        layers.push(LayerStatus {
            layer: inventory.layer.clone(),
            objects: objects(cluster, inventory).await?,
        });
    }
    let mut status = ClusterStatus {
        journal: memory.journal,
        layers,
        damaged: memory.damaged,
    };
    tell_drift(cluster, &mut status).await;
    Ok(status)
}

/// The objects of a kind in a namespace: what one list covers.
type Place<'a> = Vec<(ObjectId, &'a Identity, &'a Entry)>;

/// Asks by lists, one a kind and namespace, and holds no more objects than those of a few lists at a time.
async fn objects(cluster: &Cluster, inventory: &Inventory) -> Result<Vec<ObjectStatus>, RunError> {
    let mut places: BTreeMap<(String, &str, Option<&str>), Place<'_>> = BTreeMap::new();
    for (identity, entry) in &inventory.entries {
        let id = id_of(identity, entry);
        let namespace = identity.namespace.as_deref();
        let key = (id.api_version.clone(), identity.kind.as_str(), namespace);
        places.entry(key).or_default().push((id, identity, entry));
    }
    let label = format!("{PART_OF}={}", inventory.set(NAMESPACE));
    let asked = places
        .values()
        .map(|place| in_place(cluster, place, &label));
    let mut answers = stream::iter(asked).buffered(CONCURRENCY);
    let mut all = Vec::new();
    while let Some(answer) = answers.next().await {
        all.extend(answer?);
    }
    all.sort_by(|a, b| a.identity.cmp(&b.identity));
    Ok(all)
}

async fn in_place(
    cluster: &Cluster,
    place: &Place<'_>,
    label: &str,
) -> Result<Vec<ObjectStatus>, RunError> {
    let found = found(cluster, place, label).await?;
    let judged = cluster.judge(&found).await;
    let verdicts = judged.map_err(|source| RunError::Cluster {
        doing: "judge the health of what was applied".to_owned(),
        source,
    })?;
    let all = place.iter().map(|(id, identity, entry)| ObjectStatus {
        identity: (*identity).clone(),
        health: match verdicts.get(id) {
            Some(verdict) => verdict.clone(),
            None => missing(&Json::Null),
        },
        drifted: drifted(entry, found.get(id)),
        drift: Vec::new(),
    });
    Ok(all.collect())
}

/// The objects that are there. One that has lost its label is asked for by its name.
async fn found(
    cluster: &Cluster,
    place: &Place<'_>,
    label: &str,
) -> Result<BTreeMap<ObjectId, Json>, RunError> {
    let mut found = BTreeMap::new();
    let Some((first, identity, _)) = place.first() else {
        return Ok(found);
    };
    let listed = async {
        let resource = cluster.resource_of(first).await?;
        let namespace = first.namespace.as_deref();
        cluster
            .list(&resource, namespace, label, Listed::Whole)
            .await
    };
    let listed = match listed.await {
        Ok(listed) => listed,
        Err(ClusterError::UnknownKind { .. }) => return Ok(found),
        Err(source) => return Err(asking(identity, source)),
    };
    let mut by_id: BTreeMap<ObjectId, Json> = listed
        .into_iter()
        .map(|live| (object_id(&live), live))
        .collect();
    for (id, identity, _) in place {
        let live = match by_id.remove(id) {
            Some(live) => Some(live),
            None => cluster
                .get(id)
                .await
                .map_err(|source| asking(identity, source))?,
        };
        if let Some(live) = live {
            found.insert(id.clone(), live);
        }
    }
    Ok(found)
}

/// None when nothing is known of the object as it was applied.
fn drifted(entry: &Entry, live: Option<&Json>) -> Option<bool> {
    let Some(live) = live else {
        return entry.uid.as_ref().map(|_| true);
    };
    let known = entry.owned.as_ref()?;
    Some(owned_fields(live).as_ref() != Some(known))
}

fn id_of(identity: &Identity, entry: &Entry) -> ObjectId {
    ObjectId {
        api_version: match identity.group.as_str() {
            "" => entry.version.clone(),
            group => format!("{group}/{}", entry.version),
        },
        kind: identity.kind.clone(),
        namespace: identity.namespace.clone(),
        name: identity.name.clone(),
    }
}

/// What is only looked at is nobody's run.
const NOBODY: &str = "";

/// Says which fields drifted, by the bundle that is kept in the cluster. That there is none, or that it
/// cannot be asked, is no reason to say nothing at all.
async fn tell_drift(cluster: &Cluster, status: &mut ClusterStatus) {
    let Some(run) = &status.journal.run else {
        return;
    };
    let objects = status.layers.iter().flat_map(|layer| &layer.objects);
    let suspects: BTreeSet<Identity> = objects
        .filter(|object| object.drifted == Some(true))
        .map(|object| object.identity.clone())
        .collect();
    if suspects.is_empty() {
        return;
    }
    let Ok(bundle) = load_bundle(cluster, &run.bundle).await else {
        return;
    };
    let Ok(secrets) = secrets(cluster, &bundle).await else {
        return;
    };
    let Ok(looked) = look(cluster, &bundle, &suspects, &Options::new(&secrets, NOBODY)).await
    else {
        return;
    };
    let mut drifts: BTreeMap<Identity, Vec<Drift>> = looked
        .into_iter()
        .map(|looked| {
            let changes = looked.finding.changes();
            (
                Identity::from(&looked.id),
                changes.iter().map(Drift::from).collect(),
            )
        })
        .collect();
    for object in status.layers.iter_mut().flat_map(|it| &mut it.objects) {
        if let Some(drift) = drifts.remove(&object.identity) {
            object.drift = drift;
        }
    }
}

fn asking(identity: &Identity, source: ClusterError) -> RunError {
    RunError::Cluster {
        doing: format!("ask for {identity}"),
        source,
    }
}

impl ClusterStatus {
    /// All objects are as they should be.
    pub fn is_healthy(&self) -> bool {
        let mut objects = self.layers.iter().flat_map(|layer| &layer.objects);
        objects.all(|object| object.health.status == Status::Current)
    }
}
