//! The hub as its agents see it: real connections on loopback, a clock that stands still, and agents
//! that are nothing but their half of the protocol.
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be set up, or is answered otherwise, is a failed test"
)]

mod authentication;
mod content;
mod faults;
mod fleet;
mod joining;
mod many;
mod offers;
mod renewal;
mod replicas;
mod simulated;
mod sync;
mod world;
