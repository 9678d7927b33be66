//! The agents as a console shows them: how each is, and how old that knowledge is.

use bytes::Bytes;
use cairn_spec::{
    Timestamp,
    agent::{Transition, limits::INTERVALS_UNTIL_UNKNOWN},
};

use crate::{AgentRecord, Contact, Error, Hub};

/// The most agents of one page.
const MAX_PAGE: usize = 1_000;

/// Whether what is known of a cluster is how it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// Nothing was ever heard of it.
    Never,
    /// It is, as of this time.
    Present {
        /// When it was heard of last.
        seen: Timestamp,
    },
    /// It is not known since then; everything is the last known.
    LastKnown {
        /// When it was heard of last.
        unknown_since: Timestamp,
    },
}

/// An agent, and what is known of its cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentView {
    /// Who it is.
    pub record: AgentRecord,
    /// How old all that follows is.
    pub knowledge: Knowledge,
    /// What it said last.
    pub contact: Contact,
    /// The status document, JSON; none before the first.
    pub status: Option<Bytes>,
}

impl Hub {
    /// An agent.
    pub async fn agent(&self, id: &str) -> Result<AgentView, Error> {
        let record = self.store.agent(id).await?;
        let record = record.ok_or(Error::NotFound("agent of this identity"))?;
        let mut view = self.view(record).await?;
        let report = self.store.report(id).await?;
        view.status = report.map(|report| report.document);
        Ok(view)
    }

    /// Agents by identity, those after one, at most so many; without their status documents.
    pub async fn agents(&self, after: Option<&str>, limit: usize) -> Result<Vec<AgentView>, Error> {
        let mut views = Vec::new();
        for record in self.store.agents(after, limit.min(MAX_PAGE)).await? {
            views.push(self.view(record).await?);
        }
        Ok(views)
    }

    /// What happened to an agent's cluster last, newest first.
    pub async fn transitions(&self, id: &str, limit: usize) -> Result<Vec<Transition>, Error> {
        Ok(self.store.transitions(id, limit.min(MAX_PAGE)).await?)
    }

    async fn view(&self, record: AgentRecord) -> Result<AgentView, Error> {
        let live = self.roster.agent(&*self.store, &record.id).await?;
        let own = live
            .map(|live| live.state().contact.clone())
            .unwrap_or_default();
        // Another process may have heard of it later.
        let written = if self.store.is_shared() {
            self.store.contact(&record.id).await?.unwrap_or_default()
        } else {
            Contact::default()
        };
        let contact = if written.seen_ms > own.seen_ms {
            written
        } else {
            own
        };
        Ok(AgentView {
            knowledge: self.knowledge(contact.seen_ms),
            record,
            contact,
            status: None,
        })
    }

    fn knowledge(&self, seen_ms: u64) -> Knowledge {
        if seen_ms == 0 {
            return Knowledge::Never;
        }
        let seen = Timestamp::from_unix_s(seen_ms / 1_000);
        let interval_s = self.settings.sync_s.max(self.settings.wait_s);
        let present_ms = u64::from(interval_s) * u64::from(INTERVALS_UNTIL_UNKNOWN) * 1_000;
        if self.clock.unix_ms().saturating_sub(seen_ms) > present_ms {
            Knowledge::LastKnown {
                unknown_since: seen,
            }
        } else {
            Knowledge::Present { seen }
        }
    }
}
