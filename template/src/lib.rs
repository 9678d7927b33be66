//! Renders templates, and knows for every byte it writes where that byte came from.
//!
//! There are two languages on one model of values ([`Value`]) and one writer:
//! - Handlebars without HTML escaping, for packs (`spec/pack.md` §4). A [`TemplateSet`] holds the
//!   templates and partials of one pack. Rendering one against a context gives a [`Rendered`]:
//!   the text, its [`Spans`], and which values were read.
//! - Go's `text/template` as Helm uses it, for charts: [`go`].
//!
//! Beside them stand Go's formats, on which charts depend byte for byte: [`go_yaml`], [`go_json`]
//! and [`go_toml`] write any [`tree::Tree`] and read what Helm reads; [`go_semver`] says which
//! versions a constraint takes, and [`go_regexp`] what a pattern matches.
//!
//! There is no clock, no randomness, no network and no file system in here: the same inputs
//! give the same bytes, and every render has [`Limits`].

mod beside;
mod call;
mod changes;
mod functions;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod go;
pub mod go_json;
pub mod go_regexp;
pub mod go_semver;
mod go_time;
pub mod go_toml;
pub mod go_yaml;
mod handlebars;
mod helpers;
mod host;
#[cfg(test)]
#[path = "../../fuzz/kept.rs"]
mod kept;
mod limits;
mod memory;
mod rereading;
mod set;
mod spans;
mod state;
pub mod tree;
mod unicode;
mod value;
mod writer;

pub use beside::{Beside, Queue};
pub use host::{GeneratedCall, Generation, Host, LookupQuery, NoHost};
pub use limits::{
    DEFAULT_GO_STEPS, DEFAULT_INCLUDE_DEPTH, DEFAULT_MEMORY_BYTES, DEFAULT_OUTPUT_BYTES,
    DEFAULT_PARTIAL_DEPTH, DEFAULT_STACK_BYTES, DEFAULT_STEPS, Limits,
};
pub use set::{Rendered, TemplateSet};
pub use spans::{Absence, Cause, CauseKind, Class, Piece, Spans};
pub use value::{
    ElementType, Encoded, Encoder, IntKind, MapType, Method, Object, Parameter, Value,
};
