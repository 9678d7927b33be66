//! YAML in and out: a reader that keeps positions, and a writer whose bytes never vary.

mod reader;
mod scalar;
mod syntax;
mod writer;

pub use reader::{Document, Reading, read, read_one};
pub use writer::{
    quote_double, quote_single, write_block, write_document, write_manifest, write_scalar,
};
