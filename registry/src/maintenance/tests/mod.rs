//! Garbage collection against crashes, races and clocks.

mod collection;
mod copies;
mod crashes;
mod races;
pub(crate) mod world;
