//! What Cairn remembers in a cluster: the journal and the inventories, as config maps in its own
//! namespace.

use std::collections::BTreeSet;

use cairn_spec::{LayerName, ObjectId};
use serde_json::{Value as Json, json};

use super::{NAMESPACE, Progress, RunError, Tell};
use crate::{
    cluster::{Applied, Cluster, ClusterError, Force, Judged, Listed, Mode, Propagation, id_of},
    inventory::{Damage, Home, Inventory, PARENTS, decode, encode, layer_of, parts_of},
    journal::Journal,
};

const JOURNAL: &str = "cairn-journal";
const JOURNAL_KEY: &str = "journal.json";
const HOME: Home<'static> = Home {
    namespace: NAMESPACE,
    tool_version: env!("CARGO_PKG_VERSION"),
};

/// What is remembered.
#[derive(Debug)]
pub struct Memory {
    /// The cluster, by the UID of its namespace `kube-system`.
    pub cluster: String,
    /// How far runs are.
    pub journal: Journal,
    /// The version of the journal that was read or written last; none when there is no journal.
    journal_version: Option<String>,
    /// What each layer has.
    pub inventories: Vec<Inventory>,
    /// Layers whose inventories cannot be read, and why.
    pub damaged: Vec<String>,
}

impl Memory {
    /// Reads all of it. An inventory of another cluster is an error; one that is damaged counts as
    /// empty, so nothing is pruned by it.
    pub async fn read(cluster: &Cluster) -> Result<Self, RunError> {
        let uid = cluster_uid(cluster).await?;
        let (journal, journal_version) = read_journal(cluster).await?;
        let mut memory = Self {
            cluster: uid,
            journal,
            journal_version,
            inventories: Vec::new(),
            damaged: Vec::new(),
        };
        let resource = cluster
            .resource_of(&config_map_id(""))
            .await
            .map_err(|source| remembering("find ConfigMaps", source))?;
        let parents = cluster
            .list(&resource, Some(NAMESPACE), PARENTS, Listed::Whole)
            .await
            .map_err(|source| remembering("list the inventories", source))?;
        for parent in &parents {
            let Some(layer) = layer_of(parent) else {
                continue;
            };
            let mut parts = Vec::new();
            for name in parts_of(parent) {
                let part = cluster.get(&config_map_id(&name)).await;
                parts.extend(part.map_err(|source| remembering("read an inventory", source))?);
            }
            match decode(&layer, &memory.cluster, parent, &parts) {
                Ok(inventory) => memory.inventories.push(inventory),
                Err(foreign @ Damage::Foreign(_)) => return Err(foreign.into()),
                Err(damage) => {
                    memory.damaged.push(damage.to_string());
                    let mut lost = Inventory::new(layer, memory.cluster.clone());
                    lost.recovered = true;
                    memory.inventories.push(lost);
                }
            }
        }
        memory.inventories.sort_by_key(|inventory| inventory.place);
        Ok(memory)
    }

    /// The labels of all sets that are here.
    pub fn sets(&self) -> BTreeSet<String> {
        let inventories = self.inventories.iter();
        inventories.map(|it| it.set(NAMESPACE)).collect()
    }

    /// What a layer has; nothing when it is new.
    pub(super) fn inventory_of(&self, layer: &LayerName) -> Inventory {
        let known = self.inventories.iter().find(|it| it.layer == *layer);
        known
            .cloned()
            .unwrap_or_else(|| Inventory::new(layer.clone(), self.cluster.clone()))
    }

    /// Writes the journal, if nobody else has written it since.
    pub(super) async fn write_journal(
        &mut self,
        cluster: &Cluster,
        tell: Tell<'_>,
    ) -> Result<(), RunError> {
        let known = self.inventories.iter().map(|it| it.layer.clone());
        self.journal.layers.extend(known);
        let text = serde_json::to_string(&self.journal).unwrap_or_default();
        let mut map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": JOURNAL, "namespace": NAMESPACE},
            "data": {JOURNAL_KEY: text},
        });
        if let Some(version) = &self.journal_version {
            map["metadata"]["resourceVersion"] = version.as_str().into();
        }
        let swapped = cluster.swap(&map).await;
        let Some(live) = swapped.map_err(|source| remembering("write the journal", source))? else {
            let (journal, _) = read_journal(cluster).await?;
            return Err(RunError::TakenOver {
                by: journal.holder.unwrap_or_else(|| "somebody".to_owned()),
            });
        };
        let version = live["metadata"]["resourceVersion"].as_str();
        self.journal_version = version.map(str::to_owned);
        if let Some(run) = &self.journal.run {
            tell(Progress::Phase { phase: &run.phase });
        }
        Ok(())
    }

    /// Writes a layer's inventory, and remembers it. The parts come before the parent that names them; parts
    /// that nobody names any more go afterwards.
    pub(super) async fn write_inventory(
        &mut self,
        cluster: &Cluster,
        inventory: Inventory,
        tell: Tell<'_>,
    ) -> Result<(), RunError> {
        const DOING: &str = "write an inventory";
        let encoded = encode(&inventory, HOME);
        let parent_id = id_of(&encoded.parent);
        let before = cluster.get(&parent_id).await;
        let before = before.map_err(|source| remembering(DOING, source))?;
        for part in &encoded.parts {
            write(cluster, part, DOING).await?;
        }
        write(cluster, &encoded.parent, DOING).await?;
        let named = parts_of(&encoded.parent);
        let old = before.as_ref().map_or_else(Vec::new, parts_of);
        for name in old.iter().filter(|name| !named.contains(name)) {
            delete(cluster, &config_map_id(name)).await?;
        }
        tell(Progress::Remembered {
            layer: &inventory.layer,
            objects: inventory.entries.len(),
        });
        self.inventories.retain(|it| it.layer != inventory.layer);
        self.inventories.push(inventory);
        self.inventories.sort_by_key(|inventory| inventory.place);
        Ok(())
    }

    /// What was found again by labels is known for sure when a bundle was applied to it.
    pub(super) async fn trust_what_was_recovered(
        &mut self,
        cluster: &Cluster,
        was_applied: impl Fn(&LayerName) -> bool,
        tell: Tell<'_>,
    ) -> Result<(), RunError> {
        let recovered = self.inventories.iter();
        let recovered = recovered.filter(|it| it.recovered && was_applied(&it.layer));
        let recovered: Vec<Inventory> = recovered.cloned().collect();
        for mut inventory in recovered {
            inventory.recovered = false;
            self.write_inventory(cluster, inventory, tell).await?;
        }
        Ok(())
    }

    /// Forgets a layer that has nothing any more.
    pub(super) async fn forget(
        &mut self,
        cluster: &Cluster,
        layer: &LayerName,
    ) -> Result<(), RunError> {
        let empty = Inventory::new(layer.clone(), self.cluster.clone());
        let parent = encode(&empty, HOME).parent;
        delete(cluster, &id_of(&parent)).await?;
        self.inventories.retain(|it| it.layer != *layer);
        self.journal.layers.remove(layer);
        Ok(())
    }
}

/// Makes the namespace of the memory, when it is not there.
pub(super) async fn prepare(cluster: &Cluster) -> Result<(), RunError> {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
    });
    write(cluster, &namespace, "make Cairn's own namespace").await
}

async fn cluster_uid(cluster: &Cluster) -> Result<String, RunError> {
    let id = ObjectId {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: "kube-system".to_owned(),
    };
    let namespace = cluster
        .get(&id)
        .await
        .map_err(|source| remembering("find out which cluster this is", source))?;
    let uid = namespace
        .as_ref()
        .and_then(|it| it["metadata"]["uid"].as_str());
    uid.map(str::to_owned).ok_or_else(|| {
        RunError::JournalDamaged("the cluster has no namespace `kube-system`".to_owned())
    })
}

/// The journal and its version.
pub(super) async fn read_journal(cluster: &Cluster) -> Result<(Journal, Option<String>), RunError> {
    let map = cluster
        .get(&config_map_id(JOURNAL))
        .await
        .map_err(|source| remembering("read the journal", source))?;
    let Some(map) = map else {
        return Ok((Journal::default(), None));
    };
    let text = map["data"][JOURNAL_KEY].as_str();
    let text = text.ok_or_else(|| RunError::JournalDamaged("it is empty".to_owned()))?;
    let journal =
        serde_json::from_str(text).map_err(|error| RunError::JournalDamaged(error.to_string()))?;
    let version = map["metadata"]["resourceVersion"].as_str();
    Ok((journal, version.map(str::to_owned)))
}

fn config_map_id(name: &str) -> ObjectId {
    ObjectId {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: name.to_owned(),
    }
}

pub(super) async fn write(cluster: &Cluster, object: &Json, doing: &str) -> Result<(), RunError> {
    let applied = cluster
        .apply(&id_of(object), object, Mode::Write, Force::Take)
        .await;
    match applied {
        Ok(Applied::Created(_) | Applied::Merged(_) | Applied::Conflicts(_)) => Ok(()),
        Err(source) => Err(remembering(doing, source)),
    }
}

pub(super) async fn delete(cluster: &Cluster, id: &ObjectId) -> Result<(), RunError> {
    const DOING: &str = "delete what is not needed any more";
    let live = cluster.get(id).await;
    let Some(live) = live.map_err(|source| remembering(DOING, source))? else {
        return Ok(());
    };
    let text = |key: &str| live["metadata"][key].as_str().unwrap_or_default();
    let resource = cluster.resource_of(id).await;
    let resource = resource.map_err(|source| remembering(DOING, source))?;
    let judged = Judged {
        uid: text("uid"),
        resource_version: text("resourceVersion"),
    };
    cluster
        .delete(&resource, id, &judged, Propagation::Background)
        .await
        .map_err(|source| remembering(DOING, source))?;
    Ok(())
}

pub(super) fn remembering(doing: &str, source: ClusterError) -> RunError {
    RunError::Cluster {
        doing: doing.to_owned(),
        source,
    }
}
