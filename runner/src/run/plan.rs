//! What a run would do, found out without writing anything.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{Digest, LayerName, ObjectId, Stage, canonical_json};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::Value as Json;

use super::{Adoption, Context, Memory, NAMESPACE, Options, RunError, preflight, prune, recover};
use crate::{
    bundle::{Bundle, Layer, Manifest, StageObjects},
    cluster::{Candidate, Cluster, ClusterError, Presence, Proposal, presence_of},
    diff,
    ignore::ignored,
    inventory::{Identity, Inventory, PART_OF, mark, set_id},
    prune::Decision,
    rights::Missing,
};

/// How many lists are asked for at once; the cluster has a limit of its own, too.
const CONCURRENCY: usize = 8;

/// What a run would do.
#[derive(Debug)]
pub struct Plan {
    /// The layers in order; then those that the bundle no longer has.
    pub layers: Vec<LayerPlan>,
    /// Rights that the run needs and whoever runs it does not have.
    pub missing: Vec<Missing>,
}

/// What a run would do about a layer.
#[derive(Debug)]
pub struct LayerPlan {
    /// The layer.
    pub layer: LayerName,
    /// Its objects in order, without hooks.
    pub objects: Vec<ObjectPlan>,
    /// What it has and nobody wants any more.
    pub deletions: Vec<(Identity, Decision)>,
}

/// What a run would do about an object.
#[derive(Debug)]
pub struct ObjectPlan {
    /// The object.
    pub id: ObjectId,
    /// Its stage.
    pub stage: Stage,
    /// What would be done.
    pub step: Step,
}

/// What would be done about an object.
#[derive(Debug)]
pub enum Step {
    /// It would be made.
    Create,
    /// It is as it should be.
    Unchanged,
    /// Fields would change.
    Change {
        /// Which.
        changes: Vec<diff::Change>,
        /// It is somebody else's until then.
        adopted: bool,
    },
    /// It would be deleted and made anew, since a field cannot be changed.
    Recreate(String),
    /// It cannot be said yet, since its kind or its namespace comes with the bundle.
    Later(String),
    /// It is somebody else's, and the run would fail.
    Foreign,
    /// It is somebody else's and would stay as it is.
    Skip,
    /// The API server would refuse it.
    Refused(String),
}

/// One word for each step, for tables and machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// See [`Step::Create`].
    Create,
    /// See [`Step::Unchanged`].
    Unchanged,
    /// See [`Step::Change`].
    Change,
    /// See [`Step::Recreate`].
    Recreate,
    /// See [`Step::Later`].
    Later,
    /// See [`Step::Foreign`].
    Foreign,
    /// See [`Step::Skip`].
    Skip,
    /// See [`Step::Refused`].
    Refused,
}

impl Step {
    /// Its word.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Create => Verb::Create,
            Self::Unchanged => Verb::Unchanged,
            Self::Change { .. } => Verb::Change,
            Self::Recreate(_) => Verb::Recreate,
            Self::Later(_) => Verb::Later,
            Self::Foreign => Verb::Foreign,
            Self::Skip => Verb::Skip,
            Self::Refused(_) => Verb::Refused,
        }
    }
}

/// Finds out what applying a bundle would do.
pub async fn plan(
    cluster: &Cluster,
    bundle: &Bundle,
    options: &Options<'_>,
) -> Result<Plan, RunError> {
    let context = Context { cluster, options };
    let mut missing = preflight::missing_rights(cluster, bundle, options).await?;
    let mut memory = match Memory::read(cluster).await {
        Ok(memory) => memory,
        // More cannot be said, and why is known.
        Err(RunError::Cluster { source, .. }) if source.is_forbidden() && !missing.is_empty() => {
            return Ok(Plan {
                layers: Vec::new(),
                missing,
            });
        }
        Err(error) => return Err(error),
    };
    let search = recover::Search::of(&memory, Some(bundle));
    let (_, found) = recover::lost(cluster, &memory, &search).await?;
    for inventory in found {
        memory.inventories.retain(|it| it.layer != inventory.layer);
        memory.inventories.push(inventory);
    }
    let wanted = wanted(bundle);
    missing.extend(preflight::missing_for_deletions(cluster, &memory, &wanted).await?);
    let mut layers = Vec::new();
    for layer in &bundle.layers {
        let inventory = memory.inventory_of(&layer.name);
        let mut objects = Vec::new();
        for stage in &layer.stages {
            objects.extend(plan_stage(context, layer, stage, &inventory).await?);
        }
        let judged = prune::judge_layer(context, &memory, &inventory, &wanted).await?;
        layers.push(LayerPlan {
            layer: layer.name.clone(),
            objects,
            deletions: judged,
        });
    }
    for inventory in memory.inventories.iter().rev() {
        if bundle.layers.iter().all(|it| it.name != inventory.layer) {
            let judged = prune::judge_layer(context, &memory, inventory, &wanted).await?;
            layers.push(LayerPlan {
                layer: inventory.layer.clone(),
                objects: Vec::new(),
                deletions: judged,
            });
        }
    }
    Ok(Plan { layers, missing })
}

/// What any layer of a bundle has, without hooks.
pub(super) fn wanted(bundle: &Bundle) -> BTreeSet<Identity> {
    let stages = bundle.layers.iter().flat_map(|layer| &layer.stages);
    stages
        .flat_map(|stage| &stage.planned)
        .filter(|object| object.hook.is_none())
        .map(|object| Identity::from(&object.id))
        .collect()
}

/// An object as it may be applied, with what of it belongs to others.
pub(super) fn candidate<'a>(
    id: &'a ObjectId,
    object: &'a Json,
    options: &Options<'a>,
) -> Candidate<'a> {
    Candidate {
        id,
        object,
        ignored: ignored(options.ignore, id),
    }
}

/// Identifies what is applied, and what of it belongs to others. Of Secrets no digest is kept: short
/// ones could be guessed by it.
pub(super) fn desired_digest(object: &Json, ignored: &[&str]) -> Option<Digest> {
    if object["kind"] == "Secret" {
        return None;
    }
    let mut text = canonical_json(object);
    for pointer in ignored {
        text.push('\n');
        text.push_str(pointer);
    }
    Some(Digest::sha256(text.as_bytes()))
}

/// Nothing has changed since the last run: what is wanted, and which fields are ours.
pub(super) fn is_unchanged(
    inventory: &Inventory,
    id: &ObjectId,
    desired: Option<&Digest>,
    presence: Option<&Presence>,
) -> bool {
    let (Some(entry), Some(presence)) = (inventory.entries.get(&Identity::from(id)), presence)
    else {
        return false;
    };
    desired.is_some()
        && entry.desired.as_ref() == desired
        && entry.owned.is_some()
        && entry.owned == presence.owned
        && entry.uid.as_ref() == Some(&presence.uid)
        && !presence.is_going
}

/// An object that is there is Cairn's when the inventory knows this very object, or its fields do; or when it was put
/// there for Cairn, with the label of the layer's set, as a manifest of the agent does with namespaces.
pub(super) fn is_ours(inventory: &Inventory, id: &ObjectId, presence: &Presence) -> bool {
    let entry = inventory.entries.get(&Identity::from(id));
    let is_known = entry.is_some_and(|entry| entry.uid.as_ref() == Some(&presence.uid));
    let is_meant = || presence.set.as_ref() == Some(&inventory.set(NAMESPACE));
    is_known || presence.owned.is_some() || is_meant()
}

/// Objects of a stage as they are applied, with the label of their set. Hooks are left out.
pub(super) fn marked<'a>(
    stage: &'a StageObjects,
    manifests: Vec<Manifest>,
    set: &str,
) -> Vec<(&'a ObjectId, Json)> {
    let planned = manifests
        .into_iter()
        .filter_map(|manifest| Some((stage.planned.get(manifest.index)?, manifest.object)));
    let objects = planned.filter(|(planned, _)| planned.hook.is_none());
    objects
        .map(|(planned, mut object)| {
            mark(&mut object, set);
            (&planned.id, object)
        })
        .collect()
}

/// Which objects of a stage are there, and of which that may not be asked.
#[derive(Default)]
struct StagePresence {
    present: BTreeMap<ObjectId, Presence>,
    refused: BTreeMap<ObjectId, String>,
}

/// Asks once for all objects of a kind and a namespace.
async fn present(
    cluster: &Cluster,
    stage: &StageObjects,
    label: &str,
) -> Result<StagePresence, ClusterError> {
    let mut alike: BTreeMap<(&str, &str, Option<&str>), Vec<ObjectId>> = BTreeMap::new();
    for object in stage.planned.iter().filter(|object| object.hook.is_none()) {
        let id = &object.id;
        let key = (
            id.api_version.as_str(),
            id.kind.as_str(),
            id.namespace.as_deref(),
        );
        alike.entry(key).or_default().push(id.clone());
    }
    let asked = alike.into_values().map(async |ids| {
        let present = cluster.presence(&ids, label).await;
        (ids, present)
    });
    let mut answers = stream::iter(asked).buffer_unordered(CONCURRENCY);
    let mut all = StagePresence::default();
    while let Some((ids, answer)) = answers.next().await {
        match answer {
            Ok(present) => all.present.extend(present),
            Err(ClusterError::Refused(refusal)) if refusal.code == 403 => {
                let why = refusal.brief();
                all.refused
                    .extend(ids.into_iter().map(|id| (id, why.clone())));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

async fn plan_stage(
    Context { cluster, options }: Context<'_>,
    layer: &Layer,
    stage: &StageObjects,
    inventory: &Inventory,
) -> Result<Vec<ObjectPlan>, RunError> {
    let asking = |source: ClusterError| RunError::Cluster {
        doing: format!("ask what layer `{}` would change", layer.name),
        source,
    };
    let set = set_id(&layer.name, NAMESPACE);
    let label = format!("{PART_OF}={set}");
    let seen = present(cluster, stage, &label).await.map_err(asking)?;
    let mut planned = Vec::new();
    for batch in stage.batches(options.secrets) {
        // What cannot be looked at is not a reason to say nothing of the others.
        let (objects, refused): (Vec<_>, Vec<_>) = marked(stage, batch?, &set)
            .into_iter()
            .partition(|(id, _)| !seen.refused.contains_key(*id));
        planned.extend(refused.into_iter().map(|(id, _)| ObjectPlan {
            id: id.clone(),
            stage: stage.stage,
            step: Step::Refused(seen.refused.get(id).cloned().unwrap_or_default()),
        }));
        let is_known = |(id, object): &(&ObjectId, Json)| {
            is_unchanged(
                inventory,
                id,
                desired_digest(object, &ignored(options.ignore, id)).as_ref(),
                seen.present.get(*id),
            )
        };
        let asked: Vec<Candidate<'_>> = objects
            .iter()
            .filter(|it| !is_known(it))
            .map(|(id, object)| candidate(id, object, options))
            .collect();
        let mut proposals = cluster
            .propose_all(&asked)
            .await
            .map_err(asking)?
            .into_iter();
        for known in &objects {
            let step = if is_known(known) {
                Step::Unchanged
            } else {
                match proposals.next() {
                    Some(proposal) => step(known.0, &known.1, proposal, inventory, options),
                    None => continue,
                }
            };
            planned.push(ObjectPlan {
                id: known.0.clone(),
                stage: stage.stage,
                step,
            });
        }
    }
    Ok(planned)
}

pub(super) fn step(
    id: &ObjectId,
    object: &Json,
    proposal: Proposal,
    inventory: &Inventory,
    options: &Options<'_>,
) -> Step {
    let (live, after) = match proposal {
        Proposal::Create(_) => return Step::Create,
        Proposal::Later(why) => return Step::Later(why),
        Proposal::Refused(refusal) => return Step::Refused(refusal.brief()),
        Proposal::Immutable { live, refusal } => {
            return if is_ours(inventory, id, &presence_of(&live)) && may_be_recreated(object) {
                Step::Recreate(refusal.brief())
            } else {
                Step::Refused(refusal.brief())
            };
        }
        Proposal::Merge { live, after, .. } => (live, after),
    };
    let is_ours = is_ours(inventory, id, &presence_of(&live));
    match options.adoption {
        Adoption::Refuse if !is_ours => return Step::Foreign,
        Adoption::Skip if !is_ours => return Step::Skip,
        _ => {}
    }
    let compared = diff::Options {
        ignore: &ignored(options.ignore, id),
        secrets: options.secrets,
    };
    let changes = diff::changes(&live, &after, &compared);
    if changes.is_empty() {
        return Step::Unchanged;
    }
    Step::Change {
        changes,
        adopted: !is_ours,
    }
}

/// Says that an object may be deleted and made anew when a field of it cannot be changed.
const RECREATE: (&str, &str) = ("cairn.dev/recreate", "allowed");

/// Jobs may, since they are over; anything else only if it says so, and never what holds data or
/// an address.
pub(super) fn may_be_recreated(object: &Json) -> bool {
    let kind = object["kind"].as_str().unwrap_or_default();
    if matches!(
        kind,
        "StatefulSet"
            | "PersistentVolumeClaim"
            | "PersistentVolume"
            | "Service"
            | "Namespace"
            | "CustomResourceDefinition"
    ) {
        return false;
    }
    let is_allowed = object["metadata"]["annotations"][RECREATE.0] == RECREATE.1;
    is_allowed || (kind == "Job" && object["apiVersion"] == "batch/v1")
}
