//! Applies the objects of a stage, several at a time, and writes down what became of them.

use std::{collections::BTreeMap, time::Duration};

use cairn_spec::{Digest, ObjectId};
use futures_util::{StreamExt as _, stream};
use serde_json::Value as Json;
use tokio::time::{Instant, sleep};

use super::{
    Adoption, Context, Memory, NAMESPACE, Options, Outcome, Progress, RunError, Tell,
    plan::{candidate, desired_digest, is_ours, is_unchanged, marked, may_be_recreated},
};
use crate::{
    bundle::{Layer, StageObjects},
    cluster::{
        Applied, Awaited, Cluster, ClusterError, Deletion, Force, Judged, Listed, Mode, Presence,
        Propagation, now, owned_fields, presence_of,
    },
    health::{holds_only_data, rule_for},
    inventory::{Identity, Inventory, set_id},
    rollback::stays,
};

/// Answers come in order, so for each request under way there is one more object that may wait for a slow
/// one before it.
const AHEAD: usize = 2;
/// How often an object that is being deleted is looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(500);
/// An object that was deleted to be made anew is waited for this many times.
const MAX_LOOKS: u32 = 60;

/// What is applied.
pub(super) struct Applying<'a> {
    pub(super) layer: &'a Layer,
    pub(super) stage: &'a StageObjects,
    /// The bundle is an earlier one.
    pub(super) is_rollback: bool,
}

/// What became of an object. Many are applied before it is written down, so of the object itself nothing
/// is kept.
struct Done {
    id: ObjectId,
    digest: Option<Digest>,
    /// How it is there; none where the inventory knows that, and where it is somebody else's.
    written: Option<Written>,
    outcome: Outcome,
    awaited: Option<Awaited>,
}

/// What the inventory says of an object that is there.
struct Written {
    uid: Option<String>,
    owned: Option<Digest>,
}

/// Applies a stage; gives what is to be waited for.
pub(super) async fn apply_stage(
    context: Context<'_>,
    applying: &Applying<'_>,
    memory: &mut Memory,
    tell: Tell<'_>,
) -> Result<Vec<Awaited>, RunError> {
    let Context { cluster, options } = context;
    let mut awaited = Vec::new();
    let set = set_id(&applying.layer.name, NAMESPACE);
    tell(Progress::Stage {
        layer: &applying.layer.name,
        stage: applying.stage.stage,
        objects: applying.stage.planned.len(),
    });
    let planned = applying.stage.planned.iter();
    let ids: Vec<ObjectId> = planned
        .filter(|object| object.hook.is_none())
        .map(|object| object.id.clone())
        .collect();
    // Without the label, so that what is somebody else's is seen.
    let present = cluster.presence(&ids, "").await;
    let present = present.map_err(|source| RunError::Cluster {
        doing: format!("ask what layer `{}` has", applying.layer.name),
        source,
    })?;
    for batch in applying.stage.batches(options.secrets) {
        let objects: Vec<(ObjectId, Json)> = marked(applying.stage, batch?, &set)
            .into_iter()
            .map(|(id, object)| (id.clone(), object))
            .collect();
        let mut inventory = memory.inventory_of(&applying.layer.name);
        if forget_what_changes(&mut inventory, &objects, options) {
            memory
                .write_inventory(cluster, inventory.clone(), tell)
                .await?;
        }
        let (done, failure) = apply_all(context, applying, objects, (&inventory, &present)).await;
        for done in &done {
            note(&mut inventory, done);
            tell(Progress::Applied {
                layer: &applying.layer.name,
                object: &done.id,
                outcome: done.outcome,
            });
        }
        // Also what is unchanged may be new to the inventory, after a run that was killed.
        if !memory.inventories.contains(&inventory) {
            memory.write_inventory(cluster, inventory, tell).await?;
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        awaited.extend(done.into_iter().filter_map(|done| done.awaited));
    }
    Ok(awaited)
}

/// What only holds data is as it should be when it is there, unless a rule of a pack says more.
fn is_waited_for(layer: &Layer, id: &ObjectId) -> bool {
    !holds_only_data(id) || rule_for(&layer.health, id).is_some()
}

/// What is about to become another object than the inventory says is not known any more: which fields
/// are ours would not tell the two apart. True if there is any such.
fn forget_what_changes(
    inventory: &mut Inventory,
    objects: &[(ObjectId, Json)],
    options: &Options<'_>,
) -> bool {
    let mut forgot = false;
    for (id, object) in objects {
        let ignored = candidate(id, object, options).ignored;
        if let Some(entry) = inventory.entries.get_mut(&Identity::from(id))
            && entry.desired.is_some()
            && entry.desired != desired_digest(object, &ignored)
        {
            entry.desired = None;
            forgot = true;
        }
    }
    forgot
}

/// What was done until the first failure, and that failure.
async fn apply_all(
    context: Context<'_>,
    applying: &Applying<'_>,
    objects: Vec<(ObjectId, Json)>,
    (inventory, present): (&Inventory, &BTreeMap<ObjectId, Presence>),
) -> (Vec<Done>, Option<RunError>) {
    let asked = objects.into_iter().map(|(id, object)| {
        let presence = present.get(&id);
        apply_one(context, applying, (id, object), (inventory, presence))
    });
    let mut answers = stream::iter(asked).buffered(AHEAD * context.cluster.concurrency());
    let (mut done, mut failure) = (Vec::new(), None);
    // What is under way is brought to its end, so that it is written down.
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(one) => done.push(one),
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    (done, failure)
}

async fn apply_one(
    Context { cluster, options }: Context<'_>,
    applying: &Applying<'_>,
    (id, object): (ObjectId, Json),
    (inventory, presence): (&Inventory, Option<&Presence>),
) -> Result<Done, RunError> {
    let candidate = candidate(&id, &object, options);
    let digest = desired_digest(&object, &candidate.ignored);
    let done = |live: Option<Json>, outcome| Done {
        id: id.clone(),
        digest: digest.clone(),
        written: live.as_ref().map(|live| Written {
            uid: live["metadata"]["uid"].as_str().map(str::to_owned),
            owned: owned_fields(live),
        }),
        outcome,
        awaited: live
            .filter(|_| outcome != Outcome::Kept && is_waited_for(applying.layer, &id))
            .map(|live| Awaited::new(id.clone(), &object, live, now())),
    };
    let presence = match presence {
        Some(presence) if presence.is_going => {
            wait_until_gone(cluster, options, &id, &presence.uid)
                .await
                .map_err(|source| failed(applying, &id, source))?
                .then_some(())
                .ok_or_else(|| RunError::Going {
                    id: Box::new(id.clone()),
                })?;
            None
        }
        presence => presence,
    };
    if let Some(presence) = presence {
        let is_ours = is_ours(inventory, &id, presence);
        match options.adoption {
            Adoption::Refuse if !is_ours => {
                return Err(RunError::Foreign {
                    id: Box::new(id.clone()),
                });
            }
            Adoption::Skip if !is_ours => return Ok(done(None, Outcome::Skipped)),
            _ => {}
        }
        let is_unchanged = is_unchanged(inventory, &id, digest.as_ref(), Some(presence));
        if is_unchanged && !is_waited_for(applying.layer, &id) {
            return Ok(done(None, Outcome::Unchanged));
        }
        if is_unchanged {
            let live = cluster.get(&id).await;
            if let Some(live) = live.map_err(|source| failed(applying, &id, source))? {
                return Ok(done(Some(live), Outcome::Unchanged));
            }
        }
        if applying.is_rollback {
            let live = cluster.get(&id).await;
            let live = live.map_err(|source| failed(applying, &id, source))?;
            if let Some(live) = live.filter(|live| stays(live, Some(&object)).is_some()) {
                return Ok(done(Some(live), Outcome::Kept));
            }
        }
    }
    let live = match presence {
        Some(_) if !candidate.ignored.is_empty() => cluster.get(&id).await,
        _ => Ok(None),
    };
    let live = live.map_err(|source| failed(applying, &id, source))?;
    // What is not waited for is known by its metadata.
    let answer = if is_waited_for(applying.layer, &id) {
        Listed::Whole
    } else {
        Listed::Metadata
    };
    let object_now = candidate.beside(live.as_ref());
    let (live, outcome) = write(cluster, &id, &object_now, presence, answer)
        .await
        .map_err(|source| failed(applying, &id, source))?;
    Ok(done(Some(live), outcome))
}

fn failed(applying: &Applying<'_>, id: &ObjectId, source: ClusterError) -> RunError {
    match source {
        ClusterError::Refused(refusal) => RunError::Refused {
            layer: applying.layer.name.clone(),
            id: Box::new(id.clone()),
            refusal,
        },
        source => RunError::Cluster {
            doing: format!("apply {id}"),
            source,
        },
    }
}

/// Waits for an object to go that is being deleted; false if it does not.
async fn wait_until_gone(
    cluster: &Cluster,
    options: &Options<'_>,
    id: &ObjectId,
    uid: &str,
) -> Result<bool, ClusterError> {
    let until = Instant::now() + options.deletion_timeout;
    loop {
        let live = match cluster.get(id).await {
            Err(ClusterError::UnknownKind { .. }) => return Ok(true),
            live => live?,
        };
        if live.is_none_or(|live| live["metadata"]["uid"] != *uid) {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
        sleep(LOOKED_AT_EVERY).await;
    }
}

/// Writes an object, taking what it wants from other managers; gives so much of what is there then.
pub(super) async fn write(
    cluster: &Cluster,
    id: &ObjectId,
    object: &Json,
    presence: Option<&Presence>,
    answer: Listed,
) -> Result<(Json, Outcome), ClusterError> {
    let how = (Mode::Write, Force::Take);
    let applied = cluster.apply_answering(id, object, how, answer).await;
    match applied {
        Ok(Applied::Created(live)) => Ok((live, Outcome::Created)),
        Ok(Applied::Merged(live)) => {
            let version = live["metadata"]["resourceVersion"].as_str();
            let is_same = presence.is_some_and(|it| Some(it.resource_version.as_str()) == version);
            let outcome = if is_same {
                Outcome::Unchanged
            } else {
                Outcome::Configured
            };
            Ok((live, outcome))
        }
        Ok(Applied::Conflicts(_)) => Err(conflicting(id)),
        Err(ClusterError::Refused(refusal))
            if refusal.is_about_immutable_fields() && may_be_recreated(object) =>
        {
            match recreate(cluster, id, object).await? {
                Some(live) => Ok((live, Outcome::Recreated)),
                None => Err(ClusterError::Refused(refusal)),
            }
        }
        Err(error) => Err(error),
    }
}

/// An apply that takes what it wants has no conflicts, as the API server promises.
fn conflicting(id: &ObjectId) -> ClusterError {
    ClusterError::Object(format!("{id} conflicts though it takes what it wants"))
}

/// Deletes an object and makes it anew; none when it does not go.
async fn recreate(
    cluster: &Cluster,
    id: &ObjectId,
    object: &Json,
) -> Result<Option<Json>, ClusterError> {
    let resource = cluster.resource_of(id).await?;
    for look in 0..MAX_LOOKS {
        let Some(live) = cluster.get(id).await? else {
            break;
        };
        let presence = presence_of(&live);
        if !presence.is_going {
            let judged = Judged {
                uid: &presence.uid,
                resource_version: &presence.resource_version,
            };
            let deleted = cluster.delete(&resource, id, &judged, Propagation::Background);
            if deleted.await? == Deletion::Gone {
                break;
            }
        }
        if look + 1 == MAX_LOOKS {
            return Ok(None);
        }
        sleep(LOOKED_AT_EVERY).await;
    }
    match cluster.apply(id, object, Mode::Write, Force::Take).await? {
        Applied::Created(live) | Applied::Merged(live) => Ok(Some(live)),
        Applied::Conflicts(_) => Err(conflicting(id)),
    }
}

fn note(inventory: &mut Inventory, done: &Done) {
    let identity = Identity::from(&done.id);
    if done.outcome == Outcome::Skipped {
        inventory.entries.remove(&identity);
        return;
    }
    let Some(Written { uid, owned }) = &done.written else {
        return;
    };
    if let Some(entry) = inventory.entries.get_mut(&identity) {
        let is_new = matches!(done.outcome, Outcome::Created | Outcome::Recreated);
        entry.created = is_new || (entry.created && entry.uid == *uid);
        entry.uid.clone_from(uid);
        if done.outcome == Outcome::Kept {
            return;
        }
        entry.desired.clone_from(&done.digest);
        entry.owned.clone_from(owned);
    }
}
