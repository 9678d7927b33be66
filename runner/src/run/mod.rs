//! A run: a bundle is driven into a cluster, or out of it.
//!
//! This is the thin edge around what decides: it reads facts, asks, writes the journal, and does
//! what was decided. Every step can be done twice, so a run that was killed is done again.

mod apply;
mod apply_stage;
mod correct;
mod drift_watch;
mod drive;
mod error;
mod gate;
mod hooks;
mod lease;
mod memory;
mod plan;
mod preflight;
mod prune;
mod recover;
mod roll_back;
mod secrets;
mod shared;
mod status;
pub mod store;
mod uninstall;

use std::{collections::BTreeSet, time::Duration};

use cairn_spec::{Digest, LayerName, ObjectId, Stage, Timestamp};
use serde::Serialize;

use crate::{
    bundle::Secrets,
    cluster::{self, Cluster},
    health::Verdict,
    inventory::Identity,
    journal::Phase,
};

pub use apply::apply;
pub use cairn_spec::agent::{Adoption, IgnoreRule, OnFailure};
pub use correct::{Corrected, Finding, Looked, correct, look};
pub use drift_watch::{DriftWatch, Noticed};
pub use error::RunError;
pub use gate::{Closed, MayChange, always};
pub use memory::Memory;
pub use plan::{LayerPlan, ObjectPlan, Plan, Step, Verb, plan};
pub use preflight::check_rights;
pub use roll_back::roll_back;
pub use secrets::secrets;
pub use status::{ClusterStatus, LayerStatus, ObjectStatus, status};
pub use uninstall::uninstall;

/// The namespace that Cairn keeps its memory in.
pub const NAMESPACE: &str = "cairn-system";

/// How a run is to be done.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Secrets for the bundle's placeholders.
    pub secrets: &'a Secrets,
    /// Who runs, as no other process says: it tells runs apart, and is shown to those who must wait. A
    /// process that took over from one that is certainly dead, such as a pod's next container, may say
    /// the same, and need not wait for its end.
    pub holder: &'a str,
    /// What happens to objects that are there and not Cairn's.
    pub adoption: Adoption,
    /// What happens when a bundle fails.
    pub on_failure: OnFailure,
    /// Asked before the first layer and between layers; when it is closed, the run ends as waiting.
    pub may_change: MayChange<'a>,
    /// How long a layer may take to become healthy.
    pub timeout: Duration,
    /// How long objects may take to go that are being deleted.
    pub deletion_timeout: Duration,
    /// Load balancers must have addresses.
    pub load_balancer_address: bool,
    /// What may be deleted though it takes data or other objects with it.
    pub approved: &'a BTreeSet<Identity>,
    /// Much may be deleted at once.
    pub approved_amount: bool,
    /// Fields that belong to others: neither compared nor changed where they are there.
    pub ignore: &'a [IgnoreRule],
}

static NOTHING: BTreeSet<Identity> = BTreeSet::new();

impl<'a> Options<'a> {
    /// The careful way: nothing is adopted or approved, and a bundle that fails is undone.
    pub fn new(secrets: &'a Secrets, holder: &'a str) -> Self {
        Self {
            secrets,
            holder,
            adoption: Adoption::Refuse,
            on_failure: OnFailure::Rollback,
            may_change: &always,
            timeout: Duration::from_mins(10),
            deletion_timeout: Duration::from_mins(1),
            load_balancer_address: false,
            approved: &NOTHING,
            approved_amount: false,
            ignore: &[],
        }
    }
}

/// How a run ends that does not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a run may wait instead of being done"]
pub enum Finish {
    /// All of it is done.
    Done,
    /// The cluster may not be changed now. The same call goes on when it may.
    Waiting(Closed),
}

/// What all of a run has to do with.
#[derive(Clone, Copy)]
struct Context<'a> {
    cluster: &'a Cluster,
    options: &'a Options<'a>,
}

/// What a run tells while it goes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", tag = "event")]
pub enum Progress<'a> {
    /// A layer begins.
    Layer {
        /// Which one.
        layer: &'a LayerName,
    },
    /// A stage begins.
    Stage {
        /// The layer.
        layer: &'a LayerName,
        /// The stage.
        stage: Stage,
        /// How many objects it has.
        objects: usize,
    },
    /// An object was applied.
    Applied {
        /// The layer.
        layer: &'a LayerName,
        /// The object.
        object: &'a ObjectId,
        /// What happened to it.
        outcome: Outcome,
    },
    /// An object is healthier or less so than before.
    Health {
        /// The layer.
        layer: &'a LayerName,
        /// The object.
        object: &'a ObjectId,
        /// How it is.
        verdict: &'a Verdict,
    },
    /// A layer is healthy.
    Healthy {
        /// Which one.
        layer: &'a LayerName,
    },
    /// The run is in another phase; the journal says so already.
    Phase {
        /// Which.
        phase: &'a Phase,
    },
    /// A layer's inventory was written.
    Remembered {
        /// The layer.
        layer: &'a LayerName,
        /// How many objects it has now.
        objects: usize,
    },
    /// The run ends here for now.
    Waiting {
        /// Why.
        #[serde(flatten)]
        closed: &'a Closed,
    },
    /// The way back to an earlier bundle begins.
    RollingBack {
        /// The bundle.
        to: &'a Digest,
        /// Why.
        reason: &'a str,
    },
    /// An object that nobody wants any more.
    Pruned {
        /// The layer.
        layer: &'a LayerName,
        /// The object.
        object: &'a Identity,
        /// What was done, and why.
        decision: String,
    },
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is new.
    Created,
    /// It was changed.
    Configured,
    /// It was as it should be.
    Unchanged,
    /// It was deleted and made anew.
    Recreated,
    /// It is somebody else's and stays as it is.
    Skipped,
    /// It does not go back to what it was.
    Kept,
}

/// Who is told.
pub type Tell<'a> = &'a mut (dyn FnMut(Progress<'_>) + Send);

/// The time, as the journal writes it.
fn now() -> Timestamp {
    let second = cluster::now().as_second();
    Timestamp::from_unix_s(u64::try_from(second).unwrap_or_default())
}
