//! Keys of block maps that are plainly valid.

use memchr::{memchr_iter, memchr2_iter};

use super::scalar::{self, Quoted};

/// What stands at the start of a line.
#[derive(Debug)]
pub(super) enum Start<'t> {
    /// A key, and what follows its `:` without space before it.
    Key(&'t str, &'t str),
    /// A scalar, or a collection in brackets.
    Scalar,
}

/// What a line starts with; nothing where it needs a closer look.
pub(super) fn start(text: &str) -> Option<Start<'_>> {
    /// libyaml takes no longer ones.
    const MAX_KEY_BYTES: usize = 1000;
    let first = *text.as_bytes().first()?;
    let (key, after) = match first {
        b'"' | b'\'' => match scalar::quoted(&text[1..], first)? {
            Quoted::Closed(key, after) => (key, after),
            Quoted::Open => return Some(Start::Scalar),
        },
        b'|' | b'>' | b'{' | b'[' => return Some(Start::Scalar),
        _ => {
            let Some(end) = plain_key_end(text) else {
                return Some(Start::Scalar);
            };
            let key = text[..end].trim_end_matches(' ');
            if !is_plain_key(key) {
                return None;
            }
            (key, &text[end..])
        }
    };
    let Some(value) = scalar::without_spaces(after).strip_prefix(':') else {
        return Some(Start::Scalar);
    };
    if key.len() > MAX_KEY_BYTES {
        return None;
    }
    if value.is_empty() {
        return Some(Start::Key(key, value));
    }
    let value = value.strip_prefix(' ')?;
    Some(Start::Key(key, scalar::without_spaces(value)))
}

/// Where the `:` stands that ends a plain key.
fn plain_key_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memchr_iter(b':', bytes).find(|at| matches!(bytes.get(at + 1), None | Some(b' ')))
}

/// A key that is a text, or a number that JSON can show, but not null.
fn is_plain_key(key: &str) -> bool {
    let bytes = key.as_bytes();
    let mut odd = memchr2_iter(b'#', b'\t', bytes);
    let is_odd = odd.any(|at| bytes[at] == b'\t' || key[..at].ends_with(' '));
    if is_odd || key.eq_ignore_ascii_case("null") {
        return false;
    }
    match bytes {
        [b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | b'/', ..] => true,
        [b'.', b'a'..=b'z' | b'A'..=b'Z', ..] => {
            !key.eq_ignore_ascii_case(".inf") && !key.eq_ignore_ascii_case(".nan")
        }
        [b'0'..=b'9', ..] => {
            let is_short = bytes.len() <= 15 && bytes.iter().all(u8::is_ascii_digit);
            // A letter that no number has.
            is_short
                || bytes
                    .iter()
                    .any(|byte| matches!(byte, b'g'..=b'n' | b'p'..=b'w' | b'-' | b'/'))
        }
        _ => false,
    }
}
