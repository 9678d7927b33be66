//! What the agent is doing and has found, for whoever tells it on: the hub, the log, the probes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use cairn_runner::{
    drift::{Drift, Verdict},
    inventory::Identity,
    journal::{Action, Journal, Phase as RunPhase},
    run::Progress,
};
use cairn_spec::{
    Digest, LayerName, Timestamp,
    agent::{Applied, Phase},
};
use tokio::sync::Notify;

use crate::{clock::Clock, desired::written_time};

/// What is known now.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    /// What the agent does.
    pub phase: Phase,
    /// What is in the way, or went wrong, in words.
    pub message: Option<String>,
    /// The layer that it is about.
    pub layer: Option<LayerName>,
    /// The bundle that a run is about.
    pub bundle: Option<Digest>,
    /// What the cluster runs.
    pub applied: Option<Applied>,
    /// Objects that somebody changed, and what is done about it.
    pub drift: BTreeMap<Identity, (LayerName, Verdict)>,
    /// The runner's journal, as it was read last.
    pub journal: Journal,
    /// Why what was offered last is not accepted; none when it is.
    pub refusal: Option<String>,
    /// What was put back last, newest last.
    pub corrected: Vec<(Identity, Vec<Drift>)>,
    /// The cluster was read and can be acted in.
    pub is_ready: bool,
}

/// Something that happened, to be told in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// When.
    pub time: Timestamp,
    /// What the agent does from then on.
    pub phase: Phase,
    /// The bundle.
    pub bundle: Option<Digest>,
    /// The layer.
    pub layer: Option<LayerName>,
    /// In words.
    pub message: Option<String>,
}

/// Corrections that are remembered.
const MAX_CORRECTED: usize = 50;
/// Happenings that nobody has taken yet; more are dropped, oldest first.
const MAX_HAPPENINGS: usize = 500;

/// Shared between the parts of an agent. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Observed {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    known: Mutex<(Observations, Vec<Happening>)>,
    changed: Notify,
}

impl Observed {
    /// Nothing is known yet.
    pub fn new(clock: Clock) -> Self {
        let known = Mutex::default();
        let changed = Notify::new();
        Self {
            inner: Arc::new(Inner {
                clock,
                known,
                changed,
            }),
        }
    }

    /// Something happened that nobody has taken.
    pub fn has_happenings(&self) -> bool {
        self.locked(|_, happenings| !happenings.is_empty())
    }

    /// All that is known now.
    pub fn now(&self) -> Observations {
        self.locked(|known, _| known.clone())
    }

    /// Waits until something changes; at once if it has since this was called last.
    pub async fn changed(&self) {
        self.inner.changed.notified().await;
    }

    /// Takes what happened since this was called last.
    pub fn take_happenings(&self) -> Vec<Happening> {
        self.locked(|_, happenings| std::mem::take(happenings))
    }

    /// Notes what a run tells.
    pub fn progress(&self, progress: &Progress<'_>) {
        match progress {
            Progress::Phase { phase } => self.phase(phase),
            Progress::Waiting { closed } => {
                self.happened(Phase::Waiting, None, Some(closed.reason.clone()));
            }
            Progress::RollingBack { reason, .. } => {
                self.happened(Phase::RollingBack, None, Some((*reason).to_owned()));
            }
            Progress::Applied {
                layer,
                object,
                outcome,
            } => {
                tracing::debug!(%layer, %object, ?outcome, "applied");
            }
            Progress::Health {
                layer,
                object,
                verdict,
            } => {
                tracing::debug!(%layer, %object, health = %verdict.message, "health");
            }
            Progress::Pruned {
                layer,
                object,
                decision,
            } => {
                tracing::info!(%layer, %object, decision, "pruned");
            }
            _ => {}
        }
    }

    fn phase(&self, phase: &RunPhase) {
        let layer = layer_of(phase);
        let message = match phase {
            RunPhase::Halted { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        let is_rollback = self.now().phase == Phase::RollingBack;
        let told = match phase_of(phase) {
            Phase::Applying | Phase::Checking | Phase::Pruning | Phase::Planning if is_rollback => {
                Phase::RollingBack
            }
            Phase::Idle if is_rollback => Phase::RolledBack,
            phase => phase,
        };
        self.happened(told, layer, message);
    }

    /// Notes that the agent does something else now.
    pub fn happened(&self, phase: Phase, layer: Option<LayerName>, message: Option<String>) {
        let happening = self.with(|known, happenings| {
            let is_same = known.phase == phase && known.layer == layer && known.message == message;
            known.phase = phase;
            known.layer.clone_from(&layer);
            known.message.clone_from(&message);
            if is_same {
                return None;
            }
            let happening = Happening {
                time: written_time(self.inner.clock.now()),
                phase,
                bundle: known.bundle.clone(),
                layer,
                message,
            };
            if happenings.len() >= MAX_HAPPENINGS {
                happenings.remove(0);
            }
            happenings.push(happening.clone());
            Some(happening)
        });
        if let Some(Happening {
            time: _,
            phase,
            bundle,
            layer,
            message,
        }) = happening
        {
            let bundle = bundle.map(|bundle| bundle.to_string());
            let layer = layer.map(|layer| layer.to_string());
            tracing::info!(?phase, bundle, layer, message, "phase");
        }
    }

    /// Changes what is known.
    pub fn note(&self, change: impl FnOnce(&mut Observations)) {
        self.with(|known, _| change(known));
    }

    /// Notes what is done about an object that was looked at.
    pub fn drift(&self, identity: &Identity, layer: &LayerName, verdict: &Verdict) {
        let before = self.with(|known, _| match verdict {
            Verdict::Nothing => known.drift.remove(identity),
            other => known
                .drift
                .insert(identity.clone(), (layer.clone(), other.clone())),
        });
        let is_news = before.is_none_or(|(_, before)| what(&before) != what(verdict));
        for drift in drifts(verdict).iter().filter(|_| is_news) {
            let Drift {
                field,
                manager,
                time,
            } = drift;
            let action = what(verdict);
            tracing::warn!(%layer, object = %identity, field, manager, since = time, action, "drift");
        }
    }

    /// Notes that an object was put back.
    pub fn corrected(&self, identity: &Identity, drifts: &[Drift]) {
        self.note(|known| {
            if known.corrected.len() >= MAX_CORRECTED {
                known.corrected.remove(0);
            }
            known.corrected.push((identity.clone(), drifts.to_vec()));
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Observations, &mut Vec<Happening>) -> T) -> T {
        let result = self.locked(work);
        self.inner.changed.notify_one();
        result
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Observations, &mut Vec<Happening>) -> T) -> T {
        let mut known = self
            .inner
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (observations, happenings) = &mut *known;
        work(observations, happenings)
    }
}

/// What is done about drift, in a word.
pub fn what(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Nothing => "nothing",
        Verdict::Report(_) => "report",
        Verdict::Correct { .. } => "correct",
        Verdict::Contested { .. } => "contested",
    }
}

/// What drifted.
pub fn drifts(verdict: &Verdict) -> &[Drift] {
    match verdict {
        Verdict::Nothing => &[],
        Verdict::Report(drifts)
        | Verdict::Correct { drifts, .. }
        | Verdict::Contested { drifts, .. } => drifts,
    }
}

/// A run's phase, as it is told on.
pub fn phase_of(phase: &RunPhase) -> Phase {
    match phase {
        RunPhase::Fetching => Phase::Fetching,
        RunPhase::Verifying => Phase::Verifying,
        RunPhase::Planning => Phase::Planning,
        RunPhase::Waiting { .. } => Phase::Waiting,
        RunPhase::Applying { .. } => Phase::Applying,
        RunPhase::Checking { .. } => Phase::Checking,
        RunPhase::Pruning { .. } => Phase::Pruning,
        RunPhase::Done => Phase::Idle,
        RunPhase::Halted { .. } => Phase::Halted,
    }
}

/// What the journal says of the last run, as it is told on.
pub fn phase_of_journal(journal: &Journal) -> Phase {
    let Some(run) = &journal.run else {
        return Phase::Idle;
    };
    match (run.action, phase_of(&run.phase)) {
        (Action::Rollback, Phase::Idle) => Phase::RolledBack,
        (Action::Rollback, phase) if phase != Phase::Halted => Phase::RollingBack,
        (_, phase) => phase,
    }
}

fn layer_of(phase: &RunPhase) -> Option<LayerName> {
    match phase {
        RunPhase::Applying { layer, .. }
        | RunPhase::Checking { layer }
        | RunPhase::Pruning { layer } => Some(layer.clone()),
        RunPhase::Halted { layer, .. } => layer.clone(),
        _ => None,
    }
}
