//! PEM as Go's `encoding/pem` reads and writes it.

use ::base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{go::base64, writer::find};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";
const LINE_LENGTH: usize = 64;

/// A block: what it is said to hold, and its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) label: Vec<u8>,
    pub(super) bytes: Vec<u8>,
}

pub(super) fn encode(label: &str, bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE_LENGTH));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

/// The first block of a text that is one.
pub(super) fn decode(text: &[u8]) -> Option<Block> {
    let mut rest = text;
    loop {
        let end = find(rest, END)?;
        match block_before(rest, end) {
            Some(block) => return Some(block),
            None => rest = &rest[end + END.len()..],
        }
    }
}

/// The block whose last line begins at `end`, where the line break before it is.
fn block_before(text: &[u8], end: usize) -> Option<Block> {
    let begin = find_last(&text[..end], BEGIN)?;
    if begin > 0 && text[begin - 1] != b'\n' {
        return None;
    }
    let (type_line, mut rest) = line(&text[begin + BEGIN.len()..]);
    let label = type_line.strip_suffix(DASHES)?;
    let trailer = &text[end + END.len()..];
    let mut has_headers = false;
    loop {
        if rest.is_empty() {
            return None;
        }
        let (header, after) = line(rest);
        if !header.contains(&b':') {
            break;
        }
        has_headers = true;
        rest = after;
    }
    // The body ends at the line break before the last line, or has run past it.
    let body = (rest.len()).checked_sub(text.len() - end);
    if has_headers && body.is_none() {
        return None;
    }
    let after = trailer.strip_prefix(label)?.strip_prefix(DASHES)?;
    if !line(after).0.is_empty() {
        return None;
    }
    let body = &rest[..body.unwrap_or(0)];
    let without_spaces: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b' ' | b'\t'))
        .collect();
    Some(Block {
        label: label.to_vec(),
        bytes: base64::decode(&without_spaces).ok()?,
    })
}

/// The first line, without white space at its end, and what follows it.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let (line, rest) = match text.iter().position(|&byte| byte == b'\n') {
        None => (text, &[][..]),
        Some(end) => {
            let line = &text[..end];
            (line.strip_suffix(b"\r").unwrap_or(line), &text[end + 1..])
        }
    };
    let spaces = line
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    (&line[..line.len() - spaces], rest)
}

fn find_last(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .rposition(|window| window == wanted)
}
