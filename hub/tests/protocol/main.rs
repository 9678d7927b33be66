//! The hub as its agents see it: real connections on loopback, a clock that stands still, and agents
//! that are nothing but their half of the protocol.

mod authentication;
mod content;
mod faults;
mod fleet;
mod joining;
mod many;
mod offers;
mod renewal;
mod simulated;
mod sync;
mod world;
