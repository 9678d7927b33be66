//! Who sees to it that a conditional write happens only if its condition holds.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// Locks for all keys together: two keys that share one only wait for each other.
const LOCKS: usize = 256;

/// Who enforces which conditions.
#[derive(Debug)]
pub(super) struct Conditions {
    pub(super) puts: Enforcement,
    pub(super) deletes: Enforcement,
    /// The store does not replace an object by one that came in parts. Two uploads to one key are
    /// not what clients do, so looking before is almost as good.
    pub(super) completes: bool,
}

/// Who enforces a condition.
#[derive(Debug)]
pub(super) enum Enforcement {
    /// The store.
    Store,
    /// The store, but for puts only: a deletion is a put of an empty object.
    Tombstones,
    /// This process, which must be the only one that writes.
    InProcess(KeyLocks),
}

/// A lock for each key, shared by some.
#[derive(Debug)]
pub(super) struct KeyLocks {
    hasher: RandomState,
    locks: Vec<Mutex<()>>,
}

impl Default for KeyLocks {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
        }
    }
}

impl KeyLocks {
    pub(super) async fn lock(&self, key: &str) -> MutexGuard<'_, ()> {
        let hash = self.hasher.hash_one(key);
        let index = usize::try_from(hash % LOCKS as u64).unwrap_or_default();
        self.locks[index].lock().await
    }
}
