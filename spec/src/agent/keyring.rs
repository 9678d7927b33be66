//! The keys that sign desired states, and how many of them must.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits;
use crate::{ApiVersion, KeyringKind, canonical_json};

/// Keys whose word an agent takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keyring {
    /// `cairn.dev/v1`.
    pub api_version: ApiVersion,
    /// `Keyring`.
    pub kind: KeyringKind,
    /// Grows by one with each new keyring.
    #[schemars(range(min = 1))]
    pub generation: u64,
    /// How many of the keys must have signed.
    #[schemars(range(min = 1, max = 16))]
    pub threshold: u32,
    /// The keys, SPKI PEM.
    #[schemars(length(min = 1, max = 16))]
    pub keys: Vec<String>,
}

/// Why a text is no keyring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// It is larger than it may be.
    #[error("the keyring has more than {} bytes", limits::MAX_SIGNED_BYTES)]
    TooLarge,
    /// It is not written as a keyring is.
    #[error("the keyring is malformed: {0}")]
    Malformed(String),
    /// A value makes no sense.
    #[error("`{field}` of the keyring: {reason}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Keyring {
    /// A first keyring.
    pub fn new(keys: Vec<String>, threshold: u32) -> Self {
        Self {
            api_version: ApiVersion,
            kind: KeyringKind,
            generation: 1,
            threshold,
            keys,
        }
    }

    /// Reads a keyring; the keys are texts still.
    pub fn read(payload: &[u8]) -> Result<Self, KeyringError> {
        if payload.len() > limits::MAX_SIGNED_BYTES {
            return Err(KeyringError::TooLarge);
        }
        let keyring: Self = serde_json::from_slice(payload)
            .map_err(|error| KeyringError::Malformed(error.to_string()))?;
        keyring.check()?;
        Ok(keyring)
    }

    /// The bytes to sign: equal keyrings are equal bytes.
    pub fn write(&self) -> Result<Vec<u8>, KeyringError> {
        self.check()?;
        let payload = canonical_json(self).into_bytes();
        if payload.len() > limits::MAX_SIGNED_BYTES {
            return Err(KeyringError::TooLarge);
        }
        Ok(payload)
    }

    /// Checks what the types alone do not say.
    pub fn check(&self) -> Result<(), KeyringError> {
        let refuse = |field, reason: &str| {
            let reason = reason.to_owned();
            Err(KeyringError::Invalid { field, reason })
        };
        let distinct: BTreeSet<&str> = self.keys.iter().map(|key| key.trim()).collect();
        if self.keys.is_empty() || self.keys.len() > limits::MAX_KEYS {
            return refuse("keys", "it has none, or more than 16");
        }
        if distinct.len() != self.keys.len() {
            return refuse("keys", "a key stands there twice");
        }
        let threshold = usize::try_from(self.threshold).unwrap_or(usize::MAX);
        if threshold == 0 || threshold > self.keys.len() {
            return refuse("threshold", "it is not between 1 and the number of keys");
        }
        if self.generation == 0 {
            return refuse("generation", "it is not 1 or more");
        }
        Ok(())
    }
}
