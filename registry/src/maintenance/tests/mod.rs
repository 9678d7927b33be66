//! Garbage collection against crashes, races and clocks.

mod collection;
mod crashes;
mod races;
mod world;
