//! Locks by name: requests of this process that would fight over one record queue up instead.
//!
//! They only spare compare-and-swap attempts. What must hold between processes rests on those.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// As many locks as there are names in use.
#[derive(Debug, Default)]
pub(crate) struct KeyedLocks {
    locks: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
}

/// Locks held until this is dropped.
#[derive(Debug)]
pub(crate) struct KeyedGuard<'a> {
    owner: &'a KeyedLocks,
    held: Vec<(String, OwnedMutexGuard<()>)>,
}

impl KeyedLocks {
    /// Waits for all the names; always in one order, so that no two callers wait for each other.
    pub(crate) async fn acquire(&self, mut names: Vec<String>) -> KeyedGuard<'_> {
        names.sort_unstable();
        names.dedup();
        let mut guard = KeyedGuard {
            owner: self,
            held: Vec::with_capacity(names.len()),
        };
        for name in names {
            let lock = Arc::clone(self.map().entry(name.clone()).or_default());
            let held = lock.lock_owned().await;
            guard.held.push((name, held));
        }
        guard
    }

    fn map(&self) -> MutexGuard<'_, HashMap<String, Arc<AsyncMutex<()>>>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyedGuard<'_> {
    fn drop(&mut self) {
        for (name, held) in self.held.drain(..) {
            drop(held);
            let mut locks = self.owner.map();
            // Only the map still knows the lock: nobody holds it or waits for it.
            if locks
                .get(&name)
                .is_some_and(|lock| Arc::strong_count(lock) == 1)
            {
                locks.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_exclude_each_other_and_are_forgotten() {
        let locks = KeyedLocks::default();
        let first = locks.acquire(vec!["b".into(), "a".into()]).await;
        let waiting = locks.acquire(vec!["a".into()]);
        futures_util::pin_mut!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(first);
        drop(waiting.await);
        assert!(locks.map().is_empty());
    }
}
