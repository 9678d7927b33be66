//! Two texts of a template line by line. Where lines come or go, YAML may understand others in
//! another way: items of a list that lost its key, the head of a document that lost its end. Then it
//! is the lines that tell what moved.

use std::ops::Range;

use cairn_chart::RenderedFile;
use cairn_spec::OriginId;

/// What one template rendered, and which origins are the leaf.
pub(crate) struct Text<'r> {
    pub(crate) file: &'r RenderedFile,
    pub(crate) is_named: IsNamed<'r>,
}

/// Whether one of some origins is the leaf.
pub(crate) type IsNamed<'r> = Box<dyn Fn(&[OriginId]) -> bool + 'r>;

/// More pairs of differing lines than this are not compared.
const MAX_PAIRS: usize = 4_000_000;

impl Text<'_> {
    fn lines(&self) -> Vec<Range<usize>> {
        let mut lines = Vec::new();
        let mut start = 0;
        for line in self.file.bytes().split(|&byte| byte == b'\n') {
            if !line.trim_ascii().is_empty() {
                lines.push(start..start + line.len());
            }
            start += line.len() + 1;
        }
        lines
    }

    fn line(&self, line: &Range<usize>) -> &[u8] {
        self.file.bytes().get(line.clone()).unwrap_or_default()
    }

    /// Something on the line, or missing on it, names the leaf.
    fn names(&self, line: &Range<usize>) -> bool {
        let mut pieces = self.file.spans().within(line.clone());
        pieces.any(|(_, piece)| {
            (self.is_named)(piece.origins)
                || piece.causes().any(|cause| (self.is_named)(cause.origins))
        }) || self.misses(line.clone())
    }

    /// Something is missing in a range because of the leaf.
    fn misses(&self, range: Range<usize>) -> bool {
        let mut absences = self.file.spans().absences(range);
        absences.any(|absence| absence.causes().any(|cause| (self.is_named)(cause.origins)))
    }

    /// Something is missing before the line of a number because of the leaf.
    fn misses_before(&self, lines: &[Range<usize>], number: usize) -> bool {
        let before = number.checked_sub(1).and_then(|before| lines.get(before));
        let start = before.map_or(0, |line| line.end);
        let end = lines
            .get(number)
            .map_or(self.file.bytes().len(), |line| line.end);
        self.misses(start..end)
    }
}

pub(crate) fn lines_are_named(first: &Text<'_>, second: &Text<'_>) -> bool {
    let (left, right) = (first.lines(), second.lines());
    let same = |(a, b): &(&Range<usize>, &Range<usize>)| first.line(a) == second.line(b);
    let start = left.iter().zip(&right).take_while(same).count();
    let rest = left.len().min(right.len()) - start;
    let pairs = left.iter().rev().zip(right.iter().rev()).take(rest);
    let end = pairs.take_while(same).count();
    let rows = left.len() - start - end;
    let columns = right.len() - start - end;
    if (rows + 1).saturating_mul(columns + 1) > MAX_PAIRS {
        return false;
    }
    // Whether the texts can be told apart from there on by lines that name the leaf.
    let gone: Vec<bool> = (0..rows)
        .map(|row| first.names(&left[start + row]))
        .collect();
    let new: Vec<bool> = (0..columns)
        .map(|column| second.names(&right[start + column]))
        .collect();
    let gaps_of_first: Vec<bool> = (0..=rows)
        .map(|row| first.misses_before(&left, start + row))
        .collect();
    let gaps_of_second: Vec<bool> = (0..=columns)
        .map(|column| second.misses_before(&right, start + column))
        .collect();
    let mut ways = vec![vec![false; columns + 1]; rows + 1];
    ways[rows][columns] = true;
    for row in (0..=rows).rev() {
        for column in (0..=columns).rev() {
            let stays = row < rows
                && column < columns
                && first.line(&left[start + row]) == second.line(&right[start + column])
                && ways[row + 1][column + 1];
            let goes = row < rows && (gone[row] || gaps_of_second[column]) && ways[row + 1][column];
            let comes =
                column < columns && (new[column] || gaps_of_first[row]) && ways[row][column + 1];
            ways[row][column] |= stays || goes || comes;
        }
    }
    ways[0][0]
}
