//! Drives a bundle into the cluster, and gives that up when another one is wanted.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cairn_runner::{
    bundle::Secrets,
    cluster::ClusterError,
    inventory::Identity,
    run::{
        Finish, MayChange, Options, Progress, RunError, always, apply, secrets, store,
        store::StoreError,
    },
};
use cairn_spec::{
    Digest,
    agent::{self, Phase},
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Enforcer, Knowledge, causes};
use crate::desired::{Desired, Wanted};

/// How long the step that is under way may take when the agent is to stop.
const LAST_STEP: Duration = Duration::from_secs(5);
/// Another run is waited for.
const BUSY: Duration = Duration::from_secs(15);

/// How a bundle is driven.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// Though it failed before.
    pub(super) retry: bool,
    /// No gate holds it up.
    pub(super) unasked: bool,
}

/// How it ended.
enum Ended {
    Finish(Finish),
    /// Something else is wanted.
    GivenUp(&'static str),
    Failed(RunError),
}

impl Enforcer {
    pub(super) async fn run_bundle(
        &self,
        known: &mut Knowledge,
        desired: &Arc<Desired>,
        (bundle, how): (&Digest, How),
        stop: &CancellationToken,
    ) {
        known.watch = None;
        let generation = desired.generation;
        self.observed.note(|it| it.bundle = Some(bundle.clone()));
        match self.drive(desired, (bundle, how), stop).await {
            Ended::Finish(Finish::Done) => {
                known.again = None;
                known.backoff.succeeded();
                known.away.succeeded();
                let applied = agent::Applied {
                    digest: bundle.clone(),
                    generation,
                };
                self.observed.note(|it| it.applied = Some(applied));
                tracing::info!(%bundle, generation, "the cluster is as it is wanted");
            }
            Ended::Finish(Finish::Waiting(closed)) => {
                tracing::info!(%bundle, reason = closed.reason, until = ?closed.until, "waiting");
            }
            Ended::GivenUp(why) => tracing::info!(%bundle, why, "the run is given up"),
            Ended::Failed(error) => self.failed(known, bundle, &error),
        }
    }

    async fn drive(
        &self,
        desired: &Arc<Desired>,
        (digest, how): (&Digest, How),
        stop: &CancellationToken,
    ) -> Ended {
        let cluster = self.cluster.clone();
        let observed = self.observed.clone();
        let bundle = match store::load_bundle(&cluster, digest).await {
            Ok(bundle) => bundle,
            Err(error) => return Ended::Failed(error),
        };
        let secrets = match secrets(&cluster, &bundle).await {
            Ok(secrets) => secrets,
            Err(error) => return Ended::Failed(error),
        };
        let approved = approved(desired);
        let clock = self.clock.clone();
        let gate = {
            let desired = Arc::clone(desired);
            move |_: Timestamp| desired.closed(clock.now()).map_or(Ok(()), Err)
        };
        let may_change: MayChange<'_> = if how.unasked { &always } else { &gate };
        let options = self.options(desired, (&secrets, &approved), may_change);
        let stepped = Arc::new(Notify::new());
        let told = Arc::clone(&stepped);
        let mut tell = move |progress: Progress<'_>| {
            observed.progress(&progress);
            told.notify_waiters();
        };
        let run = apply(&cluster, &bundle, (digest, how.retry), &options, &mut tell);
        let holder = self.holder.clone();
        let watched = (self.wanted.clone(), self.leads.clone());
        let interrupted = interrupted(desired, watched, &stepped, stop);
        tracing::info!(bundle = %digest, holder, retry = how.retry, "a run begins");
        tokio::select! {
            ended = run => match ended {
                Ok(finish) => Ended::Finish(finish),
                Err(error) => Ended::Failed(error),
            },
            why = interrupted => Ended::GivenUp(why),
        }
    }

    fn failed(&self, known: &mut Knowledge, bundle: &Digest, error: &RunError) {
        let text = causes(error);
        match error {
            RunError::RolledBack { .. } => {
                self.observed.happened(Phase::RolledBack, None, Some(text));
                known.again = None;
                return;
            }
            RunError::Unhealthy { .. }
            | RunError::Refused { .. }
            | RunError::NotRolledBack { .. } => {
                self.observed.happened(Phase::Halted, None, Some(text));
            }
            RunError::Store(StoreError::NotKept(_) | StoreError::Damaged { .. }) => {
                tracing::warn!(%bundle, error = text, "the bundle must be brought again");
                self.missing.send_replace(Some(bundle.clone()));
            }
            _ => {
                tracing::warn!(%bundle, error = text, "the run failed");
                self.observed.note(|it| it.message = Some(text));
            }
        }
        let wait = match error {
            RunError::Busy { .. } => BUSY,
            RunError::Cluster {
                source: ClusterError::Away { .. },
                ..
            } => known.away.failed(rand::random(), None),
            _ => known.backoff.failed(rand::random(), None),
        };
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO);
        known.again = self.clock.now().saturating_add(wait).ok();
    }

    /// The options of a run, by the policy.
    pub(super) fn options<'a>(
        &'a self,
        desired: &'a Desired,
        (secrets, approved): (&'a Secrets, &'a BTreeSet<Identity>),
        may_change: MayChange<'a>,
    ) -> Options<'a> {
        let policy = &desired.policy;
        Options {
            adoption: policy.adoption,
            on_failure: policy.on_failure,
            may_change,
            timeout: Duration::from_secs(policy.timeout_s.into()),
            ignore: &policy.ignore,
            approved,
            approved_amount: policy.approve_many_deletions,
            ..Options::new(secrets, &self.holder)
        }
    }
}

/// Every step of a run can be done twice, so it may end anywhere; it ends between steps if it can.
async fn interrupted(
    desired: &Desired,
    (mut wanted, mut leads): (Wanted, watch::Receiver<bool>),
    stepped: &Notify,
    stop: &CancellationToken,
) -> &'static str {
    let another = async {
        loop {
            if wanted.changed().await.is_err() {
                return std::future::pending().await;
            }
            let now = wanted.borrow_and_update();
            if now.as_ref().is_none_or(|now| now.bundle != desired.bundle) {
                return;
            }
        }
    };
    let lost = async {
        while *leads.borrow_and_update() {
            if leads.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    };
    tokio::select! {
        () = another => "another bundle is wanted",
        // Not one request more.
        () = lost => "another replica leads",
        () = stop.cancelled() => {
            tokio::select! {
                () = stepped.notified() => {}
                () = tokio::time::sleep(LAST_STEP) => {}
            }
            "the agent stops"
        }
    }
}

/// What may be deleted.
pub(super) fn approved(desired: &Desired) -> BTreeSet<Identity> {
    let approvals = desired.policy.approvals.iter();
    approvals
        .map(|object| Identity {
            group: object.group.clone(),
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        })
        .collect()
}
