//! Scalars that are plainly valid.

use memchr::memchr3_iter;

/// The text of a plain scalar in a line, without a comment behind it; nothing where it needs a
/// closer look.
pub(super) fn plain(text: &str) -> Option<&str> {
    let starts_plainly = match text.as_bytes() {
        [] | [b'-'] | [b'-', b' ', ..] => false,
        [first, ..] => {
            first.is_ascii_alphanumeric()
                || !first.is_ascii()
                || matches!(
                    first,
                    b'/' | b'_' | b'(' | b'$' | b'^' | b'\\' | b'~' | b'.' | b'+' | b'-'
                )
        }
    };
    if !starts_plainly {
        return None;
    }
    let text = plain_part(text)?;
    (!is_no_number(text)).then_some(text)
}

/// A line of a plain scalar, without a comment behind it.
pub(super) fn plain_part(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    for at in memchr3_iter(b'#', b'\t', b':', bytes) {
        match bytes[at] {
            b'#' if text[..at].ends_with(' ') => return Some(text[..at].trim_end_matches(' ')),
            b'#' => {}
            b':' if !matches!(bytes.get(at + 1), None | Some(b' ')) => {}
            _ => return None,
        }
    }
    Some(text)
}

/// A text without the spaces at its start.
pub(super) fn without_spaces(text: &str) -> &str {
    let spaces = text.bytes().take_while(|byte| *byte == b' ').count();
    &text[spaces..]
}

/// Infinity or NaN, which JSON cannot hold.
fn is_no_number(text: &str) -> bool {
    if !text.starts_with(['.', '+', '-']) {
        return false;
    }
    let Some(last) = text
        .len()
        .checked_sub(4)
        .and_then(|start| text.get(start..))
    else {
        return false;
    };
    last.eq_ignore_ascii_case(".inf") || last.eq_ignore_ascii_case(".nan")
}

/// What stands in quotes.
#[derive(Debug)]
pub(super) enum Quoted<'t> {
    /// What stands between them, and what follows.
    Closed(&'t str, &'t str),
    /// They do not close on the line.
    Open,
}

impl<'t> Quoted<'t> {
    /// What follows, where they close on the line.
    pub(super) fn after(self) -> Option<&'t str> {
        match self {
            Self::Closed(_, after) => Some(after),
            Self::Open => None,
        }
    }
}

/// Looks for the end of a text that starts behind the quote that opens; nothing where it needs a
/// closer look.
pub(super) fn quoted(text: &str, quote: u8) -> Option<Quoted<'_>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes[at..]
        .iter()
        .position(|byte| *byte == quote || matches!(byte, b'\\' | b'\t'))
    {
        at += found;
        match bytes[at] {
            b'\t' => return None,
            b'\\' if quote == b'"' => match bytes.get(at + 1)? {
                b'"' | b'\\' | b'n' | b't' | b'r' | b'b' | b'f' | b'e' | b'0' => at += 2,
                _ => return None,
            },
            b'\\' => at += 1,
            _ if quote == b'\'' && bytes.get(at + 1) == Some(&quote) => at += 2,
            _ => return Some(Quoted::Closed(&text[..at], &text[at + 1..])),
        }
    }
    Some(Quoted::Open)
}

/// Nothing follows on the line but space and a comment.
pub(super) fn is_end(after: &str) -> bool {
    let text = without_spaces(after);
    text.is_empty() || (text.len() < after.len() && text.starts_with('#'))
}

/// A plain scalar that starts with a letter is a text, and no boolean or null.
pub(super) fn is_text(plain: &str) -> bool {
    const OTHERS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    !OTHERS.iter().any(|other| other.eq_ignore_ascii_case(plain))
}
