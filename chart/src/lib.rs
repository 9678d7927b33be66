//! Renders Helm charts in Rust, byte for byte as Helm does, and knows where each byte came from.
//!
//! Charts are handed in as files ([`ChartFile`]): this crate opens no file and no connection, has
//! no clock and no randomness.

mod chart;
pub mod dependencies;
mod dialect;
mod error;
mod metadata;
mod strvals;
pub mod values;

pub use chart::{Chart, ChartFile, ChartTemplate};
pub use dialect::Dialect;
pub use error::Error;
pub use metadata::{ChartType, Dependency, ImportValues, Maintainer, Metadata};
pub use strvals::ReadFile;
