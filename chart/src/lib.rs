//! Renders Helm charts in Rust, byte for byte as Helm does, and knows where each byte came from.
//!
//! Charts are handed in as files ([`ChartFile`]): this crate opens no file and no connection, has
//! no clock and no randomness.

mod chart;
mod error;
mod metadata;

pub use chart::{Chart, ChartFile, ChartTemplate};
pub use error::Error;
pub use metadata::{ChartType, Dependency, ImportValues, Maintainer, Metadata};
