//! What to do next in a cluster: facts and the time in, the next step out.

use cairn_runner::{
    journal::{Action, Journal, Phase},
    run::Closed,
};
use cairn_spec::{Digest, agent::OnFailure};
use jiff::Timestamp;

use crate::desired::{Desired, jiff_time};

/// All that matters for the next step.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The time.
    pub now: Timestamp,
    /// This replica may act.
    pub leads: bool,
    /// What is wanted.
    pub desired: Option<&'a Desired>,
    /// How far runs are.
    pub journal: &'a Journal,
    /// A run failed by no fault of its bundle, and is tried again at this time.
    pub again: Option<Timestamp>,
    /// When something is to be done about drift.
    pub drift: Option<Timestamp>,
    /// When all objects are to be looked at.
    pub sweep: Timestamp,
}

/// The next step.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Drive a bundle into the cluster, or finish that.
    Run {
        /// The bundle.
        bundle: Digest,
        /// Though it failed before.
        retry: bool,
        /// No gate holds it up.
        unasked: bool,
    },
    /// Look at all objects of the bundle that is there.
    Sweep,
    /// Do what is due about drift.
    Mend,
    /// Nothing until this time, or until something happens.
    Wait(Option<Timestamp>),
}

/// What the cluster is to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// This bundle.
    Bundle {
        /// Which.
        bundle: Digest,
        /// Though it failed before.
        retry: bool,
    },
    /// The bundle that is wanted failed, and the cluster stays as it is.
    Stay,
}

/// What the cluster is to run: what is wanted, or what was good before if that failed here.
pub fn target(desired: &Desired, journal: &Journal) -> Target {
    let wanted = Target::Bundle {
        bundle: desired.bundle.clone(),
        retry: false,
    };
    let Some(rejected) = journal.rejection(&desired.bundle) else {
        return wanted;
    };
    // Once for each time that somebody says so.
    if desired.policy.retry.contains(&desired.bundle) && rejected.time < desired.since {
        return Target::Bundle {
            bundle: desired.bundle.clone(),
            retry: true,
        };
    }
    match (&journal.good, desired.policy.on_failure) {
        (Some(good), OnFailure::Rollback) => Target::Bundle {
            bundle: good.clone(),
            retry: false,
        },
        _ => Target::Stay,
    }
}

/// The bundle is there, all of it.
pub fn is_settled(journal: &Journal, bundle: &Digest) -> bool {
    journal.run.as_ref().is_some_and(|run| {
        run.phase == Phase::Done && run.bundle == *bundle && run.action != Action::Uninstall
    })
}

/// Decides.
pub fn decide(facts: &Facts<'_>) -> Next {
    let Some(desired) = facts.desired.filter(|_| facts.leads) else {
        return Next::Wait(None);
    };
    let Target::Bundle { bundle, retry } = target(desired, facts.journal) else {
        return Next::Wait(None);
    };
    let closed = desired.closed(facts.now);
    if is_settled(facts.journal, &bundle) && !retry {
        return keep(facts, closed.as_ref());
    }
    let goes_back = facts
        .journal
        .under_way()
        .is_some_and(|run| run.action == Action::Rollback && run.bundle == bundle);
    // Half a bundle is worse than a change out of hours.
    let unasked = goes_back;
    if let Some(closed) = closed.filter(|_| !unasked)
        && waits(facts.journal, &bundle, &closed)
    {
        return Next::Wait(opening(&closed));
    }
    match facts.again.filter(|again| *again > facts.now) {
        Some(again) => Next::Wait(Some(again)),
        None => Next::Run {
            bundle,
            retry,
            unasked,
        },
    }
}

/// What is there is what is wanted: it is kept so.
fn keep(facts: &Facts<'_>, closed: Option<&Closed>) -> Next {
    if facts.drift.is_some_and(|due| due <= facts.now) {
        return Next::Mend;
    }
    if facts.sweep <= facts.now {
        return Next::Sweep;
    }
    let next = [facts.drift, Some(facts.sweep), closed.and_then(opening)];
    Next::Wait(next.into_iter().flatten().min())
}

fn opening(closed: &Closed) -> Option<Timestamp> {
    closed.until.and_then(jiff_time)
}

/// The journal says already that the run waits for this.
fn waits(journal: &Journal, bundle: &Digest, closed: &Closed) -> bool {
    journal.under_way().is_some_and(|run| {
        run.bundle == *bundle && run.phase == Phase::Waiting { gate: closed.gate }
    })
}

#[cfg(test)]
mod tests {
    use cairn_runner::journal::{Fault, Gate};
    use cairn_spec::{Timestamp as Written, agent::Policy};
    use serde_json::{Value as Json, json};

    use super::*;

    fn bundle(name: &str) -> Digest {
        Digest::sha256(name.as_bytes())
    }

    fn written(second: u64) -> Written {
        Written::from_unix_s(1_767_225_600 + second)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).unwrap()
    }

    fn desired(name: &str, policy: Json) -> Desired {
        let policy: Policy = serde_json::from_value(policy).unwrap();
        Desired::new(bundle(name), 1, written(100), policy).unwrap()
    }

    /// A run that has come to an end.
    fn applied(journal: &mut Journal, name: &str) {
        journal.apply(bundle(name), written(0)).unwrap();
        for phase in [Phase::Verifying, Phase::Planning, Phase::Done] {
            journal.advance(phase, written(0)).unwrap();
        }
    }

    fn failed(journal: &mut Journal, name: &str, second: u64) {
        journal.apply(bundle(name), written(second)).unwrap();
        journal.halt(None, "it is broken", Fault::Bundle, written(second));
    }

    fn next(desired: &Desired, journal: &Journal, now: i64) -> Next {
        decide(&Facts {
            now: at(now),
            leads: true,
            desired: Some(desired),
            journal,
            again: None,
            drift: None,
            sweep: at(1_000_000),
        })
    }

    fn run(name: &str, retry: bool) -> Next {
        Next::Run {
            bundle: bundle(name),
            retry,
            unasked: false,
        }
    }

    #[test]
    fn what_is_wanted_is_applied_and_then_kept() {
        let wanted = desired("a", json!({}));
        let mut journal = Journal::default();
        assert_eq!(next(&wanted, &journal, 0), run("a", false));
        journal.apply(bundle("a"), written(0)).unwrap();
        assert_eq!(next(&wanted, &journal, 0), run("a", false));
        let mut journal = Journal::default();
        applied(&mut journal, "a");
        assert_eq!(next(&wanted, &journal, 0), Next::Wait(Some(at(1_000_000))));
        assert_eq!(next(&wanted, &journal, 1_000_000), Next::Sweep);
        assert_eq!(next(&desired("b", json!({})), &journal, 0), run("b", false));
        // Somebody applied another one by hand.
        applied(&mut journal, "c");
        assert_eq!(next(&wanted, &journal, 0), run("a", false));
    }

    #[test]
    fn who_does_not_lead_or_knows_nothing_waits() {
        let wanted = desired("a", json!({}));
        let journal = Journal::default();
        let facts = |leads, desired| Facts {
            now: at(0),
            leads,
            desired,
            journal: &journal,
            again: None,
            drift: Some(at(0)),
            sweep: at(0),
        };
        assert_eq!(decide(&facts(false, Some(&wanted))), Next::Wait(None));
        assert_eq!(decide(&facts(true, None)), Next::Wait(None));
    }

    #[test]
    fn a_bundle_that_failed_is_not_tried_again_and_the_good_one_is_kept() {
        let mut journal = Journal::default();
        applied(&mut journal, "a");
        failed(&mut journal, "b", 200);
        assert_eq!(
            next(&desired("b", json!({})), &journal, 300),
            run("a", false)
        );
        let halts = json!({"onFailure": "halt"});
        assert_eq!(next(&desired("b", halts), &journal, 300), Next::Wait(None));
        applied(&mut journal, "a");
        let kept = next(&desired("b", json!({})), &journal, 300);
        assert_eq!(kept, Next::Wait(Some(at(1_000_000))));
        let mut first = Journal::default();
        failed(&mut first, "a", 200);
        assert_eq!(
            next(&desired("a", json!({})), &first, 300),
            Next::Wait(None)
        );
    }

    #[test]
    fn it_is_tried_again_once_for_each_time_somebody_says_so() {
        let retry = json!({"retry": [bundle("b")]});
        let mut journal = Journal::default();
        applied(&mut journal, "a");
        failed(&mut journal, "b", 50);
        assert_eq!(
            next(&desired("b", retry.clone()), &journal, 300),
            run("b", true)
        );
        journal.approve(&bundle("b"));
        failed(&mut journal, "b", 300);
        assert_eq!(next(&desired("b", retry), &journal, 400), run("a", false));
    }

    #[test]
    fn what_fails_around_a_bundle_is_waited_for() {
        let wanted = desired("a", json!({}));
        let journal = Journal::default();
        let facts = Facts {
            now: at(0),
            leads: true,
            desired: Some(&wanted),
            journal: &journal,
            again: Some(at(30)),
            drift: None,
            sweep: at(0),
        };
        assert_eq!(decide(&facts), Next::Wait(Some(at(30))));
        let facts = Facts {
            now: at(30),
            ..facts
        };
        assert_eq!(decide(&facts), run("a", false));
    }

    #[test]
    fn a_pause_holds_up_runs_but_not_the_way_back() {
        let paused = desired(
            "b",
            json!({"pause": {"reason": "moving", "until": "2026-01-01T01:00:00Z"}}),
        );
        let mut journal = Journal::default();
        applied(&mut journal, "a");
        // Once, so that it is written down.
        assert_eq!(next(&paused, &journal, 0), run("b", false));
        journal.apply(bundle("b"), written(0)).unwrap();
        let waiting = Phase::Waiting { gate: Gate::Pause };
        for phase in [Phase::Verifying, Phase::Planning, waiting] {
            journal.advance(phase, written(0)).unwrap();
        }
        assert_eq!(next(&paused, &journal, 0), Next::Wait(Some(at(3_600))));
        assert_eq!(next(&paused, &journal, 3_600), run("b", false));
        let mut journal = Journal::default();
        applied(&mut journal, "a");
        failed(&mut journal, "b", 200);
        journal.roll_back(bundle("a"), written(200)).unwrap();
        let way_back = Next::Run {
            bundle: bundle("a"),
            retry: false,
            unasked: true,
        };
        assert_eq!(next(&paused, &journal, 0), way_back);
    }

    #[test]
    fn windows_follow_the_clock_over_its_change_without_anybody_to_ask() {
        let nights = json!({"windows": {"allow": [
            {"name": "nights", "days": ["sunday"], "start": "01:30", "end": "03:30", "timezone": "Europe/Berlin"},
        ]}});
        let wanted = desired("b", nights);
        let mut journal = Journal::default();
        applied(&mut journal, "a");
        journal.apply(bundle("b"), written(0)).unwrap();
        let waiting = Phase::Waiting { gate: Gate::Window };
        for phase in [Phase::Verifying, Phase::Planning, waiting] {
            journal.advance(phase, written(0)).unwrap();
        }
        let next_at = |time: &str| {
            let now: Timestamp = time.parse().unwrap();
            decide(&Facts {
                now,
                leads: true,
                desired: Some(&wanted),
                journal: &journal,
                again: None,
                drift: None,
                sweep: now,
            })
        };
        let until = |time: &str| Next::Wait(Some(time.parse().unwrap()));
        // On 29 March 2026 the clock goes from 02:00 to 03:00: the window is an hour shorter.
        assert_eq!(
            next_at("2026-03-28T23:59:00Z"),
            until("2026-03-29T00:30:00Z")
        );
        assert_eq!(next_at("2026-03-29T00:30:00Z"), run("b", false));
        assert_eq!(next_at("2026-03-29T01:29:59Z"), run("b", false));
        assert_eq!(
            next_at("2026-03-29T01:30:00Z"),
            until("2026-04-04T23:30:00Z")
        );
        // On 25 October it goes from 03:00 back to 02:00: the window is an hour longer.
        assert_eq!(
            next_at("2026-10-24T23:29:59Z"),
            until("2026-10-24T23:30:00Z")
        );
        assert_eq!(next_at("2026-10-25T02:29:59Z"), run("b", false));
        assert_eq!(
            next_at("2026-10-25T02:30:00Z"),
            until("2026-11-01T00:30:00Z")
        );
    }
}
