//! Reads what templates rendered while others are still rendered: where that is long, another
//! thread does it.

use std::{ops::Range, sync::OnceLock, thread::Scope};

use cairn_template::Beside;

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

/// A place for a text, and for what is read of it.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    text: OnceLock<Vec<u8>>,
    heads: OnceLock<Heads>,
}

impl Slot {
    /// Reads the text, if there is one.
    fn read(&self, dialect: Dialect) {
        if let Some(text) = self.text.get() {
            self.heads.get_or_init(|| read(text, dialect));
        }
    }

    /// The text with what was read of it.
    pub(crate) fn into_read(self) -> Option<(Vec<u8>, Heads)> {
        self.text.into_inner().zip(self.heads.into_inner())
    }
}

/// Texts that are shorter than this together are read sooner than a thread begins, in bytes.
pub(super) const PARALLEL_BYTES: usize = 64 << 10;

/// Reads texts as they come, each in a slot of its own.
pub(crate) struct Reader<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    slots: &'env [Slot],
    dialect: Dialect,
    bytes: usize,
    /// What this thread will read, as long as there is no other.
    waiting: Vec<usize>,
    beside: Option<Beside<'scope>>,
}

impl<'scope, 'env> Reader<'scope, 'env> {
    pub(crate) fn new(
        scope: &'scope Scope<'scope, 'env>,
        slots: &'env [Slot],
        dialect: Dialect,
        beside: Option<Beside<'scope>>,
    ) -> Self {
        Self {
            scope,
            slots,
            dialect,
            bytes: 0,
            waiting: Vec::new(),
            beside,
        }
    }

    /// The other thread.
    pub(crate) fn beside(&self) -> Option<&Beside<'scope>> {
        self.beside.as_ref()
    }

    /// Puts a text into an empty slot, to be read when there is time.
    pub(crate) fn add(&mut self, slot: usize, text: Vec<u8>) {
        self.bytes += text.len();
        if self.slots[slot].text.set(text).is_err() {
            return;
        }
        self.waiting.push(slot);
        if self.bytes >= PARALLEL_BYTES && self.beside.is_none() {
            self.beside = Some(Beside::begin(self.scope));
        }
        if let Some(beside) = &self.beside {
            let (slots, dialect) = (self.slots, self.dialect);
            for slot in self.waiting.drain(..) {
                beside.give(move || slots[slot].read(dialect));
            }
        }
    }

    /// Reads what is left.
    pub(crate) fn finish(self) {
        for slot in self.waiting {
            self.slots[slot].read(self.dialect);
        }
        if let Some(beside) = self.beside {
            beside.catch_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// The names of the kinds that are read, by slots.
    fn kinds(texts: &[String]) -> Vec<Vec<String>> {
        let slots: Vec<_> = texts.iter().map(|_| Slot::default()).collect();
        thread::scope(|scope| {
            let mut reader = Reader::new(scope, &slots, Dialect::default(), None);
            for (slot, text) in texts.iter().enumerate() {
                reader.add(slot, text.clone().into_bytes());
            }
            reader.finish();
        });
        let kinds = slots.into_iter().map(|slot| {
            let (_, heads) = slot.into_read().unwrap();
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
