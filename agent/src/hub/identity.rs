//! Who an agent is to its hub: its key, which never leaves the cluster, its certificate, and whose
//! signatures it takes. It lies in a Secret.

use cairn_oci::{
    PrivateKey,
    key::generate,
    keyring::{Refusal, TrustedKeys},
};
use cairn_runner::cluster::Cluster;
use cairn_spec::{
    Timestamp,
    agent::{Intervals, Keyring, Registered, Renewed, limits},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};

use crate::memory::{MemoryError, read_secret, write_secret};

const NAME: &str = "cairn-agent-identity";
const KEY: &str = "identity.json";

/// An identity, or the key of one that is being made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The private key, PKCS#8 PEM.
    key: Secret,
    /// The key of a renewal whose answer may have got lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_key: Option<Secret>,
    /// What the hub said when the agent joined; none before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined: Option<Joined>,
}

/// A private key; it is not shown.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a hub said when the agent joined, and later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Joined {
    /// Who the agent is.
    pub agent_id: String,
    /// The certificate, PEM.
    pub certificate: String,
    /// When it ends.
    pub not_after: Timestamp,
    /// More authorities that the hub may be issued by, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Whose signatures count.
    pub keyring: Keyring,
    /// How often the agent speaks.
    pub intervals: Intervals,
    /// The token that it joined with: no secret.
    pub token_id: String,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The Secret cannot be read or written.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A key cannot be made or read.
    #[error("the agent's key cannot be used")]
    Key(#[source] Box<cairn_oci::Error>),
    /// The certificate is none.
    #[error("the certificate that the hub gave is malformed")]
    Certificate,
    /// The keyring makes no sense.
    #[error("the keyring cannot be used: {0}")]
    Keyring(#[from] Refusal),
}

impl Identity {
    /// A new key.
    pub fn new() -> Result<Self, IdentityError> {
        Ok(Self {
            key: Secret(new_key()?),
            next_key: None,
            joined: None,
        })
    }

    /// The one that the cluster keeps.
    pub async fn read(cluster: &Cluster) -> Result<Option<Self>, IdentityError> {
        let Some(bytes) = read_secret(cluster, NAME, KEY).await? else {
            return Ok(None);
        };
        let read = serde_json::from_slice(&bytes);
        let read = read.map_err(|error| MemoryError::Damaged {
            name: NAME,
            problem: error.to_string(),
        })?;
        Ok(Some(read))
    }

    /// Keeps it.
    pub async fn write(&self, cluster: &Cluster) -> Result<(), IdentityError> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        Ok(write_secret(cluster, NAME, &[(KEY, &text)]).await?)
    }

    /// What the hub said.
    pub fn joined(&self) -> Option<&Joined> {
        self.joined.as_ref()
    }

    /// The private key.
    pub fn key(&self) -> Result<PrivateKey, IdentityError> {
        read_key(&self.key)
    }

    /// The public key, PEM.
    pub fn public_key(&self) -> Result<String, IdentityError> {
        public_pem(&self.key()?)
    }

    /// The certificate, DER.
    pub fn certificate(&self) -> Result<Vec<u8>, IdentityError> {
        let pem = self.joined.as_ref().ok_or(IdentityError::Certificate)?;
        let der = CertificateDer::from_pem_slice(pem.certificate.as_bytes());
        Ok(der.map_err(|_| IdentityError::Certificate)?.to_vec())
    }

    /// Whose signatures count.
    pub fn trusted(&self) -> Result<TrustedKeys, IdentityError> {
        let joined = self.joined.as_ref().ok_or(IdentityError::Certificate)?;
        Ok(TrustedKeys::new(joined.keyring.clone())?)
    }

    /// Takes what the hub said when the agent joined. A keyring that the agent was installed with wins.
    pub fn join(
        &mut self,
        registered: Registered,
        installed: Option<Keyring>,
        token_id: &str,
    ) -> Result<(), IdentityError> {
        let joined = Joined {
            agent_id: registered.agent_id,
            certificate: registered.certificate,
            not_after: registered.not_after,
            ca: registered.ca,
            keyring: installed.unwrap_or(registered.keyring),
            intervals: registered.intervals,
            token_id: token_id.to_owned(),
        };
        let next = Self {
            joined: Some(joined),
            ..self.clone()
        };
        // What cannot be used is not kept.
        next.certificate()?;
        next.trusted()?;
        *self = next;
        Ok(())
    }

    /// Joins anew: with another key, as somebody else.
    pub fn leave(&mut self) -> Result<(), IdentityError> {
        *self = Self::new()?;
        Ok(())
    }

    /// Another keyring is in force.
    pub fn set_keyring(&mut self, keyring: Keyring) {
        if let Some(joined) = &mut self.joined {
            joined.keyring = keyring;
        }
    }

    /// The key of the next certificate: made once, so that an answer may get lost.
    pub fn next_key(&mut self) -> Result<PrivateKey, IdentityError> {
        let key = match &self.next_key {
            Some(key) => key.clone(),
            None => Secret(new_key()?),
        };
        let read = read_key(&key)?;
        self.next_key = Some(key);
        Ok(read)
    }

    /// Takes the renewed certificate.
    pub fn renew(&mut self, renewed: Renewed) -> Result<(), IdentityError> {
        let mut next = self.clone();
        if let Some(key) = next.next_key.take() {
            next.key = key;
        }
        if let Some(joined) = &mut next.joined {
            joined.certificate = renewed.certificate;
            joined.not_after = renewed.not_after;
            joined.ca = renewed.ca.or(joined.ca.take());
        }
        next.certificate()?;
        *self = next;
        Ok(())
    }
}

/// A certificate is renewed after two thirds of its life, give or take 5 % of it, by `chance` from 0 to 1.
pub fn is_renewal_due(not_after: Timestamp, now: Timestamp, chance: f64) -> bool {
    let life_s = limits::CERTIFICATE_LIFE_S;
    let spread_s = life_s / 10;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a moment more or less"
    )]
    let shift_s = (spread_s as f64 * chance.clamp(0.0, 1.0)) as u64;
    let left_s = life_s / 3 - spread_s / 2 + shift_s;
    now.unix_s() >= not_after.unix_s().saturating_sub(left_s)
}

fn new_key() -> Result<String, IdentityError> {
    let key = generate().map_err(unusable)?;
    Ok(key.to_pem().map_err(unusable)?.to_string())
}

fn read_key(key: &Secret) -> Result<PrivateKey, IdentityError> {
    PrivateKey::from_pem(&key.0, None).map_err(unusable)
}

/// The public half of a key, PEM.
pub(super) fn public_pem(key: &PrivateKey) -> Result<String, IdentityError> {
    let public = key.public_key().map_err(unusable)?;
    public.to_pem().map_err(unusable)
}

fn unusable(error: cairn_oci::Error) -> IdentityError {
    IdentityError::Key(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_renewed_after_two_thirds_of_their_life() {
        let end = Timestamp::from_unix_s(limits::CERTIFICATE_LIFE_S);
        let day = |days: u64| Timestamp::from_unix_s(days * 86_400);
        let due = |days, chance| is_renewal_due(end, day(days), chance);
        assert!(!due(55, 1.0) && due(56, 1.0));
        assert!(!due(59, 0.5) && due(60, 0.5));
        assert!(!due(64, 0.0) && due(65, 0.0));
        assert!(due(400, 0.5));
    }

    #[test]
    fn a_key_is_not_shown() {
        let identity = Identity::new().unwrap();
        assert!(!format!("{identity:?}").contains("PRIVATE"));
        assert!(identity.key.0.contains("PRIVATE"));
    }

    #[test]
    fn a_renewal_that_is_asked_for_twice_brings_the_same_key() {
        let mut identity = Identity::new().unwrap();
        let before = identity.public_key().unwrap();
        let next = public_pem(&identity.next_key().unwrap()).unwrap();
        assert_eq!(public_pem(&identity.next_key().unwrap()).unwrap(), next);
        assert_ne!(next, before);
        assert_eq!(identity.public_key().unwrap(), before);
    }
}
