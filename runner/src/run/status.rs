//! How what was applied is now: layers, objects, their health.

use cairn_spec::{Digest, LayerName, ObjectId};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

use super::{Memory, RunError};
use crate::{
    cluster::{Cluster, now, owned_fields},
    health::{Status, Verdict, kstatus, missing},
    inventory::{Entry, Identity},
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
    /// Somebody changed a field of ours; none when it is not known.
    pub drifted: Option<bool>,
}

/// Asks for all objects that Cairn has in a cluster.
pub async fn status(cluster: &Cluster) -> Result<ClusterStatus, RunError> {
    let memory = Memory::read(cluster).await?;
    let mut layers = Vec::new();
    for inventory in &memory.inventories {
        let asked = inventory
            .entries
            .iter()
            .map(|(identity, entry)| object(cluster, identity, entry));
        let mut answers = stream::iter(asked).buffered(CONCURRENCY);
        let mut objects = Vec::new();
        while let Some(answer) = answers.next().await {
            objects.push(answer?);
        }
        layers.push(LayerStatus {
            layer: inventory.layer.clone(),
            objects,
        });
    }
    Ok(ClusterStatus {
        journal: memory.journal,
        layers,
        damaged: memory.damaged,
    })
}

async fn object(
    cluster: &Cluster,
    identity: &Identity,
    entry: &Entry,
) -> Result<ObjectStatus, RunError> {
    let api_version = match identity.group.as_str() {
        "" => entry.version.clone(),
        group => format!("{group}/{}", entry.version),
    };
    let id = ObjectId {
        api_version,
        kind: identity.kind.clone(),
        namespace: identity.namespace.clone(),
        name: identity.name.clone(),
    };
    let live = match cluster.get(&id).await {
        Ok(live) => live,
        Err(crate::cluster::ClusterError::UnknownKind { .. }) => None,
        Err(source) => {
            return Err(RunError::Cluster {
                doing: format!("ask for {identity}"),
                source,
            });
        }
    };
    let drifted = |owned: Option<Digest>| {
        entry
            .owned
            .as_ref()
            .map(|known| owned.as_ref() != Some(known))
    };
    Ok(ObjectStatus {
        identity: identity.clone(),
        health: match &live {
            Some(live) => kstatus(live, now()),
            None => missing(&serde_json::Value::Null),
        },
        drifted: live.as_ref().and_then(|live| drifted(owned_fields(live))),
    })
}

impl ClusterStatus {
    /// All objects are as they should be.
    pub fn is_healthy(&self) -> bool {
        let mut objects = self.layers.iter().flat_map(|layer| &layer.objects);
        objects.all(|object| object.health.status == Status::Current)
    }
}
