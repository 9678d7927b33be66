//! The journal: how far a run is, written before each step, so that a run that was killed goes on
//! where it was.
//!
//! Every transition is a function that refuses what cannot follow. Who drives a run writes the journal
//! once a transition, and only then does what it says; each step can be done twice.

use std::collections::BTreeSet;

use cairn_spec::{Digest, LayerName, Stage, Timestamp};
use serde::{Deserialize, Serialize};

/// More rejected bundles than this are forgotten, oldest first.
const MAX_REJECTED: usize = 50;
/// The longest reason that is kept, in bytes.
const MAX_REASON_BYTES: usize = 2_048;

/// What is being done in a cluster, and what was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Journal {
    /// The run that is under way, or that ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// The bundle that was healthy last: where a failed run goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<Digest>,
    /// The bundle that was healthy before that one: where somebody goes back to who does not want it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// Who has written this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// The layers that have objects here, or may have: whose inventory is gone is known by it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub layers: BTreeSet<LayerName>,
    /// Bundles that failed here; they are not tried again by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
}

/// One pass of a bundle over a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Run {
    /// What for.
    pub action: Action,
    /// The bundle.
    pub bundle: Digest,
    /// The bundle that was there before, if there was another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
    /// When it began.
    pub started: Timestamp,
    /// When its phase began.
    pub since: Timestamp,
    /// How far it is.
    pub phase: Phase,
}

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The first bundle of a cluster.
    Install,
    /// Another bundle than the last good one, or the same again.
    Upgrade,
    /// Back to an earlier bundle.
    Rollback,
    /// Everything goes.
    Uninstall,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Phase {
    /// The bundle is being brought here.
    Fetching,
    /// Its signature and its files are being checked.
    Verifying,
    /// What it would change is being found out.
    Planning,
    /// Nothing happens until this allows it.
    Waiting {
        /// What is waited for.
        gate: Gate,
    },
    /// The objects of a stage are being applied.
    Applying {
        /// The layer.
        layer: LayerName,
        /// The stage.
        stage: Stage,
    },
    /// The health of a layer is waited for.
    Checking {
        /// The layer.
        layer: LayerName,
    },
    /// What a layer no longer has is being deleted.
    Pruning {
        /// The layer.
        layer: LayerName,
    },
    /// All of it is done.
    Done,
    /// It failed.
    Halted {
        /// The layer, when it was one that failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        layer: Option<LayerName>,
        /// Why.
        reason: String,
    },
}

/// What a run may have to wait for before it changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// A maintenance window.
    Window,
    /// Somebody's approval.
    Approval,
    /// The end of a pause.
    Pause,
}

/// A bundle that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rejected {
    /// The bundle.
    pub bundle: Digest,
    /// When.
    pub time: Timestamp,
    /// Why.
    pub reason: String,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The bundle's: it will fail again.
    Bundle,
    /// The cluster's or the network's: it may work later.
    Surroundings,
}

/// Why a transition was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A run is under way.
    #[error("a run of `{0}` is under way")]
    UnderWay(Digest),
    /// The bundle failed here before.
    #[error("the bundle `{bundle}` failed here before: {reason}")]
    Rejected {
        /// The bundle.
        bundle: Digest,
        /// Why it failed.
        reason: String,
    },
    /// There is nothing to go back to.
    #[error("no bundle was healthy here before")]
    NothingGood,
    /// The step cannot follow the one before.
    #[error("{to} cannot follow {from}")]
    OutOfOrder {
        /// The phase that is.
        from: String,
        /// The phase that was asked for.
        to: String,
    },
}

impl Journal {
    /// The run that is neither done nor halted.
    pub fn under_way(&self) -> Option<&Run> {
        self.run
            .as_ref()
            .filter(|run| !matches!(run.phase, Phase::Done | Phase::Halted { .. }))
    }

    /// Why a bundle is not tried again.
    pub fn rejection(&self, bundle: &Digest) -> Option<&Rejected> {
        self.rejected.iter().find(|it| it.bundle == *bundle)
    }

    /// Begins to apply a bundle. One that is rejected is refused until [`Self::approve`].
    pub fn apply(&mut self, bundle: Digest, now: Timestamp) -> Result<(), Refused> {
        if let Some(rejected) = self.rejection(&bundle) {
            return Err(Refused::Rejected {
                bundle,
                reason: rejected.reason.clone(),
            });
        }
        let action = if self.good.is_none() {
            Action::Install
        } else {
            Action::Upgrade
        };
        self.begin(action, bundle, now)
    }

    /// Begins to go back to a bundle.
    pub fn roll_back(&mut self, to: Digest, now: Timestamp) -> Result<(), Refused> {
        self.begin(Action::Rollback, to, now)
    }

    /// Where somebody goes back to who does not want what is there: to the last good bundle, or, when
    /// that is what is there, to the one before. A rollback that was cut short leads where it led.
    pub fn way_back(&self) -> Option<&Digest> {
        match &self.run {
            Some(run) if run.action == Action::Rollback && self.under_way().is_some() => {
                Some(&run.bundle)
            }
            Some(run) if self.good.as_ref() == Some(&run.bundle) => self.previous.as_ref(),
            _ => self.good.as_ref(),
        }
    }

    /// Somebody prefers another bundle to the one that is there: the latter is not applied again by
    /// itself, the former may be.
    pub fn leave(&mut self, preferred: &Digest, reason: &str, now: Timestamp) {
        self.approve(preferred);
        let run = self.run.as_ref();
        let left = run.filter(|run| run.action != Action::Uninstall && run.bundle != *preferred);
        let left = left.map(|run| run.bundle.clone());
        if let Some(left) = left.filter(|left| self.rejection(left).is_none()) {
            self.reject(left, shortened(reason), now);
        }
    }

    /// The bundles that a run may still come from or go to; any others can be forgotten.
    pub fn needed(&self) -> BTreeSet<Digest> {
        let run = self.run.iter();
        let run = run.filter(|run| run.action != Action::Uninstall);
        run.flat_map(|run| run.from.iter().chain([&run.bundle]))
            .chain(&self.good)
            .chain(&self.previous)
            .cloned()
            .collect()
    }

    /// Begins to take everything away.
    pub fn uninstall(&mut self, bundle: Digest, now: Timestamp) -> Result<(), Refused> {
        self.begin(Action::Uninstall, bundle, now)
    }

    /// Takes up a run that was cut short: it is planned anew, since the cluster may have changed.
    pub fn resume(&mut self, now: Timestamp) {
        if self.under_way().is_some()
            && let Some(run) = &mut self.run
        {
            run.phase = Phase::Planning;
            run.since = now;
        }
    }

    /// Lets a rejected bundle be tried again.
    pub fn approve(&mut self, bundle: &Digest) {
        self.rejected.retain(|it| it.bundle != *bundle);
    }

    /// Goes on to a phase, if it can follow.
    pub fn advance(&mut self, to: Phase, now: Timestamp) -> Result<(), Refused> {
        let good = self.good.clone();
        let Some(run) = &mut self.run else {
            return Err(Refused::OutOfOrder {
                from: "nothing".to_owned(),
                to: to.to_string(),
            });
        };
        if !follows(run.action, &run.phase, &to) {
            return Err(Refused::OutOfOrder {
                from: run.phase.to_string(),
                to: to.to_string(),
            });
        }
        if to == Phase::Done {
            let before = good.filter(|good| *good != run.bundle);
            match run.action {
                Action::Uninstall => (self.good, self.previous) = (None, None),
                Action::Rollback => {
                    self.good = Some(run.bundle.clone());
                    self.previous.take_if(|previous| *previous == run.bundle);
                }
                Action::Install | Action::Upgrade => {
                    self.good = Some(run.bundle.clone());
                    self.previous = before.or_else(|| self.previous.take());
                }
            }
        }
        run.phase = to;
        run.since = now;
        Ok(())
    }

    /// Ends the run that is under way. A bundle whose fault it is, is rejected, unless it is the one
    /// that was healthy here before.
    pub fn halt(&mut self, layer: Option<LayerName>, reason: &str, fault: Fault, now: Timestamp) {
        let reason = shortened(reason);
        let Some(run) = &mut self.run else { return };
        run.since = now;
        run.phase = Phase::Halted {
            layer,
            reason: reason.clone(),
        };
        let is_new = matches!(run.action, Action::Install | Action::Upgrade)
            && self.good.as_ref() != Some(&run.bundle);
        if fault == Fault::Bundle && is_new {
            let bundle = run.bundle.clone();
            self.reject(bundle, reason, now);
        }
    }

    fn reject(&mut self, bundle: Digest, reason: String, time: Timestamp) {
        self.rejected.retain(|it| it.bundle != bundle);
        self.rejected.push(Rejected {
            bundle,
            time,
            reason,
        });
        let surplus = self.rejected.len().saturating_sub(MAX_REJECTED);
        self.rejected.drain(..surplus);
    }

    fn begin(&mut self, action: Action, bundle: Digest, now: Timestamp) -> Result<(), Refused> {
        if let Some(run) = self.under_way() {
            return Err(Refused::UnderWay(run.bundle.clone()));
        }
        let before = self.run.take();
        let before = before.filter(|run| run.action != Action::Uninstall && run.bundle != bundle);
        self.run = Some(Run {
            action,
            from: before.map(|run| run.bundle),
            bundle,
            started: now,
            since: now,
            phase: Phase::Fetching,
        });
        Ok(())
    }
}

/// Which phase can follow which.
fn follows(action: Action, from: &Phase, to: &Phase) -> bool {
    use Phase::{Applying, Checking, Done, Fetching, Planning, Pruning, Verifying, Waiting};
    if action == Action::Uninstall {
        return match (from, to) {
            (Fetching, Verifying)
            | (Verifying, Planning)
            | (Planning, Waiting { .. } | Pruning { .. } | Done)
            | (Waiting { .. }, Planning | Pruning { .. })
            | (Pruning { .. }, Done | Waiting { .. }) => true,
            (Pruning { layer: from }, Pruning { layer: to }) => from != to,
            _ => false,
        };
    }
    match (from, to) {
        (Fetching, Verifying)
        | (Verifying, Planning)
        // Of a layer without objects, such as the operating system's, nothing is applied.
        | (
            Planning,
            Waiting { .. } | Applying { .. } | Checking { .. } | Pruning { .. } | Done,
        )
        // A gate opens late, so what was planned is planned again.
        | (Waiting { .. }, Planning | Applying { .. } | Checking { .. } | Pruning { .. })
        // A window may close between two layers.
        | (Pruning { .. }, Done | Waiting { .. }) => true,
        (Applying { layer, stage }, Applying { layer: to, stage: next }) => {
            layer == to && stage < next
        }
        // What is last in a layer is applied when the rest is healthy.
        (Checking { layer }, Applying { layer: to, stage }) => {
            layer == to && *stage >= Stage::Admission
        }
        (Applying { layer, .. }, Checking { layer: to })
        | (Checking { layer }, Pruning { layer: to }) => layer == to,
        (
            Pruning { layer },
            Applying { layer: to, .. } | Checking { layer: to } | Pruning { layer: to },
        ) => layer != to,
        _ => false,
    }
}

fn shortened(reason: &str) -> String {
    let mut end = reason.len().min(MAX_REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].to_owned()
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Install => "installation",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
            Self::Uninstall => "uninstallation",
        })
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fetching => f.write_str("fetching"),
            Self::Verifying => f.write_str("verifying"),
            Self::Planning => f.write_str("planning"),
            Self::Waiting { gate } => match gate {
                Gate::Window => f.write_str("waiting for a maintenance window"),
                Gate::Approval => f.write_str("waiting for approval"),
                Gate::Pause => f.write_str("paused"),
            },
            Self::Applying { layer, stage } => {
                write!(f, "applying {layer} ({})", stage.file_prefix())
            }
            Self::Checking { layer } => write!(f, "checking {layer}"),
            Self::Pruning { layer } => write!(f, "pruning {layer}"),
            Self::Done => f.write_str("done"),
            Self::Halted { .. } => f.write_str("halted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn time(second: u8) -> Timestamp {
        format!("2026-01-01T00:00:{second:02}Z").parse().unwrap()
    }

    fn bundle(name: &str) -> Digest {
        Digest::sha256(name.as_bytes())
    }

    fn layer(name: &str) -> LayerName {
        name.parse().unwrap()
    }

    fn applying(name: &str, stage: Stage) -> Phase {
        Phase::Applying {
            layer: layer(name),
            stage,
        }
    }

    fn checking(name: &str) -> Phase {
        Phase::Checking { layer: layer(name) }
    }

    fn pruning(name: &str) -> Phase {
        Phase::Pruning { layer: layer(name) }
    }

    fn whole_run() -> Vec<Phase> {
        vec![
            Phase::Verifying,
            Phase::Planning,
            Phase::Waiting { gate: Gate::Window },
            Phase::Planning,
            applying("cni", Stage::Namespaces),
            applying("cni", Stage::Workloads),
            checking("cni"),
            applying("cni", Stage::PostHooks),
            checking("cni"),
            pruning("cni"),
            applying("web", Stage::Configuration),
            checking("web"),
            pruning("web"),
            Phase::Done,
        ]
    }

    fn applied(name: &str) -> Journal {
        let mut journal = Journal::default();
        journal.apply(bundle(name), time(0)).unwrap();
        for phase in whole_run() {
            journal.advance(phase, time(1)).unwrap();
        }
        journal
    }

    #[test]
    fn a_run_can_be_taken_up_at_every_transition() {
        let mut journal = Journal::default();
        journal.apply(bundle("a"), time(0)).unwrap();
        for phase in whole_run() {
            let written = serde_json::to_string(&journal).unwrap();
            let mut read: Journal = serde_json::from_str(&written).unwrap();
            assert_eq!(read, journal);
            let mut taken_up = read.clone();
            taken_up.resume(time(1));
            assert!(
                taken_up
                    .advance(applying("cni", Stage::Namespaces), time(1))
                    .is_ok()
            );
            read.advance(phase.clone(), time(1)).unwrap();
            journal = read;
        }
        assert_eq!(
            (journal.good, journal.run.unwrap().action),
            (Some(bundle("a")), Action::Install)
        );
    }

    #[test]
    fn steps_are_not_left_out() {
        let phases = whole_run();
        let mut journal = Journal::default();
        journal.apply(bundle("a"), time(0)).unwrap();
        let mut allowed = Vec::new();
        for phase in &phases {
            for other in [
                Phase::Verifying,
                Phase::Planning,
                applying("cni", Stage::Workloads),
                applying("web", Stage::Workloads),
                checking("cni"),
                pruning("cni"),
                Phase::Done,
            ] {
                let mut tried = journal.clone();
                if tried.advance(other.clone(), time(1)).is_ok() {
                    allowed.push(format!("{} → {other}", journal.run.as_ref().unwrap().phase));
                }
            }
            journal.advance(phase.clone(), time(1)).unwrap();
        }
        assert_snapshot!(allowed.join("\n"), @"
        fetching → verifying
        verifying → planning
        planning → applying cni (6)
        planning → applying web (6)
        planning → checking cni
        planning → pruning cni
        planning → done
        waiting for a maintenance window → planning
        waiting for a maintenance window → applying cni (6)
        waiting for a maintenance window → applying web (6)
        waiting for a maintenance window → checking cni
        waiting for a maintenance window → pruning cni
        planning → applying cni (6)
        planning → applying web (6)
        planning → checking cni
        planning → pruning cni
        planning → done
        applying cni (1) → applying cni (6)
        applying cni (1) → checking cni
        applying cni (6) → checking cni
        checking cni → pruning cni
        applying cni (9) → checking cni
        checking cni → pruning cni
        pruning cni → applying web (6)
        pruning cni → done
        applying web (5) → applying web (6)
        pruning web → applying cni (6)
        pruning web → checking cni
        pruning web → pruning cni
        pruning web → done
        ");
    }

    #[test]
    fn a_bundle_that_failed_is_not_tried_again() {
        let mut journal = applied("a");
        journal.apply(bundle("b"), time(2)).unwrap();
        journal.halt(
            Some(layer("web")),
            "its image cannot be pulled",
            Fault::Bundle,
            time(3),
        );
        let good = journal.way_back().unwrap().clone();
        journal.roll_back(good, time(4)).unwrap();
        assert_eq!(journal.run.as_ref().unwrap().bundle, bundle("a"));
        for phase in whole_run() {
            journal.advance(phase, time(5)).unwrap();
        }
        assert_eq!(journal.good, Some(bundle("a")));
        let refused = journal.apply(bundle("b"), time(6)).unwrap_err();
        assert!(
            refused
                .to_string()
                .ends_with("failed here before: its image cannot be pulled")
        );
        journal.approve(&bundle("b"));
        journal.apply(bundle("b"), time(7)).unwrap();
        assert_eq!(journal.run.unwrap().action, Action::Upgrade);
    }

    #[test]
    fn a_failure_around_a_bundle_does_not_reject_it() {
        let mut journal = Journal::default();
        journal.apply(bundle("a"), time(0)).unwrap();
        journal.halt(
            None,
            "the server does not answer",
            Fault::Surroundings,
            time(1),
        );
        assert_eq!(journal.way_back(), None);
        journal.apply(bundle("a"), time(3)).unwrap();
        assert!(journal.rejected.is_empty());
    }

    #[test]
    fn a_rollback_that_fails_does_not_reject_what_was_good() {
        let mut journal = applied("a");
        journal.roll_back(bundle("a"), time(2)).unwrap();
        journal.halt(None, "broken", Fault::Bundle, time(3));
        assert_eq!(
            (journal.rejected.len(), journal.good),
            (0, Some(bundle("a")))
        );
    }

    #[test]
    fn what_was_healthy_is_not_rejected_when_something_around_it_breaks() {
        let mut journal = applied("a");
        journal.apply(bundle("a"), time(2)).unwrap();
        journal.halt(None, "a node is away", Fault::Bundle, time(3));
        assert!(journal.rejected.is_empty());
    }

    #[test]
    fn what_somebody_leaves_is_not_applied_again_and_can_be_gone_back_to() {
        let mut journal = applied("a");
        journal.apply(bundle("b"), time(2)).unwrap();
        for phase in whole_run() {
            journal.advance(phase, time(3)).unwrap();
        }
        assert_eq!(journal.way_back(), Some(&bundle("a")));
        assert_eq!(journal.needed(), [bundle("a"), bundle("b")].into());
        journal.leave(&bundle("a"), "left", time(4));
        journal.roll_back(bundle("a"), time(4)).unwrap();
        journal.resume(time(5));
        assert_eq!(journal.way_back(), Some(&bundle("a")));
        for phase in whole_run().into_iter().skip(2) {
            journal.advance(phase, time(5)).unwrap();
        }
        assert_eq!(
            (&journal.good, journal.way_back()),
            (&Some(bundle("a")), None)
        );
        assert!(journal.apply(bundle("b"), time(6)).is_err());
        assert_eq!(journal.needed(), [bundle("a"), bundle("b")].into());
        journal.leave(&bundle("b"), "wanted after all", time(7));
        assert!(journal.rejection(&bundle("b")).is_none());
        assert!(journal.rejection(&bundle("a")).is_some());
    }

    #[test]
    fn the_bundle_before_the_last_good_one_is_needed_while_the_next_is_tried() {
        let mut journal = applied("a");
        for name in ["b", "c"] {
            journal.apply(bundle(name), time(2)).unwrap();
            for phase in whole_run() {
                journal.advance(phase, time(3)).unwrap();
            }
        }
        journal.apply(bundle("d"), time(4)).unwrap();
        assert_eq!(
            journal.needed(),
            [bundle("b"), bundle("c"), bundle("d")].into()
        );
        journal.halt(None, "broken", Fault::Bundle, time(5));
        assert_eq!(journal.way_back(), Some(&bundle("c")));
    }

    #[test]
    fn one_run_at_a_time() {
        let mut journal = Journal::default();
        journal.apply(bundle("a"), time(0)).unwrap();
        assert_eq!(
            journal.apply(bundle("b"), time(1)),
            Err(Refused::UnderWay(bundle("a")))
        );
    }

    #[test]
    fn after_an_uninstallation_nothing_is_good() {
        let mut journal = applied("a");
        journal.uninstall(bundle("a"), time(2)).unwrap();
        assert!(
            journal
                .advance(applying("cni", Stage::Workloads), time(3))
                .is_err()
        );
        for phase in [
            Phase::Verifying,
            Phase::Planning,
            pruning("web"),
            pruning("cni"),
            Phase::Done,
        ] {
            journal.advance(phase, time(3)).unwrap();
        }
        assert_eq!(journal.good, None);
        assert!(journal.needed().is_empty());
    }

    #[test]
    fn what_is_kept_of_failures_is_bounded() {
        let mut journal = Journal::default();
        for index in 0..MAX_REJECTED + 5 {
            journal.apply(bundle(&index.to_string()), time(0)).unwrap();
            journal.halt(None, &"é".repeat(MAX_REASON_BYTES), Fault::Bundle, time(1));
        }
        assert_eq!(journal.rejected.len(), MAX_REJECTED);
        assert!(journal.rejected[0].reason.len() <= MAX_REASON_BYTES);
        assert!(journal.rejection(&bundle("0")).is_none());
    }
}
