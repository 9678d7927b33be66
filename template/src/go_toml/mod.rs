//! TOML as `BurntSushi/toml`, Helm's library, reads and writes it: `fromToml` and `toToml`.

mod key;
mod lexer;
mod numbers;
mod reader;
mod strings;
mod writer;

pub use reader::{TomlReadError, TomlTable, TomlValue, read};
pub use writer::{TomlWriteError, write};

/// The longest text that is read, in bytes.
pub const MAX_INPUT_BYTES: usize = 32 * 1024 * 1024;
/// How deep lists and maps may nest, read or written.
pub const MAX_DEPTH: usize = 128;
