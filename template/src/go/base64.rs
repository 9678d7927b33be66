//! Base64 as Go's `encoding/base64` decodes it: line breaks are left out, and the first byte that
//! does not fit is named.

/// The bytes, or where the text goes wrong.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let mut at = 0;
    while at < text.len() {
        at = decode_quantum(text, at, &mut out)?;
    }
    Ok(out)
}

/// Decodes four characters; gives where the next begin.
fn decode_quantum(text: &[u8], mut at: usize, out: &mut Vec<u8>) -> Result<usize, usize> {
    let mut value = 0_u32;
    let mut count = 0;
    while count < 4 {
        let Some(&byte) = text.get(at) else {
            if count == 0 {
                return Ok(at);
            }
            return Err(at - count);
        };
        at += 1;
        match (sextet(byte), byte) {
            (Some(bits), _) => {
                value = value << 6 | u32::from(bits);
                count += 1;
            }
            (None, b'\n' | b'\r') => {}
            (None, b'=') if count >= 2 => {
                at = padding_end(text, at, count)?;
                break;
            }
            (None, _) => return Err(at - 1),
        }
    }
    let [_, bytes @ ..] = (value << (6 * (4 - count))).to_be_bytes();
    out.extend_from_slice(bytes.get(..count - 1).unwrap_or_default());
    Ok(at)
}

/// Where the text ends after its first `=`.
fn padding_end(text: &[u8], at: usize, count: usize) -> Result<usize, usize> {
    let mut at = after_line_breaks(text, at);
    if count == 2 {
        match text.get(at) {
            None => return Err(text.len()),
            Some(b'=') => at = after_line_breaks(text, at + 1),
            Some(_) => return Err(at - 1),
        }
    }
    if at < text.len() { Err(at) } else { Ok(at) }
}

fn after_line_breaks(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .take_while(|byte| matches!(byte, b'\n' | b'\r'))
        .count()
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        assert_eq!(decode(b"YWJj\nZA==\n").unwrap(), b"abcd");
        assert_eq!(decode(b"YWI=").unwrap(), b"ab");
        assert_eq!(decode(b"").unwrap(), b"");
        assert_eq!(decode(b"YWJjZ"), Err(4));
        assert_eq!(decode(b"YW-j"), Err(2));
        assert_eq!(decode(b"YW="), Err(3));
        assert_eq!(decode(b"YW==x"), Err(4));
    }
}
