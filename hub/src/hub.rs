//! The hub: what it holds, and what goes on beside the requests.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{
    AgentRecord, Authority, Clock, Config, ContentSource, Error, HubStore, Limits, Settings,
    authentication::Seen, content::Manifests, offers::Offers, rate::Pace, roster::Roster,
};

/// The hub behind its server.
#[derive(Debug)]
pub struct Hub {
    pub(crate) store: Arc<dyn HubStore>,
    pub(crate) authority: Authority,
    pub(crate) content: Option<Arc<dyn ContentSource>>,
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) roster: Roster,
    pub(crate) offers: Offers,
    pub(crate) seen: Seen,
    pub(crate) manifests: Manifests,
    pub(crate) joins: Mutex<Pace>,
    /// When this process began, in seconds since 1970.
    pub(crate) started_s: u64,
    /// The hub was told to stop: whoever waits gets an answer.
    pub(crate) draining: CancellationToken,
}

impl Hub {
    /// A hub over a store. Its TLS is for a server to see to.
    pub async fn open(config: Config) -> Result<Arc<Self>, Error> {
        let hub = Self {
            seen: Seen::new(&config.limits),
            started_s: config.clock.unix_s(),
            store: config.store,
            authority: config.authority,
            content: config.content,
            settings: config.settings,
            limits: config.limits,
            clock: config.clock,
            roster: Roster::default(),
            offers: Offers::default(),
            manifests: Manifests::default(),
            joins: Mutex::default(),
            draining: CancellationToken::new(),
        };
        hub.offers.load(&*hub.store).await?;
        Ok(Arc::new(hub))
    }

    /// What it bears.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Gives everybody who waits an answer: the hub is about to stop.
    pub fn start_draining(&self) {
        self.draining.cancel();
    }

    /// Writes down, until it is told to stop and once more then, who was heard of, and learns what
    /// other processes changed in a shared store.
    pub async fn work(&self, stop: CancellationToken) {
        let mut flush = tokio::time::interval(Duration::from_secs(self.settings.flush_s.max(1)));
        let mut poll = tokio::time::interval(Duration::from_millis(self.settings.poll_ms.max(10)));
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut up_to = 0;
        loop {
            let outcome = tokio::select! {
                () = stop.cancelled() => break,
                _ = flush.tick() => self.flush().await.map(|_| ()),
                _ = poll.tick(), if self.store.is_shared() => self.learn(&mut up_to).await,
            };
            if let Err(error) = outcome {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the store failed; it is asked again"
                );
            }
        }
        if let Err(error) = self.flush().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "who was heard of last is not written down"
            );
        }
    }

    /// Writes down who was heard of since the last time; returns how many.
    pub async fn flush(&self) -> Result<usize, Error> {
        self.roster.flush(&*self.store).await
    }

    async fn learn(&self, up_to: &mut u64) -> Result<(), Error> {
        let changes = self.store.changes(*up_to).await?;
        if changes.offers {
            self.offers.load(&*self.store).await?;
            wake_all(&self.roster, |_| true);
        }
        for id in &changes.agents {
            self.roster.refresh(&*self.store, id).await?;
        }
        *up_to = changes.up_to;
        Ok(())
    }
}

/// Wakes the held requests of some agents.
pub(crate) fn wake_all(roster: &Roster, of: impl Fn(&AgentRecord) -> bool) {
    for live in roster.all() {
        let is_it = of(&live.state().record);
        if is_it {
            live.wake.notify_waiters();
        }
    }
}
