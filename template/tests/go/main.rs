//! Go templates through the crate's public surface: what Go and Helm print, and their errors.

mod chart;
mod crypto;
mod data;
mod functions;
mod limits;
mod provenance;
mod robustness;
mod semver;
mod vectors;
