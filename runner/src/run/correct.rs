//! Looks at objects that may have drifted, and puts back what has.

use std::collections::BTreeSet;

use cairn_spec::{Digest, LayerName, ObjectId};
use futures_util::{StreamExt as _, stream};
use serde_json::Value as Json;

use super::{
    Context, Memory, NAMESPACE, Options, Outcome, Progress, RunError, Tell,
    apply_stage::write,
    lease,
    plan::{Step, candidate, desired_digest, marked, step},
};
use crate::{
    bundle::{Bundle, Layer, StageObjects},
    cluster::{Candidate, Cluster, ClusterError, Listed, Presence, Proposal, presence_of},
    diff::{Change, Path},
    health::{Status, missing},
    inventory::{Identity, Inventory, set_id},
    journal::{Phase, Refused},
};

/// An object that was looked at.
#[derive(Debug)]
pub struct Looked {
    /// The layer.
    pub layer: LayerName,
    /// The object.
    pub id: ObjectId,
    /// How it is there; none if it is gone.
    pub there: Option<Presence>,
    /// What was found.
    pub finding: Finding,
}

/// How an object is, beside what was applied.
#[derive(Debug)]
pub enum Finding {
    /// As it was applied.
    AsApplied,
    /// Fields are not.
    Changed(Vec<Change>),
    /// It is gone.
    Gone,
    /// It is somebody else's by now, or what was applied would be refused: why.
    Unclear(String),
}

/// What became of an object that was to be put back.
#[derive(Debug)]
pub struct Corrected {
    /// How it was before.
    pub looked: Looked,
    /// What was done; why not, if it failed.
    pub outcome: Result<Outcome, String>,
}

/// What an object is put back to, and the digest of what was wanted.
struct Back {
    object: Json,
    digest: Option<Digest>,
}

impl Finding {
    /// The changes that putting it back makes; a single one, of no field, when it is gone.
    pub fn changes(&self) -> Vec<Change> {
        match self {
            Self::AsApplied | Self::Unclear(_) => Vec::new(),
            Self::Changed(changes) => changes.clone(),
            Self::Gone => vec![Change {
                path: Path::default(),
                old: None,
                new: None,
                owner: None,
            }],
        }
    }
}

/// Finds out how objects of a bundle are, without writing anything. Those that are not in it are left out.
pub async fn look(
    cluster: &Cluster,
    bundle: &Bundle,
    which: &BTreeSet<Identity>,
    options: &Options<'_>,
) -> Result<Vec<Looked>, RunError> {
    let context = Context { cluster, options };
    let memory = Memory::read(cluster).await?;
    let mut all = Vec::new();
    for layer in &bundle.layers {
        let inventory = memory.inventory_of(&layer.name);
        for stage in &layer.stages {
            let looked = look_at_stage(context, (layer, stage), which, &inventory).await?;
            all.extend(looked.into_iter().map(|(looked, _)| looked));
        }
    }
    Ok(all)
}

/// Puts back what has drifted of these objects, and nothing else. The bundle is the one that was
/// applied last, completely: otherwise it is for a run to go on. No run is under way meanwhile.
pub async fn correct(
    cluster: &Cluster,
    (bundle, digest): (&Bundle, &Digest),
    which: &BTreeSet<Identity>,
    options: &Options<'_>,
    tell: Tell<'_>,
) -> Result<Vec<Corrected>, RunError> {
    let context = Context { cluster, options };
    let work = Box::pin(correct_alone(context, (bundle, digest), which, tell));
    lease::alone(cluster, options.holder, work).await
}

async fn correct_alone(
    context: Context<'_>,
    (bundle, digest): (&Bundle, &Digest),
    which: &BTreeSet<Identity>,
    tell: Tell<'_>,
) -> Result<Vec<Corrected>, RunError> {
    let cluster = context.cluster;
    let mut memory = Memory::read(cluster).await?;
    if let Some(run) = memory.journal.under_way() {
        return Err(Refused::UnderWay(run.bundle.clone()).into());
    }
    let last = memory.journal.run.as_ref();
    if !last.is_some_and(|run| run.phase == Phase::Done && run.bundle == *digest) {
        return Err(RunError::NotApplied(digest.clone()));
    }
    let mut all = Vec::new();
    for layer in &bundle.layers {
        let mut inventory = memory.inventory_of(&layer.name);
        let mut has_changed = false;
        for stage in &layer.stages {
            let looked = look_at_stage(context, (layer, stage), which, &inventory).await?;
            let asked = looked
                .into_iter()
                .map(|(looked, back)| put_back(cluster, looked, back));
            let mut answers = stream::iter(asked).buffered(cluster.concurrency());
            while let Some(answer) = answers.next().await {
                if let Some((corrected, digest)) = answer {
                    if corrected.outcome.is_ok() {
                        note(&mut inventory, &corrected.looked, digest);
                        has_changed = true;
                    }
                    if let Ok(outcome) = corrected.outcome {
                        tell(Progress::Applied {
                            layer: &layer.name,
                            object: &corrected.looked.id,
                            outcome,
                        });
                    }
                    all.push(corrected);
                }
            }
        }
        if has_changed {
            memory.write_inventory(cluster, inventory, tell).await?;
        }
    }
    Ok(all)
}

async fn look_at_stage(
    Context { cluster, options }: Context<'_>,
    (layer, stage): (&Layer, &StageObjects),
    which: &BTreeSet<Identity>,
    inventory: &Inventory,
) -> Result<Vec<(Looked, Back)>, RunError> {
    let set = set_id(&layer.name, NAMESPACE);
    let mut all = Vec::new();
    let picked = stage.pick(options.secrets, |object| {
        object.hook.is_none() && which.contains(&Identity::from(&object.id))
    });
    for batch in picked {
        let objects = marked(stage, batch?, &set);
        let asked: Vec<Candidate<'_>> = objects
            .iter()
            .map(|(id, object)| candidate(id, object, options))
            .collect();
        let proposals = cluster.propose_all(&asked).await;
        let proposals = proposals.map_err(|source| RunError::Cluster {
            doing: format!("look at what layer `{}` has", layer.name),
            source,
        })?;
        for (asked, proposal) in asked.iter().zip(proposals) {
            let (id, object) = (asked.id, asked.object);
            let live = live(&proposal);
            let back = Back {
                digest: desired_digest(object, &asked.ignored),
                object: asked.beside(live).into_owned(),
            };
            let looked = Looked {
                layer: layer.name.clone(),
                id: id.clone(),
                there: live.map(presence_of),
                finding: finding(step(id, object, proposal, inventory, options), object),
            };
            all.push((looked, back));
        }
    }
    Ok(all)
}

fn live(proposal: &Proposal) -> Option<&Json> {
    match proposal {
        Proposal::Merge { live, .. } | Proposal::Immutable { live, .. } => Some(live),
        Proposal::Create(_) | Proposal::Later(_) | Proposal::Refused(_) => None,
    }
}

fn finding(step: Step, desired: &Json) -> Finding {
    match step {
        Step::Unchanged => Finding::AsApplied,
        Step::Change { changes, .. } => Finding::Changed(changes),
        // A Job may have asked to be deleted when it had ended.
        Step::Create if missing(desired).status == Status::Current => Finding::AsApplied,
        Step::Create => Finding::Gone,
        Step::Foreign | Step::Skip => Finding::Unclear("it is somebody else's by now".to_owned()),
        Step::Recreate(why) | Step::Later(why) | Step::Refused(why) => Finding::Unclear(why),
    }
}

/// Puts an object back, if it has drifted, and finds out what is there then.
async fn put_back(
    cluster: &Cluster,
    mut looked: Looked,
    back: Back,
) -> Option<(Corrected, Option<Digest>)> {
    match looked.finding {
        Finding::AsApplied => return None,
        Finding::Unclear(ref why) => {
            let outcome = Err(why.clone());
            return Some((Corrected { looked, outcome }, None));
        }
        Finding::Changed(_) | Finding::Gone => {}
    }
    let there = looked.there.as_ref();
    let written = write(cluster, &looked.id, &back.object, there, Listed::Metadata).await;
    let outcome = match written {
        Ok((live, outcome)) => {
            looked.there = Some(presence_of(&live));
            Ok(outcome)
        }
        Err(error) => Err(reason(&error)),
    };
    Some((Corrected { looked, outcome }, back.digest))
}

fn note(inventory: &mut Inventory, looked: &Looked, digest: Option<Digest>) {
    if let Some(entry) = inventory.entries.get_mut(&Identity::from(&looked.id))
        && let Some(there) = &looked.there
    {
        entry.created |= matches!(looked.finding, Finding::Gone);
        entry.uid = Some(there.uid.clone());
        entry.owned.clone_from(&there.owned);
        entry.desired = digest;
    }
}

fn reason(error: &ClusterError) -> String {
    match error.refusal() {
        Some(refusal) => refusal.message.clone(),
        None => error.to_string(),
    }
}
