//! What is to be looked at or put back, and when.
//!
//! It is looked at once when metadata changes, and put back when its field has been left alone for a
//! moment, or later when another controller fights for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Corrections, Drift, DriftAction, Verdict};
use crate::{diff::Change, inventory::Identity};

/// What is to be done next about objects that may have drifted.
#[derive(Debug, Default)]
pub struct Agenda {
    corrections: Corrections,
    looks: BTreeSet<Identity>,
    due: BTreeMap<Identity, Timestamp>,
}

/// What is due.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// To be looked at, and then [judged](Agenda::judge).
    pub look: BTreeSet<Identity>,
    /// To be put back.
    pub correct: BTreeSet<Identity>,
}

impl Agenda {
    /// These may have drifted. What waits to be put back waits on.
    pub fn suspect(&mut self, identities: impl IntoIterator<Item = Identity>) {
        for identity in identities {
            if !self.due.contains_key(&identity) {
                self.looks.insert(identity);
            }
        }
    }

    /// When there is something to do; none if nothing waits.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        if self.looks.is_empty() {
            self.due.values().min().copied()
        } else {
            Some(now)
        }
    }

    /// What is to be done now; it is not given again.
    pub fn due(&mut self, now: Timestamp) -> Due {
        let (now_due, later): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut self.due)
            .into_iter()
            .partition(|(_, at)| *at <= now);
        self.due = later;
        Due {
            look: std::mem::take(&mut self.looks),
            correct: now_due.into_keys().collect(),
        }
    }

    /// Decides about an object that was looked at, by what a dry run would change; what is to be put
    /// back is noted.
    pub fn judge(
        &mut self,
        identity: &Identity,
        changes: &[Change],
        policy: DriftAction,
        now: Timestamp,
    ) -> Verdict {
        let verdict = self.corrections.judge(identity, changes, policy, now);
        match &verdict {
            Verdict::Correct { at, .. } | Verdict::Contested { at, .. } => {
                self.due.insert(identity.clone(), *at);
            }
            Verdict::Nothing | Verdict::Report(_) => {
                self.due.remove(identity);
            }
        }
        verdict
    }

    /// Notes that an object was put back, or that this failed: it counts in a fight all the same.
    pub fn corrected(&mut self, identity: &Identity, drifts: &[Drift], now: Timestamp) {
        self.due.remove(identity);
        self.corrections.corrected(identity, drifts, now);
    }

    /// Nothing waits any more: another bundle was applied. Fights are remembered.
    pub fn clear(&mut self) {
        self.looks.clear();
        self.due.clear();
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::diff::Path;

    fn identity(name: &str) -> Identity {
        Identity {
            group: String::new(),
            kind: "ConfigMap".to_owned(),
            namespace: Some("n".to_owned()),
            name: name.to_owned(),
        }
    }

    fn set(names: &[&str]) -> BTreeSet<Identity> {
        names.iter().map(|name| identity(name)).collect()
    }

    fn gone() -> [Change; 1] {
        [Change {
            path: Path::default(),
            old: None,
            new: None,
            owner: None,
        }]
    }

    #[test]
    fn what_drifts_is_looked_at_at_once_and_put_back_a_moment_later() {
        let mut agenda = Agenda::default();
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(agenda.next(now), None);
        agenda.suspect(set(&["a", "b", "c"]));
        assert_eq!(agenda.next(now), Some(now));
        assert_eq!(agenda.due(now).look, set(&["a", "b", "c"]));
        assert_eq!(agenda.due(now), Due::default());
        let verdicts = [
            agenda.judge(&identity("a"), &gone(), DriftAction::Correct, now),
            agenda.judge(&identity("b"), &gone(), DriftAction::Report, now),
            agenda.judge(&identity("c"), &[], DriftAction::Correct, now),
        ];
        let [
            Verdict::Correct { drifts, at },
            Verdict::Report(_),
            Verdict::Nothing,
        ] = verdicts
        else {
            panic!("{verdicts:?}");
        };
        assert_eq!(agenda.next(now), Some(at));
        // It changes again while it waits.
        agenda.suspect(set(&["a"]));
        assert_eq!(agenda.due(now), Due::default());
        let due = agenda.due(at);
        assert_eq!((due.look, due.correct), (set(&[]), set(&["a"])));
        agenda.corrected(&identity("a"), &drifts, at);
        assert_eq!(agenda.next(at), None);
    }

    #[test]
    fn a_fight_is_put_off_and_outlives_a_new_bundle() {
        let mut agenda = Agenda::default();
        let mut now = Timestamp::UNIX_EPOCH;
        for _ in 0..5 {
            let verdict = agenda.judge(&identity("a"), &gone(), DriftAction::Correct, now);
            let Verdict::Correct { drifts, at } = verdict else {
                panic!("{verdict:?}");
            };
            now = at;
            agenda.corrected(&identity("a"), &drifts, now);
        }
        agenda.clear();
        let verdict = agenda.judge(&identity("a"), &gone(), DriftAction::Correct, now);
        assert!(matches!(verdict, Verdict::Contested { .. }), "{verdict:?}");
        assert_eq!(agenda.next(now), Some(now + SignedDuration::from_mins(1)));
        agenda.judge(&identity("a"), &gone(), DriftAction::Ignore, now);
        assert_eq!(agenda.next(now), None);
    }
}
