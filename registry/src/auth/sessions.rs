//! Remembers who was verified a moment ago, so that a password with every request does not cost a
//! slow hash each.
//!
//! Entries are found by a salted hash of the credentials, end after a short time, and are of no use
//! once a file with passwords or tokens has changed. Only what was verified is remembered, so
//! nobody fills the memory by guessing.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest as _, Sha256};

use super::{Invalid, Session, random, unix_now_s};

/// How long a verification is remembered, in seconds.
const MAX_AGE_S: u64 = 60;
/// The most that are remembered.
const MAX_ENTRIES: usize = 8192;

#[derive(Debug)]
pub(super) struct Sessions {
    salt: [u8; 32],
    entries: Mutex<HashMap<Key, Entry>>,
}

pub(super) type Key = [u8; 32];

#[derive(Debug)]
struct Entry {
    session: Session,
    generation: u64,
    ends_unix_s: u64,
}

impl Sessions {
    pub(super) fn new() -> Result<Self, Invalid> {
        let salt = random().map_err(|reason| Invalid::new("the system", reason))?;
        Ok(Self {
            salt,
            entries: Mutex::default(),
        })
    }

    /// The key of some credentials.
    pub(super) fn key(&self, parts: &[&str]) -> Key {
        let mut hasher = Sha256::new_with_prefix(self.salt);
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().into()
    }

    pub(super) fn get(&self, key: &Key, generation: u64, now_unix_s: u64) -> Option<Session> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(key)?;
        (entry.generation == generation && entry.ends_unix_s > now_unix_s)
            .then(|| entry.session.clone())
    }

    pub(super) fn put(&self, key: Key, generation: u64, session: Session) {
        let now_unix_s = unix_now_s();
        let ends_unix_s = session
            .expires_unix_s
            .unwrap_or(u64::MAX)
            .min(now_unix_s + MAX_AGE_S);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, entry| {
                entry.ends_unix_s > now_unix_s && entry.generation == generation
            });
        }
        // Whoever does not fit is verified again.
        if entries.len() < MAX_ENTRIES {
            entries.insert(
                key,
                Entry {
                    session,
                    generation,
                    ends_unix_s,
                },
            );
        }
    }
}
