//! The journal: how far a run is, written before each step, so that a run that was killed goes on
//! where it was.
//!
//! Every transition is a function that refuses what cannot follow. Who drives a run writes the journal
//! once a transition, and only then does what it says; each step can be done twice.

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
    /// Back to the last good bundle.
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

    /// Begins to go back to the last good bundle.
    pub fn roll_back(&mut self, now: Timestamp) -> Result<(), Refused> {
        let good = self.good.clone().ok_or(Refused::NothingGood)?;
        self.begin(Action::Rollback, good, now)
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
            self.good = match run.action {
                Action::Uninstall => None,
                Action::Rollback => good,
                Action::Install | Action::Upgrade => Some(run.bundle.clone()),
            };
        }
        run.phase = to;
        run.since = now;
        Ok(())
    }

    /// Ends the run that is under way. A bundle whose fault it is, is rejected.
    pub fn halt(&mut self, layer: Option<LayerName>, reason: &str, fault: Fault, now: Timestamp) {
        let Some(run) = &mut self.run else { return };
        let reason = shortened(reason);
        let is_new = matches!(run.action, Action::Install | Action::Upgrade);
        if fault == Fault::Bundle && is_new {
            let bundle = run.bundle.clone();
            self.rejected.retain(|it| it.bundle != bundle);
            self.rejected.push(Rejected {
                bundle,
                time: now,
                reason: reason.clone(),
            });
            let surplus = self.rejected.len().saturating_sub(MAX_REJECTED);
            self.rejected.drain(..surplus);
        }
        run.phase = Phase::Halted { layer, reason };
        run.since = now;
    }

    fn begin(&mut self, action: Action, bundle: Digest, now: Timestamp) -> Result<(), Refused> {
        if let Some(run) = self.under_way() {
            return Err(Refused::UnderWay(run.bundle.clone()));
        }
        self.run = Some(Run {
            action,
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
            | (Pruning { .. }, Done) => true,
            (Pruning { layer: from }, Pruning { layer: to }) => from != to,
            _ => false,
        };
    }
    match (from, to) {
        (Fetching, Verifying)
        | (Verifying, Planning)
        // Of a layer without objects, such as the operating system's, nothing is applied.
        | (Planning, Waiting { .. } | Applying { .. } | Checking { .. } | Done)
        // A gate opens late, so what was planned is planned again.
        | (Waiting { .. }, Planning | Applying { .. } | Checking { .. })
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
        planning → done
        waiting for a maintenance window → planning
        waiting for a maintenance window → applying cni (6)
        waiting for a maintenance window → applying web (6)
        waiting for a maintenance window → checking cni
        planning → applying cni (6)
        planning → applying web (6)
        planning → checking cni
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
        journal.roll_back(time(4)).unwrap();
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
        assert_eq!(journal.roll_back(time(2)), Err(Refused::NothingGood));
        journal.apply(bundle("a"), time(3)).unwrap();
        assert!(journal.rejected.is_empty());
    }

    #[test]
    fn a_rollback_that_fails_does_not_reject_what_was_good() {
        let mut journal = applied("a");
        journal.roll_back(time(2)).unwrap();
        journal.halt(None, "broken", Fault::Bundle, time(3));
        assert_eq!(
            (journal.rejected.len(), journal.good),
            (0, Some(bundle("a")))
        );
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
