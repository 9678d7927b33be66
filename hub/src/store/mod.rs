//! What a hub must not forget, behind one trait.

mod memory;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use cairn_spec::{
    Envelope, GroupName, Timestamp,
    agent::{
        Applied, Audience, Command, DesiredState, Keyring, Metrics, Phase, Refused, Transition,
    },
};
use serde::{Deserialize, Serialize};

pub use memory::MemoryStore;

/// A store failed; who asked may try again.
#[derive(Debug, thiserror::Error)]
#[error("the hub's store failed")]
pub struct StoreError(#[from] pub Box<dyn std::error::Error + Send + Sync>);

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A join token. The secret is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRecord {
    /// Which one it is.
    pub id: String,
    /// SHA-256 of the secret, in hexadecimal.
    pub secret_sha256: String,
    /// From then on it is good for nothing.
    pub expires: Timestamp,
    /// For how many clusters it is good yet.
    pub uses_left: u32,
    /// The group of clusters that join with it.
    pub group: Option<GroupName>,
    /// Somebody must agree to each cluster that joins with it.
    pub needs_approval: bool,
}

/// Whether an agent counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentState {
    /// Somebody must agree first.
    Pending,
    /// It counts.
    Active,
    /// It does not count any more.
    Revoked,
}

/// An agent that joined, or asked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentRecord {
    /// Who it is.
    pub id: String,
    /// The UID of its cluster's namespace `kube-system`.
    pub cluster_uid: String,
    /// The group it joined.
    pub group: Option<GroupName>,
    /// Whether it counts.
    pub state: AgentState,
    /// The key it has: SHA-256 of its SPKI DER, in hexadecimal.
    pub key_id: String,
    /// The key it asked for when it renewed, until it is used.
    pub next_key_id: Option<String>,
    /// The token it joined with.
    pub token_id: String,
    /// When it asked to join.
    pub joined: Timestamp,
    /// Kubernetes' version at that time.
    pub kubernetes_version: String,
    /// The agent's version at that time.
    pub agent_version: String,
    /// Grows with each change of this record.
    pub version: u64,
}

/// When and how an agent was heard of last. It changes with each sync, so it is written in batches.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// When, in milliseconds since 1970; 0 for never.
    pub seen_ms: u64,
    /// The boot of the agent.
    pub boot_id: String,
    /// The number of its last request.
    pub seq: u64,
    /// What it did.
    pub phase: Phase,
    /// The generation that it accepted last.
    pub ack_generation: u64,
    /// A generation that it did not accept.
    pub refused: Option<Refused>,
    /// The generation of its keyring.
    pub keyring_generation: u64,
    /// What its cluster runs.
    pub applied: Option<Applied>,
    /// The last figures.
    pub metrics: Option<Metrics>,
}

/// The status of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The boot that counted the revision.
    pub boot_id: String,
    /// The revision.
    pub revision: u64,
    /// When it came, in milliseconds since 1970.
    pub received_ms: u64,
    /// The document, JSON.
    pub document: Bytes,
}

/// A desired state whose signatures were verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// What was signed.
    pub state: DesiredState,
    /// The signatures.
    pub envelope: Envelope,
    /// What was offered to the same audience before: its content is served a while longer.
    pub before: Option<cairn_spec::agent::BundleSource>,
}

/// A keyring, and the envelope that leads to it from the one before; the first has none.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyringRecord {
    /// The keyring.
    pub keyring: Keyring,
    /// Who agreed to it.
    pub envelope: Option<Envelope>,
}

/// What other processes changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Where to go on from.
    pub up_to: u64,
    /// Agents whose record or commands changed.
    pub agents: Vec<String>,
    /// An offer or a keyring changed.
    pub offers: bool,
}

/// What must last. Any number of hubs may share one.
///
/// Each function is one transaction: all of it happens, or nothing. What was acknowledged is still
/// there after a crash.
#[async_trait]
pub trait HubStore: fmt::Debug + Send + Sync + 'static {
    /// Keeps a new token.
    async fn put_token(&self, token: &TokenRecord) -> Result<()>;
    /// A token.
    async fn token(&self, id: &str) -> Result<Option<TokenRecord>>;
    /// All tokens, by identity.
    async fn tokens(&self) -> Result<Vec<TokenRecord>>;
    /// Forgets a token; whether there was one.
    async fn remove_token(&self, id: &str) -> Result<bool>;

    /// Takes one use of a token and keeps a new agent, or does neither if no use is left.
    async fn join(&self, token_id: &str, agent: &AgentRecord) -> Result<bool>;
    /// An agent.
    async fn agent(&self, id: &str) -> Result<Option<AgentRecord>>;
    /// The agents of a cluster, revoked ones too.
    async fn agents_of_cluster(&self, cluster_uid: &str) -> Result<Vec<AgentRecord>>;
    /// Agents by identity, those after one, at most so many.
    async fn agents(&self, after: Option<&str>, limit: usize) -> Result<Vec<AgentRecord>>;
    /// Replaces an agent's record if it is still at a version; whether it was.
    async fn replace_agent(&self, agent: &AgentRecord, version: u64) -> Result<bool>;

    /// When an agent was heard of last.
    async fn contact(&self, id: &str) -> Result<Option<Contact>>;
    /// Keeps when agents were heard of, unless something newer is there.
    async fn put_contacts(&self, contacts: &[(String, Contact)]) -> Result<()>;

    /// A cluster's status.
    async fn report(&self, id: &str) -> Result<Option<Report>>;
    /// Keeps a cluster's status.
    async fn put_report(&self, id: &str, report: &Report) -> Result<()>;

    /// Keeps what happened, each number once; returns the highest number that is there.
    async fn add_transitions(&self, id: &str, transitions: &[Transition]) -> Result<u64>;
    /// What happened last, newest first, at most so many.
    async fn transitions(&self, id: &str, limit: usize) -> Result<Vec<Transition>>;

    /// Adds a command; whether there was room.
    async fn add_command(&self, id: &str, command: &Command) -> Result<bool>;
    /// The commands that wait, oldest first.
    async fn commands(&self, id: &str) -> Result<Vec<Command>>;
    /// Forgets commands.
    async fn remove_commands(&self, id: &str, commands: &[String]) -> Result<()>;

    /// Keeps an offer if its generation is higher than the one that is there; whether it was.
    async fn put_offer(&self, offer: &Offer) -> Result<bool>;
    /// All offers.
    async fn offers(&self) -> Result<Vec<Offer>>;
    /// Takes an offer back, if it is still this generation.
    async fn remove_offer(&self, audience: &Audience, generation: u64) -> Result<()>;

    /// Adds a keyring if it follows the last one of its scope, or is the first; whether it did.
    async fn add_keyring(&self, scope: Option<&GroupName>, keyring: &KeyringRecord)
    -> Result<bool>;
    /// All keyrings of all scopes, oldest first. The scope of no group is that of all without one.
    async fn keyrings(&self) -> Result<Vec<(Option<GroupName>, KeyringRecord)>>;

    /// What changed since a place in time; where there was none before, everything may have.
    async fn changes(&self, after: u64) -> Result<Changes>;
    /// Other processes may change what is here, so that [`Self::changes`] must be asked again and again.
    fn is_shared(&self) -> bool;
}
