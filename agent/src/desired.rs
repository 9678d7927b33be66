//! What is wanted of a cluster, as the part that enforces it is told.

use std::sync::Arc;

use cairn_runner::{
    journal::Gate,
    run::Closed,
    window::{Calendar, WindowError},
};
use cairn_spec::{Digest, Timestamp, agent::Policy};
use tokio::sync::watch;

/// A desired state that was accepted, and whose bundle the cluster keeps.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The bundle.
    pub bundle: Digest,
    /// Its generation; 0 if it has none.
    pub generation: u64,
    /// When bundle and policy became what they are.
    pub since: Timestamp,
    /// How the cluster is to be treated.
    pub policy: Policy,
    calendar: Calendar,
}

/// Where the desired state of now is; none before the first one.
pub type Wanted = watch::Receiver<Option<Arc<Desired>>>;

impl Desired {
    /// Checks the policy's windows.
    pub fn new(
        bundle: Digest,
        generation: u64,
        since: Timestamp,
        policy: Policy,
    ) -> Result<Self, WindowError> {
        let calendar = Calendar::new(&policy.windows)?;
        Ok(Self {
            bundle,
            generation,
            since,
            policy,
            calendar,
        })
    }

    /// Why the cluster may not be changed at a time.
    pub fn closed(&self, now: jiff::Timestamp) -> Option<Closed> {
        if let Some(pause) = &self.policy.pause {
            let ends = pause.until.and_then(jiff_time);
            if ends.is_none_or(|end| now < end) {
                return Some(Closed {
                    gate: Gate::Pause,
                    reason: pause.reason.clone(),
                    until: pause.until,
                });
            }
        }
        self.calendar.may_change(now).err()
    }
}

/// A written time as one to count with.
pub fn jiff_time(time: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_second(i64::try_from(time.unix_s()).ok()?).ok()
}

/// A time as it is written; 1970 for all before.
pub fn written_time(time: jiff::Timestamp) -> Timestamp {
    Timestamp::from_unix_s(u64::try_from(time.as_second()).unwrap_or_default())
}
