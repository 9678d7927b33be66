//! How much is written when a value is, each time that it holds the same value again.

use super::{Data, Value};
use crate::{
    limits::{BYTES_PER_STEP, MAX_VALUE_DEPTH},
    state::{Outcome, State},
};

/// No writer makes a text of so many times the bytes of a value.
const WRITTEN_BYTES: usize = 4;

impl State<'_> {
    /// Refuses a value that would become a text longer than any output may be: maps that hold
    /// the same map twice, which holds another twice, are few, and endless once written.
    pub(crate) fn check_unfolded(&mut self, value: &Value) -> Outcome<()> {
        if !matches!(value.data, Data::List(_) | Data::Map(_)) {
            return Ok(());
        }
        let most = self.limits.output_bytes.saturating_mul(WRITTEN_BYTES);
        let mut left = most;
        if spend(value, 0, &mut left).is_none() {
            return self.check_length(usize::MAX);
        }
        self.step((most - left) / BYTES_PER_STEP)
    }
}

/// Takes what a value needs, which is none when there is not enough. What nests too deep is for
/// the writers to refuse.
fn spend(value: &Value, depth: usize, left: &mut usize) -> Option<()> {
    let own = value.as_bytes().map_or(0, <[u8]>::len);
    *left = left.checked_sub(own + depth + 1)?;
    if depth > MAX_VALUE_DEPTH {
        return Some(());
    }
    match &value.data {
        Data::List(list) => list
            .items()
            .iter()
            .try_for_each(|item| spend(item, depth + 1, left)),
        Data::Map(map) => map.entries().iter().try_for_each(|(key, entry)| {
            *left = left.checked_sub(key.len())?;
            spend(&entry.value, depth + 1, left)
        }),
        _ => Some(()),
    }
}
