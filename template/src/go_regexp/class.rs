//! Classes of characters, and the characters in them.

use std::fmt::Write as _;

use super::{
    error::{Code, SyntaxError},
    translate::Flags,
};

/// A class of characters.
#[derive(Debug, Default)]
pub(super) struct Class {
    is_negated: bool,
    items: Vec<Item>,
}

#[derive(Debug)]
enum Item {
    Range(u32, u32),
    /// Ranges of ASCII, as the crate writes them.
    Group {
        ranges: &'static str,
        is_negated: bool,
    },
    /// A category or a script, as the crate names it.
    Unicode {
        property: String,
        is_negated: bool,
    },
}

impl Class {
    /// Reads a class in brackets, which stands at `at`.
    pub(super) fn parse(text: &str, at: &mut usize) -> Result<Self, SyntaxError> {
        let start = *at;
        let missing = || SyntaxError::new(Code::MissingBracket, part(text, start, text.len()));
        *at += 1;
        let mut class = Self::default();
        if rest(text, *at).starts_with('^') {
            class.is_negated = true;
            *at += 1;
        }
        let mut is_first = true;
        while is_first || !rest(text, *at).starts_with(']') {
            is_first = false;
            if let Some(item) = parse_posix(text, at)? {
                class.items.push(item);
                continue;
            }
            if let Some(item) = parse_item_escape(text, at)? {
                class.items.push(item);
                continue;
            }
            let from = *at;
            let low = parse_char(text, at)?.ok_or_else(missing)?;
            let mut high = low;
            let after = rest(text, *at);
            if after.len() >= 2 && after.starts_with('-') && !after.starts_with("-]") {
                *at += 1;
                high = parse_char(text, at)?.ok_or_else(missing)?;
                if high < low {
                    let range = part(text, from, *at);
                    return Err(SyntaxError::new(Code::InvalidCharRange, range));
                }
            }
            class.items.push(Item::Range(low, high));
        }
        *at += 1;
        Ok(class)
    }

    /// Reads `\d`, `\pL` and their like; nothing if another escape stands there.
    pub(super) fn parse_escape(text: &str, at: &mut usize) -> Result<Option<Self>, SyntaxError> {
        let item = parse_item_escape(text, at)?;
        Ok(item.map(|item| Self {
            is_negated: false,
            items: vec![item],
        }))
    }

    /// The class as the crate writes it.
    pub(super) fn write(&self, flags: Flags) -> String {
        let mut inner = String::new();
        for item in &self.items {
            item.write(&mut inner);
        }
        let negation = if self.is_negated { "^" } else { "" };
        let class = match (inner.is_empty(), self.is_negated) {
            (false, _) => format!("[{negation}{inner}]"),
            (true, false) => NOTHING.to_owned(),
            (true, true) => "(?s:.)".to_owned(),
        };
        if flags.fold_case {
            return format!("(?i:{class})");
        }
        class
    }
}

/// A class with no characters.
const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";

impl Item {
    fn write(&self, out: &mut String) {
        match self {
            Self::Range(low, high) => write_range(*low, *high, out),
            Self::Group { ranges, is_negated } => {
                if *is_negated {
                    let _ = write!(out, "[^{ranges}]");
                } else {
                    out.push_str(ranges);
                }
            }
            Self::Unicode {
                property,
                is_negated,
            } => {
                let letter = if *is_negated { 'P' } else { 'p' };
                let _ = write!(out, r"\{letter}{{{property}}}");
            }
        }
    }
}

/// A range, without what is no character.
fn write_range(low: u32, high: u32, out: &mut String) {
    const SURROGATES: std::ops::RangeInclusive<u32> = 0xd800..=0xdfff;
    let below = (low, high.min(SURROGATES.start() - 1));
    let above = (low.max(SURROGATES.end() + 1), high);
    for (low, high) in [below, above] {
        if low <= high {
            let _ = write!(out, r"\x{{{low:X}}}-\x{{{high:X}}}");
        }
    }
}

/// One character as the crate writes it.
pub(super) fn write_literal(char: u32, flags: Flags) -> String {
    let Some(char) = char::from_u32(char) else {
        return NOTHING.to_owned();
    };
    let literal = if char.is_alphanumeric() {
        char.to_string()
    } else {
        format!(r"\x{{{:X}}}", u32::from(char))
    };
    if flags.fold_case {
        return format!("(?i:{literal})");
    }
    literal
}

fn rest(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

fn part(text: &str, start: usize, end: usize) -> &str {
    text.get(start..end).unwrap_or_default()
}

fn next_char(text: &str, at: &mut usize) -> Option<char> {
    let char = rest(text, *at).chars().next()?;
    *at += char.len_utf8();
    Some(char)
}

/// `[:alpha:]` and its like.
fn parse_posix(text: &str, at: &mut usize) -> Result<Option<Item>, SyntaxError> {
    let Some(inner) = rest(text, *at).strip_prefix("[:") else {
        return Ok(None);
    };
    let Some((name, _)) = inner.split_once(":]") else {
        return Ok(None);
    };
    let start = *at;
    *at += name.len() + 4;
    let (is_negated, name) = match name.strip_prefix('^') {
        Some(name) => (true, name),
        None => (false, name),
    };
    let ranges = match name {
        "alnum" => "0-9A-Za-z",
        "alpha" => "A-Za-z",
        "ascii" => r"\x00-\x7F",
        "blank" => r"\t\x20",
        "cntrl" => r"\x00-\x1F\x7F",
        "digit" => "0-9",
        "graph" => r"\x21-\x7E",
        "lower" => "a-z",
        "print" => r"\x20-\x7E",
        "punct" => r"\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E",
        "space" => r"\t-\r\x20",
        "upper" => "A-Z",
        "word" => "0-9A-Z_a-z",
        "xdigit" => "0-9A-Fa-f",
        _ => {
            let name = part(text, start, *at);
            return Err(SyntaxError::new(Code::InvalidCharRange, name));
        }
    };
    Ok(Some(Item::Group { ranges, is_negated }))
}

/// `\d`, `\pL` and their like.
fn parse_item_escape(text: &str, at: &mut usize) -> Result<Option<Item>, SyntaxError> {
    let rest = rest(text, *at).as_bytes();
    let [b'\\', letter, ..] = rest else {
        return Ok(None);
    };
    let ranges = match letter.to_ascii_lowercase() {
        b'd' => "0-9",
        b's' => r"\t\n\x0C\r\x20",
        b'w' => "0-9A-Z_a-z",
        b'p' => return parse_property(text, at).map(Some),
        _ => return Ok(None),
    };
    *at += 2;
    Ok(Some(Item::Group {
        ranges,
        is_negated: letter.is_ascii_uppercase(),
    }))
}

/// `\pL`, `\p{Greek}` or `\P{^Greek}`.
fn parse_property(text: &str, at: &mut usize) -> Result<Item, SyntaxError> {
    let start = *at;
    let mut is_negated = rest(text, start).starts_with(r"\P");
    *at += 2;
    let mut name = match next_char(text, at) {
        Some('{') => {
            let inner = rest(text, *at);
            let Some((name, _)) = inner.split_once('}') else {
                let all = rest(text, start);
                return Err(SyntaxError::new(Code::InvalidCharRange, all));
            };
            *at += name.len() + 1;
            name
        }
        _ => part(text, start + 2, *at),
    };
    if let Some(inner) = name.strip_prefix('^') {
        is_negated = !is_negated;
        name = inner;
    }
    property(name, is_negated)
        .ok_or_else(|| SyntaxError::new(Code::InvalidCharRange, part(text, start, *at)))
}

/// The category or script of a name, in which case, blanks, `_` and `-` do not matter.
fn property(name: &str, is_negated: bool) -> Option<Item> {
    let name: String = name
        .chars()
        .filter(|char| !matches!(char, '_' | '-' | ' '))
        .map(|char| char.to_ascii_lowercase())
        .collect();
    let group = |ranges| Some(Item::Group { ranges, is_negated });
    let property = match name.as_str() {
        "any" => return group(r"\x00-\x{10FFFF}"),
        "ascii" => return group(r"\x00-\x7F"),
        // The crate has no characters that are none.
        "cs" | "surrogate" if is_negated => return Some(Item::Range(0, char::MAX.into())),
        "cs" | "surrogate" => return Some(Item::Range(0xd800, 0xdfff)),
        "assigned" => {
            return Some(Item::Unicode {
                property: "gc=Cn".to_owned(),
                is_negated: !is_negated,
            });
        }
        name if CATEGORIES.contains(&name) => format!("gc={name}"),
        name if SCRIPTS.contains(&name) => format!("sc={name}"),
        _ => return None,
    };
    Some(Item::Unicode {
        property,
        is_negated,
    })
}

/// Go's categories, by their short and their long names.
#[rustfmt::skip]
const CATEGORIES: [&str; 78] = [
    "c", "cc", "cf", "cn", "co", "l", "lc", "ll", "lm", "lo", "lt", "lu", "m", "mc", "me", "mn",
    "n", "nd", "nl", "no", "p", "pc", "pd", "pe", "pf", "pi", "po", "ps", "s", "sc", "sk", "sm", // typos: ignore
    "so", "z", "zl", "zp", "zs", "casedletter", "closepunctuation", "combiningmark",
    "connectorpunctuation", "control", "currencysymbol", "dashpunctuation", "decimalnumber",
    "enclosingmark", "finalpunctuation", "format", "initialpunctuation", "letter", "letternumber",
    "lineseparator", "lowercaseletter", "mark", "mathsymbol", "modifierletter", "modifiersymbol",
    "nonspacingmark", "number", "openpunctuation", "other", "otherletter", "othernumber",
    "otherpunctuation", "othersymbol", "paragraphseparator", "privateuse", "punctuation",
    "separator", "spaceseparator", "spacingmark", "symbol", "titlecaseletter", "unassigned",
    "uppercaseletter", "cntrl", "digit", "punct",
];

/// Go's scripts with names of one word; it does not find the others.
#[rustfmt::skip]
const SCRIPTS: [&str; 117] = [
    "adlam", "ahom", "arabic", "armenian", "avestan", "balinese", "bamum", "batak", "bengali",
    "bhaiksuki", "bopomofo", "brahmi", "braille", "buginese", "buhid", "carian", "chakma", "cham",
    "cherokee", "chorasmian", "common", "coptic", "cuneiform", "cypriot", "cyrillic", "deseret",
    "devanagari", "dogra", "duployan", "elbasan", "elymaic", "ethiopic", "georgian", "glagolitic",
    "gothic", "grantha", "greek", "gujarati", "gurmukhi", "han", "hangul", "hanunoo", "hatran",
    "hebrew", "hiragana", "inherited", "javanese", "kaithi", "kannada", "katakana", "kawi",
    "kharoshthi", "khmer", "khojki", "khudawadi", "lao", "latin", "lepcha", "limbu", "lisu",
    "lycian", "lydian", "mahajani", "makasar", "malayalam", "mandaic", "manichaean", "marchen",
    "medefaidrin", "miao", "modi", "mongolian", "mro", "multani", "myanmar", "nabataean",
    "nandinagari", "newa", "nko", "nushu", "ogham", "oriya", "osage", "osmanya", "palmyrene",
    "phoenician", "rejang", "runic", "samaritan", "saurashtra", "sharada", "shavian", "siddham",
    "sinhala", "sogdian", "soyombo", "sundanese", "syriac", "tagalog", "tagbanwa", "takri", "tamil",
    "tangsa", "tangut", "telugu", "thaana", "thai", "tibetan", "tifinagh", "tirhuta", "toto",
    "ugaritic", "vai", "vithkuqi", "wancho", "yezidi", "yi", // typos: ignore
];

/// Reads one character of a class; none at the end of the text.
fn parse_char(text: &str, at: &mut usize) -> Result<Option<u32>, SyntaxError> {
    if rest(text, *at).starts_with('\\') {
        return parse_char_escape(text, at).map(Some);
    }
    Ok(next_char(text, at).map(u32::from))
}

/// Reads an escape that stands for one character.
pub(super) fn parse_char_escape(text: &str, at: &mut usize) -> Result<u32, SyntaxError> {
    let start = *at;
    *at += 1;
    let Some(char) = next_char(text, at) else {
        return Err(SyntaxError::new(Code::TrailingBackslash, ""));
    };
    let octal = |at: usize| rest(text, at).chars().next()?.to_digit(8);
    let found = match char {
        '1'..='7' if octal(*at).is_none() => None,
        '0'..='7' => {
            let mut value = char.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                let Some(digit) = octal(*at) else { break };
                value = value * 8 + digit;
                *at += 1;
            }
            Some(value)
        }
        'x' => parse_hexadecimal(text, at),
        'a' => Some(7),
        'f' => Some(12),
        'n' => Some(10),
        'r' => Some(13),
        't' => Some(9),
        'v' => Some(11),
        _ if char.is_ascii() && !char.is_ascii_alphanumeric() => Some(u32::from(char)),
        _ => None,
    };
    found.ok_or_else(|| SyntaxError::new(Code::InvalidEscape, part(text, start, *at)))
}

/// Reads `41` or `{1F600}`.
fn parse_hexadecimal(text: &str, at: &mut usize) -> Option<u32> {
    let first = next_char(text, at)?;
    if first != '{' {
        let second = next_char(text, at);
        return Some(first.to_digit(16)? * 16 + second?.to_digit(16)?);
    }
    let mut value = 0;
    let mut count = 0;
    loop {
        match next_char(text, at)? {
            '}' if count > 0 => return Some(value),
            digit => value = value * 16 + digit.to_digit(16)?,
        }
        count += 1;
        if value > u32::from(char::MAX) {
            return None;
        }
    }
}
