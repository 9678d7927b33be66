//! What templates render, through the crate's public surface.

mod case;
mod errors;
mod go_formats;
mod go_formats_properties;
mod helpers;
mod hermetic;
mod language;
mod limits;
mod provenance;
mod robustness;
