//! YAML exactly as Helm reads and writes it: go-yaml behind `sigs.k8s.io/yaml`.

mod blocks;
mod build;
mod compose;
mod decode;
mod error;
mod go_syntax;
mod input;
mod order;
mod output;
mod parse;
#[cfg(any(test, fuzzing))]
mod promises;
mod reader;
mod scalar;
mod scan;
mod style;
mod through_json;
mod values;
mod writer;

pub use error::{ErrorPlace, ReadError, WriteError};
#[cfg(any(test, fuzzing))]
pub(crate) use promises::check_composed;
pub use reader::{Numbers, ReadOptions, read, read_list, read_map, read_some, text_of};
pub(crate) use reader::{list_value, map_value};
pub(crate) use through_json::valid as valid_utf8;
pub use values::read_values;
pub use writer::{write, write_pretty};

/// The longest text that is read, in bytes: far above the 5 MiB that Helm takes for a file.
pub const MAX_INPUT_BYTES: usize = 32 * 1024 * 1024;
/// How deep lists and maps may nest, read or written; go-yaml's own limit, 10,000, would not
/// fit the stack of every thread.
pub const MAX_DEPTH: usize = 128;
/// How many values a document may hold once its aliases are expanded.
pub const MAX_NODES: usize = 1_000_000;

/// Which generation of go-yaml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// `go.yaml.in/yaml/v2`, behind `sigs.k8s.io/yaml`: `toYaml`, `fromYaml`, every file.
    V2,
    /// `go.yaml.in/yaml/v3`: `toYamlPretty`.
    V3,
}
