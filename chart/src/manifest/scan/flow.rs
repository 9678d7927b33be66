//! Lists and maps in brackets, on one line, of simple scalars.

use super::scalar;

const MAX_DEPTH: usize = 16;

/// What follows a list or map in brackets; nothing where it needs a closer look.
pub(super) fn collection(text: &str) -> Option<&str> {
    collection_at(text, 0)
}

fn collection_at(text: &str, depth: usize) -> Option<&str> {
    if depth > MAX_DEPTH {
        return None;
    }
    let (close, is_map) = match text.as_bytes().first()? {
        b'[' => (']', false),
        b'{' => ('}', true),
        _ => return None,
    };
    let mut rest = text[1..].trim_start_matches(' ');
    if let Some(after) = rest.strip_prefix(close) {
        return Some(after);
    }
    loop {
        if is_map {
            rest = key(rest)?;
        }
        rest = value(rest, depth)?.trim_start_matches(' ');
        if let Some(after) = rest.strip_prefix(close) {
            return Some(after);
        }
        rest = rest.strip_prefix(',')?.trim_start_matches(' ');
    }
}

/// What follows a key, its `:` and the space behind that.
fn key(text: &str) -> Option<&str> {
    let after = match text.as_bytes().first()? {
        quote @ (b'"' | b'\'') => scalar::quoted(&text[1..], *quote)?.after()?,
        b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
            let after = text.trim_start_matches(|c: char| {
                c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')
            });
            let key = &text[..text.len() - after.len()];
            if key.eq_ignore_ascii_case("null") {
                return None;
            }
            after
        }
        _ => return None,
    };
    let after = after.strip_prefix(": ")?.trim_start_matches(' ');
    Some(after)
}

fn value(text: &str, depth: usize) -> Option<&str> {
    match text.as_bytes().first()? {
        quote @ (b'"' | b'\'') => scalar::quoted(&text[1..], *quote)?.after(),
        b'[' | b'{' => collection_at(text, depth + 1),
        _ => {
            let after = text.trim_start_matches(|c: char| {
                c.is_ascii_alphanumeric()
                    || matches!(
                        c,
                        '_' | '-'
                            | '.'
                            | '/'
                            | '@'
                            | '%'
                            | '+'
                            | '='
                            | '~'
                            | '*'
                            | '('
                            | ')'
                            | '$'
                            | ' '
                    )
            });
            let plain = text[..text.len() - after.len()].trim_end_matches(' ');
            if plain.starts_with(['*', '%', '@', ' ']) {
                return None;
            }
            scalar::plain(plain)?;
            Some(after)
        }
    }
}
