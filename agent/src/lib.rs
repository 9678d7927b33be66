//! Keeps one cluster in its desired state, connected or not.
//!
//! Two things go on side by side and know nothing of each other but the desired state: what finds out
//! what is wanted, and what enforces it. Whatever decides in them is pure: facts and the time come in,
//! the next step comes out.

pub mod backoff;
pub mod clock;
pub mod config;
pub mod install;
pub mod log;
pub mod report;
