//! Splits rendered text into documents, exactly where Helm's `(?:^|\s*\n)---\s*` does.

use std::ops::Range;

use memchr::memmem::Finder;

use crate::Dialect;

const SEPARATOR: &[u8] = b"---";

/// Where the documents of a text stand that are not blank, without the space around them.
pub(crate) fn split(text: &[u8], dialect: Dialect) -> Vec<Range<usize>> {
    let mut documents = Vec::new();
    let mut push = |piece: Range<usize>| {
        let trimmed = trim(text, piece, dialect);
        if !trimmed.is_empty() {
            documents.push(trimmed);
        }
    };
    let whole = trim(text, 0..text.len(), dialect);
    let text = &text[..whole.end];
    let mut start = whole.start;
    if text[start..].starts_with(SEPARATOR) {
        start = after_separator(text, start);
    }
    let line_of_separator = Finder::new(b"\n---");
    while let Some(length) = line_of_separator.find(&text[start..]) {
        let line = start + length;
        let piece_end = start + trimmed_length(&text[start..line]);
        push(start..piece_end);
        start = after_separator(text, line + 1);
    }
    push(start..text.len());
    documents
}

/// Where the space behind a separator ends.
fn after_separator(text: &[u8], separator: usize) -> usize {
    let rest = &text[separator + SEPARATOR.len()..];
    let space = rest.iter().take_while(|byte| is_space(**byte)).count();
    separator + SEPARATOR.len() + space
}

/// How long the text is without the space at its end.
fn trimmed_length(text: &[u8]) -> usize {
    let space = text.iter().rev().take_while(|byte| is_space(**byte));
    text.len() - space.count()
}

/// `\s` of Go's regular expressions.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

/// The range without what Unicode takes for space: at its start in Helm 4, at both ends in Helm 3,
/// and all of it where there is nothing else.
fn trim(text: &[u8], range: Range<usize>, dialect: Dialect) -> Range<usize> {
    let piece = &text[range.clone()];
    let start = range.start + space_at_start(piece);
    let without_end = start + length_without_space(&text[start..range.end]);
    if dialect == Dialect::Helm3 || without_end == start {
        return start..without_end;
    }
    start..range.end
}

fn space_at_start(text: &[u8]) -> usize {
    let mut space = 0;
    while let Some(first) = first_character(&text[space..])
        && first.is_whitespace()
    {
        space += first.len_utf8();
    }
    space
}

/// The character at the start, where there is one.
fn first_character(text: &[u8]) -> Option<char> {
    let first = &text[..text.len().min(4)];
    first.utf8_chunks().next()?.valid().chars().next()
}

/// How long the text is without what Unicode takes for space at its end.
pub(crate) fn length_without_space(text: &[u8]) -> usize {
    // A character of space has at most three bytes, so the last of what is none is found at once.
    let mut end = text.len();
    while end > 0 {
        let start = (end.saturating_sub(3)..end)
            .rev()
            .find(|&start| std::str::from_utf8(&text[start..end]).is_ok());
        let last = start.and_then(|start| std::str::from_utf8(&text[start..end]).ok());
        match last {
            Some(last) if last.chars().all(char::is_whitespace) => end -= last.len(),
            _ => break,
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(text: &str, dialect: Dialect) -> Vec<&str> {
        let ranges = split(text.as_bytes(), dialect);
        ranges.into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn separators_take_the_space_around_them() {
        let text = "\n\n---\n\na: 1\n\n  \n---  \n# only a comment\n---\n---\nb: 2 \n\n";
        assert_eq!(
            documents(text, Dialect::Helm4),
            ["a: 1", "# only a comment", "---\nb: 2 \n\n"]
        );
        assert_eq!(
            documents(text, Dialect::Helm3),
            ["a: 1", "# only a comment", "---\nb: 2"]
        );
    }

    #[test]
    fn separators_are_found_wherever_they_stand() {
        for before in 0..8 {
            for dashes in 3..9 {
                let text = format!("{}-\n{}\nb", "a".repeat(before), "-".repeat(dashes));
                let rest = format!("{}\nb", "-".repeat(dashes - 3));
                let first = format!("{}-", "a".repeat(before));
                let expected = [first.as_str(), rest.trim_start()];
                assert_eq!(documents(&text, Dialect::Helm4), expected, "{text:?}");
            }
        }
        assert_eq!(documents("a--\n--b---\n -\n--", Dialect::Helm4).len(), 1);
    }

    #[test]
    fn what_follows_on_the_line_is_the_document() {
        assert_eq!(
            documents("---a: 1\n---b: 2\nc: ---\n ---\n", Dialect::Helm4),
            ["a: 1", "b: 2\nc: ---\n ---\n"]
        );
    }

    #[test]
    fn space_is_what_unicode_says() {
        let text = "\u{a0}\u{2003}a: 1\n---\n\u{a0}\n---\n\u{b}b\u{a0}";
        assert_eq!(documents(text, Dialect::Helm4), ["a: 1", "b\u{a0}"]);
        assert_eq!(documents(text, Dialect::Helm3), ["a: 1", "b"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let ranges = split(b" \xff\n---\n\xfe ", Dialect::Helm4);
        assert_eq!(ranges, [1..2, 7..9]);
    }
}
