//! A hook that sees content move: the command line draws bars with it.

use std::{fmt, sync::Arc};

use cairn_spec::Descriptor;

/// What happens to one piece of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It starts to move.
    Started,
    /// So many more bytes have moved. A retry starts over with [`Event::Started`].
    Advanced {
        /// The number of bytes since the last event.
        bytes: u64,
    },
    /// All of it has moved.
    Finished,
    /// It is there already, so nothing moves.
    Skipped,
}

type Hook = dyn Fn(&Descriptor, Event) + Send + Sync;

/// The hook, or none. It is called often, from any thread, and must not block.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Hook>>);

impl Progress {
    /// Calls `hook` for every event.
    pub fn new(hook: impl Fn(&Descriptor, Event) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(crate) fn report(&self, descriptor: &Descriptor, event: Event) {
        if let Some(hook) = &self.0 {
            hook(descriptor, event);
        }
    }

    /// A function that reports bytes of `descriptor` as they move.
    pub(crate) fn counter(&self, descriptor: &Descriptor) -> Option<Box<dyn Fn(u64) + Send>> {
        let hook = Arc::clone(self.0.as_ref()?);
        let descriptor = descriptor.clone();
        Some(Box::new(move |bytes| {
            hook(&descriptor, Event::Advanced { bytes });
        }))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.0.is_some()).finish()
    }
}
