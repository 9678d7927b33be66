//! Finds a layer's objects again by their label, when its inventory was lost or damaged (R8): of a layer that
//! is about to be applied, and of those that no bundle names any more.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{Digest, LayerName, Stage};
use futures_util::{StreamExt as _, stream};
use serde_json::Value as Json;

use super::{Memory, NAMESPACE, RunError, Tell, memory::remembering};
use crate::{
    bundle::{Bundle, Layer},
    cluster::{Cluster, ClusterError, Kinds, Listed, Resource, presence_of},
    inventory::{Entry, FIELD_MANAGER, Identity, Inventory, PART_OF, set_id},
};

/// Objects that carry a label.
#[derive(Default)]
struct Labelled {
    /// By the sets that they say they are part of.
    sets: BTreeMap<String, BTreeMap<Identity, Entry>>,
    /// There may be more, of kinds that may not be listed.
    is_partial: bool,
}

/// How many kinds are asked for at once; the cluster has a limit of its own, too.
const CONCURRENCY: usize = 8;
const DOING: &str = "find a layer's objects again by their label";

/// What is known of a layer. When nothing is, and objects of it are there all the same, those are
/// what it has: found again, which is not enough to delete any.
pub(super) async fn inventory(
    cluster: &Cluster,
    layer: &Layer,
    memory: &Memory,
) -> Result<Inventory, RunError> {
    let known = memory.inventories.iter().find(|it| it.layer == layer.name);
    if let Some(known) = known.filter(|it| !is_lost(it)) {
        return Ok(known.clone());
    }
    let label = format!("{PART_OF}={}", set_id(&layer.name, NAMESPACE));
    let mut inventory = memory.inventory_of(&layer.name);
    if known.is_none() {
        // Of a layer that is new there is nothing with its label.
        let planned = layer.stages.iter().flat_map(|stage| &stage.planned);
        let ids: Vec<_> = planned.map(|object| object.id.clone()).collect();
        let present = cluster.presence(&ids, &label).await;
        if present
            .map_err(|source| remembering(DOING, source))?
            .is_empty()
        {
            return Ok(inventory);
        }
    }
    inventory.recovered = true;
    let found = labelled(cluster, &label).await?;
    inventory.entries = found.sets.into_values().flatten().collect();
    Ok(inventory)
}

/// Which layers are looked for that no inventory knows and no bundle names.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Layers that the journal knows, or whose inventories are damaged, by their sets.
    lost: BTreeMap<String, LayerName>,
    /// Whatever says that it is part of a set of ours that nobody knows. It is worth a request a kind when
    /// something was lost already, or when everything is to go.
    all: bool,
    /// The sets that are known.
    known: BTreeSet<String>,
}

impl Search {
    /// What is missing beside a bundle, or when everything is to go.
    pub(super) fn of(memory: &Memory, bundle: Option<&Bundle>) -> Self {
        let layers = bundle.map_or(&[][..], |bundle| &bundle.layers);
        let is_wanted = |name: &LayerName| layers.iter().any(|layer| layer.name == *name);
        let (known, damaged): (Vec<_>, Vec<_>) =
            memory.inventories.iter().partition(|it| !is_lost(it));
        let in_journal = memory.journal.layers.iter();
        let lost = in_journal
            .filter(|name| known.iter().all(|it| it.layer != **name))
            .chain(damaged.iter().map(|it| &it.layer))
            .filter(|name| !is_wanted(name))
            .map(|name| (set_id(name, NAMESPACE), name.clone()));
        let wanted = layers.iter().map(|it| set_id(&it.name, NAMESPACE));
        Self {
            lost: lost.collect(),
            all: bundle.is_none() || memory.inventories.iter().any(|it| it.recovered),
            known: known
                .iter()
                .map(|it| it.set(NAMESPACE))
                .chain(wanted)
                .collect(),
        }
    }

    fn label(&self) -> Option<String> {
        let list = |sets: &mut dyn Iterator<Item = &String>| {
            sets.map(String::as_str).collect::<Vec<_>>().join(",")
        };
        match (self.all, self.known.is_empty(), self.lost.is_empty()) {
            (true, true, _) => Some(PART_OF.to_owned()),
            (true, false, _) => {
                let known = list(&mut self.known.iter());
                Some(format!("{PART_OF},{PART_OF} notin ({known})"))
            }
            (false, _, false) => Some(format!("{PART_OF} in ({})", list(&mut self.lost.keys()))),
            (false, _, true) => None,
        }
    }
}

/// It says nothing, since it could not be read.
fn is_lost(inventory: &Inventory) -> bool {
    inventory.recovered && inventory.entries.is_empty()
}

/// Layers of which nothing is there any more, and those of which something is.
pub(super) async fn lost(
    cluster: &Cluster,
    memory: &Memory,
    search: &Search,
) -> Result<(Vec<LayerName>, Vec<Inventory>), RunError> {
    let Some(label) = search.label() else {
        return Ok((Vec::new(), Vec::new()));
    };
    let Labelled {
        mut sets,
        is_partial,
    } = labelled(cluster, &label).await?;
    let (mut gone, mut found) = (Vec::new(), Vec::new());
    let mut remember = |layer: LayerName, entries, found_set| {
        found.push(Inventory {
            // What nobody knows depends on nothing that is known.
            place: memory.inventories.len() + found.len(),
            recovered: true,
            found_set,
            entries,
            ..Inventory::new(layer, memory.cluster.clone())
        });
    };
    for (set, layer) in &search.lost {
        match sets.remove(set) {
            Some(entries) => remember(layer.clone(), entries, None),
            None if is_partial => {}
            None => gone.push(layer.clone()),
        }
    }
    for (set, entries) in sets {
        let name = format!("lost-{}", &Digest::sha256(set.as_bytes()).hex()[..8]);
        if let Ok(layer) = name.parse() {
            remember(layer, entries, Some(set));
        }
    }
    Ok((gone, found))
}

/// Looks for lost layers, and writes down what is found.
pub(super) async fn remember(
    cluster: &Cluster,
    memory: &mut Memory,
    search: &Search,
    tell: Tell<'_>,
) -> Result<(), RunError> {
    let (gone, found) = lost(cluster, memory, search).await?;
    for layer in gone {
        memory.forget(cluster, &layer).await?;
    }
    for inventory in found {
        memory.write_inventory(cluster, inventory, tell).await?;
    }
    Ok(())
}

/// All objects with a label that Cairn itself has put on them, by the set that it names: who copies labels
/// has objects of their own. Kinds that may not be listed are left out: what is not found is not deleted either.
async fn labelled(cluster: &Cluster, label: &str) -> Result<Labelled, RunError> {
    let failed = |source| remembering(DOING, source);
    let kinds: std::sync::Arc<Kinds> = cluster.discover().await.map_err(failed)?;
    let asked = kinds.listable().map(async |resource| {
        let listed = cluster.list(resource, None, label, Listed::Metadata);
        (resource, listed.await)
    });
    let mut answers = stream::iter(asked).buffered(CONCURRENCY);
    let mut found = Labelled {
        is_partial: !kinds.are_all(),
        ..Labelled::default()
    };
    while let Some((resource, listed)) = answers.next().await {
        let objects = match listed {
            Ok(objects) => objects,
            Err(ClusterError::Refused(refusal)) if matches!(refusal.code, 403..=405) => {
                found.is_partial |= refusal.code == 403;
                continue;
            }
            Err(error) => return Err(failed(error)),
        };
        for object in objects.iter().filter(|object| has_put_label(object)) {
            if let Some(set) = presence_of(object).set {
                found
                    .sets
                    .entry(set)
                    .or_default()
                    .extend([entry(resource, object)]);
            }
        }
    }
    Ok(found)
}

/// The label that names the set is a field that Cairn has applied.
fn has_put_label(object: &Json) -> bool {
    let managers = object["metadata"]["managedFields"].as_array();
    managers.into_iter().flatten().any(|entry| {
        let label = &entry["fieldsV1"]["f:metadata"]["f:labels"][format!("f:{PART_OF}")];
        entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply" && label.is_object()
    })
}

fn entry(resource: &Resource, object: &Json) -> (Identity, Entry) {
    let text = |key: &str| object["metadata"][key].as_str().map(str::to_owned);
    let identity = Identity {
        group: resource.group.clone(),
        kind: resource.kind.clone(),
        namespace: text("namespace"),
        name: text("name").unwrap_or_default(),
    };
    let entry = Entry {
        version: resource.version.clone(),
        stage: stage_of(&resource.group, &resource.kind),
        uid: text("uid"),
        // Nobody knows whether it was there before.
        created: false,
        desired: None,
        owned: None,
    };
    (identity, entry)
}

/// The stage of what no plan names any more: as early as others may need it, for what comes early
/// goes late.
fn stage_of(group: &str, kind: &str) -> Stage {
    match (group, kind) {
        ("", "Namespace") => Stage::Namespaces,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Stage::CustomResourceDefinitions,
        ("" | "apps" | "batch" | "autoscaling" | "policy", _) => Stage::Workloads,
        (group, _) if group.ends_with(".k8s.io") => Stage::ClusterScope,
        _ => Stage::CustomResources,
    }
}
