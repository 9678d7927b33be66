//! Applies a bundle to a cluster: what to apply in which order, and how far it is.
//!
//! What decides is pure: files, objects, facts and the time come in, decisions go out.

pub mod bundle;
pub mod health;
