//! JSON exactly as Go's `encoding/json` reads and writes it.

mod number;
mod reader;
mod writer;

pub(crate) use number::{format_general, format_general_32, write_json_float};
pub use reader::{
    JsonReadError, Places, go_kind, read, read_list, read_map, read_placed, read_prefix,
};
pub use writer::{JsonStyle, JsonWriteError, write};

/// The longest text that is read, in bytes.
pub const MAX_INPUT_BYTES: usize = 32 * 1024 * 1024;
/// How deep lists and maps may nest, read or written; Go's own limit, 10,000, would not fit
/// the stack of every thread.
pub const MAX_DEPTH: usize = 128;
/// How many values a text may hold.
pub const MAX_NODES: usize = 1_000_000;
