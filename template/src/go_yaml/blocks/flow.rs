//! Lists and maps in brackets.

use super::{Composer, MAX_DEPTH, MAX_KEY_BYTES, starts_plain};
use crate::go_yaml::{compose::Content, scan::ScannedText};

impl<'t> Composer<'t> {
    /// Reads the list or map that begins at the cursor, below `depth` others; gives where it ends.
    pub(super) fn flow(&mut self, depth: usize) -> Option<usize> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let start = self.scanner.cursor.mark.offset;
        let is_map = self.scanner.cursor.byte(0) == b'{';
        let (content, close) = if is_map {
            (Content::Mapping, b'}')
        } else {
            (Content::Sequence, b']')
        };
        let id = self.add(content, start, start)?;
        self.scanner.cursor.skip_ascii(1);
        self.scanner.flow_level += 1;
        self.skip_to_content()?;
        while self.scanner.cursor.byte(0) != close {
            if is_map {
                self.flow_key()?;
            }
            self.flow_value(depth)?;
            self.skip_to_content()?;
            match self.scanner.cursor.byte(0) {
                b',' => {
                    self.scanner.cursor.skip_ascii(1);
                    self.skip_to_content()?;
                }
                byte if byte == close => {}
                _ => return None,
            }
        }
        self.scanner.cursor.skip_ascii(1);
        self.scanner.flow_level -= 1;
        let end = self.scanner.cursor.mark.offset;
        let past = self.nodes.len();
        let node = self.nodes.get_mut(id)?;
        node.end = end;
        node.past = past;
        Some(end)
    }

    /// Reads a key and its `:`.
    fn flow_key(&mut self) -> Option<()> {
        let start = self.scanner.cursor.mark;
        let (key, implicit) = self.flow_scalar()?;
        self.scanner.cursor.skip_spaces();
        let here = self.scanner.cursor.mark;
        let is_short = here.line == start.line && here.offset - start.offset <= MAX_KEY_BYTES;
        if !is_short || self.scanner.cursor.byte(0) != b':' {
            return None;
        }
        self.scanner.cursor.skip_ascii(1);
        self.add_flow_scalar(key, implicit)
    }

    fn flow_value(&mut self, depth: usize) -> Option<()> {
        self.skip_to_content()?;
        if matches!(self.scanner.cursor.byte(0), b'[' | b'{') {
            return self.flow(depth + 1).map(drop);
        }
        let (scalar, implicit) = self.flow_scalar()?;
        self.add_flow_scalar(scalar, implicit)
    }

    /// Reads a scalar, and says whether it is plain.
    fn flow_scalar(&mut self) -> Option<(ScannedText<'t>, bool)> {
        match self.scanner.cursor.byte(0) {
            quote @ (b'\'' | b'"') => {
                let scalar = self.scanner.quoted_text(quote == b'\'').ok()?;
                Some((scalar, false))
            }
            _ if starts_plain(&self.scanner)? => {
                let scalar = self.scanner_of_innermost().plain_text().ok()?;
                let is_empty = scalar.end.offset == scalar.start.offset;
                (!is_empty).then_some((scalar, true))
            }
            _ => None,
        }
    }

    fn add_flow_scalar(&mut self, scalar: ScannedText<'t>, implicit: bool) -> Option<()> {
        let content = Content::Scalar {
            text: scalar.text,
            tag: None,
            implicit,
        };
        self.add(content, scalar.start.offset, scalar.end.offset)?;
        Some(())
    }
}
