//! The cluster, as its API server shows it: what is there, what an apply would change, what changes.
//!
//! Objects are JSON, whatever their kind. Nothing here decides what is to be done with them; each
//! request is one that may be made twice, so it is tried again until the patience ends.

mod apply;
mod built_in;
mod connect;
mod discovery;
mod error;
mod facts;
mod follow;
mod judge;
mod judgeable;
mod logs;
mod meter;
mod objects;
mod ownership;
mod pods;
mod propose;
mod request;
mod rights;
mod server;
mod swap;
mod view;
mod wait;
mod watch;

use std::{sync::Arc, time::Duration};

use tokio::sync::{RwLock, Semaphore};

pub use apply::{Applied, Force, Mode};
pub(crate) use built_in::is_built_in;
pub use connect::{Access, ConnectError};
pub use discovery::{Kinds, Resource};
pub use error::{ClusterError, Conflict, Refusal};
pub use follow::{Follow, Place, Seen};
pub use meter::Requests;
pub use objects::{Deletion, Judged, Listed, Propagation, id_of};
pub use ownership::owned_fields;
pub(crate) use pods::is_workload;
pub use propose::{Candidate, Presence, Proposal, presence_of};
pub use view::{Sighting, View};
pub(crate) use wait::now;
pub use wait::{Awaited, Ended, Unhealthy, Waiting};
pub use watch::{Event, Watch};

/// How requests are made.
#[derive(Debug, Clone)]
pub struct Pace {
    /// How many requests are under way at once, each on a connection of its own. An API server gives one
    /// client dozens of places before it lets others go first.
    pub concurrency: usize,
    /// How long one attempt may take.
    pub request_timeout: Duration,
    /// How long a request is tried again while the API server is away or refuses for now.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            concurrency: 32,
            request_timeout: Duration::from_secs(30),
            patience: Duration::from_mins(2),
        }
    }
}

/// A cluster, for as long as its API server is there. Clones are the same one.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    pace: Pace,
    places: Arc<Semaphore>,
    kinds: Arc<RwLock<Option<Arc<Kinds>>>>,
    meter: Arc<meter::Meter>,
    endpoint: Option<Arc<server::Endpoint>>,
}

impl Cluster {
    /// How many requests are under way at once.
    pub(crate) fn concurrency(&self) -> usize {
        self.pace.concurrency.max(1)
    }

    /// The requests that were made until now, without watches.
    pub fn requests(&self) -> Requests {
        self.meter.read()
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
