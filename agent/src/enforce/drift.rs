//! Looks at what may have drifted, and puts back what has.

use cairn_runner::{
    drift::{Agenda, Due, Verdict},
    inventory::Identity,
    run::{Corrected, Looked, Noticed, Progress, RunError, always, correct, look, secrets, store},
};
use cairn_spec::{Digest, agent::DriftAction};

use tokio_util::sync::CancellationToken;

use super::{Enforcer, Knowledge, decide, run::approved};
use crate::{
    desired::Desired,
    observed::{drifts, what},
};

/// Puts on the agenda what a watch has noticed.
pub(super) fn notice(agenda: &mut Agenda, noticed: Noticed) {
    match noticed {
        Noticed::Suspects(suspects) => {
            tracing::debug!(count = suspects.len(), "objects have changed");
            agenda.suspect(suspects);
        }
        Noticed::Blind { kind, reason } => {
            tracing::warn!(kind, reason, "objects cannot be watched for now");
        }
    }
}

impl Enforcer {
    /// Does what is due. False if the journal is not what it was thought to be.
    pub(super) async fn mend(
        &self,
        known: &mut Knowledge,
        desired: &Desired,
        stop: &CancellationToken,
    ) -> bool {
        let due = known.agenda.due(self.clock.now());
        let decide::Target::Bundle { bundle, .. } = decide::target(desired, &known.journal) else {
            return false;
        };
        match self.mend_bundle(known, desired, (&bundle, due)).await {
            Ok(()) => true,
            Err((_, error @ (RunError::NotApplied(_) | RunError::Journal(_)))) => {
                tracing::info!(%error, "somebody else has run a bundle");
                false
            }
            Err((undone, error)) => {
                self.told("what has drifted cannot be put back", &error);
                known.agenda.suspect(undone.look);
                known.agenda.suspect(undone.correct);
                let wait = known.away.failed(rand::random(), None);
                self.pause(wait, stop).await;
                // Whatever is wrong, what is known may be old.
                false
            }
        }
    }

    async fn mend_bundle(
        &self,
        known: &mut Knowledge,
        desired: &Desired,
        (digest, due): (&Digest, Due),
    ) -> Result<(), (Due, RunError)> {
        let cluster = &self.cluster;
        let with = |due: &Due| {
            let (look, correct) = (due.look.clone(), due.correct.clone());
            move |error| (Due { look, correct }, error)
        };
        let bundle = store::load_bundle(cluster, digest).await;
        let bundle = bundle.map_err(with(&due))?;
        let secrets = secrets(cluster, &bundle).await.map_err(with(&due))?;
        let approved = approved(desired);
        let options = self.options(desired, (&secrets, &approved), &always);
        let closed = desired.closed(self.clock.now());
        if closed.is_some() {
            known.held.extend(due.correct.iter().cloned());
        } else if !due.correct.is_empty() {
            let mut tell = |progress: Progress<'_>| self.observed.progress(&progress);
            let all = correct(
                cluster,
                (&bundle, digest),
                &due.correct,
                &options,
                &mut tell,
            );
            let all = all.await.map_err(with(&due))?;
            for identity in &due.correct {
                let found = all
                    .iter()
                    .find(|it| Identity::from(&it.looked.id) == *identity);
                self.put_back(known, identity, found);
            }
        }
        let due = Due {
            look: due.look,
            ..Due::default()
        };
        if !due.look.is_empty() {
            let all = look(cluster, &bundle, &due.look, &options).await;
            for looked in all.map_err(with(&due))? {
                self.judge(known, desired, &looked, closed.is_some());
            }
        }
        known.away.succeeded();
        Ok(())
    }

    fn put_back(&self, known: &mut Knowledge, identity: &Identity, found: Option<&Corrected>) {
        let now = self.clock.now();
        let before = self.observed.now().drift.remove(identity);
        let Some((layer, verdict)) = before else {
            return;
        };
        known.agenda.corrected(identity, drifts(&verdict), now);
        match found.map(|corrected| (&corrected.outcome, corrected)) {
            Some((Err(reason), _)) => {
                tracing::warn!(object = %identity, reason, "it cannot be put back");
                known.agenda.suspect([identity.clone()]);
                return;
            }
            Some((Ok(_), corrected)) => {
                if let Some(watch) = &mut known.watch {
                    watch.corrected(corrected);
                }
                self.observed.corrected(identity, drifts(&verdict));
                let was = what(&verdict);
                tracing::info!(object = %identity, was, "put back");
            }
            // It was as it should be again.
            None => {}
        }
        if !matches!(verdict, Verdict::Contested { .. }) {
            self.observed.drift(identity, &layer, &Verdict::Nothing);
        }
    }

    fn judge(&self, known: &mut Knowledge, desired: &Desired, looked: &Looked, is_closed: bool) {
        if let Some(watch) = &mut known.watch {
            watch.looked(looked);
        }
        let identity = Identity::from(&looked.id);
        let wanted = desired.policy.drift.of(&looked.layer);
        let policy = if is_closed && wanted == DriftAction::Correct {
            DriftAction::Report
        } else {
            wanted
        };
        let changes = looked.finding.changes();
        let verdict = known
            .agenda
            .judge(&identity, &changes, policy, self.clock.now());
        if is_closed && wanted == DriftAction::Correct && !changes.is_empty() {
            known.held.insert(identity.clone());
        }
        self.observed.drift(&identity, &looked.layer, &verdict);
    }
}
