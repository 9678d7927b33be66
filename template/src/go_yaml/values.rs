//! Files of values: several documents, which Helm merges in their order.

use std::ops::Range;

use cairn_spec::{Node, Origins};
use memchr::{memchr, memchr_iter, memmem};

use super::{ErrorPlace, ReadError, ReadOptions, reader::read_map_at};

const SEPARATOR: &[u8] = b"---";

/// Reads every document of a file of values; each must be a map. Helm merges them, later ones
/// over earlier ones.
///
/// The texts of errors are those of Helm's loader, which counts lines within a document; their
/// places count from the start of the file.
pub fn read_values(
    text: &[u8],
    options: &ReadOptions,
    origins: &mut Origins,
) -> Result<Vec<Node>, ReadError> {
    documents(text)?
        .into_iter()
        .map(|range| {
            let start = range.start;
            read_map_at(&text[range], start, options, origins).map_err(|error| {
                let place = error.place().map(|place| absolute(place, &text[..start]));
                ReadError::new(format!("cannot unmarshal yaml document: {error}"), place)
            })
        })
        .collect()
}

fn absolute(place: ErrorPlace, before: &[u8]) -> ErrorPlace {
    ErrorPlace {
        offset: place.offset + before.len(),
        line: place.line + lines(before),
        ..place
    }
}

/// How many lines end in the text.
fn lines(text: &[u8]) -> usize {
    memchr_iter(b'\n', text).count()
}

/// Where the documents stand. A separator belongs to the document behind it only when there is
/// none before it.
fn documents(text: &[u8]) -> Result<Vec<Range<usize>>, ReadError> {
    let mut documents = Vec::new();
    let mut start = 0;
    for at in separators(text) {
        let after = at + SEPARATOR.len();
        let end = memchr(b'\n', &text[after..]).map_or(text.len(), |length| after + length + 1);
        let after = String::from_utf8_lossy(&text[after..end]);
        let after = after.trim();
        if !after.is_empty() && !after.starts_with('#') {
            let place = ErrorPlace {
                offset: at,
                line: lines(&text[..at]) + 1,
                column: 1,
            };
            return Err(ReadError::new(
                format!("error reading yaml document: invalid Yaml document separator: {after}"),
                Some(place),
            ));
        }
        if start < at {
            documents.push(start..at);
            start = end;
        }
    }
    if start < text.len() {
        documents.push(start..text.len());
    }
    Ok(documents)
}

/// Where the lines begin that begin with a separator.
fn separators(text: &[u8]) -> impl Iterator<Item = usize> {
    let first = text.starts_with(SEPARATOR).then_some(0);
    let others = memmem::find_iter(text, b"\n---").map(|at| at + 1);
    first.into_iter().chain(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_stand_between_lines_that_begin_with_dashes() {
        let read = |text: &'static str| {
            let documents = documents(text.as_bytes()).map_err(|error| error.to_string());
            documents.map(|ranges| ranges.into_iter().map(|range| &text[range]).collect())
        };
        for (text, expected) in [
            ("", vec![]),
            ("a: 1", vec!["a: 1"]),
            ("a: 1\n---", vec!["a: 1\n"]),
            ("---\na: 1\n", vec!["---\na: 1\n"]),
            ("---\n---\na: 1\n", vec!["---\n", "a: 1\n"]),
            ("a: 1\n--- # of it\nb: 2\n \n", vec!["a: 1\n", "b: 2\n \n"]),
            ("a: ---\n --- b\n--\n", vec!["a: ---\n --- b\n--\n"]),
            ("a\n\n---\n\n---\nb", vec!["a\n\n", "\n", "b"]),
        ] {
            assert_eq!(read(text), Ok(expected), "{text:?}");
        }
        let error = documents(b"a: 1\nb: 2\n---- c\n").unwrap_err();
        let place = error.place().map(|place| (place.offset, place.line));
        assert_eq!(place, Some((10, 3)));
        assert!(error.to_string().ends_with("separator: - c"), "{error}");
    }
}
