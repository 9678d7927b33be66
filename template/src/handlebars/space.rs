//! White space control: `~` takes all white space on its side, and a tag alone on its line
//! takes the line with it.

use std::ops::Range;

use super::tags::{Kind, Piece, Tag};

/// What may stand beside a tag that is alone on its line.
const BLANKS: [char; 2] = [' ', '\t'];

/// Trims the texts around each tag, and tells the tags that are alone on their line.
pub(super) fn trim(text: &str, pieces: &mut [Piece]) {
    for index in 0..pieces.len() {
        let Piece::Tag(tag) = &mut pieces[index] else {
            continue;
        };
        tag.line = own_line(text, tag);
        let line = tag.line.clone();
        let (trim_before, trim_after) = (tag.trim_before, tag.trim_after);
        if let Some(Piece::Text(before)) = index.checked_sub(1).map(|index| &mut pieces[index]) {
            let kept = &text[before.clone()];
            if trim_before {
                before.end = before.start + kept.trim_end().len();
            } else if let Some((blanks, _)) = &line {
                before.end = before.end.min(blanks.start).max(before.start);
            }
        }
        if let Some(Piece::Text(after)) = pieces.get_mut(index + 1) {
            let kept = &text[after.clone()];
            if trim_after {
                after.start = after.end - kept.trim_start().len();
            } else if let Some((_, newline)) = &line {
                after.start = after.start.max(newline.end).min(after.end);
            }
        }
    }
}

fn own_line(text: &str, tag: &Tag) -> Option<(Range<usize>, Range<usize>)> {
    if matches!(tag.kind, Kind::Print | Kind::Unsupported) {
        return None;
    }
    let before = text[..tag.range.start].trim_end_matches(BLANKS);
    let after = text[tag.range.end..].trim_start_matches(BLANKS);
    let newline = match after {
        "" => 0,
        after if after.starts_with('\n') => 1,
        after if after.starts_with("\r\n") => 2,
        _ => return None,
    };
    if !before.is_empty() && !before.ends_with('\n') {
        return None;
    }
    let newline_start = text.len() - after.len();
    let blanks_start = if tag.trim_before {
        tag.range.start
    } else {
        before.len()
    };
    Some((
        blanks_start..tag.range.start,
        newline_start..newline_start + newline,
    ))
}
