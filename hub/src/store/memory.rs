//! A store in memory, for one process.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use cairn_spec::{
    GroupName,
    agent::{Audience, Command, Transition, limits},
};

use super::{
    AgentRecord, Changes, Contact, HubStore, KeyringRecord, Offer, Report, Result, TokenRecord,
};

/// The most transitions of one agent that are kept; the oldest go first.
const MAX_TRANSITIONS: usize = 1_000;

/// Keeps everything in memory: as long as the process lives, and no longer.
#[derive(Debug, Default)]
pub struct MemoryStore {
    content: Mutex<Content>,
    is_shared: bool,
}

#[derive(Debug, Default)]
struct Content {
    tokens: BTreeMap<String, TokenRecord>,
    agents: BTreeMap<String, Agent>,
    offers: BTreeMap<Audience, Offer>,
    keyrings: Vec<(Option<GroupName>, KeyringRecord)>,
    /// Counts changes that other hubs have to know of.
    changes: u64,
    /// The last change of offers and keyrings.
    offers_changed: u64,
}

impl Content {
    fn next_change(&mut self) -> u64 {
        self.changes += 1;
        self.changes
    }
}

#[derive(Debug)]
struct Agent {
    record: AgentRecord,
    contact: Option<Contact>,
    report: Option<Report>,
    transitions: VecDeque<Transition>,
    commands: Vec<Command>,
    /// The last change of its record or its commands.
    changed: u64,
}

impl MemoryStore {
    /// A store that several hubs of this process share.
    pub fn shared() -> Self {
        Self {
            is_shared: true,
            ..Self::default()
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HubStore for MemoryStore {
    async fn put_token(&self, token: &TokenRecord) -> Result<()> {
        self.content()
            .tokens
            .insert(token.id.clone(), token.clone());
        Ok(())
    }

    async fn token(&self, id: &str) -> Result<Option<TokenRecord>> {
        Ok(self.content().tokens.get(id).cloned())
    }

    async fn tokens(&self) -> Result<Vec<TokenRecord>> {
        Ok(self.content().tokens.values().cloned().collect())
    }

    async fn remove_token(&self, id: &str) -> Result<bool> {
        Ok(self.content().tokens.remove(id).is_some())
    }

    async fn join(&self, token_id: &str, agent: &AgentRecord) -> Result<bool> {
        let mut content = self.content();
        let Some(token) = content.tokens.get_mut(token_id) else {
            return Ok(false);
        };
        let Some(uses_left) = token.uses_left.checked_sub(1) else {
            return Ok(false);
        };
        token.uses_left = uses_left;
        let added = Agent {
            record: agent.clone(),
            contact: None,
            report: None,
            transitions: VecDeque::new(),
            commands: Vec::new(),
            changed: 0,
        };
        content.agents.insert(agent.id.clone(), added);
        Ok(true)
    }

    async fn agent(&self, id: &str) -> Result<Option<AgentRecord>> {
        let content = self.content();
        Ok(content.agents.get(id).map(|agent| agent.record.clone()))
    }

    async fn agents_of_cluster(&self, cluster_uid: &str) -> Result<Vec<AgentRecord>> {
        let content = self.content();
        let records = content.agents.values().map(|agent| &agent.record);
        Ok(records
            .filter(|record| record.cluster_uid == cluster_uid)
            .cloned()
            .collect())
    }

    async fn agents(&self, after: Option<&str>, limit: usize) -> Result<Vec<AgentRecord>> {
        let content = self.content();
        let later = content
            .agents
            .iter()
            .filter(|(id, _)| after.is_none_or(|after| id.as_str() > after));
        Ok(later
            .take(limit)
            .map(|(_, agent)| agent.record.clone())
            .collect())
    }

    async fn replace_agent(&self, agent: &AgentRecord, version: u64) -> Result<bool> {
        let mut content = self.content();
        let change = content.next_change();
        match content.agents.get_mut(&agent.id) {
            Some(found) if found.record.version == version => {
                found.record = agent.clone();
                found.changed = change;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn contact(&self, id: &str) -> Result<Option<Contact>> {
        let content = self.content();
        Ok(content
            .agents
            .get(id)
            .and_then(|agent| agent.contact.clone()))
    }

    async fn put_contacts(&self, contacts: &[(String, Contact)]) -> Result<()> {
        let mut content = self.content();
        for (id, contact) in contacts {
            let Some(agent) = content.agents.get_mut(id) else {
                continue;
            };
            let is_newer = |known: &Contact| known.seen_ms > contact.seen_ms;
            if !agent.contact.as_ref().is_some_and(is_newer) {
                agent.contact = Some(contact.clone());
            }
        }
        Ok(())
    }

    async fn report(&self, id: &str) -> Result<Option<Report>> {
        let content = self.content();
        Ok(content
            .agents
            .get(id)
            .and_then(|agent| agent.report.clone()))
    }

    async fn put_report(&self, id: &str, report: &Report) -> Result<()> {
        if let Some(agent) = self.content().agents.get_mut(id) {
            agent.report = Some(report.clone());
        }
        Ok(())
    }

    async fn add_transitions(&self, id: &str, transitions: &[Transition]) -> Result<u64> {
        let mut content = self.content();
        let Some(agent) = content.agents.get_mut(id) else {
            return Ok(0);
        };
        for transition in transitions {
            let last = agent.transitions.back().map_or(0, |last| last.number);
            if transition.number > last {
                agent.transitions.push_back(transition.clone());
            }
            if agent.transitions.len() > MAX_TRANSITIONS {
                agent.transitions.pop_front();
            }
        }
        Ok(agent.transitions.back().map_or(0, |last| last.number))
    }

    async fn transitions(&self, id: &str, limit: usize) -> Result<Vec<Transition>> {
        let content = self.content();
        let Some(agent) = content.agents.get(id) else {
            return Ok(Vec::new());
        };
        Ok(agent
            .transitions
            .iter()
            .rev()
            .take(limit)
            .cloned()
            .collect())
    }

    async fn add_command(&self, id: &str, command: &Command) -> Result<bool> {
        let mut content = self.content();
        let change = content.next_change();
        match content.agents.get_mut(id) {
            Some(agent) if agent.commands.len() < limits::MAX_COMMANDS => {
                agent.commands.push(command.clone());
                agent.changed = change;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn commands(&self, id: &str) -> Result<Vec<Command>> {
        let content = self.content();
        let commands = content.agents.get(id).map(|agent| agent.commands.clone());
        Ok(commands.unwrap_or_default())
    }

    async fn remove_commands(&self, id: &str, commands: &[String]) -> Result<()> {
        if let Some(agent) = self.content().agents.get_mut(id) {
            agent
                .commands
                .retain(|waiting| !commands.contains(&waiting.id));
        }
        Ok(())
    }

    async fn put_offer(&self, offer: &Offer) -> Result<bool> {
        let mut content = self.content();
        let audience = &offer.state.audience;
        let is_there = |known: &Offer| known.state.generation >= offer.state.generation;
        if content.offers.get(audience).is_some_and(is_there) {
            return Ok(false);
        }
        content.offers.insert(audience.clone(), offer.clone());
        content.offers_changed = content.next_change();
        Ok(true)
    }

    async fn offers(&self) -> Result<Vec<Offer>> {
        Ok(self.content().offers.values().cloned().collect())
    }

    async fn remove_offer(&self, audience: &Audience, generation: u64) -> Result<()> {
        let mut content = self.content();
        let is_it = |offer: &Offer| offer.state.generation == generation;
        if content.offers.get(audience).is_some_and(is_it) {
            content.offers.remove(audience);
            content.offers_changed = content.next_change();
        }
        Ok(())
    }

    async fn add_keyring(
        &self,
        scope: Option<&GroupName>,
        keyring: &KeyringRecord,
    ) -> Result<bool> {
        let mut content = self.content();
        let of_scope = content
            .keyrings
            .iter()
            .rev()
            .find(|(known, _)| known.as_ref() == scope);
        let follows = match of_scope {
            Some((_, last)) => {
                last.keyring.generation.checked_add(1) == Some(keyring.keyring.generation)
            }
            None => keyring.envelope.is_none(),
        };
        if follows {
            content.keyrings.push((scope.cloned(), keyring.clone()));
            content.offers_changed = content.next_change();
        }
        Ok(follows)
    }

    async fn keyrings(&self) -> Result<Vec<(Option<GroupName>, KeyringRecord)>> {
        Ok(self.content().keyrings.clone())
    }

    async fn changes(&self, after: u64) -> Result<Changes> {
        let content = self.content();
        let changed = content
            .agents
            .iter()
            .filter(|(_, agent)| agent.changed > after);
        Ok(Changes {
            up_to: content.changes,
            agents: changed.map(|(id, _)| id.clone()).collect(),
            offers: content.offers_changed > after,
        })
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }
}
