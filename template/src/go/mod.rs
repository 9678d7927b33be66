//! Go's `text/template`, as Helm uses it: the same output and the same errors, and for each
//! byte of the output, where it came from.
//!
//! ```
//! use cairn_spec::{Origins, SourceKind, Sources};
//! use cairn_template::{Value, go::{Options, Templates}};
//!
//! let mut sources = Sources::new();
//! let source = sources.add("hello.txt", "hello {{ .name | printf \"%q\" }}", SourceKind::Template);
//! let mut templates = Templates::new();
//! templates.add("hello.txt", &sources, source).unwrap();
//!
//! let origins = Origins::new();
//! let mut renderer = templates.renderer(&origins, &Options::go());
//! let context = Value::map([("name", Value::from("world"))]);
//! let output = renderer.render("hello.txt", &context).unwrap();
//! let rendered = renderer.finish(vec![output]);
//! assert_eq!(rendered[0].bytes, b"hello \"world\"");
//! ```
//!
//! What differs from Go: there are no channels and no function values; complex numbers are only
//! written, compared and printed; maps have texts as keys; nesting is limited, and so is all else a template can spend
//! ([`crate::Limits`]).

mod actions;
mod arguments;
mod ast;
pub(crate) mod base32;
pub(crate) mod base64;
pub(crate) mod cast;
mod complex;
mod error;
mod evaluate;
mod execute;
mod fields;
pub(crate) mod format;
mod frame;
pub(crate) mod identifiers;
mod literal;
mod names;
mod parse;
pub(crate) mod path;
mod print;
#[cfg(any(test, fuzzing))]
mod promises;
mod render;
mod set;
mod token;
pub(crate) mod url;

pub use error::Error;
pub use format::{is_print, print_bytes, quote, quote_char, show};
pub use names::{NamedPath, Names, Usage, names};
#[cfg(any(test, fuzzing))]
pub(crate) use promises::check_parsed;
pub use render::{Output, Rendered, Renderer};
pub use set::{MissingKey, Options, Parsed, Templates, helm_order};
