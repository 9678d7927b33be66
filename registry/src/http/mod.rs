//! The registry over HTTP: requests in, responses out. Nothing below knows about it.
//!
//! Repository names contain slashes, so paths are not matched by a router: below `/v2/`, one
//! handler reads the path from the right ([`endpoint`]) and one function lists what every endpoint
//! answers to ([`routes`]).

mod access_log;
mod authentication;
mod blobs;
mod body;
mod connection;
mod endpoint;
mod jwks;
mod lists;
mod manifests;
mod needs;
mod peer;
mod query;
mod ranges;
mod response;
mod routes;
mod token;
mod uploads;

pub(crate) use connection::{StallGuard, serve};
pub(crate) use jwks::jwks_fetch;
pub(crate) use peer::{Origin, Peer, is_origin};
pub(crate) use routes::router;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tracing::Instrument;

use crate::{Error, Result, auth::Auth, service::Registry};

/// What every handler works with.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) registry: Arc<Registry>,
    pub(crate) auth: Arc<Auth>,
    pub(crate) origin: Arc<Origin>,
    /// The server was told to stop: it finishes what it began, but wants no more.
    draining: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn new(registry: Registry, auth: Auth, origin: Origin) -> Self {
        Self {
            registry: Arc::new(registry),
            auth: Arc::new(auth),
            origin: Arc::new(origin),
            draining: Arc::default(),
        }
    }

    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Runs work to its end even if the client leaves: what arrived of an upload is kept, and a
    /// write of several records is not cut in two.
    pub(crate) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let task = self.registry.tasks.spawn(work.in_current_span());
        task.await.map_err(|_| Error::Panic)?
    }
}
