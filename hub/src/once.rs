//! Memory with bounds in size and time: what was seen, until it does not matter any more.

use std::{collections::HashMap, hash::Hash};

/// Remembers each key for at least a while, and at most twice as long, and no more than so many.
#[derive(Debug)]
pub(crate) struct Remembered<K, V> {
    new: HashMap<K, V>,
    old: HashMap<K, V>,
    since_s: u64,
    while_s: u64,
    limit: usize,
}

/// There is no room for another one that must not be forgotten.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<K: Hash + Eq, V: Clone> Remembered<K, V> {
    /// Remembers for `while_s` seconds, at most `limit` keys in each such time.
    pub(crate) fn new(while_s: u64, limit: usize) -> Self {
        Self {
            new: HashMap::new(),
            old: HashMap::new(),
            since_s: 0,
            while_s,
            limit,
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.new.get(key).or_else(|| self.old.get(key)).cloned()
    }

    /// Remembers what was not there; whether it is new.
    pub(crate) fn insert_new(&mut self, key: K, value: V, now_s: u64) -> Result<bool, Full> {
        self.turn(now_s);
        if self.new.contains_key(&key) || self.old.contains_key(&key) {
            return Ok(false);
        }
        if self.new.len() >= self.limit {
            return Err(Full);
        }
        self.new.insert(key, value);
        Ok(true)
    }

    /// Remembers; when there is no room, the older half is forgotten first.
    pub(crate) fn insert(&mut self, key: K, value: V, now_s: u64) {
        self.turn(now_s);
        if self.new.len() >= self.limit {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key, value);
    }

    fn turn(&mut self, now_s: u64) {
        let age_s = now_s.saturating_sub(self.since_s);
        if age_s >= self.while_s {
            let recent = std::mem::take(&mut self.new);
            self.old = if age_s >= 2 * self.while_s {
                HashMap::new()
            } else {
                recent
            };
            self.since_s = now_s;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_new_twice_before_its_time_is_over() {
        let mut seen = Remembered::new(100, 10);
        assert_eq!(seen.insert_new("a", (), 1_000), Ok(true));
        for now_s in [1_000, 1_050, 1_099] {
            assert_eq!(seen.insert_new("a", (), now_s), Ok(false), "{now_s}");
        }
        assert_eq!(seen.insert_new("b", (), 1_099), Ok(true));
        assert_eq!(seen.insert_new("b", (), 1_199), Ok(false));
        assert_eq!(seen.insert_new("b", (), 1_400), Ok(true));
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let mut seen = Remembered::new(100, 2);
        assert_eq!(seen.insert_new(1, (), 0), Ok(true));
        assert_eq!(seen.insert_new(2, (), 0), Ok(true));
        assert_eq!(seen.insert_new(3, (), 0), Err(Full));
        assert_eq!(seen.insert_new(1, (), 0), Ok(false));
        let mut known = Remembered::new(100, 2);
        for key in 0..5 {
            known.insert(key, key, 0);
        }
        let found: Vec<_> = (0..5).filter_map(|key| known.get(&key)).collect();
        assert_eq!(found, [2, 3, 4]);
    }
}
