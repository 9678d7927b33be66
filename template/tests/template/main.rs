//! What templates render, through the crate's public surface.

mod case;
mod errors;
mod helpers;
mod hermetic;
mod language;
mod limits;
mod provenance;
mod robustness;
