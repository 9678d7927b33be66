//! What ends a request that the hub holds: what the agent does, and how its cluster is.

use std::{collections::BTreeMap, time::Duration};

use cairn_runner::inventory::Identity;
use cairn_spec::{
    Digest,
    agent::{Applied, Phase},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::haste::Haste;
use crate::{
    observed::{Observations, Observed, what},
    report::Pressing,
};

/// Changes often come several at a time: they are reported together.
const REPORT_AFTER: Duration = Duration::from_secs(1);

/// What a request has told, as far as it is told at once when it changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    work: (Phase, Option<Applied>),
    /// What somebody changed, and what is done about it.
    drift: BTreeMap<Identity, &'static str>,
}

impl Told {
    pub(super) fn of(observations: &Observations) -> Self {
        let drift = observations.drift.iter();
        Self {
            work: (observations.phase, observations.applied.clone()),
            drift: drift
                .map(|(object, (_, verdict))| (object.clone(), what(verdict)))
                .collect(),
        }
    }
}

/// Notices what is to be told at once.
#[derive(Debug)]
pub(super) struct News {
    pressing: watch::Receiver<Pressing>,
    haste: Haste,
}

impl News {
    pub(super) fn new(pressing: watch::Receiver<Pressing>) -> Self {
        Self {
            pressing,
            haste: Haste::new(Instant::now()),
        }
    }

    /// What is there now is told, what changes from now on is news.
    pub(super) fn begin(&mut self) {
        self.pressing.mark_unchanged();
    }

    /// Waits for news. What the agent does is told at once, also what it lacks; how the cluster is, when it has
    /// not been told again and again.
    pub(super) async fn wait(
        &mut self,
        observed: &Observed,
        mut missing: watch::Receiver<Option<Digest>>,
        told: &Told,
    ) {
        let soon = Instant::now() + REPORT_AFTER;
        // When the cluster's state ends the request; none while it is as it was.
        let mut due: Option<Instant> = None;
        loop {
            let is_pressing = tokio::select! {
                () = observed.changed() => false,
                changed = self.pressing.changed() => match changed {
                    Ok(()) => true,
                    Err(_) => return std::future::pending().await,
                },
                changed = missing.changed() => match changed {
                    Ok(()) => return sleep_until(soon).await,
                    Err(_) => return std::future::pending().await,
                },
                () = until(due) => return self.haste.came(Instant::now()),
            };
            sleep_until(soon).await;
            let now = Told::of(&observed.now());
            if now.work != told.work || observed.has_happenings() {
                return;
            }
            if due.is_none() && (is_pressing || now.drift != told.drift) {
                due = Some(self.haste.next().map_or(soon, |next| next.max(soon)));
            }
        }
    }
}

/// Ends at a time; never without one.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
