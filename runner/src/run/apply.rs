//! Applies a bundle: layer after layer, each healthy before the next begins.

use std::collections::BTreeSet;

use cairn_spec::{Digest, ObjectId, Stage};

use super::{
    Context, Memory, NAMESPACE, Options, Progress, RunError, Tell,
    apply_stage::{Applying, apply_stage},
    hooks::{has_hooks, run_hooks},
    memory, now,
    plan::wanted,
    preflight,
    prune::prune_layer,
};
use crate::{
    bundle::{Bundle, Layer},
    cluster::{Awaited, Cluster, ClusterError, Ended, Waiting},
    health::Verdict,
    hooks::{Moment, event},
    inventory::{Identity, PART_OF, set_id},
    journal::{Action, Fault, Phase},
    rights::Missing,
};

/// Drives a bundle into a cluster. The digest names it in the journal; it was verified before. One that
/// failed here before is refused, unless it is to be tried again.
///
/// A run of the same bundle that was cut short is taken up; one of another bundle is given up.
pub async fn apply(
    cluster: &Cluster,
    bundle: &Bundle,
    (digest, retry): (&Digest, bool),
    options: &Options<'_>,
    tell: Tell<'_>,
) -> Result<(), RunError> {
    let missing = preflight::missing_rights(cluster, bundle, options).await?;
    refuse_without(missing)?;
    memory::prepare(cluster).await?;
    let mut memory = Memory::read(cluster).await?;
    let missing = preflight::missing_for_deletions(cluster, &memory, &wanted(bundle)).await?;
    refuse_without(missing)?;
    let is_cut_short = memory
        .journal
        .under_way()
        .is_some_and(|run| run.bundle == *digest && run.action != Action::Uninstall);
    if is_cut_short {
        memory.journal.resume(now());
    } else {
        if memory.journal.under_way().is_some() {
            let reason = format!("given up for `{digest}`");
            memory
                .journal
                .halt(None, &reason, Fault::Surroundings, now());
        }
        if retry {
            memory.journal.approve(digest);
        }
        memory.journal.apply(digest.clone(), now())?;
        // Whoever calls this has fetched and verified the bundle.
        memory.journal.advance(Phase::Verifying, now())?;
        memory.journal.advance(Phase::Planning, now())?;
    }
    memory.write_journal(cluster).await?;
    let context = Context { cluster, options };
    drive(context, bundle, &mut memory, tell).await
}

/// Better nothing is begun than half of it done.
pub(super) fn refuse_without(missing: Vec<Missing>) -> Result<(), RunError> {
    if missing.is_empty() {
        return Ok(());
    }
    Err(RunError::RightsMissing { missing })
}

/// Goes through the layers, from the journal's planning to its end.
async fn drive(
    context: Context<'_>,
    bundle: &Bundle,
    memory: &mut Memory,
    tell: Tell<'_>,
) -> Result<(), RunError> {
    let cluster = context.cluster;
    let wanted = wanted(bundle);
    for (place, layer) in bundle.layers.iter().enumerate() {
        tell(Progress::Layer { layer: &layer.name });
        let applied = apply_layer(context, (place, layer), memory, tell).await;
        if let Err(error) = applied {
            return Err(halt(cluster, memory, layer, error).await);
        }
        advance(
            cluster,
            memory,
            Phase::Pruning {
                layer: layer.name.clone(),
            },
        )
        .await?;
        let own: BTreeSet<Identity> = identities(layer);
        prune_layer(context, memory, (&layer.name, &own), &wanted, tell).await?;
    }
    let gone = memory.inventories.iter().rev().map(|it| it.layer.clone());
    let gone: Vec<_> = gone
        .filter(|name| bundle.layers.iter().all(|layer| layer.name != *name))
        .collect();
    for name in gone {
        advance(
            cluster,
            memory,
            Phase::Pruning {
                layer: name.clone(),
            },
        )
        .await?;
        let own = BTreeSet::new();
        prune_layer(context, memory, (&name, &own), &wanted, tell).await?;
        if memory.inventory_of(&name).entries.is_empty() {
            memory.forget(cluster, &name).await?;
        }
    }
    advance(cluster, memory, Phase::Done).await
}

async fn apply_layer(
    context: Context<'_>,
    (place, layer): (usize, &Layer),
    memory: &mut Memory,
    tell: Tell<'_>,
) -> Result<(), RunError> {
    let Context { cluster, options } = context;
    let action = memory
        .journal
        .run
        .as_ref()
        .map_or(Action::Install, |run| run.action);
    // What will be there is written down before it is there, so that nothing is ever forgotten.
    let mut inventory = memory.inventory_of(&layer.name);
    inventory.place = place;
    let planned = layer.stages.iter().flat_map(|stage| {
        let objects = stage.planned.iter().filter(|object| object.hook.is_none());
        objects.map(|object| (&object.id, stage.stage))
    });
    inventory.extend_with(planned, &memory.inventories);
    memory.write_inventory(cluster, inventory).await?;

    let label = format!("{PART_OF}={}", set_id(&layer.name, NAMESPACE));
    let mut awaited: Vec<Awaited> = Vec::new();
    for stage in layer
        .stages
        .iter()
        .filter(|it| it.stage != Stage::PostHooks)
    {
        // Webhooks answer for what is applied after them, so their backends must be there.
        if stage.stage == Stage::Admission && !awaited.is_empty() {
            let all = std::mem::take(&mut awaited);
            wait(context, layer, (&label, all), memory, tell).await?;
        }
        let phase = Phase::Applying {
            layer: layer.name.clone(),
            stage: stage.stage,
        };
        advance(cluster, memory, phase).await?;
        if stage.stage == Stage::PreHooks {
            run_hooks(context, layer, event(action, Moment::Before)).await?;
            continue;
        }
        let applying = Applying { layer, stage };
        let applied = apply_stage(context, &applying, memory, tell).await?;
        if stage.stage == Stage::CustomResourceDefinitions {
            let how = waiting(&label, options);
            let ended = cluster.wait(applied, &how, |_, _| {}).await;
            healthy(layer, ended)?;
            let discovered = cluster.discover().await;
            discovered.map_err(|source| RunError::Cluster {
                doing: "ask for the kinds that are new".to_owned(),
                source,
            })?;
        } else {
            awaited.extend(applied);
        }
    }
    wait(context, layer, (&label, awaited), memory, tell).await?;
    if has_hooks(layer, event(action, Moment::After)) {
        let phase = Phase::Applying {
            layer: layer.name.clone(),
            stage: Stage::PostHooks,
        };
        advance(cluster, memory, phase).await?;
        run_hooks(context, layer, event(action, Moment::After)).await?;
        let phase = Phase::Checking {
            layer: layer.name.clone(),
        };
        advance(cluster, memory, phase).await?;
    }
    tell(Progress::Healthy { layer: &layer.name });
    Ok(())
}

async fn wait(
    context: Context<'_>,
    layer: &Layer,
    (label, awaited): (&str, Vec<Awaited>),
    memory: &mut Memory,
    tell: Tell<'_>,
) -> Result<(), RunError> {
    let Context { cluster, options } = context;
    let phase = Phase::Checking {
        layer: layer.name.clone(),
    };
    advance(cluster, memory, phase).await?;
    let told = |object: &ObjectId, verdict: &Verdict| {
        tell(Progress::Health {
            layer: &layer.name,
            object,
            verdict,
        });
    };
    let ended = cluster.wait(awaited, &waiting(label, options), told).await;
    healthy(layer, ended)
}

fn waiting<'a>(label: &'a str, options: &Options<'_>) -> Waiting<'a> {
    Waiting {
        label,
        timeout: options.timeout,
        load_balancer_address: options.load_balancer_address,
    }
}

pub(super) fn healthy(layer: &Layer, ended: Result<Ended, ClusterError>) -> Result<(), RunError> {
    let (timed_out, unhealthy) = match ended {
        Ok(Ended::Healthy) => return Ok(()),
        Ok(Ended::Failed(unhealthy)) => (false, unhealthy),
        Ok(Ended::TimedOut(unhealthy)) => (true, unhealthy),
        Err(source) => {
            return Err(RunError::Cluster {
                doing: format!("watch the health of layer `{}`", layer.name),
                source,
            });
        }
    };
    Err(RunError::Unhealthy {
        layer: layer.name.clone(),
        timed_out,
        unhealthy,
    })
}

fn identities(layer: &Layer) -> BTreeSet<Identity> {
    let objects = layer.stages.iter().flat_map(|stage| &stage.planned);
    objects
        .filter(|object| object.hook.is_none())
        .map(|object| Identity::from(&object.id))
        .collect()
}

pub(super) async fn advance(
    cluster: &Cluster,
    memory: &mut Memory,
    phase: Phase,
) -> Result<(), RunError> {
    memory.journal.advance(phase, now())?;
    memory.write_journal(cluster).await
}

/// Writes down that a bundle failed, when it is the bundle's fault. Otherwise the run is taken up later.
async fn halt(cluster: &Cluster, memory: &mut Memory, layer: &Layer, error: RunError) -> RunError {
    let fault = match error {
        RunError::Unhealthy { .. } | RunError::Refused { .. } => Fault::Bundle,
        RunError::Foreign { .. } => Fault::Surroundings,
        _ => return error,
    };
    let name = Some(layer.name.clone());
    memory.journal.halt(name, &error.to_string(), fault, now());
    // The failure that led here says more than one to write it down.
    let _ = memory.write_journal(cluster).await;
    error
}
