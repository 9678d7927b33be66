//! Scalars on the page: which style libyaml allows for a text, and how each style is written.

use super::{Dialect, output::Output, scan::break_length};

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

/// Which styles a text can be written in.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for alone")]
pub(super) struct Analysis {
    pub(super) multiline: bool,
    plain: bool,
    single_quoted: bool,
    literal: bool,
}

/// What every plain text may contain anywhere: printable ASCII but space, `#` and `:`.
const HARMLESS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte] = byte != b'#' as usize && byte != b':' as usize;
        byte += 1;
    }
    table
};

/// Whether a text is one line of ASCII without anything that YAML might take for more than text.
fn is_plain_line(bytes: &[u8]) -> bool {
    let starts = match bytes {
        [b'-' | b'?', second, ..] => HARMLESS[usize::from(*second)],
        [first, ..] if !matches!(first, b'-' | b'?') => {
            HARMLESS[usize::from(*first)] && !is_indicator(*first)
        }
        _ => false,
    };
    let is_inner = |at: usize| match bytes.get(at..) {
        // A blank, which is not the last character, and no `#` behind it.
        Some([b' ', next, ..]) => *next != b'#',
        Some([b':', next, ..]) => *next != b' ',
        Some([b'#', ..]) => true,
        _ => false,
    };
    starts
        && !bytes.starts_with(b"---")
        && !bytes.starts_with(b"...")
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| HARMLESS[usize::from(*byte)] || is_inner(at))
}

/// Whether a character that starts a plain text is an indicator wherever it stands.
fn is_indicator(first: u8) -> bool {
    matches!(
        first,
        b'#' | b','
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'&'
            | b'*'
            | b'!'
            | b'|'
            | b'>'
            | b'\''
            | b'"'
            | b'%'
            | b'@'
            | b'`'
    )
}

/// YAML's line breaks, one byte or several.
fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What may stand unescaped: go-yaml takes no character above U+FFFF for printable.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

impl Analysis {
    pub(super) fn new(text: &str, dialect: Dialect) -> Self {
        let bytes = text.as_bytes();
        match bytes.first() {
            None => Self {
                literal: false,
                ..Self::ANYTHING
            },
            Some(_) if is_plain_line(bytes) => Self::ANYTHING,
            Some(_) => Self::of_lines(bytes).unwrap_or_else(|| Self::in_full(text, dialect)),
        }
    }

    /// One line that may be written in any style.
    const ANYTHING: Self = Self {
        multiline: false,
        plain: true,
        single_quoted: true,
        literal: true,
    };

    /// What a text of several lines may be written in, where it has nothing but printable ASCII.
    fn of_lines(bytes: &[u8]) -> Option<Self> {
        let mut is_printable = true;
        let mut multiline = false;
        for byte in bytes {
            is_printable &= matches!(byte, b' '..=b'~' | b'\n');
            multiline |= *byte == b'\n';
        }
        if !is_printable || !multiline {
            return None;
        }
        let (mut space_break, mut break_space) = (false, false);
        for (left, right) in bytes.iter().zip(bytes.iter().skip(1)) {
            space_break |= *left == b' ' && *right == b'\n';
            break_space |= *left == b'\n' && *right == b' ';
        }
        Some(Self {
            multiline: true,
            plain: false,
            single_quoted: !space_break && !break_space,
            literal: !space_break && !bytes.ends_with(b" "),
        })
    }

    fn in_full(text: &str, dialect: Dialect) -> Self {
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut breaks, mut special, mut tabs) = (false, false, false);
        let (mut break_space, mut space_break) = (false, false);
        let mut previous = None;
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let next = rest.as_str().bytes().next();
            let before_blank = next.is_none_or(|next| matches!(next, b' ' | b'\t'));
            indicators |= match (previous, c) {
                (None, '?' | ':' | '-') | (Some(_), ':') => before_blank,
                (None, _) => u8::try_from(c).is_ok_and(is_indicator),
                (Some(before), '#') => matches!(before, ' ' | '\t' | '\0') || is_break(before),
                _ => false,
            };
            if c == '\t' && dialect == Dialect::V3 {
                tabs = true;
            } else if !is_printable(c) {
                special = true;
            }
            let after_break = previous.is_some_and(is_break);
            break_space |= c == ' ' && after_break;
            if is_break(c) {
                breaks = true;
                space_break |= previous == Some(' ');
            }
            previous = Some(c);
        }
        let ends = |found: fn(char) -> bool| text.starts_with(found) || text.ends_with(found);
        let unquotable = space_break || special;
        Self {
            multiline: breaks,
            plain: !(indicators
                || breaks
                || unquotable
                || tabs
                || ends(|c| c == ' ' || is_break(c))),
            single_quoted: !(break_space || unquotable || tabs),
            literal: !(text.ends_with(' ') || unquotable),
        }
    }

    /// The style that comes nearest to the `wanted` one.
    pub(super) fn allowed(self, wanted: Style, text: &str, simple_key: bool) -> Style {
        let mut style = wanted;
        if simple_key && self.multiline {
            style = Style::DoubleQuoted;
        }
        if style == Style::Plain && (!self.plain || (text.is_empty() && simple_key)) {
            style = Style::SingleQuoted;
        }
        if style == Style::SingleQuoted && !self.single_quoted {
            style = Style::DoubleQuoted;
        }
        if style == Style::Literal && (!self.literal || simple_key) {
            style = Style::DoubleQuoted;
        }
        style
    }
}

/// Writes a scalar; `folds` where long lines may be broken.
pub(super) fn write(out: &mut Output, text: &str, style: Style, folds: bool) {
    match style {
        Style::Plain => {
            if !text.is_empty() || out.dialect == Dialect::V2 {
                out.space();
            }
            out.begin_piece();
            words(
                out,
                text,
                Fold {
                    folds,
                    quoted: false,
                },
            );
            out.whitespace = false;
            out.indention = false;
        }
        Style::SingleQuoted => {
            out.space();
            out.begin_piece();
            out.write_indicator("'", false, false);
            words(
                out,
                text,
                Fold {
                    folds,
                    quoted: true,
                },
            );
            out.write_indicator("'", false, false);
        }
        Style::DoubleQuoted => {
            out.space();
            out.begin_piece();
            out.write_indicator("\"", false, false);
            double_quoted(out, text, folds);
            out.write_indicator("\"", false, false);
        }
        Style::Literal => {
            out.space();
            out.begin_piece();
            literal(out, text);
        }
    }
    out.end_piece();
}

#[derive(Clone, Copy)]
struct Fold {
    folds: bool,
    quoted: bool,
}

/// The inside of a plain or single-quoted text: words between single spaces may go to lines of
/// their own.
fn words(out: &mut Output, text: &str, fold: Fold) {
    // Plain texts have no breaks.
    if !fold.quoted && (!fold.folds || out.never_folds(text.len())) {
        out.push(text);
        return;
    }
    let (mut spaces, mut breaks) = (false, false);
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c == ' ' {
            let next_is_space = text.as_bytes().get(at + 1) == Some(&b' ');
            let is_inner = !fold.quoted || (at > 0 && at + 1 < text.len());
            if fold.folds && !spaces && out.may_fold() && is_inner && !next_is_space {
                out.write_indent();
            } else {
                out.push_char(' ');
            }
            spaces = true;
            at += 1;
        } else if is_break(c) {
            if !breaks && c == '\n' {
                out.put_break();
            }
            out.write_break(c);
            out.indention = true;
            breaks = true;
            at += c.len_utf8();
        } else {
            if breaks {
                out.write_indent();
            }
            let quote = fold.quoted && c == '\'';
            let length = if quote {
                out.push_char('\'');
                1
            } else {
                word_length(&text[at..], fold.quoted)
            };
            out.push(&text[at..at + length]);
            out.indention = false;
            spaces = false;
            breaks = false;
            at += length;
        }
    }
}

/// How far the text goes on without a space, a break or a quote.
fn word_length(text: &str, quoted: bool) -> usize {
    let bytes = text.as_bytes();
    let first = text.chars().next().map_or(0, char::len_utf8);
    let ends = |at: &usize| match bytes[*at] {
        b' ' => true,
        b'\'' => quoted,
        b'\n' | b'\r' | 0xc2 | 0xe2 => break_length(&bytes[*at..]) > 0,
        _ => false,
    };
    (first..bytes.len()).find(ends).unwrap_or(bytes.len())
}

fn double_quoted(out: &mut Output, text: &str, folds: bool) {
    // go-yaml asks whether the text starts with U+FEFF where it means to ask for each character.
    let escapes_all = text.starts_with('\u{feff}');
    let mut spaces = false;
    let mut plain_until = 0;
    for (at, c) in text.char_indices() {
        if at < plain_until {
            continue;
        }
        let plain = plain_length(&text[at..]);
        if plain > 0 && !escapes_all {
            plain_until = at + plain;
            out.push(&text[at..plain_until]);
            spaces = false;
        } else if escapes_all || !is_printable(c) || is_break(c) || c == '"' || c == '\\' {
            escape(out, c);
            spaces = false;
        } else if c == ' ' {
            if folds && !spaces && out.may_fold() && at > 0 && at + 1 < text.len() {
                out.write_indent();
                if text.as_bytes()[at + 1] == b' ' {
                    out.push_char('\\');
                }
            } else {
                out.push_char(' ');
            }
            spaces = true;
        } else {
            out.push_char(c);
            spaces = false;
        }
    }
}

/// How many bytes at the start stand as they are between double quotes, and are no spaces.
fn plain_length(text: &str) -> usize {
    let is_plain = |byte: &u8| matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'\\');
    text.bytes().take_while(is_plain).count()
}

fn escape(out: &mut Output, c: char) {
    let letter = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            let code = u32::from(c);
            out.push(&match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            });
            return;
        }
    };
    out.push_char('\\');
    out.push_char(letter);
}

fn literal(out: &mut Output, text: &str) {
    out.write_indicator("|", false, false);
    if text.starts_with([' ', '\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        out.write_indicator("2", false, false);
    }
    let mut ends = text.chars().rev();
    let (last, before) = (ends.next(), ends.next());
    if !last.is_some_and(is_break) {
        out.write_indicator("-", false, false);
    } else if before.is_none_or(is_break) {
        out.write_indicator("+", false, false);
    }
    out.put_break();
    out.begin_piece();
    out.indention = true;
    out.whitespace = true;
    if text.is_ascii() && !text.contains('\r') {
        return literal_lines(out, text.split_inclusive('\n'));
    }
    literal_lines(out, text.split_inclusive(is_break));
}

fn literal_lines<'t>(out: &mut Output, lines: impl Iterator<Item = &'t str>) {
    for line in lines {
        let ending = line.chars().next_back().filter(|c| is_break(*c));
        let content = &line[..line.len() - ending.map_or(0, char::len_utf8)];
        if !content.is_empty() {
            out.write_indent();
            out.push(content);
            out.indention = false;
        }
        if let Some(ending) = ending {
            out.write_break(ending);
            if ending == '\n' {
                out.begin_piece();
            }
            out.indention = true;
        }
    }
}
