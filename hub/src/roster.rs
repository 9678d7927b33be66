//! The agents that this process has heard of, in memory: what each request needs of them, who waits
//! for an answer, and what is still to be written down.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use cairn_spec::agent::Command;
use tokio::sync::Notify;

use crate::{AgentRecord, Contact, Error, HubStore, rate::Pace};

/// An agent in memory.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) id: String,
    state: Mutex<State>,
    /// Wakes the request that is held.
    pub(crate) wake: Notify,
}

/// What is known of an agent.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) record: Arc<AgentRecord>,
    pub(crate) contact: Contact,
    /// The contact is newer than what is in the store.
    pub(crate) is_unwritten: bool,
    /// The boot and revision of the status that is in the store.
    pub(crate) status: Option<(String, u64)>,
    /// The highest number of a transition that is in the store.
    pub(crate) transitions_up_to: u64,
    pub(crate) commands: Vec<Command>,
    pub(crate) pace: Pace,
    /// Which request is the last that came: an older one that is held gives way to it.
    pub(crate) turn: u64,
}

impl Live {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All agents in memory.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    agents: RwLock<HashMap<String, Arc<Live>>>,
}

impl Roster {
    fn known(&self, id: &str) -> Option<Arc<Live>> {
        let agents = self.agents.read().unwrap_or_else(PoisonError::into_inner);
        agents.get(id).cloned()
    }

    /// The agent, read from the store when it was not heard of before.
    pub(crate) async fn agent(
        &self,
        store: &dyn HubStore,
        id: &str,
    ) -> Result<Option<Arc<Live>>, Error> {
        if let Some(known) = self.known(id) {
            return Ok(Some(known));
        }
        let Some(record) = store.agent(id).await? else {
            return Ok(None);
        };
        let report = store.report(id).await?;
        let state = State {
            record: Arc::new(record),
            contact: store.contact(id).await?.unwrap_or_default(),
            is_unwritten: false,
            status: report.map(|report| (report.boot_id, report.revision)),
            transitions_up_to: store.add_transitions(id, &[]).await?,
            commands: store.commands(id).await?,
            pace: Pace::default(),
            turn: 0,
        };
        let live = Arc::new(Live {
            id: id.to_owned(),
            state: Mutex::new(state),
            wake: Notify::new(),
        });
        let mut agents = self.agents.write().unwrap_or_else(PoisonError::into_inner);
        // Two requests may have read it at once: the first one counts.
        Ok(Some(Arc::clone(
            agents.entry(id.to_owned()).or_insert(live),
        )))
    }

    /// Reads an agent's record and commands again, and wakes its request.
    pub(crate) async fn refresh(&self, store: &dyn HubStore, id: &str) -> Result<(), Error> {
        let Some(live) = self.known(id) else {
            return Ok(());
        };
        let (record, commands) = (store.agent(id).await?, store.commands(id).await?);
        if let Some(record) = record {
            let mut state = live.state();
            if record.version >= state.record.version {
                state.record = Arc::new(record);
            }
            state.commands = commands;
        }
        live.wake.notify_waiters();
        Ok(())
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        let agents = self.agents.read().unwrap_or_else(PoisonError::into_inner);
        agents.values().cloned().collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let agents = self.agents.read().unwrap_or_else(PoisonError::into_inner);
        agents.len()
    }

    /// Writes down who was heard of since the last time; returns how many.
    pub(crate) async fn flush(&self, store: &dyn HubStore) -> Result<usize, Error> {
        let mut contacts = Vec::new();
        for live in self.all() {
            let mut state = live.state();
            if std::mem::take(&mut state.is_unwritten) {
                contacts.push((live.id.clone(), state.contact.clone()));
            }
        }
        let count = contacts.len();
        if let Err(error) = store.put_contacts(&contacts).await {
            for (id, _) in &contacts {
                if let Some(live) = self.known(id) {
                    live.state().is_unwritten = true;
                }
            }
            return Err(error.into());
        }
        Ok(count)
    }
}
