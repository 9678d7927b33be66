//! Quoted texts as Go's `strconv.Quote` writes them.

use std::fmt::Write as _;

/// The bytes in double quotes, with escapes for what does not print.
pub fn quote(bytes: &[u8]) -> String {
    quote_with(bytes, '"', false)
}

/// The same, with escapes for all that is not ASCII as well.
pub(super) fn quote_ascii(bytes: &[u8]) -> String {
    quote_with(bytes, '"', true)
}

/// One character in single quotes; with `ascii`, all else is escaped.
pub fn quote_char(char: char, ascii: bool) -> String {
    quote_with(char.encode_utf8(&mut [0; 4]).as_bytes(), '\'', ascii)
}

/// What stands between the quotes of [`quote`].
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    escape(bytes, '"', false, &mut out);
    out
}

/// Go's `strconv.CanBackquote`: the bytes can stand between backquotes as they are.
pub(crate) fn can_backquote(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        !text.contains(|char: char| {
            matches!(char, '\0'..='\u{8}' | '\n'..='\u{1f}' | '`' | '\u{7f}' | '\u{feff}')
        })
    })
}

fn quote_with(bytes: &[u8], quote: char, ascii: bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(quote);
    escape(bytes, quote, ascii, &mut out);
    out.push(quote);
    out
}

fn escape(bytes: &[u8], quote: char, ascii: bool, out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            escape_char(char, quote, ascii, out);
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

fn escape_char(char: char, quote: char, ascii: bool, out: &mut String) {
    match char {
        '\\' => out.push_str("\\\\"),
        _ if char == quote => out.extend(['\\', char]),
        ' '..='~' => out.push(char),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{b}' => out.push_str("\\v"),
        _ if !ascii && is_print(char) => out.push(char),
        '\0'..='\u{7f}' => {
            let _ = write!(out, "\\x{:02x}", u32::from(char));
        }
        '\u{80}'..='\u{ffff}' => {
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        }
        _ => {
            let _ = write!(out, "\\U{:08x}", u32::from(char));
        }
    }
}

/// Go's `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub fn is_print(char: char) -> bool {
    if char.is_ascii() {
        return matches!(char, ' '..='~');
    }
    // Rust escapes what is none of these, and marks only where nothing stands before them.
    format!("a{char}").escape_debug().nth(1) != Some('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_print_is_escaped() {
        assert_eq!(
            quote("a\"b\\\n\té☃😀".as_bytes()),
            "\"a\\\"b\\\\\\n\\té☃😀\""
        );
        assert_eq!(quote(b"\xc3\x00\x7f"), "\"\\xc3\\x00\\x7f\"");
        assert_eq!(
            quote("\u{200b}\u{a0}\u{301}".as_bytes()),
            "\"\\u200b\\u00a0\u{301}\""
        );
        assert_eq!(quote_ascii("é😀".as_bytes()), "\"\\u00e9\\U0001f600\"");
        assert_eq!(quote_char('\'', false), "'\\''");
    }
}
