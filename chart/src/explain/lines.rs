//! All leaves of a rendered object, and its text line by line, each with where it came from.

use std::ops::Range;

use cairn_spec::Node;

use super::{
    Explanation, Fields,
    explanation::trimmed,
    path::{Found, below},
};
use crate::Document;

/// A scalar, or an empty list or map, of an object.
#[derive(Debug, Clone)]
pub struct FieldLeaf<'f> {
    /// Its path.
    pub path: String,
    /// Its value.
    pub node: &'f Node,
    /// The bytes that lead to it, outermost first.
    pub leads: Vec<Range<usize>>,
    /// Its own bytes.
    pub value: Range<usize>,
}

/// A line of an object's text.
#[derive(Debug, Clone)]
pub struct Line<'d> {
    /// The text, without the line break.
    pub text: &'d [u8],
    /// Where what stands on it came from; none for what is no field.
    pub explanation: Option<Explanation<'d>>,
}

impl Fields {
    /// All leaves at and below a field, in the order of the text.
    pub fn leaves<'f>(&'f self, found: &Found<'f>, document: &Document) -> Vec<FieldLeaf<'f>> {
        let mut leaves = Vec::new();
        self.add_leaves(found.clone(), document.bytes(), &mut leaves);
        leaves
    }

    fn add_leaves<'f>(&'f self, found: Found<'f>, text: &[u8], leaves: &mut Vec<FieldLeaf<'f>>) {
        let children = self.children(found.node, text);
        if children.is_empty() {
            leaves.push(FieldLeaf {
                path: found.path,
                value: self.bytes_of(found.node),
                node: found.node,
                leads: found.leads,
            });
            return;
        }
        for child in children {
            let path = below(&found.path, &child);
            let mut leads = found.leads.clone();
            leads.push(child.lead);
            let node = child.node;
            self.add_leaves(Found { path, node, leads }, text, leaves);
        }
    }

    /// The lines on which a field stands, each with where the value on it came from; for a line
    /// without one, where its key came from.
    pub fn lines<'d>(&self, found: &Found<'_>, document: &'d Document) -> Vec<Line<'d>> {
        let text = document.bytes();
        let whole = self.bytes_of(found.node);
        let (start, end) = match found.leads.last() {
            Some(lead) => (lead.start, whole.end.max(lead.end)),
            None => (0, text.len()),
        };
        let mut lines = TextLines::new(text);
        for leaf in self.leaves(found, document) {
            lines.add(&leaf);
        }
        lines
            .all
            .into_iter()
            .filter(|line| line.range.end >= start && line.range.start < end)
            .map(|line| Line {
                text: text.get(line.range.clone()).unwrap_or_default(),
                explanation: line.explained(document),
            })
            .collect()
    }
}

/// The lines of a text and what stands on them.
struct TextLines {
    all: Vec<TextLine>,
}

struct TextLine {
    range: Range<usize>,
    /// From the first value on it to the last.
    value: Option<Range<usize>>,
    /// What leads to what is on it.
    leads: Vec<Range<usize>>,
}

impl TextLines {
    fn new(text: &[u8]) -> Self {
        let mut all = Vec::new();
        let mut start = 0;
        for line in text.split(|&byte| byte == b'\n') {
            let range = start..start + line.len();
            start = range.end + 1;
            all.push(TextLine {
                range,
                value: None,
                leads: Vec::new(),
            });
        }
        Self { all }
    }

    fn number(&self, offset: usize) -> usize {
        let after = self.all.partition_point(|line| line.range.start <= offset);
        after.saturating_sub(1)
    }

    fn add(&mut self, leaf: &FieldLeaf<'_>) {
        for (depth, lead) in leaf.leads.iter().enumerate() {
            let number = self.number(lead.start);
            if let Some(line) = self.all.get_mut(number) {
                line.lead_by(leaf.leads.get(..=depth).unwrap_or_default());
            }
        }
        let last = self.number(leaf.value.end.saturating_sub(1).max(leaf.value.start));
        for number in self.number(leaf.value.start)..=last {
            let Some(line) = self.all.get_mut(number) else {
                return;
            };
            let start = leaf.value.start.max(line.range.start);
            let value = start..leaf.value.end.min(line.range.end).max(start);
            line.value = Some(match line.value.take() {
                Some(before) => before.start.min(value.start)..before.end.max(value.end),
                None => value,
            });
            line.lead_by(&leaf.leads);
        }
    }
}

impl TextLine {
    fn lead_by(&mut self, leads: &[Range<usize>]) {
        for lead in leads {
            if !self.leads.contains(lead) {
                self.leads.push(lead.clone());
            }
        }
    }

    fn explained(self, document: &Document) -> Option<Explanation<'_>> {
        let value = match (self.value, self.leads.last()) {
            (Some(value), _) => trimmed(document.bytes(), value),
            // A line with a key alone is what its key is.
            (None, Some(lead)) => trimmed(document.bytes(), lead.clone()),
            (None, None) => return None,
        };
        Some(Explanation::of(document, value, &self.leads))
    }
}
