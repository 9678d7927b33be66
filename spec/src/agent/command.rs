//! What a hub may ask of an agent beside its desired state. Nothing here changes what a cluster
//! runs: that takes a signature.

use serde::{Deserialize, Serialize};

/// A command that waits for an agent until it says that it is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    /// Who it is; an agent does each once.
    pub id: String,
    /// What to do.
    pub kind: CommandKind,
}

/// What an agent is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandKind {
    /// Compare everything with the bundle now.
    Reconcile,
    /// Send the whole status.
    Report,
    /// Renew the certificate now.
    Renew,
    /// Something that this version does not know: it is told done and left.
    #[serde(other)]
    Unknown,
}
