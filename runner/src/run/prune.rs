//! Gets the facts that pruning is decided by, and does what was decided.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{LayerName, ObjectId};
use serde_json::Value as Json;

use super::{Context, Memory, NAMESPACE, Progress, RunError, Tell, shared::is_shared};
use crate::{
    cluster::{Cluster, ClusterError, Deletion, Judged, Propagation},
    inventory::{Identity, Inventory},
    prune::{Decision, Live, Situation, judge},
};

/// What the API server says of an object: none when it is gone, an error when it does not say.
type Answer = Result<Option<Json>, ()>;

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
    let kinds = cluster
        .discover()
        .await
        .map_err(|source| RunError::Cluster {
            doing: "ask which kinds there are".to_owned(),
            source,
        })?;
    let mut answers: BTreeMap<&Identity, Answer> = BTreeMap::new();
    let mut unreadable_groups = BTreeSet::new();
    for identity in unwanted {
        if !kinds.is_sure_of(&identity.group) {
            unreadable_groups.insert(identity.group.clone());
        }
        let answer = match kinds.preferred(&identity.group, &identity.kind) {
            Some(resource) => match cluster
                .get(&object_id(identity, &resource.api_version()))
                .await
            {
                Ok(found) => Ok(found),
                Err(ClusterError::UnknownKind { .. }) => Ok(None),
                Err(_) => Err(()),
            },
            None => Ok(None),
        };
        answers.insert(identity, answer);
    }
    let mut shared_namespaces = BTreeSet::new();
    for (identity, answer) in &answers {
        let is_namespace = identity.kind == "Namespace" && identity.group.is_empty();
        // Others are asked about first, which is cheaper.
        if is_namespace
            && matches!(answer, Ok(Some(_)))
            && options.approved.contains(*identity)
            && is_shared(cluster, &kinds, memory, &identity.name).await
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
    Ok(judge(inventory, &situation, |identity| {
        match answers.get(identity) {
            Some(Ok(Some(object))) => Live::Found(object),
            Some(Ok(None)) => Live::Gone,
            Some(Err(())) | None => Live::Unreadable,
        }
    }))
}

/// Deletes what may be deleted, and takes out of the inventory what is gone, handed over or let go.
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
    for (identity, decision) in judged {
        let (is_gone, told) = match decision {
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
                    // Its finalizers may never be done; the next run looks again.
                    Deletion::Going => (false, "being deleted".to_owned()),
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
        tell(Progress::Pruned {
            layer,
            object: &identity,
            decision: told,
        });
    }
    if inventory.entries.len() != before {
        memory.write_inventory(cluster, inventory).await?;
    }
    Ok(())
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
