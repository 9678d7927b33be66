//! The one request that goes on and on: heartbeat, report, and the question what is desired.

use serde::{Deserialize, Serialize};

use super::{Command, Metrics};
use crate::{Digest, Envelope, Timestamp};

/// `POST /agent/v1/sync`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sync {
    /// The run of the agent's process: random, made when it starts.
    pub boot_id: String,
    /// Grows with each request of a boot.
    pub seq: u64,
    /// The generation that was accepted last; 0 when none was.
    pub ack_generation: u64,
    /// A higher generation that was offered and is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// The generation of the agent's keyring.
    pub keyring_generation: u64,
    /// What the agent is doing.
    pub phase: Phase,
    /// What the cluster runs; none before the first bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
    /// The revision of the status that the agent has now. It grows with each change, and is 0 when
    /// there is none yet.
    pub status_revision: u64,
    /// The revision that `delta` starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_revision: Option<u64>,
    /// The whole status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<serde_json::Value>,
    /// What changed since `baseRevision`: a JSON merge patch (RFC 7396).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<serde_json::Value>,
    /// A sample of figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// What happened, oldest first, until the hub says that it has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<Transition>,
    /// Commands that were done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done_commands: Vec<String>,
    /// How long the request may be held, in seconds; 0 for an answer at once.
    pub wait_s: u32,
}

/// A generation that an agent was offered and does not accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The generation.
    pub generation: u64,
    /// Why.
    pub reason: String,
}

/// What an agent is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It keeps what is there.
    #[default]
    Idle,
    /// A bundle is being brought.
    Fetching,
    /// Its signature and its files are being checked.
    Verifying,
    /// What it would change is being found out.
    Planning,
    /// A window, an approval or the end of a pause is waited for.
    Waiting,
    /// Objects are being applied.
    Applying,
    /// Health is waited for.
    Checking,
    /// What is no longer wanted is being deleted.
    Pruning,
    /// The last good bundle is being put back.
    RollingBack,
    /// A bundle failed, and the last good one is back.
    RolledBack,
    /// A bundle failed, and it stays as far as it came.
    Halted,
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

/// What a cluster runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// The bundle.
    pub digest: Digest,
    /// The generation that brought it.
    pub generation: u64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// Grows by one with each, over restarts too; a gap says that some were forgotten.
    pub number: u64,
    /// When.
    pub time: Timestamp,
    /// What the agent did from then on.
    pub phase: Phase,
    /// The bundle it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Digest>,
    /// The generation it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The layer it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The answer to [`Sync`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncAnswer {
    /// The highest generation that the hub has for this cluster; 0 when it has none.
    pub generation: u64,
    /// The desired state, if the agent does not have this generation yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_state: Option<Envelope>,
    /// The keyring that follows the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyring: Option<Envelope>,
    /// What else is asked of the agent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Command>,
    /// The hub does not have `baseRevision`: send the whole status.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub need_full: bool,
    /// The hub has all transitions up to this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transitions_up_to: Option<u64>,
    /// How long the request was held, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_ms: Option<u64>,
    /// When to come again.
    pub next: Next,
}

/// When to come again: at some random time between the two, from the end of this request on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Next {
    /// Not before, in seconds.
    pub min_s: u32,
    /// Not after, in seconds.
    pub max_s: u32,
}
