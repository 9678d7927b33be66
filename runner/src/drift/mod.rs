//! Drift: what somebody else changed, and what is done about it.
//!
//! A field that is put back and changed again, over and over, is contested: another controller wants it
//! otherwise. Then Cairn waits longer each time, and says who it is.

mod agenda;
mod suspicion;

use std::collections::BTreeMap;

pub use cairn_spec::agent::DriftAction;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{diff::Change, inventory::Identity};

pub use agenda::{Agenda, Due};
pub use suspicion::is_suspect;

/// This many corrections within [`CONTEST_WINDOW`] make a field contested.
const CONTESTED_FLIPS: usize = 5;
const CONTEST_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Changes often come several at a time.
const DEBOUNCE: SignedDuration = SignedDuration::from_secs(1);
/// A contested field is corrected after this time, then twice it, and so on.
const FIRST_BACKOFF: SignedDuration = SignedDuration::from_mins(1);
const MAX_BACKOFF: SignedDuration = SignedDuration::from_hours(4);
/// More fields than this are not remembered: the oldest are forgotten.
const MAX_FIELDS: usize = 4_096;

/// A field that is not as it was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// The field, such as `spec.replicas`; empty when the whole object is gone.
    pub field: String,
    /// Who changed it; empty when the server does not say.
    pub manager: String,
    /// When, RFC 3339; empty when the server does not say.
    pub time: String,
}

/// What is done about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing drifted, or nobody minds.
    Nothing,
    /// It is told.
    Report(Vec<Drift>),
    /// It is put back, not before this time.
    Correct {
        /// What drifted.
        drifts: Vec<Drift>,
        /// When to look again and put back what is still so.
        at: Timestamp,
    },
    /// Somebody else keeps changing it.
    Contested {
        /// What drifted.
        drifts: Vec<Drift>,
        /// The field they fight about.
        field: String,
        /// Who it is.
        manager: String,
        /// When it is put back once more.
        at: Timestamp,
    },
}

/// What is remembered of corrections.
#[derive(Debug, Default)]
pub struct Corrections {
    fields: BTreeMap<(Identity, String), History>,
}

#[derive(Debug, Default)]
struct History {
    /// The latest corrections, oldest first.
    times: Vec<Timestamp>,
    /// How often it was contested without a rest in between.
    contests: u32,
}

impl Corrections {
    /// What is done about the changes that a dry run would make to an object.
    pub fn judge(
        &self,
        identity: &Identity,
        changes: &[Change],
        policy: DriftAction,
        now: Timestamp,
    ) -> Verdict {
        if changes.is_empty() || policy == DriftAction::Ignore {
            return Verdict::Nothing;
        }
        let drifts: Vec<Drift> = changes.iter().map(Drift::from).collect();
        if policy == DriftAction::Report {
            return Verdict::Report(drifts);
        }
        let contested = drifts
            .iter()
            .filter_map(|drift| {
                let history = self.fields.get(&(identity.clone(), drift.field.clone()))?;
                Some((history.next_after_contest(now)?, drift))
            })
            .max_by_key(|(at, _)| *at);
        match contested {
            Some((at, drift)) => Verdict::Contested {
                field: drift.field.clone(),
                manager: drift.manager.clone(),
                at,
                drifts,
            },
            None => Verdict::Correct {
                at: later(now, DEBOUNCE),
                drifts,
            },
        }
    }

    /// Remembers that an object was put back.
    pub fn corrected(&mut self, identity: &Identity, drifts: &[Drift], now: Timestamp) {
        for drift in drifts {
            let key = (identity.clone(), drift.field.clone());
            self.fields.entry(key).or_default().add(now);
        }
        while self.fields.len() > MAX_FIELDS {
            let oldest = self
                .fields
                .iter()
                .min_by_key(|(_, history)| history.times.last().copied())
                .map(|(key, _)| key.clone());
            match oldest {
                Some(key) => self.fields.remove(&key),
                None => break,
            };
        }
    }
}

impl History {
    fn add(&mut self, now: Timestamp) {
        let rested = self
            .times
            .last()
            .is_some_and(|last| now.duration_since(*last) > self.backoff() * 2 + CONTEST_WINDOW);
        if rested {
            self.times.clear();
            self.contests = 0;
        }
        self.times.push(now);
        if self.times.len() > CONTESTED_FLIPS {
            self.times.remove(0);
        }
        if self.is_contested() || self.contests > 0 {
            self.contests = self.contests.saturating_add(1);
        }
    }

    fn is_contested(&self) -> bool {
        match (self.times.first(), self.times.last()) {
            (Some(first), Some(last)) => {
                self.times.len() >= CONTESTED_FLIPS && last.duration_since(*first) <= CONTEST_WINDOW
            }
            _ => false,
        }
    }

    fn backoff(&self) -> SignedDuration {
        let doublings = self.contests.saturating_sub(1).min(10);
        (FIRST_BACKOFF * 2_i32.pow(doublings)).min(MAX_BACKOFF)
    }

    /// When a contested field is put back again; none when it is not contested.
    fn next_after_contest(&self, now: Timestamp) -> Option<Timestamp> {
        let last = self.times.last()?;
        (self.contests > 0).then(|| later(*last, self.backoff()).max(now))
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

impl From<&Change> for Drift {
    fn from(change: &Change) -> Self {
        let owner = change.owner.as_ref();
        let of =
            |text: fn(&crate::diff::Owner) -> &String| owner.map(text).cloned().unwrap_or_default();
        Self {
            field: change.path.to_string(),
            manager: of(|owner| &owner.manager),
            time: of(|owner| &owner.time),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::{
        bundle::Secrets,
        diff::{Options, changes},
    };

    fn identity() -> Identity {
        Identity {
            group: "apps".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("n".to_owned()),
            name: "web".to_owned(),
        }
    }

    fn replicas_changed() -> Vec<Change> {
        let live = json!({"spec": {"replicas": 5}, "metadata": {"managedFields": [{
            "manager": "kube-controller-manager", "operation": "Update", "time": "2026-01-01T00:00:00Z",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }]}});
        let options = Options {
            ignore: &[],
            secrets: &Secrets::default(),
        };
        changes(&live, &json!({"spec": {"replicas": 3}}), &options)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + seconds).unwrap()
    }

    /// Corrects whenever it is time, for as long as the other one changes it back at once.
    fn fight(rounds: usize) -> String {
        let mut corrections = Corrections::default();
        let (mut now, mut lines) = (at(0), Vec::new());
        for _ in 0..rounds {
            let verdict =
                corrections.judge(&identity(), &replicas_changed(), DriftAction::Correct, now);
            let (drifts, next, what) = match verdict {
                Verdict::Correct { drifts, at } => (drifts, at, "correct".to_owned()),
                Verdict::Contested {
                    drifts,
                    field,
                    manager,
                    at,
                } => (drifts, at, format!("{field} contested by {manager}")),
                other => panic!("{other:?}"),
            };
            lines.push(format!(
                "{what} after {} s",
                next.duration_since(now).as_secs()
            ));
            now = next;
            corrections.corrected(&identity(), &drifts, now);
        }
        lines.join("\n")
    }

    #[test]
    fn a_field_that_comes_back_five_times_is_contested() {
        assert_snapshot!(fight(9), @"
        correct after 1 s
        correct after 1 s
        correct after 1 s
        correct after 1 s
        correct after 1 s
        spec.replicas contested by kube-controller-manager after 60 s
        spec.replicas contested by kube-controller-manager after 120 s
        spec.replicas contested by kube-controller-manager after 240 s
        spec.replicas contested by kube-controller-manager after 480 s
        ");
    }

    #[test]
    fn the_wait_has_an_end() {
        assert!(fight(40).ends_with("after 14400 s"));
    }

    #[test]
    fn rare_changes_are_no_fight() {
        let mut corrections = Corrections::default();
        for round in 0..20 {
            let now = at(round * 1_000);
            let verdict =
                corrections.judge(&identity(), &replicas_changed(), DriftAction::Correct, now);
            let Verdict::Correct { drifts, .. } = verdict else {
                panic!("{round}: {verdict:?}")
            };
            corrections.corrected(&identity(), &drifts, now);
        }
    }

    #[test]
    fn a_fight_that_ended_is_forgotten() {
        let mut corrections = Corrections::default();
        let drifts: Vec<Drift> = replicas_changed().iter().map(Drift::from).collect();
        for round in 0..5 {
            corrections.corrected(&identity(), &drifts, at(round));
        }
        let judge = |corrections: &Corrections, now| {
            corrections.judge(&identity(), &replicas_changed(), DriftAction::Correct, now)
        };
        assert!(matches!(
            judge(&corrections, at(10)),
            Verdict::Contested { .. }
        ));
        corrections.corrected(&identity(), &drifts, at(3_600));
        assert!(matches!(
            judge(&corrections, at(3_601)),
            Verdict::Correct { .. }
        ));
    }

    #[test]
    fn the_policy_decides() {
        let corrections = Corrections::default();
        let judge = |policy| corrections.judge(&identity(), &replicas_changed(), policy, at(0));
        assert_eq!(judge(DriftAction::Ignore), Verdict::Nothing);
        let Verdict::Report(drifts) = judge(DriftAction::Report) else {
            panic!()
        };
        assert_snapshot!(serde_json::to_string(&drifts).unwrap(), @r#"[{"field":"spec.replicas","manager":"kube-controller-manager","time":"2026-01-01T00:00:00Z"}]"#);
        assert_eq!(
            corrections.judge(&identity(), &[], DriftAction::Correct, at(0)),
            Verdict::Nothing
        );
    }
}
