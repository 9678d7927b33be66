//! Composes documents that are written in the usual way without tokens: block maps and lists, and
//! what stands in them. To see how such lines nest is many times faster than libyaml's scanner, which
//! holds every token back until it knows whether it is a key.
//!
//! Whatever is unusual (anchors, tags, directives, `?`, several documents, every mistake) is left to
//! the full composer. What is composed here, that one composes too, to the same nodes: property
//! tests hold the two together.

mod flow;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::{
    MAX_NODES,
    compose::{Content, Document, DocumentNode, NodeId},
    input::Input,
    scan::{ScannedText, Scanner},
};

/// How deep collections may nest here: less than what the full composer takes.
const MAX_DEPTH: usize = 100;
/// How long a key may be here, in bytes: less than what the full composer takes.
const MAX_KEY_BYTES: usize = 1000;

/// A text has about one node for so many bytes, unless most of it is comments.
const BYTES_PER_NODE: usize = 32;

/// The nodes of a text, where they are plain to see.
pub(super) fn compose<'t>(input: &'t Input<'_>) -> Option<Document<'t>> {
    if input.broken.is_some() || input.other_breaks {
        return None;
    }
    let mut composer = Composer {
        scanner: Scanner::new(input),
        nodes: Vec::with_capacity(input.text.len() / BYTES_PER_NODE),
        open: Vec::new(),
    };
    composer.skip_document_start()?;
    while composer.skip_to_content()? {
        composer.content()?;
    }
    while !composer.open.is_empty() {
        composer.close()?;
    }
    if composer.nodes.is_empty() {
        return None;
    }
    Some(Document {
        nodes: composer.nodes,
        root: Some(0),
    })
}

struct Composer<'t> {
    scanner: Scanner<'t>,
    nodes: Vec<DocumentNode<'t>>,
    /// The collections that are open, the innermost last.
    open: Vec<Collection>,
}

/// A block map or list that is open.
struct Collection {
    id: NodeId,
    column: usize,
    is_map: bool,
    /// Where what is in it ends so far, in bytes.
    end: usize,
    /// Where the `:` or `-` ends behind which no value was found yet.
    pending: Option<usize>,
}

impl<'t> Composer<'t> {
    /// Goes over `---`, where nothing else stands on its line.
    fn skip_document_start(&mut self) -> Option<()> {
        self.skip_to_content()?;
        let cursor = &mut self.scanner.cursor;
        if cursor.at_document_indicator() && cursor.byte(0) == b'-' {
            cursor.skip_ascii(3);
            cursor.skip_spaces();
            return matches!(cursor.byte(0), b'\n' | b'#').then_some(());
        }
        Some(())
    }

    /// Goes over spaces, comments and line breaks; gives whether something follows.
    fn skip_to_content(&mut self) -> Option<bool> {
        let cursor = &mut self.scanner.cursor;
        loop {
            cursor.skip_spaces();
            match cursor.byte(0) {
                b'#' => cursor.skip_comment(),
                b'\n' => {
                    cursor.take_break();
                }
                b'\t' => return None,
                _ => return Some(!cursor.at_end()),
            }
        }
    }

    /// Reads what stands at the start of a line up to the end of a value, or to the end of the line
    /// where there is none.
    fn content(&mut self) -> Option<()> {
        if self.scanner.cursor.at_document_indicator() {
            return None;
        }
        while self.scanner.cursor.byte(0) == b'-' && self.scanner.cursor.is_blankz(1) {
            self.entry(false)?;
            self.scanner.cursor.skip_ascii(1);
            self.await_value()?;
            if self.ends_line()? {
                return Some(());
            }
        }
        match self.scanner.cursor.byte(0) {
            quote @ (b'\'' | b'"') => {
                let (line, column) = (
                    self.scanner.cursor.mark.line,
                    self.scanner.cursor.mark.column,
                );
                let scalar = self
                    .scanner_of_innermost()
                    .quoted_text(quote == b'\'')
                    .ok()?;
                self.scanner.cursor.skip_spaces();
                if self.scanner.cursor.byte(0) != b':' {
                    self.ends_line()?.then_some(())?;
                    return self.value(scalar, false);
                }
                if self.scanner.cursor.mark.line != line {
                    return None;
                }
                self.key(scalar, column, false)
            }
            _ if starts_plain(&self.scanner)? => {
                let start = self.scanner.cursor.mark;
                let length = self.scanner.plain_length();
                self.scanner.cursor.skip_bytes(length);
                let end = self.scanner.cursor.mark;
                let text = Cow::Borrowed(self.scanner.cursor.since(start.offset));
                self.scanner.cursor.skip_spaces();
                if self.scanner.cursor.byte(0) != b':' {
                    self.scanner.cursor.mark = start;
                    return self.plain_value();
                }
                let scalar = ScannedText {
                    text,
                    start,
                    end,
                    ends_line: false,
                };
                self.key(scalar, start.column, true)
            }
            _ => self.collection_or_block(),
        }
    }

    /// A key, and what stands behind its `:`, where the cursor is.
    fn key(&mut self, key: ScannedText<'t>, column: usize, implicit: bool) -> Option<()> {
        let cursor = &self.scanner.cursor;
        let length = cursor.mark.offset - key.start.offset;
        if length > MAX_KEY_BYTES || !cursor.is_blankz(1) {
            return None;
        }
        self.entry_at(column, key.start.offset, true)?;
        self.add_scalar(key, implicit)?;
        self.scanner.cursor.skip_ascii(1);
        self.await_value()?;
        if self.ends_line()? {
            return Some(());
        }
        match self.scanner.cursor.byte(0) {
            quote @ (b'\'' | b'"') => {
                let scalar = self
                    .scanner_of_innermost()
                    .quoted_text(quote == b'\'')
                    .ok()?;
                self.ends_line()?.then_some(())?;
                self.value(scalar, false)
            }
            b'-' if self.scanner.cursor.is_blankz(1) => None,
            _ if starts_plain(&self.scanner)? => self.plain_value(),
            _ => self.collection_or_block(),
        }
    }

    /// A plain scalar that is a value.
    fn plain_value(&mut self) -> Option<()> {
        let scalar = self.scanner_of_innermost().plain_text().ok()?;
        let is_whole = scalar.ends_line
            || matches!(self.scanner.cursor.byte(0), b'#')
            || self.scanner.cursor.at_end();
        if !is_whole || scalar.end.offset == scalar.start.offset {
            return None;
        }
        self.value(scalar, true)
    }

    /// What begins with an indicator, where it may stand as a value.
    fn collection_or_block(&mut self) -> Option<()> {
        match self.scanner.cursor.byte(0) {
            first @ (b'|' | b'>') => {
                let scalar = self.scanner_of_innermost().block_text(first == b'|').ok()?;
                self.value(scalar, false)
            }
            b'[' | b'{' => {
                self.take_pending_before(self.scanner.cursor.mark.column)?;
                let end = self.flow(self.open.len())?;
                self.ends_line()?.then_some(())?;
                self.ends_at(end);
                Some(())
            }
            _ => None,
        }
    }

    /// The scanner, which knows the indentation of the innermost block.
    fn scanner_of_innermost(&mut self) -> &mut Scanner<'t> {
        self.scanner.indent = self.open.last().map(|innermost| innermost.column);
        &mut self.scanner
    }

    /// Whether nothing but spaces and a comment stand on the rest of the line.
    fn ends_line(&mut self) -> Option<bool> {
        let cursor = &mut self.scanner.cursor;
        cursor.skip_spaces();
        match cursor.byte(0) {
            b'\t' => None,
            b'\n' | b'#' => Some(true),
            _ => Some(cursor.at_end()),
        }
    }

    /// Remembers that a value may follow behind the `:` or `-` that was just read.
    fn await_value(&mut self) -> Option<()> {
        self.open.last_mut()?.pending = Some(self.scanner.cursor.mark.offset);
        Some(())
    }

    /// An item or key at the cursor.
    fn entry(&mut self, is_map: bool) -> Option<()> {
        let mark = self.scanner.cursor.mark;
        self.entry_at(mark.column, mark.offset, is_map)
    }

    /// Closes what ends before an item or a key at a column, and opens a collection if need be.
    fn entry_at(&mut self, column: usize, start: usize, is_map: bool) -> Option<()> {
        while self.open.last().is_some_and(|innermost| {
            innermost.column > column || (innermost.column == column && !innermost.is_map && is_map)
        }) {
            self.close()?;
        }
        match self.open.last_mut() {
            Some(innermost) if innermost.column == column && innermost.is_map == is_map => {
                return self.settle();
            }
            // A list may stand in the column of the map that it is in.
            Some(_) => self.take_pending()?,
            None if self.nodes.is_empty() => {}
            None => return None,
        }
        if self.open.len() >= MAX_DEPTH {
            return None;
        }
        let content = if is_map {
            Content::Mapping
        } else {
            Content::Sequence
        };
        let id = self.add(content, start, start)?;
        self.open.push(Collection {
            id,
            column,
            is_map,
            end: start,
            pending: None,
        });
        Some(())
    }

    /// A scalar that is a value: of the last key or item, or all of the document.
    fn value(&mut self, scalar: ScannedText<'t>, implicit: bool) -> Option<()> {
        self.take_pending_before(scalar.start.column)?;
        self.add_scalar(scalar, implicit)
    }

    fn add_scalar(&mut self, scalar: ScannedText<'t>, implicit: bool) -> Option<()> {
        let end = scalar.end.offset;
        let content = Content::Scalar {
            text: scalar.text,
            tag: None,
            implicit,
        };
        self.add(content, scalar.start.offset, end)?;
        self.ends_at(end);
        Some(())
    }

    /// The last key or item has a value, which is no entry and so stands deeper than it; where
    /// no collection was opened, the value is the document.
    fn take_pending_before(&mut self, column: usize) -> Option<()> {
        match self.open.last() {
            Some(innermost) if innermost.column < column => self.take_pending(),
            Some(_) => None,
            None => self.nodes.is_empty().then_some(()),
        }
    }

    fn take_pending(&mut self) -> Option<()> {
        self.open.last_mut()?.pending.take().map(drop)
    }

    /// Gives the last key or item of the innermost collection the empty value, if it has none.
    fn settle(&mut self) -> Option<()> {
        let Some(at) = self.open.last_mut()?.pending.take() else {
            return Some(());
        };
        let content = Content::Scalar {
            text: Cow::Borrowed(""),
            tag: None,
            implicit: true,
        };
        self.add(content, at, at)?;
        self.ends_at(at);
        Some(())
    }

    fn close(&mut self) -> Option<()> {
        self.settle()?;
        let closed = self.open.pop()?;
        let past = self.nodes.len();
        let node = self.nodes.get_mut(closed.id)?;
        node.end = closed.end;
        node.past = past;
        self.ends_at(closed.end);
        Some(())
    }

    /// What is in the innermost collection goes on to here.
    fn ends_at(&mut self, end: usize) {
        if let Some(innermost) = self.open.last_mut() {
            innermost.end = innermost.end.max(end);
        }
    }

    fn add(&mut self, content: Content<'t>, start: usize, end: usize) -> Option<NodeId> {
        let id = self.nodes.len();
        if id >= MAX_NODES {
            return None;
        }
        self.nodes.push(DocumentNode {
            content,
            start,
            end,
            past: id + 1,
        });
        Some(id)
    }
}

/// Whether a plain scalar starts at the cursor; nothing where it needs a closer look.
fn starts_plain(scanner: &Scanner<'_>) -> Option<bool> {
    match scanner.cursor.byte(0) {
        b'-' => (!scanner.cursor.is_blankz(1)).then_some(true),
        b'?' | b':' if scanner.flow_level == 0 && !scanner.cursor.is_blankz(1) => Some(true),
        b'[' | b'{' | b'|' | b'>' => Some(false),
        b'?' | b':' | b',' | b']' | b'}' | b'#' | b'&' | b'*' | b'!' | b'\'' | b'"' | b'%'
        | b'@' | b'`' | b'\t' | 0xef => None,
        _ => Some(true),
    }
}
