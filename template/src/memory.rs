//! Counts the bytes that the values of templates hold, so that a render may be ended that holds
//! too many. Each thread counts its own, for values do not leave theirs.

use std::cell::Cell;

thread_local! {
    static HELD_BYTES: Cell<usize> = const { Cell::new(0) };
}

/// How many bytes are held by the values of this thread.
pub(crate) fn held_bytes() -> usize {
    HELD_BYTES.get()
}

/// What one value holds: counted from when it is made until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held(Cell<usize>);

impl Held {
    pub(crate) fn new(bytes: usize) -> Self {
        let held = Self::default();
        held.set(bytes);
        held
    }

    /// The value holds so many bytes now.
    pub(crate) fn set(&self, bytes: usize) {
        let before = self.0.replace(bytes);
        if bytes != before {
            let others = HELD_BYTES.get().saturating_sub(before);
            HELD_BYTES.set(others.saturating_add(bytes));
        }
    }

    /// The value holds so many bytes more.
    pub(crate) fn add(&self, bytes: usize) {
        self.set(self.0.get().saturating_add(bytes));
    }
}

impl Clone for Held {
    fn clone(&self) -> Self {
        Self::new(self.0.get())
    }
}

/// Values are equal whatever they hold.
impl PartialEq for Held {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_held_no_more() {
        let before = held_bytes();
        let first = Held::new(10);
        let second = first.clone();
        first.set(25);
        assert_eq!(held_bytes() - before, 35);
        drop(second);
        first.set(5);
        assert_eq!(held_bytes() - before, 5);
        drop(first);
        assert_eq!(held_bytes(), before);
    }
}
