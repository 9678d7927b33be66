//! One leader among several replicas, by a Lease: who holds it acts, the others wait.
//!
//! Clocks of different machines are never compared. A lease has run out when its record has not changed
//! for its duration, by the clock of whoever looks; and its holder stops acting well before that.

mod keep;

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::Instant;

pub use keep::{Leadership, keep};

/// How a lease is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a record that does not change is respected.
    pub duration: Duration,
    /// How long the leader acts without having renewed.
    pub deadline: Duration,
    /// How long to wait between two looks or attempts.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// What the Lease says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; empty when it was given back.
    pub holder: String,
    /// How often it changed hands.
    pub transitions: u64,
    /// When it was taken, as it is written.
    acquired: String,
    /// The version that says this.
    version: String,
}

/// One replica's view of the lease.
#[derive(Debug)]
pub struct Election {
    me: String,
    timing: Timing,
    /// What the Lease said last, and since when it has said so; none before the first look.
    seen: Option<(Option<Record>, Instant)>,
    /// When this one wrote itself into it last.
    renewed: Option<Instant>,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Look at the Lease.
    Look,
    /// Write oneself into it, in the place of this record.
    Write(Option<Record>),
    /// Do nothing until then.
    Wait(Instant),
}

impl Election {
    /// A replica that has not looked yet.
    pub fn new(me: &str, timing: Timing) -> Self {
        Self {
            me: me.to_owned(),
            timing,
            seen: None,
            renewed: None,
        }
    }

    /// Notes what the Lease says.
    pub fn saw(&mut self, record: Option<Record>, now: Instant) {
        let is_news = self.seen.as_ref().is_none_or(|(known, _)| *known != record);
        if is_news {
            self.seen = Some((record, now));
        }
    }

    /// Notes that this one is in the Lease since a request that began at a time.
    pub fn wrote(&mut self, record: Record, began: Instant) {
        self.renewed = Some(began);
        self.seen = Some((Some(record), began));
    }

    /// True while this one may act.
    pub fn leads(&self, now: Instant) -> bool {
        self.renewed
            .is_some_and(|renewed| now < renewed + self.timing.deadline)
    }

    /// What to do; `looked` is when the Lease was read last.
    pub fn step(&self, looked: Option<Instant>, now: Instant) -> Step {
        let (Some((record, since)), Some(looked)) = (&self.seen, looked) else {
            return Step::Look;
        };
        if self.leads(now) {
            let renewed = self.renewed.unwrap_or(now);
            let due = renewed + self.timing.duration / 3;
            return if now >= due {
                Step::Write(record.clone())
            } else {
                Step::Wait(due)
            };
        }
        let is_free = record.as_ref().is_none_or(|record| {
            record.holder.is_empty()
                || record.holder == self.me
                || now >= *since + self.timing.duration
        });
        let due = looked + self.timing.retry;
        match (is_free, now >= due || now == looked) {
            (true, true) => Step::Write(record.clone()),
            (false, true) if now > looked => Step::Look,
            _ => Step::Wait(due),
        }
    }

    /// The Lease as this one writes it.
    fn lease(&self, before: Option<&Record>, (namespace, name): (&str, &str), time: &str) -> Json {
        let is_mine = before.is_some_and(|record| record.holder == self.me);
        let transitions = before.map_or(0, |it| it.transitions + u64::from(!is_mine));
        let acquired = before
            .filter(|_| is_mine)
            .map_or(time, |record| record.acquired.as_str());
        let mut lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "holderIdentity": self.me,
                "leaseDurationSeconds": self.timing.duration.as_secs(),
                "acquireTime": acquired,
                "renewTime": time,
                "leaseTransitions": transitions,
            },
        });
        if let Some(record) = before {
            lease["metadata"]["resourceVersion"] = json!(record.version);
        }
        lease
    }
}

impl Record {
    /// Reads a Lease.
    pub fn of(lease: &Json) -> Self {
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let spec = &lease["spec"];
        Self {
            holder: text(&spec["holderIdentity"]),
            transitions: spec["leaseTransitions"].as_u64().unwrap_or_default(),
            acquired: text(&spec["acquireTime"]),
            version: text(&lease["metadata"]["resourceVersion"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: (&str, &str) = ("n", "lease");

    fn record(holder: &str, version: &str) -> Record {
        Record {
            holder: holder.to_owned(),
            transitions: 3,
            acquired: "2026-01-01T00:00:00.000000Z".to_owned(),
            version: version.to_owned(),
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_lease_that_nobody_holds_is_taken_and_renewed() {
        let start = Instant::now();
        let mut election = Election::new("a", Timing::default());
        assert_eq!(election.step(None, start), Step::Look);
        election.saw(None, start);
        assert_eq!(election.step(Some(start), start), Step::Write(None));
        assert!(!election.leads(start));
        election.wrote(record("a", "1"), start);
        assert!(election.leads(start + seconds(9)));
        assert_eq!(
            election.step(Some(start), start + seconds(1)),
            Step::Wait(start + seconds(5))
        );
        assert_eq!(
            election.step(Some(start), start + seconds(5)),
            Step::Write(Some(record("a", "1")))
        );
        // Who cannot renew stops before the others may begin.
        assert!(!election.leads(start + seconds(10)));
    }

    #[test]
    fn a_lease_of_another_is_respected_until_it_has_not_changed_for_its_duration() {
        let start = Instant::now();
        let mut election = Election::new("a", Timing::default());
        election.saw(Some(record("b", "1")), start);
        assert_eq!(
            election.step(Some(start), start),
            Step::Wait(start + seconds(2))
        );
        assert_eq!(election.step(Some(start), start + seconds(2)), Step::Look);
        let renewed = start + seconds(10);
        election.saw(Some(record("b", "2")), renewed);
        election.saw(Some(record("b", "2")), start + seconds(24));
        let looked = Some(start + seconds(24));
        assert_eq!(
            election.step(looked, start + seconds(24)),
            Step::Wait(start + seconds(26))
        );
        assert_eq!(
            election.step(looked, start + seconds(26)),
            Step::Write(Some(record("b", "2")))
        );
    }

    #[test]
    fn a_lease_that_was_given_back_is_free_at_once() {
        let start = Instant::now();
        let mut election = Election::new("a", Timing::default());
        election.saw(Some(record("", "7")), start);
        assert_eq!(
            election.step(Some(start), start),
            Step::Write(Some(record("", "7")))
        );
    }

    #[test]
    fn a_change_of_hands_is_counted_and_a_renewal_is_not() {
        let election = Election::new("a", Timing::default());
        let taken = election.lease(Some(&record("b", "7")), PLACE, "now");
        assert_eq!(taken["spec"]["leaseTransitions"], 4);
        assert_eq!(taken["spec"]["acquireTime"], "now");
        assert_eq!(taken["metadata"]["resourceVersion"], "7");
        let renewed = election.lease(Some(&record("a", "8")), PLACE, "now");
        assert_eq!(renewed["spec"]["leaseTransitions"], 3);
        assert_ne!(renewed["spec"]["acquireTime"], "now");
        let first = election.lease(None, PLACE, "now");
        assert!(first["metadata"]["resourceVersion"].is_null());
    }
}
