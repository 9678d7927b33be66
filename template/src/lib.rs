//! Renders a pack's templates, and knows for every byte it writes where that byte came from.
//!
//! A [`TemplateSet`] holds the templates and partials of one pack. Rendering one against a
//! context gives a [`Rendered`]: the text, its [`Spans`], and which values were read. The
//! language, Handlebars without HTML escaping, is described in `spec/pack.md` §4; its executor
//! shares values, helpers and the writer with any language to come.
//!
//! Beside it stand Go's formats, on which charts depend byte for byte: [`go_yaml`], [`go_json`]
//! and [`go_toml`] write any [`tree::Tree`] and read what Helm reads.
//!
//! There is no clock, no randomness, no network and no file system in here: the same inputs
//! give the same bytes, and every render has [`Limits`].

mod call;
pub mod go_json;
pub mod go_toml;
pub mod go_yaml;
mod handlebars;
mod helpers;
mod limits;
mod set;
mod spans;
mod state;
pub mod tree;
mod value;
mod writer;

pub use limits::{DEFAULT_OUTPUT_BYTES, DEFAULT_PARTIAL_DEPTH, DEFAULT_STEPS, Limits};
pub use set::{Rendered, TemplateSet};
pub use spans::{Cause, CauseKind, Class, Piece, Spans};
pub use value::{ElementType, IntKind, MapType, Method, Object, Parameter, Value};
