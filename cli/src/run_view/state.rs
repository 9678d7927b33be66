//! How far each layer of a run is, put together from what the run tells.

use std::{collections::BTreeMap, time::Duration};

use cairn_runner::{
    health::{Status, Verdict},
    run::{Outcome, Progress},
};
use cairn_spec::{ObjectId, Stage};

/// The layers of a run.
#[derive(Debug, Default)]
pub(super) struct RunState {
    pub(super) layers: Vec<LayerState>,
}

/// How far a layer is.
#[derive(Debug)]
pub(super) struct LayerState {
    pub(super) name: String,
    pub(super) phase: LayerPhase,
    /// When it began, since the run did.
    pub(super) began: Duration,
    /// When it was healthy or had failed.
    pub(super) ended: Duration,
    /// Objects that were applied, as far as it is.
    pub(super) applied: usize,
    pub(super) changed: usize,
    pub(super) deleted: usize,
    /// What is not healthy yet.
    pub(super) awaited: BTreeMap<ObjectId, Awaited>,
}

/// What a layer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LayerPhase {
    ToCome,
    Applying(Stage),
    Checking,
    /// Only deletions are left, or there is nothing else.
    Deleting,
    Healthy,
    Failed,
}

/// An object that is waited for.
#[derive(Debug)]
pub(super) struct Awaited {
    pub(super) since: Duration,
    pub(super) verdict: Verdict,
}

impl LayerState {
    fn new(name: String) -> Self {
        Self {
            name,
            phase: LayerPhase::ToCome,
            began: Duration::ZERO,
            ended: Duration::ZERO,
            applied: 0,
            changed: 0,
            deleted: 0,
            awaited: BTreeMap::new(),
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        !matches!(
            self.phase,
            LayerPhase::ToCome | LayerPhase::Healthy | LayerPhase::Failed
        )
    }
}

impl RunState {
    pub(super) fn new(layers: impl Iterator<Item = String>) -> Self {
        Self {
            layers: layers.map(LayerState::new).collect(),
        }
    }

    /// Takes what a run tells, at a time since its start.
    pub(super) fn take(&mut self, progress: &Progress<'_>, now: Duration) {
        match progress {
            Progress::Phase { .. } | Progress::Remembered { .. } | Progress::Waiting { .. } => {}
            Progress::RollingBack { .. } => self.end(LayerPhase::Failed, now),
            Progress::Layer { layer } => {
                // Only deletions can have been left of the one before.
                self.end(LayerPhase::Healthy, now);
                let name = layer.to_string();
                let state = self.layer(&name);
                // A layer that begins again, as when a run goes back, starts from nothing.
                *state = LayerState::new(name);
                state.began = now;
                state.phase = LayerPhase::Deleting;
            }
            Progress::Stage { layer, stage, .. } => {
                self.layer(layer.as_str()).phase = LayerPhase::Applying(*stage);
            }
            Progress::Applied { layer, outcome, .. } => {
                let layer = self.layer(layer.as_str());
                layer.applied += 1;
                let is_as_before = matches!(
                    outcome,
                    Outcome::Unchanged | Outcome::Skipped | Outcome::Kept
                );
                layer.changed += usize::from(!is_as_before);
            }
            Progress::Health {
                layer,
                object,
                verdict,
            } => {
                let layer = self.layer(layer.as_str());
                layer.phase = LayerPhase::Checking;
                if verdict.status == Status::Current {
                    layer.awaited.remove(*object);
                } else {
                    let since = layer.awaited.get(*object).map_or(now, |known| known.since);
                    let verdict = (*verdict).clone();
                    let awaited = Awaited { since, verdict };
                    layer.awaited.insert((*object).clone(), awaited);
                }
            }
            Progress::Healthy { layer } => {
                let layer = self.layer(layer.as_str());
                layer.phase = LayerPhase::Healthy;
                layer.ended = now;
                layer.awaited.clear();
            }
            Progress::Pruned {
                layer, decision, ..
            } => {
                let layer = self.layer(layer.as_str());
                // A layer that the bundle no longer has does not begin.
                if layer.phase == LayerPhase::ToCome {
                    layer.phase = LayerPhase::Deleting;
                    layer.began = now;
                }
                layer.deleted += usize::from(decision == "deleted");
                layer.ended = now;
            }
        }
    }

    /// Nothing is under way any more: what was is over.
    pub(super) fn end(&mut self, phase: LayerPhase, now: Duration) {
        for layer in self.layers.iter_mut().filter(|it| it.is_under_way()) {
            layer.phase = phase;
            layer.ended = now;
        }
    }

    /// The layer of a name; one that was not foreseen comes last.
    fn layer(&mut self, name: &str) -> &mut LayerState {
        let known = self.layers.iter().position(|layer| layer.name == name);
        let place = known.unwrap_or_else(|| {
            self.layers.push(LayerState::new(name.to_owned()));
            self.layers.len() - 1
        });
        &mut self.layers[place]
    }
}
