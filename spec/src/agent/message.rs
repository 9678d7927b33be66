//! How an agent joins, and how it renews its certificate.

use serde::{Deserialize, Serialize};

use super::{JoinToken, Keyring};
use crate::Timestamp;

/// `POST /agent/v1/register`. The request's token is signed by the key that it brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Register {
    /// The join token.
    pub token: JoinToken,
    /// The agent's key, P-256, SPKI PEM.
    pub public_key: String,
    /// The UID of the namespace `kube-system`.
    pub cluster_uid: String,
    /// Such as `v1.36.3`.
    pub kubernetes_version: String,
    /// Such as `0.1.0`.
    pub agent_version: String,
}

/// The answer to [`Register`], 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// Who the agent is from now on.
    pub agent_id: String,
    /// Its certificate, PEM.
    pub certificate: String,
    /// When the certificate ends.
    pub not_after: Timestamp,
    /// Certificates that the hub's own may be issued by, PEM, beside those that the agent was
    /// installed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The keys that sign desired states. An agent that was installed with a keyring keeps its own.
    pub keyring: Keyring,
    /// How often it is to speak.
    pub intervals: Intervals,
}

/// The other answer to [`Register`], 202: somebody must agree first. Ask again with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationPending {
    /// When to ask again, in seconds.
    pub retry_after_s: u32,
}

/// How often an agent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intervals {
    /// A sync begins at least this often, in seconds.
    pub sync_s: u32,
    /// How long a sync may be held, in seconds.
    pub wait_s: u32,
}

/// `POST /agent/v1/renew`, signed with the old key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Renew {
    /// The new key, P-256, SPKI PEM; it may be the old one.
    pub public_key: String,
    /// The UID of the namespace `kube-system`.
    pub cluster_uid: String,
    /// The new key's signature over [`Self::proof`], base64 of ASN.1 DER: nobody has a certificate
    /// made for a key of others.
    pub proof: String,
}

impl Renew {
    /// What the new key signs.
    pub fn proof_of(agent_id: &str, public_key: &str) -> Vec<u8> {
        format!("cairn-agent-renew-v1\n{agent_id}\n{}", public_key.trim()).into_bytes()
    }
}

/// The answer to [`Renew`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewed {
    /// The certificate, PEM. The old one is good until the new one was used.
    pub certificate: String,
    /// When it ends.
    pub not_after: Timestamp,
    /// As in [`Registered`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}
