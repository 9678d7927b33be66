//! Names made of words, as `huandu/xstrings` makes them: `http_server` of `HTTPServer`.

use crate::unicode::{
    is_letter, is_number, is_punctuation, is_space, is_upper, push_rune, runes, to_lower, to_upper,
};

fn is_connector(char: char) -> bool {
    char == '-' || char == '_' || is_space(char)
}

/// `HttpServer` of `http_server`. Connectors at the start stay.
pub(crate) fn pascal_case(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut chars = runes(text).map(|(_, char)| char);
    let mut next = None;
    let mut was_upper = false;
    for char in chars.by_ref() {
        if !is_connector(char) {
            was_upper = is_upper(char);
            next = Some(to_upper(char));
            break;
        }
        push_rune(char, &mut out);
    }
    let Some(mut next) = next else {
        // Of a text of connectors the last counts twice.
        if let Some((_, last)) = runes(text).last() {
            push_rune(last, &mut out);
        }
        return out;
    };
    for char in chars {
        let previous = std::mem::replace(&mut next, char);
        if is_connector(char) && is_connector(previous) {
            push_rune(previous, &mut out);
        } else if is_connector(previous) {
            was_upper = is_upper(char);
            next = to_upper(char);
        } else {
            if was_upper {
                if is_upper(char) {
                    next = to_lower(char);
                } else {
                    was_upper = false;
                }
            }
            push_rune(previous, &mut out);
        }
    }
    push_rune(next, &mut out);
    out
}

/// `http_server` of `HTTPServer`, with any connector.
pub(crate) fn separated_case(text: &[u8], connector: char) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    let mut words = Words { rest: text };
    let mut current = words.next_word();
    while !words.rest.is_empty() {
        if current.kind != Kind::Connector {
            current.write(connector, &mut out);
        }
        let previous = current;
        current = words.next_word();
        match previous.kind {
            Kind::Number => {
                current = words.write_run(current, connector, &mut out);
                let ends = [Kind::Invalid, Kind::Punctuation, Kind::Connector];
                if !ends.contains(&current.kind) {
                    push_rune(connector, &mut out);
                }
            }
            Kind::Connector => previous.write(connector, &mut out),
            Kind::Punctuation => {}
            _ if current.kind != Kind::Number => {
                if !matches!(current.kind, Kind::Connector | Kind::Punctuation) {
                    push_rune(connector, &mut out);
                }
            }
            _ if words.rest.is_empty() => {}
            _ => {
                let number = current;
                current = words.next_word();
                if current.kind == Kind::Alphabet {
                    // Small letters after a number belong to it: `http_2xx`.
                    push_rune(connector, &mut out);
                    number.write(connector, &mut out);
                    current = words.write_run(current, connector, &mut out);
                    let ends = [Kind::Invalid, Kind::Connector, Kind::Punctuation];
                    if !ends.contains(&current.kind) {
                        push_rune(connector, &mut out);
                    }
                } else {
                    // Other numbers belong to what they follow: `bld4_floor`.
                    number.write(connector, &mut out);
                    if !matches!(current.kind, Kind::Connector | Kind::Punctuation) {
                        push_rune(connector, &mut out);
                    }
                }
            }
        }
    }
    current.write(connector, &mut out);
    out
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Invalid,
    Number,
    UpperCase,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

#[derive(Debug, Clone, Copy)]
struct Word<'t> {
    kind: Kind,
    text: &'t [u8],
}

impl Word<'_> {
    fn write(self, connector: char, out: &mut Vec<u8>) {
        if !matches!(self.kind, Kind::UpperCase | Kind::Connector) {
            out.extend_from_slice(self.text);
            return;
        }
        for (_, char) in runes(self.text) {
            if is_connector(char) {
                push_rune(connector, out);
            } else if is_upper(char) {
                push_rune(to_lower(char), out);
            } else {
                push_rune(char, out);
            }
        }
    }
}

/// A letter, but for those that are words of their own.
fn is_alphabet(char: char) -> bool {
    is_letter(char)
        && !matches!(
            char,
            '\u{3400}'..='\u{4d85}' | '\u{4e00}'..='\u{9fcc}' | '\u{20000}'..='\u{2b81d}'
        )
}

fn is_other(char: char) -> bool {
    !is_connector(char) && !is_alphabet(char) && !is_number(char) && !is_punctuation(char)
}

struct Words<'t> {
    rest: &'t [u8],
}

impl<'t> Words<'t> {
    /// Writes words as long as they are small letters and numbers; gives the next.
    fn write_run(&mut self, mut word: Word<'t>, connector: char, out: &mut Vec<u8>) -> Word<'t> {
        while matches!(word.kind, Kind::Alphabet | Kind::Number) {
            word.write(connector, out);
            word = self.next_word();
        }
        word
    }

    fn next_word(&mut self) -> Word<'t> {
        let mut scan = Scan {
            text: self.rest,
            end: 0,
            last: None,
        };
        let kind = match scan.step(|_| true) {
            None => {
                scan.end = self.rest.len();
                Kind::Invalid
            }
            Some(char) if is_connector(char) => scan.run(is_connector, Kind::Connector),
            Some(char) if is_punctuation(char) => scan.run(is_punctuation, Kind::Punctuation),
            Some(char) if is_upper(char) => scan.capitalized(),
            Some(char) if is_alphabet(char) => scan.run(is_small, Kind::Alphabet),
            Some(char) if is_number(char) => scan.run(is_number, Kind::Number),
            Some(_) => scan.run(is_other, Kind::Other),
        };
        let (text, rest) = self.rest.split_at(scan.end);
        self.rest = rest;
        Word { kind, text }
    }
}

fn is_small(char: char) -> bool {
    is_alphabet(char) && !is_upper(char)
}

/// Goes through the characters of a word. What is no character counts to what follows it, or at
/// the end to what was before.
struct Scan<'t> {
    text: &'t [u8],
    end: usize,
    last: Option<char>,
}

impl Scan<'_> {
    /// The next character and where it ends; none where there is none at all.
    fn peek(&self) -> Option<(char, usize)> {
        let rest = self.text.get(self.end..).filter(|rest| !rest.is_empty())?;
        let mut all = runes(rest).peekable();
        while let Some((_, char)) = all.next() {
            if char != char::REPLACEMENT_CHARACTER {
                let width = all.peek().map_or(rest.len(), |(next, _)| *next);
                return Some((char, self.end + width));
            }
        }
        Some((self.last?, self.text.len()))
    }

    /// Takes the next character if it is one of those that are wanted.
    fn step(&mut self, is_wanted: impl Fn(char) -> bool) -> Option<char> {
        let (char, end) = self.peek().filter(|(char, _)| is_wanted(*char))?;
        self.end = end;
        self.last = Some(char);
        Some(char)
    }

    fn run(&mut self, is_wanted: impl Fn(char) -> bool, kind: Kind) -> Kind {
        while self.step(&is_wanted).is_some() {}
        kind
    }

    /// What follows a capital: small letters, or more capitals, of which the last begins the next
    /// word where small letters follow.
    fn capitalized(&mut self) -> Kind {
        let mut previous = self.end;
        if self.step(is_upper).is_none() {
            return self.run(is_small, Kind::UpperCase);
        }
        loop {
            let end = self.end;
            if self.step(is_upper).is_none() {
                break;
            }
            previous = end;
        }
        if self.peek().is_some_and(|(char, _)| is_alphabet(char)) {
            self.end = previous;
        }
        Kind::UpperCase
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(rename: impl Fn(&[u8]) -> Vec<u8>, texts: &[&str]) -> String {
        let renamed = texts
            .iter()
            .map(|text| String::from_utf8_lossy(&rename(text.as_bytes())).into_owned());
        renamed.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_are_made_of_words() {
        let texts = [
            "HTTPServer",
            "GO PATH",
            "http2xx",
            "Bld4Floor3rd",
            "a-_b",
            "É1a",
        ];
        assert_eq!(
            all(|text| separated_case(text, '_'), &texts),
            "http_server go_path http_2xx bld4_floor_3rd a__b é_1a"
        );
        let texts = ["some_words", "_complex__case_", "GOLANG_IS_GREAT", "__"];
        assert_eq!(
            all(pascal_case, &texts),
            "SomeWords _Complex_Case_ GolangIsGreat ___"
        );
    }
}
