//! Keeps the cluster as it is wanted: applies, goes back, watches, puts back. It needs nobody but the
//! cluster, which keeps the bundles, too.

pub mod decide;
mod drift;
mod run;

use std::{sync::Arc, time::Duration};

use cairn_runner::{
    cluster::Cluster,
    drift::Agenda,
    journal::Journal,
    run::{DriftWatch, Memory, RunError},
};
use cairn_spec::agent::{Drift as DriftPolicy, IgnoreRule, Policy};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::{Backoff, Bounds, CLUSTER},
    clock::Clock,
    desired::{Desired, Wanted},
    observed::{Observed, phase_of_journal},
};
use decide::{Facts, Next, Target, decide, target};

/// How runs are tried again that failed by no fault of their bundle.
const AGAIN: Bounds = Bounds {
    shortest: Duration::from_secs(10),
    longest: Duration::from_mins(10),
};
/// A look at everything costs two requests an object; on average one a minute is made for it.
const SWEEP_MIN_PER_OBJECT: i64 = 2;
/// Everything is looked at no more often than this, in minutes.
const MIN_SWEEP_MIN: i64 = 30;

/// What an enforcer works with.
#[derive(Debug)]
pub struct Enforcer {
    /// The cluster.
    pub cluster: Cluster,
    /// The time.
    pub clock: Clock,
    /// Who runs: shown in the cluster, and told apart from other runs.
    pub holder: String,
    /// What is wanted.
    pub wanted: Wanted,
    /// Whether this replica may act.
    pub leads: watch::Receiver<bool>,
    /// Who is told.
    pub observed: Observed,
    /// A bundle that is wanted and not kept in the cluster any more.
    pub missing: watch::Sender<Option<cairn_spec::Digest>>,
    /// Everything is to be compared now.
    pub compare: Arc<tokio::sync::Notify>,
}

/// What a policy says of drift.
type Treatment = (DriftPolicy, Vec<IgnoreRule>);

/// What an enforcer knows from one step to the next.
struct Knowledge {
    journal: Journal,
    agenda: Agenda,
    watch: Option<DriftWatch>,
    /// How drift was treated when everything was compared last.
    treatment: Option<Treatment>,
    /// What drifted and waits for the cluster to be open.
    held: std::collections::BTreeSet<cairn_runner::inventory::Identity>,
    again: Option<Timestamp>,
    /// How runs are tried again.
    backoff: Backoff,
    /// How the cluster is asked again that does not answer.
    away: Backoff,
    sweep: Timestamp,
}

impl Knowledge {
    /// What nobody minded before may be drift now.
    fn treat(&mut self, desired: &Desired) {
        let Policy { drift, ignore, .. } = &desired.policy;
        let now = (drift.clone(), ignore.clone());
        let before = self.treatment.get_or_insert_with(|| now.clone());
        // Not while there is nothing to compare: then when there is.
        if *before != now && self.watch.is_some() {
            *before = now;
            self.sweep = Timestamp::MIN;
        }
    }
}

impl Enforcer {
    /// Enforces until it is told to stop.
    pub async fn run(mut self, stop: &CancellationToken) {
        let mut known = Knowledge {
            journal: Journal::default(),
            agenda: Agenda::default(),
            watch: None,
            treatment: None,
            held: std::collections::BTreeSet::new(),
            again: None,
            backoff: Backoff::new(AGAIN),
            away: Backoff::new(CLUSTER),
            sweep: Timestamp::MAX,
        };
        let mut is_fresh = false;
        while !stop.is_cancelled() {
            if !*self.leads.borrow_and_update() {
                is_fresh = false;
                known.watch = None;
            } else if !is_fresh {
                match self.read_journal(&mut known).await {
                    Ok(()) => {
                        known.away.succeeded();
                        is_fresh = true;
                    }
                    Err(error) => {
                        self.told("the cluster cannot be read", &error);
                        self.pause(known.away.failed(rand::random(), None), stop)
                            .await;
                        continue;
                    }
                }
            }
            let desired = self.wanted.borrow_and_update().clone();
            if is_fresh {
                self.settle(&mut known, desired.as_deref()).await;
            }
            let now = self.clock.now();
            if desired.as_ref().is_some_and(|it| it.closed(now).is_none()) {
                // What was held back while nothing could be changed.
                known.agenda.suspect(std::mem::take(&mut known.held));
            }
            if let Some(desired) = &desired {
                known.treat(desired);
            }
            let next = self.next(&known, desired.as_deref());
            tracing::debug!(?next, "decided");
            match (next, desired) {
                (Next::Wait(until), _) => self.wait(&mut known, until, stop).await,
                (
                    Next::Run {
                        bundle,
                        retry,
                        unasked,
                    },
                    Some(desired),
                ) => {
                    let how = run::How { retry, unasked };
                    self.run_bundle(&mut known, &desired, (&bundle, how), stop)
                        .await;
                    is_fresh = false;
                }
                (Next::Sweep, Some(_)) => {
                    known.sweep = self.next_sweep(known.watch.as_ref());
                    if let Some(watch) = &known.watch {
                        known.agenda.suspect(watch.identities().cloned());
                    }
                }
                (Next::Mend, Some(desired)) => {
                    is_fresh = self.mend(&mut known, &desired, stop).await;
                }
                (_, None) => {}
            }
        }
    }

    fn next(&self, known: &Knowledge, desired: Option<&Desired>) -> Next {
        let now = self.clock.now();
        decide(&Facts {
            now,
            leads: *self.leads.borrow(),
            desired,
            journal: &known.journal,
            again: known.again,
            drift: known.agenda.next(now),
            sweep: known.sweep,
        })
    }

    async fn read_journal(&self, known: &mut Knowledge) -> Result<(), RunError> {
        let memory = Memory::read(&self.cluster).await?;
        for damage in &memory.damaged {
            tracing::warn!(%damage, "an inventory cannot be read: nothing is pruned by it");
        }
        known.journal = memory.journal;
        let journal = known.journal.clone();
        self.observed.note(|it| {
            it.is_ready = true;
            it.phase = phase_of_journal(&journal);
            it.bundle = journal.run.as_ref().map(|run| run.bundle.clone());
            it.journal = journal;
        });
        Ok(())
    }

    /// Watches over what is there, once it is what is wanted.
    async fn settle(&self, known: &mut Knowledge, desired: Option<&Desired>) {
        let target = desired.map(|desired| target(desired, &known.journal));
        let Some(Target::Bundle { bundle, .. }) = target else {
            return;
        };
        if !decide::is_settled(&known.journal, &bundle) {
            known.watch = None;
            return;
        }
        if known.watch.is_some() {
            return;
        }
        known.held.clear();
        known.agenda.clear();
        self.observed.note(|it| it.drift.clear());
        match DriftWatch::start(&self.cluster).await {
            Ok(watch) => {
                known.sweep = self.next_sweep(Some(&watch));
                known.watch = Some(watch);
            }
            Err(error) => {
                self.told("what was applied cannot be watched", &error);
                known.sweep = Timestamp::MAX;
            }
        }
    }

    /// Not all clusters of a fleet at the same time.
    fn next_sweep(&self, watch: Option<&DriftWatch>) -> Timestamp {
        let objects = watch.map_or(0, |watch| watch.identities().count());
        let objects = i64::try_from(objects).unwrap_or(i64::MAX);
        let minutes = MIN_SWEEP_MIN.max(objects.saturating_mul(SWEEP_MIN_PER_OBJECT));
        let spread = rand::random_range(0.8..1.2);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "a few minutes more or less"
        )]
        let seconds = (minutes.min(1_000_000) as f64 * 60.0 * spread) as i64;
        let now = self.clock.now();
        now.saturating_add(SignedDuration::from_secs(seconds))
            .unwrap_or(Timestamp::MAX)
    }

    /// Waits until something is to be done.
    async fn wait(
        &mut self,
        known: &mut Knowledge,
        until: Option<Timestamp>,
        stop: &CancellationToken,
    ) {
        let Knowledge { watch, agenda, .. } = known;
        let noticed = async {
            match watch {
                Some(watch) => watch.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            noticed = noticed => drift::notice(agenda, noticed),
            _ = self.wanted.changed() => {}
            _ = self.leads.changed() => {}
            () = self.compare.notified() => known.sweep = Timestamp::MIN,
            () = self.clock.sleep_until(until) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn pause(&self, time: Duration, stop: &CancellationToken) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = stop.cancelled() => {}
        }
    }

    fn told(&self, what: &str, error: &dyn std::error::Error) {
        let causes = causes(error);
        tracing::warn!(error = causes, "{what}");
        self.observed
            .note(|it| it.message = Some(format!("{what}: {causes}")));
    }
}

/// An error with what it was caused by.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
