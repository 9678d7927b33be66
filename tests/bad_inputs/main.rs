//! Bad inputs and the messages that users see: every case runs the real command and keeps what it
//! prints as a snapshot, so that a message that got worse is a failing test.
//!
//! Each case also proves that the command ended with the right exit code, did not panic or hang,
//! and left every file of its folder as it was.
#![expect(
    clippy::unwrap_used,
    reason = "a case that cannot be set up is a failed test"
)]

mod archives;
mod artifacts;
mod case;
mod cluster;
mod constraints;
mod desired_states;
mod hostile;
mod keys;
mod limits;
mod pack;
mod patches;
mod profile;
mod references;
mod registry;
mod signatures;
mod template;
mod usage;
mod values;
mod variables;
mod versions;
mod yaml;
