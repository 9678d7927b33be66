//! Applies a bundle to a cluster: what to apply in which order, how far it is, and what may be deleted.
//!
//! What decides is pure: files, objects, facts and the time come in, decisions go out. `cluster` asks the API
//! server, and `run` is the thin loop between them.

pub mod bundle;
pub mod cluster;
pub mod diff;
pub mod drift;
pub mod health;
pub mod hooks;
pub mod ignore;
pub mod inventory;
pub mod journal;
pub mod prune;
pub mod rights;
pub mod roles;
pub mod rollback;
pub mod run;
pub mod window;
