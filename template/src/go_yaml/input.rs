//! The characters of a text: encodings, and what libyaml refuses to read at all.

use std::borrow::Cow;

use super::scan::Mark;

/// libyaml reads this many bytes at a time, and refuses all of them for one that is wrong.
const CHUNK_BYTES: usize = 512;

/// A text up to what cannot be read in it.
#[derive(Debug)]
pub(super) struct Input<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) broken: Option<InputError>,
    /// How many bytes of the original stand before `text`; none when it was converted.
    pub(super) skipped: Option<usize>,
    /// There are line breaks other than `\n`.
    pub(super) other_breaks: bool,
}

/// A byte or character that cannot be read.
#[derive(Debug, Clone)]
pub(super) struct InputError {
    pub(super) problem: &'static str,
    pub(super) mark: Mark,
}

impl<'t> Input<'t> {
    pub(super) fn new(bytes: &'t [u8]) -> Self {
        match bytes {
            [0xff, 0xfe, rest @ ..] => Self::from_utf16(rest, u16::from_le_bytes),
            [0xfe, 0xff, rest @ ..] => Self::from_utf16(rest, u16::from_be_bytes),
            [0xef, 0xbb, 0xbf, rest @ ..] => Self::from_utf8(rest, 3),
            _ => Self::from_utf8(bytes, 0),
        }
    }

    fn from_utf8(bytes: &'t [u8], skipped: usize) -> Self {
        let (valid, problem) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                (
                    std::str::from_utf8(valid).unwrap_or_default(),
                    Some(utf8_problem(rest)),
                )
            }
        };
        let survey = survey(valid);
        let forbidden = survey.forbidden.map(|at| (at, FORBIDDEN));
        let bad = forbidden.or(problem.map(|problem| (valid.len(), problem)));
        let Some((at, problem)) = bad else {
            return Self {
                text: Cow::Borrowed(valid),
                broken: None,
                skipped: Some(skipped),
                other_breaks: survey.other_breaks,
            };
        };
        let readable = readable(bytes, at, skipped);
        Self {
            text: Cow::Borrowed(&valid[..readable]),
            broken: Some(InputError {
                problem,
                mark: mark_of(&valid[..at]),
            }),
            skipped: Some(skipped),
            other_breaks: survey.other_breaks,
        }
    }

    fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Self {
        let (pairs, odd) = bytes.as_chunks::<2>();
        let mut text = String::with_capacity(pairs.len());
        let mut problem = (!odd.is_empty()).then_some("incomplete UTF-16 character");
        for c in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
            match c {
                Ok(c) => text.push(c),
                Err(error) => {
                    problem = Some(if error.unpaired_surrogate() >= 0xdc00 {
                        "unexpected low surrogate area"
                    } else {
                        "expected low surrogate area"
                    });
                    break;
                }
            }
        }
        let survey = survey(&text);
        if let Some(at) = survey.forbidden {
            text.truncate(at);
            problem = Some(FORBIDDEN);
        }
        Self {
            broken: problem.map(|problem| InputError {
                problem,
                mark: mark_of(&text),
            }),
            text: Cow::Owned(text),
            skipped: None,
            other_breaks: survey.other_breaks,
        }
    }
}

/// What libyaml says of bytes that are not UTF-8.
fn utf8_problem(bytes: &[u8]) -> &'static str {
    let width = match bytes[0] {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => return "invalid leading UTF-8 octet",
    };
    let Some(character) = bytes.get(..width) else {
        return "incomplete UTF-8 octet sequence";
    };
    if !character[1..].iter().all(|byte| byte & 0xc0 == 0x80) {
        return "invalid trailing UTF-8 octet";
    }
    let is_overlong = match character {
        [0xc0 | 0xc1, ..] => true,
        [0xe0, second, ..] => *second < 0xa0,
        [0xf0, second, ..] => *second < 0x90,
        _ => false,
    };
    if is_overlong {
        "invalid length of a UTF-8 sequence"
    } else {
        "invalid Unicode character"
    }
}

/// What a text holds besides ASCII that YAML always allows.
#[derive(Debug, Default)]
struct Survey {
    /// The first character that YAML does not allow.
    forbidden: Option<usize>,
    /// There are line breaks other than `\n`.
    other_breaks: bool,
}

const FORBIDDEN: &str = "control characters are not allowed";

fn survey(text: &str) -> Survey {
    let bytes = text.as_bytes();
    let mut survey = Survey::default();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at..] {
            [b'\t' | b'\n' | b' '..=b'~', ..] => at += plain_length(&bytes[at + 1..]),
            [b'\r', ..] | [0xc2, 0x85, ..] | [0xe2, 0x80, 0xa8 | 0xa9, ..] => {
                survey.other_breaks = true;
            }
            [0..=0x7f, ..] | [0xef, 0xbf, 0xbe | 0xbf, ..] | [0xc2, 0..0xa0, ..] => {
                survey.forbidden = Some(at);
                return survey;
            }
            _ => {}
        }
        at += 1;
    }
    survey
}

/// How many bytes at the start are printable ASCII and `\n`.
fn plain_length(bytes: &[u8]) -> usize {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
    let (chunks, _) = bytes.as_chunks::<32>();
    let whole = chunks
        .iter()
        // Not `all`: to look at each byte is faster than to stop.
        .take_while(|chunk| chunk.iter().fold(true, |all, byte| all & is_plain(byte)))
        .count();
    let plain = whole * 32;
    let rest = bytes[plain..].iter().take(32);
    plain + rest.take_while(|byte| is_plain(byte)).count()
}

/// How many bytes libyaml has read before it meets the one at `bad`.
fn readable(bytes: &[u8], bad: usize, skipped: usize) -> usize {
    let mut start = 0;
    let mut length = CHUNK_BYTES - skipped;
    loop {
        let mut end = (start + length).min(bytes.len());
        if bad < end {
            return start;
        }
        // A character that is cut off is read with the next chunk.
        while end > start && end < bytes.len() && bytes[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        if end == start || end > bad {
            return start;
        }
        start = end;
        length = CHUNK_BYTES;
    }
}

fn mark_of(before: &str) -> Mark {
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Mark {
        offset: before.len(),
        index: before.chars().count(),
        line: before.matches('\n').count(),
        column: before[line_start..].chars().count(),
    }
}
