//! Packs as the compiler sees them: read from a tree of files, checked, ready to render.

mod layout;
mod load;

pub(crate) use load::{HostContent, load_to_render};
pub use load::{Pack, load};
