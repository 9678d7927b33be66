//! Gets the facts that pruning is decided by, and does what was decided.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cairn_spec::{LayerName, ObjectId};
use tokio::time::{Instant, sleep};

use super::{Context, Memory, NAMESPACE, Progress, RunError, Tell, shared::is_shared};
use crate::{
    cluster::{Cluster, ClusterError, Deletion, Judged, Kinds, Listed, Propagation, presence_of},
    inventory::{Identity, Inventory},
    journal::Action,
    prune::{Decision, Found, Live, Situation, judge},
    rollback::stays,
};

/// How often an object that is being deleted is looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(500);
const DEFINITIONS: &str = "CustomResourceDefinition";

/// What the API server says of an object, and why it stays in a rollback: none when it is gone, an error
/// when the API server does not say.
type Answer = Result<Option<(Found, Option<String>)>, ()>;

/// Decides about what a layer has and nobody wants any more.
pub(super) async fn judge_layer(
    Context { cluster, options }: Context<'_>,
    memory: &Memory,
    inventory: &Inventory,
    wanted: &BTreeSet<Identity>,
) -> Result<Vec<(Identity, Decision)>, RunError> {
    let unwanted: Vec<&Identity> = inventory
        .entries
        .keys()
        .filter(|identity| !wanted.contains(identity))
        .collect();
    if unwanted.is_empty() {
        return Ok(Vec::new());
    }
    let kinds = cluster.discover().await.map_err(RunError::kinds)?;
    let mut answers: BTreeMap<&Identity, Answer> = BTreeMap::new();
    let mut unreadable_groups = going_groups(cluster, &kinds, &unwanted).await?;
    for identity in unwanted {
        if !kinds.is_sure_of(&identity.group) {
            unreadable_groups.insert(identity.group.clone());
        }
        let answer = match kinds.preferred(&identity.group, &identity.kind) {
            Some(resource) => match cluster
                .get(&object_id(identity, &resource.api_version()))
                .await
            {
                Ok(found) => Ok(found.map(|live| (Found::of(&live), stays(&live, None)))),
                Err(ClusterError::UnknownKind { .. }) => Ok(None),
                Err(_) => Err(()),
            },
            None => Ok(None),
        };
        answers.insert(identity, answer);
    }
    let inventories = memory.inventories.iter();
    let ours: BTreeSet<&Identity> = inventories.flat_map(|it| it.entries.keys()).collect();
    let mut shared_namespaces = BTreeSet::new();
    for (identity, answer) in &answers {
        let is_namespace = identity.kind == "Namespace" && identity.group.is_empty();
        // Others are asked about first, which is cheaper.
        if is_namespace
            && matches!(answer, Ok(Some(_)))
            && options.approved.contains(*identity)
            && is_shared(cluster, &kinds, &ours, &identity.name).await
        {
            shared_namespaces.insert(identity.name.clone());
        }
    }
    let situation = Situation {
        wanted,
        sets: &memory.sets(),
        namespace: NAMESPACE,
        unreadable_groups: &unreadable_groups,
        shared_namespaces: &shared_namespaces,
        approved: options.approved,
        approved_amount: options.approved_amount,
    };
    let mut judged = judge(inventory, &situation, |identity| {
        match answers.get(identity) {
            Some(Ok(Some((found, _)))) => Live::Found(found),
            Some(Ok(None)) => Live::Gone,
            Some(Err(())) | None => Live::Unreadable,
        }
    });
    let run = memory.journal.under_way();
    if run.is_some_and(|run| run.action == Action::Rollback) {
        for (identity, decision) in &mut judged {
            if let Decision::Delete { .. } = decision
                && let Some(Ok(Some((_, Some(why))))) = answers.get(&*identity)
            {
                *decision = Decision::Keep(format!("it does not go back: {why}"));
            }
        }
    }
    Ok(judged)
}

/// Groups with a definition that is being deleted, and by somebody else (R6): their objects go and
/// may come again, whatever is known of them.
async fn going_groups(
    cluster: &Cluster,
    kinds: &Kinds,
    unwanted: &[&Identity],
) -> Result<BTreeSet<String>, RunError> {
    let definitions = kinds.preferred("apiextensions.k8s.io", DEFINITIONS);
    let Some(definitions) = definitions else {
        return Ok(BTreeSet::new());
    };
    if unwanted
        .iter()
        .all(|identity| !identity.group.contains('.'))
    {
        return Ok(BTreeSet::new());
    }
    let listed = cluster.list(definitions, None, "", Listed::Metadata).await;
    let listed = listed.map_err(|source| RunError::Cluster {
        doing: "ask which definitions are being deleted".to_owned(),
        source,
    })?;
    let going = listed.iter().filter(|it| presence_of(it).is_going);
    let names = going.filter_map(|it| it["metadata"]["name"].as_str());
    let others = names.filter(|name| {
        let is_it = |identity: &&Identity| identity.kind == DEFINITIONS && identity.name == **name;
        !unwanted.iter().any(is_it)
    });
    let groups = others.filter_map(|name| name.split_once('.'));
    Ok(groups.map(|(_, group)| group.to_owned()).collect())
}

/// Deletes what may be deleted, and takes out of the inventory what is gone, handed over or let go.
///
/// What a stage brought is gone before what came earlier goes: a controller may have to finish what
/// it is asked to by finalizers, and needs its definitions, rights and namespace for that.
pub(super) async fn prune_layer(
    context: Context<'_>,
    memory: &mut Memory,
    (layer, own): (&LayerName, &BTreeSet<Identity>),
    wanted: &BTreeSet<Identity>,
    tell: Tell<'_>,
) -> Result<(), RunError> {
    let cluster = context.cluster;
    let mut inventory = memory.inventory_of(layer);
    let judged = judge_layer(context, memory, &inventory, wanted).await?;
    let before = inventory.entries.len();
    let handed_over: Vec<Identity> = crate::prune::transferred(&inventory, own, wanted)
        .cloned()
        .collect();
    for identity in handed_over {
        inventory.entries.remove(&identity);
    }
    let mut told = |object: &Identity, decision: String| {
        tell(Progress::Pruned {
            layer,
            object,
            decision,
        });
    };
    let mut going: Vec<(Identity, String)> = Vec::new();
    let mut stage = None;
    for (identity, decision) in judged {
        let its_stage = inventory.entries.get(&identity).map(|entry| entry.stage);
        if its_stage != stage {
            settle(context, &mut inventory, &mut going, &mut told).await?;
            stage = its_stage;
        }
        let decision = match decision {
            Decision::Delete { .. } => {
                let held_up = held_up(cluster, memory, &inventory, &identity).await?;
                held_up.map_or(decision, Decision::Keep)
            }
            decision => decision,
        };
        let (is_gone, what) = match decision {
            Decision::Delete {
                uid,
                resource_version,
            } => {
                let judged = Judged {
                    uid: &uid,
                    resource_version: &resource_version,
                };
                match delete(cluster, &identity, &judged).await? {
                    Deletion::Gone => (true, "deleted".to_owned()),
                    Deletion::Going => {
                        going.push((identity, uid));
                        continue;
                    }
                    Deletion::Changed => (false, "kept: it changed meanwhile".to_owned()),
                }
            }
            Decision::Release(reason) => (true, format!("let go: {reason}")),
            Decision::Keep(reason) => (false, format!("kept: {reason}")),
            Decision::Ask(reason) => (false, format!("kept until approved: {reason}")),
        };
        if is_gone {
            inventory.entries.remove(&identity);
        }
        told(&identity, what);
    }
    settle(context, &mut inventory, &mut going, &mut told).await?;
    if inventory.entries.len() != before {
        memory.write_inventory(cluster, inventory, tell).await?;
    }
    Ok(())
}

/// Waits until objects are gone that are being deleted, not for ever: their finalizers may never be
/// done. What is not gone stays in the inventory, and the next run looks again.
async fn settle(
    Context { cluster, options }: Context<'_>,
    inventory: &mut Inventory,
    going: &mut Vec<(Identity, String)>,
    told: &mut (dyn FnMut(&Identity, String) + Send),
) -> Result<(), RunError> {
    let until = Instant::now() + options.deletion_timeout;
    while !going.is_empty() {
        let mut left = Vec::new();
        for (identity, uid) in going.drain(..) {
            if is_there(cluster, &identity, &uid).await? {
                left.push((identity, uid));
            } else {
                inventory.entries.remove(&identity);
                told(&identity, "deleted".to_owned());
            }
        }
        *going = left;
        if going.is_empty() {
            break;
        }
        if Instant::now() >= until {
            for (identity, _) in going.drain(..) {
                told(&identity, "being deleted".to_owned());
            }
            break;
        }
        sleep(LOOKED_AT_EVERY).await;
    }
    Ok(())
}

async fn is_there(cluster: &Cluster, identity: &Identity, uid: &str) -> Result<bool, RunError> {
    let failed = |source| RunError::Cluster {
        doing: format!("see whether {identity} is gone"),
        source,
    };
    let kinds = cluster.kinds().await.map_err(failed)?;
    let Some(resource) = kinds.preferred(&identity.group, &identity.kind) else {
        return Ok(false);
    };
    let id = object_id(identity, &resource.api_version());
    match cluster.get(&id).await {
        Ok(live) => Ok(live.is_some_and(|live| live["metadata"]["uid"] == *uid)),
        Err(ClusterError::UnknownKind { .. }) => Ok(false),
        Err(source) => Err(failed(source)),
    }
}

/// Why a namespace or a definition cannot go yet: something is in it, or of its kind.
async fn held_up(
    cluster: &Cluster,
    memory: &Memory,
    inventory: &Inventory,
    identity: &Identity,
) -> Result<Option<String>, RunError> {
    match (identity.group.as_str(), identity.kind.as_str()) {
        ("", "Namespace") => {
            let kinds = cluster.kinds().await.map_err(RunError::kinds)?;
            let is_shared = is_shared(cluster, &kinds, &BTreeSet::new(), &identity.name).await;
            Ok(is_shared.then(|| "R4: there are still objects in the namespace".to_owned()))
        }
        ("apiextensions.k8s.io", DEFINITIONS) => {
            let group = identity.name.split_once('.').map_or("", |(_, group)| group);
            let others = memory
                .inventories
                .iter()
                .filter(|it| it.layer != inventory.layer);
            let mut known = others.chain([inventory]).flat_map(|it| it.entries.keys());
            let its = known.find(|object| object.group == group);
            Ok(its.map(|object| format!("R4: {object} is still there")))
        }
        _ => Ok(None),
    }
}

async fn delete(
    cluster: &Cluster,
    identity: &Identity,
    judged: &Judged<'_>,
) -> Result<Deletion, RunError> {
    let failed = |source| RunError::Cluster {
        doing: format!("delete {identity}"),
        source,
    };
    let kinds = cluster.kinds().await.map_err(failed)?;
    let Some(resource) = kinds.preferred(&identity.group, &identity.kind) else {
        return Ok(Deletion::Gone);
    };
    let id = object_id(identity, &resource.api_version());
    let deleted = cluster.delete(resource, &id, judged, Propagation::Background);
    deleted.await.map_err(failed)
}

fn object_id(identity: &Identity, api_version: &str) -> ObjectId {
    ObjectId {
        api_version: api_version.to_owned(),
        kind: identity.kind.clone(),
        namespace: identity.namespace.clone(),
        name: identity.name.clone(),
    }
}
