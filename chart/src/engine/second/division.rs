//! Who renders which slot.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cairn_template::go::Rendered;

/// How two threads divide the slots: the first one takes them in their order, the second one from
/// the end.
pub(in crate::engine) struct Division {
    slots: Mutex<Slots>,
    share: Mutex<Option<Share>>,
}

struct Slots {
    /// Those that none has taken.
    untaken: Range<usize>,
    count: usize,
    /// How many there are up to the last one that changed what is seen after it.
    changed: usize,
    /// The second thread takes nothing any more.
    is_closed: bool,
}

/// What the second thread rendered: all from a slot on.
pub(in crate::engine) struct Share {
    pub(super) from: usize,
    /// The changes of how many slots it has followed.
    pub(super) followed: usize,
    pub(super) outputs: Vec<(usize, Rendered)>,
    pub(super) steps: u64,
}

/// What the second thread does next.
pub(super) enum Step {
    /// Renders slots for what they change.
    Follow(Range<usize>),
    /// Renders a slot that was not taken.
    Take(usize),
}

impl Division {
    pub(in crate::engine) fn new(count: usize) -> Self {
        Self {
            slots: Mutex::new(Slots {
                untaken: 0..count,
                count,
                changed: 0,
                is_closed: false,
            }),
            share: Mutex::default(),
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the first thread may take a slot, the next in their order.
    pub(super) fn takes(&self, slot: usize) -> bool {
        self.slots().untaken.next() == Some(slot)
    }

    /// What the second thread does that has followed the changes of so many slots.
    pub(super) fn next(&self, followed: usize) -> Option<Step> {
        let mut slots = self.slots();
        if slots.is_closed {
            return None;
        }
        if followed < slots.changed {
            return Some(Step::Follow(followed..slots.changed));
        }
        slots.untaken.next_back().map(Step::Take)
    }

    /// A slot that the first thread took changed what those after it see: what the second one
    /// rendered of them does not count.
    pub(super) fn change(&self, slot: usize) {
        let mut slots = self.slots();
        slots.changed = slot + 1;
        slots.untaken = slot + 1..slots.count;
    }

    /// The second thread took nothing.
    pub(super) fn give_back(&self) {
        let mut slots = self.slots();
        slots.untaken.end = slots.count;
    }

    /// The second thread takes nothing any more.
    pub(super) fn close(&self) {
        self.slots().is_closed = true;
    }

    pub(super) fn hand_in(&self, share: Share) {
        *self.share.lock().unwrap_or_else(PoisonError::into_inner) = Some(share);
    }

    /// What the second thread gave, if it knew all changes.
    pub(super) fn share(&self) -> Option<Share> {
        let share = self.share.lock();
        let share = share.unwrap_or_else(PoisonError::into_inner).take();
        share.filter(|share| share.followed >= self.slots().changed)
    }
}
