//! Base32 as Go's `encoding/base32` has it: RFC 4648, with padding.

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(crate) fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut block = [0; 8];
        for (place, byte) in block[3..].iter_mut().zip(chunk) {
            *place = *byte;
        }
        let value = u64::from_be_bytes(block);
        let used = (chunk.len() * 8).div_ceil(5);
        for place in 0..8 {
            let index = usize::try_from(value >> (35 - 5 * place) & 31).unwrap_or(0);
            out.push(if place < used { ALPHABET[index] } else { b'=' });
        }
    }
    out
}

/// The bytes, or where the text goes wrong. Line breaks are left out, and do not count.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\n' | b'\r'))
        .collect();
    let mut out = Vec::with_capacity(text.len() / 8 * 5 + 5);
    let mut at = 0;
    while at < text.len() {
        let (value, count) = read_quantum(&text, at)?;
        let [_, _, _, bytes @ ..] = value.to_be_bytes();
        out.extend_from_slice(bytes.get(..count * 5 / 8).unwrap_or_default());
        if count < 8 {
            break;
        }
        at += 8;
    }
    Ok(out)
}

/// Eight characters as forty bits, and how many were no padding.
fn read_quantum(text: &[u8], start: usize) -> Result<(u64, usize), usize> {
    let mut value = 0;
    for count in 0..8 {
        let at = start + count;
        let Some(&byte) = text.get(at) else {
            return Err(start);
        };
        let left = text.len() - at - 1;
        if byte == b'=' && count >= 2 && left < 8 {
            if left + count < 7 {
                return Err(text.len());
            }
            if let Some(other) = (0..7 - count).find(|&next| text.get(at + 1 + next) != Some(&b'='))
            {
                return Err(at + other);
            }
            // So many characters hold no whole byte more than fewer do.
            if matches!(count, 3 | 6) {
                return Err(at);
            }
            return Ok((value << (5 * (8 - count)), count));
        }
        let Some(bits) = quintet(byte) else {
            return Err(at);
        };
        value = value << 5 | u64::from(bits);
    }
    Ok((value, 8))
}

fn quintet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for text in ["", "f", "f1", "f12", "f123", "f1234", "f12345"] {
            assert_eq!(decode(&encode(text.as_bytes())).unwrap(), text.as_bytes());
        }
        assert_eq!(encode(b"foobar"), b"MZXW6YTBOI======");
        assert_eq!(decode(b"MZXW6"), Err(0));
        assert_eq!(decode(b"mzxw6==="), Err(0));
    }
}
