//! Files of values: several documents, which Helm merges in their order.

use std::ops::Range;

use cairn_spec::{Node, Origins};

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
    text.split(|byte| *byte == b'\n').count() - 1
}

/// Where the documents stand. A separator belongs to the document behind it only when there is
/// none before it.
fn documents(text: &[u8]) -> Result<Vec<Range<usize>>, ReadError> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.len();
        if let Some(after) = line.strip_prefix(SEPARATOR) {
            let after = String::from_utf8_lossy(after);
            let after = after.trim();
            if !after.is_empty() && !after.starts_with('#') {
                let place = ErrorPlace {
                    offset: at,
                    line: lines(&text[..at]) + 1,
                    column: 1,
                };
                return Err(ReadError::new(
                    format!(
                        "error reading yaml document: invalid Yaml document separator: {after}"
                    ),
                    Some(place),
                ));
            }
            if start < at {
                documents.push(start..at);
                start = end;
            }
        }
        at = end;
    }
    if start < at {
        documents.push(start..at);
    }
    Ok(documents)
}
