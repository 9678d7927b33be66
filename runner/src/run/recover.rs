//! Finds a layer's objects again by their label, when its inventory was lost or damaged (R8).

use std::collections::BTreeMap;

use cairn_spec::Stage;
use futures_util::{StreamExt as _, stream};
use serde_json::Value as Json;

use super::{Memory, NAMESPACE, RunError, memory::remembering};
use crate::{
    bundle::Layer,
    cluster::{Cluster, ClusterError, Kinds, Listed, Resource},
    inventory::{Entry, Identity, Inventory, PART_OF, set_id},
};

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
    let is_empty = |it: &Inventory| it.recovered && it.entries.is_empty();
    if let Some(known) = known.filter(|it| !is_empty(it)) {
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
    inventory.entries = labelled(cluster, &label).await?;
    Ok(inventory)
}

/// All objects with a label. Kinds that may not be listed are left out: what is not found is not
/// deleted either.
async fn labelled(cluster: &Cluster, label: &str) -> Result<BTreeMap<Identity, Entry>, RunError> {
    let failed = |source| remembering(DOING, source);
    let kinds: std::sync::Arc<Kinds> = cluster.discover().await.map_err(failed)?;
    let asked = kinds.listable().map(async |resource| {
        let listed = cluster.list(resource, None, label, Listed::Metadata);
        (resource, listed.await)
    });
    let mut answers = stream::iter(asked).buffered(CONCURRENCY);
    let mut entries = BTreeMap::new();
    while let Some((resource, listed)) = answers.next().await {
        let objects = match listed {
            Ok(objects) => objects,
            Err(ClusterError::Refused(refusal)) if matches!(refusal.code, 403..=405) => continue,
            Err(error) => return Err(failed(error)),
        };
        entries.extend(objects.iter().map(|object| entry(resource, object)));
    }
    Ok(entries)
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
