//! Garbage collection against crashes, races and clocks.

mod clocks;
mod collection;
mod copies;
mod crashes;
mod disks;
mod eviction;
mod kills;
mod races;
mod told;
pub(crate) mod world;
