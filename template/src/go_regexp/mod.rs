//! Go's package `regexp` on the crate `regex`: its syntax, its messages, and which matches it
//! takes. A pattern is turned into one that means the same to the crate.
//!
//! ```
//! use cairn_template::go_regexp::Regexp;
//!
//! assert!(Regexp::new(r"^\d+$").unwrap().is_match(b"42"));
//! assert_eq!(
//!     Regexp::new("a**").unwrap_err(),
//!     "error parsing regexp: invalid nested repetition operator: `**`",
//! );
//! ```

mod class;
mod error;
mod expand;
mod pattern;
mod translate;

pub(crate) use expand::{Piece, pieces};
pub use pattern::Regexp;
pub(crate) use pattern::{Haystack, Patterns};

/// The longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 64 * 1024;
/// How deep groups of a pattern may nest: keeps the stack safe on which it is compiled. Go takes
/// about 1,000.
const MAX_NESTING: usize = 100;
/// How large a compiled pattern may be, in bytes.
const MAX_PROGRAM_BYTES: usize = 4 * 1024 * 1024;
/// How large what a pattern remembers while it matches may be, in bytes.
const MAX_CACHE_BYTES: usize = 1024 * 1024;

/// A text with a special meaning for none of its characters.
pub(crate) fn quote_meta(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if is_meta(byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

pub(crate) fn is_meta(byte: u8) -> bool {
    br"\.+*?()|[]{}^$".contains(&byte)
}
