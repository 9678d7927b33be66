//! Reads what templates rendered while others are still rendered: where that is long, another
//! thread does it.

use std::{
    ops::Range,
    panic::resume_unwind,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{Builder, Scope, ScopedJoinHandle},
};

use super::{
    head::{self, FullHead, HeadError},
    scan::scan,
    split::split,
};
use crate::Dialect;

/// The documents of one file: where they stand, and their heads.
pub(crate) type Heads = Result<Vec<(Range<usize>, FullHead)>, Misread>;

/// A document without a head.
#[derive(Debug)]
pub(crate) struct Misread {
    pub(super) range: Range<usize>,
    pub(super) error: HeadError,
}

/// Reads the heads of what one template rendered.
fn read(text: &[u8], dialect: Dialect) -> Heads {
    let documents = split(text, dialect).into_iter().map(|range| {
        let document = &text[range.clone()];
        if let Some(head) = scan(document) {
            return Ok((range, FullHead::plain(head)));
        }
        match head::read(document, dialect) {
            Ok(head) => Ok((range, head)),
            Err(error) => Err(Misread { range, error }),
        }
    });
    documents.collect()
}

/// Texts that are shorter than this together are read sooner than a thread begins, in bytes.
pub(super) const PARALLEL_BYTES: usize = 64 << 10;

/// Reads texts as they come, each in a slot of its own.
pub(crate) struct Reader<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    slots: &'env [OnceLock<Vec<u8>>],
    dialect: Dialect,
    /// What nobody was told of yet.
    waiting: Vec<usize>,
    waiting_bytes: usize,
    beside: Option<Beside<'scope>>,
}

/// The other thread. It and this one take what comes from one queue.
struct Beside<'scope> {
    sender: Sender<usize>,
    queue: Arc<Mutex<Receiver<usize>>>,
    thread: ScopedJoinHandle<'scope, Vec<(usize, Heads)>>,
}

impl<'scope, 'env> Reader<'scope, 'env> {
    pub(crate) fn new(
        scope: &'scope Scope<'scope, 'env>,
        slots: &'env [OnceLock<Vec<u8>>],
        dialect: Dialect,
    ) -> Self {
        Self {
            scope,
            slots,
            dialect,
            waiting: Vec::new(),
            waiting_bytes: 0,
            beside: None,
        }
    }

    /// Puts a text into an empty slot, to be read when there is time.
    pub(crate) fn add(&mut self, slot: usize, text: Vec<u8>) {
        let length = text.len();
        if self.slots[slot].set(text).is_err() {
            return;
        }
        self.waiting.push(slot);
        self.waiting_bytes += length;
        if self.waiting_bytes < PARALLEL_BYTES && self.beside.is_none() {
            return;
        }
        if self.beside.is_none() {
            self.beside = self.begin();
        }
        if let Some(beside) = &self.beside {
            for slot in self.waiting.drain(..) {
                // The receiver lives as long as the sender.
                let _ = beside.sender.send(slot);
            }
        }
    }

    /// Starts the other thread; without one, this one reads all.
    fn begin(&self) -> Option<Beside<'scope>> {
        let (sender, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let (slots, dialect) = (self.slots, self.dialect);
        let theirs = Arc::clone(&queue);
        let read = move || read_queue(&theirs, slots, dialect);
        let thread = Builder::new().spawn_scoped(self.scope, read).ok()?;
        Some(Beside {
            sender,
            queue,
            thread,
        })
    }

    /// Reads what is left. Gives what was read with its slot, in any order.
    pub(crate) fn finish(self) -> Vec<(usize, Heads)> {
        let mut heads = match self.beside {
            Some(Beside {
                sender,
                queue,
                thread,
            }) => {
                drop(sender);
                let mut heads = read_queue(&queue, self.slots, self.dialect);
                heads.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
                heads
            }
            None => Vec::new(),
        };
        let waiting = self.waiting.into_iter();
        heads.extend(waiting.filter_map(|slot| read_slot(self.slots, slot, self.dialect)));
        heads
    }
}

/// Reads what the queue tells until it ends.
fn read_queue(
    queue: &Mutex<Receiver<usize>>,
    slots: &[OnceLock<Vec<u8>>],
    dialect: Dialect,
) -> Vec<(usize, Heads)> {
    let mut heads = Vec::new();
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(slot) = next else {
            return heads;
        };
        heads.extend(read_slot(slots, slot, dialect));
    }
}

fn read_slot(slots: &[OnceLock<Vec<u8>>], slot: usize, dialect: Dialect) -> Option<(usize, Heads)> {
    let text = slots.get(slot)?.get()?;
    Some((slot, read(text, dialect)))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// The names of the kinds that are read, by slots.
    fn kinds(texts: &[String]) -> Vec<Vec<String>> {
        let slots: Vec<_> = texts.iter().map(|_| OnceLock::new()).collect();
        let mut heads = thread::scope(|scope| {
            let mut reader = Reader::new(scope, &slots, Dialect::default());
            for (slot, text) in texts.iter().enumerate() {
                reader.add(slot, text.clone().into_bytes());
            }
            reader.finish()
        });
        heads.sort_by_key(|(slot, _)| *slot);
        let kinds = heads.into_iter().map(|(_, heads)| {
            let heads = heads.unwrap();
            heads.into_iter().map(|(_, head)| head.head.kind).collect()
        });
        kinds.collect()
    }

    #[test]
    fn all_is_read_once_however_long_it_is() {
        for padding in [0, PARALLEL_BYTES / 3, PARALLEL_BYTES * 2] {
            let texts: Vec<String> = (0..9)
                .map(|slot| {
                    let padding = "x".repeat(padding);
                    format!("kind: A{slot}\n---\nkind: B{slot}\ntext: {padding}\n")
                })
                .collect();
            let expected: Vec<_> = (0..9)
                .map(|slot| vec![format!("A{slot}"), format!("B{slot}")])
                .collect();
            assert_eq!(kinds(&texts), expected, "{padding}");
        }
    }
}
