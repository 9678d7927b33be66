//! Go's view of characters: texts are bytes, of which each that is no UTF-8 counts as one
//! U+FFFD, and a character has one upper, lower and title case (Unicode 15.0).

use unicode_general_category::{GeneralCategory, get_general_category};

/// The characters of a text and where each begins.
pub(crate) fn runes(bytes: &[u8]) -> impl Iterator<Item = (usize, char)> + Clone {
    let mut at = 0;
    bytes.utf8_chunks().flat_map(move |chunk| {
        let valid = at;
        let invalid = at + chunk.valid().len();
        at = invalid + chunk.invalid().len();
        let chars = chunk.valid().char_indices();
        chars
            .map(move |(offset, char)| (valid + offset, char))
            .chain((invalid..at).map(|offset| (offset, char::REPLACEMENT_CHARACTER)))
    })
}

/// The first character and how many bytes it takes; none of no bytes.
pub(crate) fn first_rune(bytes: &[u8]) -> Option<(char, usize)> {
    let head = bytes.get(..4).unwrap_or(bytes);
    let mut all = runes(head);
    let (_, first) = all.next()?;
    // A character that is cut off is no UTF-8, as it is at the end of a text.
    let width = all.next().map_or(head.len(), |(second, _)| second);
    Some((first, width))
}

pub(crate) fn push_rune(char: char, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

pub(crate) fn to_upper(char: char) -> char {
    match char {
        // Letters whose upper case is more than one character have another that is one.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            shifted(char, 8)
        }
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => shifted(char, 9),
        _ => single(char, char.to_uppercase()),
    }
}

pub(crate) fn to_lower(char: char) -> char {
    if char == 'İ' {
        return 'i';
    }
    single(char, char.to_lowercase())
}

pub(crate) fn to_title(char: char) -> char {
    match char {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => char,
        _ => to_upper(char),
    }
}

pub(crate) fn is_upper(char: char) -> bool {
    category(char) == GeneralCategory::UppercaseLetter
}

pub(crate) fn is_lower(char: char) -> bool {
    category(char) == GeneralCategory::LowercaseLetter
}

pub(crate) fn is_title(char: char) -> bool {
    category(char) == GeneralCategory::TitlecaseLetter
}

pub(crate) fn is_letter(char: char) -> bool {
    use GeneralCategory as Category;
    matches!(
        category(char),
        Category::UppercaseLetter
            | Category::LowercaseLetter
            | Category::TitlecaseLetter
            | Category::ModifierLetter
            | Category::OtherLetter
    )
}

pub(crate) fn is_digit(char: char) -> bool {
    category(char) == GeneralCategory::DecimalNumber
}

pub(crate) fn is_number(char: char) -> bool {
    use GeneralCategory as Category;
    matches!(
        category(char),
        Category::DecimalNumber | Category::LetterNumber | Category::OtherNumber
    )
}

pub(crate) fn is_punctuation(char: char) -> bool {
    use GeneralCategory as Category;
    matches!(
        category(char),
        Category::ConnectorPunctuation
            | Category::DashPunctuation
            | Category::OpenPunctuation
            | Category::ClosePunctuation
            | Category::InitialPunctuation
            | Category::FinalPunctuation
            | Category::OtherPunctuation
    )
}

/// Go's `unicode.IsSpace`.
pub(crate) fn is_space(char: char) -> bool {
    char.is_whitespace()
}

fn category(char: char) -> GeneralCategory {
    if is_newer(char) {
        return GeneralCategory::Unassigned;
    }
    get_general_category(char)
}

fn shifted(char: char, distance: u32) -> char {
    char::from_u32(u32::from(char) + distance).unwrap_or(char)
}

/// The case if it is one character that Go knows, else the character itself.
fn single(char: char, mut cased: impl ExactSizeIterator<Item = char>) -> char {
    match (cased.len(), cased.next()) {
        (1, Some(cased)) if !is_newer(char) && !is_newer(cased) => cased,
        _ => char,
    }
}

/// A letter with a case that Unicode has had only since 15.0.
fn is_newer(char: char) -> bool {
    matches!(
        char,
        '\u{1c89}'..='\u{1c8a}'
            | '\u{a7cb}'..='\u{a7cf}'
            | '\u{a7d2}'
            | '\u{a7d4}'
            | '\u{a7da}'..='\u{a7dc}'
            | '\u{10d50}'..='\u{10d65}'
            | '\u{10d70}'..='\u{10d85}'
            | '\u{16ea0}'..='\u{16eb8}'
            | '\u{16ebb}'..='\u{16ed3}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_that_is_no_utf8_is_a_character() {
        let all: Vec<(usize, char)> = runes(b"a\xe2\x98\xc3\xa9").collect();
        let bad = char::REPLACEMENT_CHARACTER;
        assert_eq!(all, [(0, 'a'), (1, bad), (2, bad), (3, 'é')]);
        assert_eq!(first_rune("☃x".as_bytes()), Some(('☃', 3)));
        assert_eq!(first_rune(b"\xe2\x98"), Some((bad, 1)));
        assert_eq!(first_rune("xx☃".as_bytes()), Some(('x', 1)));
        assert_eq!(first_rune(b""), None);
    }

    #[test]
    fn a_case_is_one_character() {
        assert_eq!(
            ['ß', 'ŉ', 'ᾳ', 'ა', 'ɤ'].map(to_upper),
            ['ß', 'ŉ', 'ᾼ', 'Ა', 'ɤ']
        );
        assert_eq!(['İ', 'Σ', 'Ა'].map(to_lower), ['i', 'σ', 'ა']);
        assert_eq!(['ǆ', 'ა', 'é'].map(to_title), ['ǅ', 'ა', 'É']);
    }
}
