//! Goes through the layers of a bundle, from the journal's planning to its end.

use std::collections::BTreeSet;

use cairn_spec::{LayerName, ObjectId, Stage};

use super::{
    Context, Finish, Memory, NAMESPACE, Options, Progress, RunError, Tell,
    apply_stage::{Applying, apply_stage},
    gate,
    hooks::{has_hooks, run_hooks},
    now,
    plan::wanted,
    prune::prune_layer,
    recover, store,
};
use crate::{
    bundle::{Bundle, Layer},
    cluster::{Awaited, Cluster, ClusterError, Ended, Waiting},
    health::Verdict,
    hooks::{Moment, event},
    inventory::{Identity, PART_OF, set_id},
    journal::{Action, Phase},
};

/// Why a run ended, and in which layer if it was one.
pub(super) struct Failure {
    pub(super) layer: Option<LayerName>,
    pub(super) error: RunError,
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self { layer: None, error }
    }
}

/// Drives a bundle into the cluster, as the journal's run says.
pub(super) async fn drive(
    context: Context<'_>,
    bundle: &Bundle,
    memory: &mut Memory,
    tell: Tell<'_>,
) -> Result<Finish, Failure> {
    let cluster = context.cluster;
    let wanted = wanted(bundle);
    for (place, layer) in bundle.layers.iter().enumerate() {
        if let Some(closed) = gate::pass(context, memory, tell).await? {
            return Ok(Finish::Waiting(closed));
        }
        tell(Progress::Layer { layer: &layer.name });
        let in_layer = |error| Failure {
            layer: Some(layer.name.clone()),
            error,
        };
        let applied = apply_layer(context, (place, layer), memory, tell).await;
        applied.map_err(in_layer)?;
        let own: BTreeSet<Identity> = identities(layer);
        prune(context, memory, (&layer.name, &own), &wanted, tell).await?;
    }
    let search = recover::Search::of(memory, Some(bundle));
    recover::remember(cluster, memory, &search, tell).await?;
    let gone = memory.inventories.iter().rev().map(|it| it.layer.clone());
    let gone: Vec<_> = gone
        .filter(|name| bundle.layers.iter().all(|layer| layer.name != *name))
        .collect();
    for name in gone {
        if let Some(closed) = gate::pass(context, memory, tell).await? {
            return Ok(Finish::Waiting(closed));
        }
        prune(context, memory, (&name, &BTreeSet::new()), &wanted, tell).await?;
        if memory.inventory_of(&name).entries.is_empty() {
            memory.forget(cluster, &name).await?;
        }
    }
    let was_applied = |name: &LayerName| bundle.layers.iter().any(|layer| layer.name == *name);
    memory
        .trust_what_was_recovered(cluster, was_applied, tell)
        .await?;
    advance(cluster, memory, Phase::Done, tell).await?;
    store::forget_all_but(cluster, &memory.journal.needed()).await?;
    Ok(Finish::Done)
}

/// Deletes what a layer has and nobody wants any more, and writes down before that it does.
pub(super) async fn prune(
    context: Context<'_>,
    memory: &mut Memory,
    (layer, own): (&LayerName, &BTreeSet<Identity>),
    wanted: &BTreeSet<Identity>,
    tell: Tell<'_>,
) -> Result<(), RunError> {
    let phase = Phase::Pruning {
        layer: layer.clone(),
    };
    advance(context.cluster, memory, phase, tell).await?;
    prune_layer(context, memory, (layer, own), wanted, tell).await
}

async fn apply_layer(
    context: Context<'_>,
    (place, layer): (usize, &Layer),
    memory: &mut Memory,
    tell: Tell<'_>,
) -> Result<(), RunError> {
    let Context { cluster, options } = context;
    let action = memory.action();
    remember_what_comes(context, (place, layer), memory, tell).await?;

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
        advance(cluster, memory, phase, tell).await?;
        if stage.stage == Stage::PreHooks {
            tell(Progress::Stage {
                layer: &layer.name,
                stage: stage.stage,
                objects: stage.planned.len(),
            });
            run_hooks(context, layer, event(action, Moment::Before)).await?;
            continue;
        }
        let applying = Applying {
            layer,
            stage,
            is_rollback: action == Action::Rollback,
        };
        let applied = apply_stage(context, &applying, memory, tell).await?;
        if stage.stage == Stage::CustomResourceDefinitions {
            let how = waiting(layer, &label, options);
            let told = |object: &ObjectId, verdict: &Verdict| {
                tell(Progress::Health {
                    layer: &layer.name,
                    object,
                    verdict,
                });
            };
            let ended = cluster.wait(applied, &how, told).await;
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
        advance(cluster, memory, phase, tell).await?;
        run_hooks(context, layer, event(action, Moment::After)).await?;
        let phase = Phase::Checking {
            layer: layer.name.clone(),
        };
        advance(cluster, memory, phase, tell).await?;
    }
    tell(Progress::Healthy { layer: &layer.name });
    Ok(())
}

/// What will be there is written down before it is there, so that nothing is ever forgotten.
async fn remember_what_comes(
    context: Context<'_>,
    (place, layer): (usize, &Layer),
    memory: &mut Memory,
    tell: Tell<'_>,
) -> Result<(), RunError> {
    let mut inventory = recover::inventory(context.cluster, layer, memory).await?;
    inventory.place = place;
    let planned = layer.stages.iter().flat_map(|stage| {
        let objects = stage.planned.iter().filter(|object| object.hook.is_none());
        objects.map(|object| (&object.id, stage.stage))
    });
    inventory.extend_with(planned, &memory.inventories);
    memory
        .write_inventory(context.cluster, inventory, tell)
        .await
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
    advance(cluster, memory, phase, tell).await?;
    let told = |object: &ObjectId, verdict: &Verdict| {
        tell(Progress::Health {
            layer: &layer.name,
            object,
            verdict,
        });
    };
    let ended = cluster
        .wait(awaited, &waiting(layer, label, options), told)
        .await;
    healthy(layer, ended)
}

fn waiting<'a>(layer: &'a Layer, label: &'a str, options: &Options<'_>) -> Waiting<'a> {
    Waiting {
        label,
        timeout: options.timeout,
        load_balancer_address: options.load_balancer_address,
        health: &layer.health,
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

/// Goes on to a phase: it is written down before anything of it is done.
pub(super) async fn advance(
    cluster: &Cluster,
    memory: &mut Memory,
    phase: Phase,
    tell: Tell<'_>,
) -> Result<(), RunError> {
    memory.journal.advance(phase, now())?;
    memory.write_journal(cluster, tell).await
}

impl Memory {
    /// What the run under way is for.
    pub(super) fn action(&self) -> Action {
        let run = self.journal.run.as_ref();
        run.map_or(Action::Install, |run| run.action)
    }
}
