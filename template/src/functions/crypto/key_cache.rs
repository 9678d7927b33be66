//! Keys that were made lately. To make one takes longer than to render most charts, and a seed
//! always gives the same one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use super::key::{NewKey, PrivateKey};

/// How many keys are kept in the whole process: some kilobytes each.
const MAX_CACHED_KEYS: usize = 256;

type Name = (NewKey, [u8; 32]);

#[derive(Default)]
struct Cache {
    keys: HashMap<Name, Arc<PrivateKey>>,
    /// The oldest first.
    order: VecDeque<Name>,
}

static CACHE: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);

/// The key that follows from a seed.
pub(super) fn key(kind: NewKey, seed: [u8; 32]) -> Arc<PrivateKey> {
    let name = (kind, seed);
    let cached = |cache: &Cache| cache.keys.get(&name).map(Arc::clone);
    let lock = || CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = cached(&lock()) {
        return key;
    }
    // Not under the lock: others may want other keys.
    let key = Arc::new(PrivateKey::generate(kind, seed));
    let mut cache = lock();
    if cache.keys.insert(name, Arc::clone(&key)).is_none() {
        cache.order.push_back(name);
    }
    if cache.order.len() > MAX_CACHED_KEYS
        && let Some(oldest) = cache.order.pop_front()
    {
        cache.keys.remove(&oldest);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_forgotten_when_many_others_are_made() {
        let seed = |number: usize| {
            let mut seed = [0xc5; 32];
            seed[..8].copy_from_slice(&number.to_be_bytes());
            seed
        };
        let first = key(NewKey::Ed25519, seed(0));
        assert!(Arc::ptr_eq(&first, &key(NewKey::Ed25519, seed(0))));
        for number in 1..=MAX_CACHED_KEYS {
            key(NewKey::Ed25519, seed(number));
        }
        let again = key(NewKey::Ed25519, seed(0));
        assert!(!Arc::ptr_eq(&first, &again));
        assert_eq!(first, again, "it follows from its seed");
        let cache = CACHE.lock().unwrap();
        assert!(cache.keys.len() <= MAX_CACHED_KEYS);
        assert_eq!(cache.keys.len(), cache.order.len());
    }
}
