//! What a run collects: source texts, origins of values, and findings.

use std::{collections::HashMap, sync::Arc};

use cairn_chart::Document;
use cairn_spec::{
    Diagnostic, Diagnostics, Kind, Node, Origins, SourceId, SourceKind, Sources, Span, decode, yaml,
};

/// The texts, origins and findings of one run.
#[derive(Debug, Default)]
pub struct Session {
    /// Every text that was read.
    pub sources: Sources,
    /// Where every value was written.
    pub origins: Origins,
    /// What was found.
    pub diagnostics: Diagnostics,
    /// Of texts that templates rendered, where each byte came from.
    pub(crate) rendered: HashMap<SourceId, RenderedSource>,
}

/// A text that a template rendered, as a part of a document.
#[derive(Debug)]
pub(crate) struct RenderedSource {
    pub(crate) document: Document,
    /// Where the text begins in the document.
    pub(crate) start: usize,
}

impl Session {
    /// Adds a finding.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reads a text that holds one YAML document.
    pub(crate) fn read_yaml(
        &mut self,
        name: &str,
        text: impl Into<Arc<str>>,
        kind: SourceKind,
    ) -> Option<(SourceId, Node)> {
        let source = self.sources.add(name, text, kind);
        let node = yaml::read_one(
            &self.sources,
            source,
            &mut self.origins,
            &mut self.diagnostics,
        )?;
        Some((source, node))
    }

    /// Reads a text that holds one file of a kind; its tree comes along, for the places in it.
    pub(crate) fn read_kind<T: Kind>(
        &mut self,
        name: &str,
        text: impl Into<Arc<str>>,
        kind: SourceKind,
    ) -> Option<(T, Node)> {
        let (_, node) = self.read_yaml(name, text, kind)?;
        let file = decode(&node, &self.origins, &mut self.diagnostics)?;
        Some((file, node))
    }

    /// The place of a node.
    pub(crate) fn span(&self, node: &Node) -> Option<Span> {
        self.origins.span(node.origin)
    }

    /// The place of a node below `root`, or of the nearest node above it.
    pub(crate) fn span_at(&self, root: &Node, pointer: &str) -> Option<Span> {
        let mut end = pointer.len();
        loop {
            if let Some(node) = root.pointer(&pointer[..end]) {
                return self.span(node);
            }
            end = pointer[..end].rfind('/')?;
        }
    }

    /// What kind of text an origin is in.
    pub(crate) fn source_kind(&self, span: Option<Span>) -> Option<SourceKind> {
        span.map(|span| self.sources.get(span.source).kind)
    }
}
