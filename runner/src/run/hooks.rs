//! Runs hooks of charts, one after the other, each to its end.

use cairn_spec::{ObjectId, PlanHook, PlanObject};
use serde_json::Value as Json;

use super::{Context, Options, RunError, drive::healthy};
use crate::{
    bundle::{Layer, StageObjects},
    cluster::{
        Applied, Awaited, Cluster, ClusterError, Deletion, Force, Judged, Mode, Propagation,
        Waiting, now, presence_of,
    },
    hooks::{Occasion, due, goes},
};

/// An object that goes is waited for this many times, half a second each.
const MAX_LOOKS: u32 = 240;

/// A layer has a hook that runs at an event.
pub(super) fn has_hooks(layer: &Layer, event: &str) -> bool {
    layer
        .stages
        .iter()
        .any(|stage| !due(&stage.planned, event).is_empty())
}

/// Runs the hooks of a layer that are due at an event.
pub(super) async fn run_hooks(
    context: Context<'_>,
    layer: &Layer,
    event: &str,
) -> Result<(), RunError> {
    for stage in &layer.stages {
        for (index, planned) in due(&stage.planned, event) {
            let Some(hook) = &planned.hook else { continue };
            let Some(object) = manifest(stage, index, context.options)? else {
                continue;
            };
            run(context, layer, (planned, hook, object)).await?;
        }
    }
    Ok(())
}

fn manifest(
    stage: &StageObjects,
    index: usize,
    options: &Options<'_>,
) -> Result<Option<Json>, RunError> {
    for batch in stage.batches(options.secrets) {
        let mut batch = batch?;
        if let Some(place) = batch.iter().position(|it| it.index == index) {
            return Ok(Some(batch.swap_remove(place).object));
        }
    }
    Ok(None)
}

async fn run(
    Context { cluster, options }: Context<'_>,
    layer: &Layer,
    (planned, hook, object): (&PlanObject, &PlanHook, Json),
) -> Result<(), RunError> {
    let id = &planned.id;
    let failed = |source: ClusterError| match source {
        ClusterError::Refused(refusal) => RunError::Refused {
            layer: layer.name.clone(),
            id: Box::new(id.clone()),
            refusal,
        },
        source => RunError::Cluster {
            doing: format!("run the hook {id}"),
            source,
        },
    };
    if goes(hook, Occasion::BeforeCreation) {
        remove(cluster, id).await.map_err(failed)?;
    }
    let applied = cluster.apply(id, &object, Mode::Write, Force::Take).await;
    let live = match applied.map_err(failed)? {
        Applied::Created(live) | Applied::Merged(live) => live,
        Applied::Conflicts(_) => {
            return Err(RunError::Foreign {
                id: Box::new(id.clone()),
            });
        }
    };
    let awaited = Awaited::new(id.clone(), &object, live, now());
    let how = Waiting {
        label: "",
        timeout: options.timeout,
        load_balancer_address: false,
        health: &[],
    };
    let ended = cluster.wait(vec![awaited], &how, |_, _| {}).await;
    let outcome = healthy(layer, ended);
    let occasion = match outcome {
        Ok(()) => Occasion::Succeeded,
        Err(_) => Occasion::Failed,
    };
    if goes(hook, occasion) {
        remove(cluster, id).await.map_err(failed)?;
    }
    outcome
}

/// Deletes an object with all that it owns, and waits until it is gone.
async fn remove(cluster: &Cluster, id: &ObjectId) -> Result<(), ClusterError> {
    for _ in 0..MAX_LOOKS {
        let live = match cluster.get(id).await {
            Ok(Some(live)) => live,
            Ok(None) | Err(ClusterError::UnknownKind { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let presence = presence_of(&live);
        if !presence.is_going {
            let resource = cluster.resource_of(id).await?;
            let judged = Judged {
                uid: &presence.uid,
                resource_version: &presence.resource_version,
            };
            let deleted = cluster.delete(&resource, id, &judged, Propagation::Foreground);
            if deleted.await? == Deletion::Gone {
                return Ok(());
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    Err(ClusterError::Object(format!("{id} does not go")))
}
