//! Keeps one cluster in its desired state, connected or not.
//!
//! Two things go on side by side and know nothing of each other but the desired state: what finds out
//! what is wanted, and what enforces it. Whatever decides in them is pure: facts and the time come in,
//! the next step comes out.

pub mod accept;
pub mod app;
pub mod backoff;
pub mod clock;
pub mod command;
pub mod config;
pub mod desired;
pub mod enforce;
pub mod files;
pub mod follow;
pub mod hub;
pub mod install;
pub mod lease;
pub mod log;
pub mod memory;
pub mod observed;
pub mod probes;
pub mod report;
pub mod settings;
pub mod signals;
pub mod spool;
pub mod telling;
