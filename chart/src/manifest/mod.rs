//! What becomes of rendered files: documents, in the order in which Helm installs them.

mod document;
mod head;
mod order;
mod reader;
mod scan;
mod show_only;
mod sort;
mod split;

pub use document::{Document, Hook, HookEvent, RenderedFile};
pub(crate) use reader::{Heads, Reader, Slot};
pub(crate) use show_only::show_only;
pub(crate) use sort::{Sorted, Unsorted, sort};
pub(crate) use split::{length_without_space, split};
