//! Events to nodes: the first document of a text, with its aliases found but not expanded.

use std::{borrow::Cow, collections::HashMap};

use super::{
    MAX_DEPTH, MAX_NODES,
    error::Failure,
    input::Input,
    parse::{Event, Parser, What},
    scan::Mark,
};

/// A node's number in its [`Document`].
pub(super) type NodeId = usize;

#[derive(Debug)]
pub(super) struct Document<'t> {
    nodes: Vec<DocumentNode<'t>>,
    pub(super) root: Option<NodeId>,
}

#[derive(Debug)]
pub(super) struct DocumentNode<'t> {
    pub(super) content: Content<'t>,
    pub(super) start: Mark,
    /// In bytes.
    pub(super) end: usize,
}

#[derive(Debug)]
pub(super) enum Content<'t> {
    Scalar {
        text: Cow<'t, str>,
        /// Empty when there is none.
        tag: String,
        implicit: bool,
    },
    Sequence(Vec<NodeId>),
    /// Keys and values in turn.
    Mapping(Vec<NodeId>),
    Alias {
        name: &'t str,
        target: NodeId,
    },
}

impl<'t> Document<'t> {
    /// Reads the first document; what follows it is not looked at.
    pub(super) fn read(input: &'t Input<'_>) -> Result<Self, Failure> {
        let mut composer = Composer {
            parser: Parser::new(input),
            nodes: Vec::new(),
            anchors: HashMap::new(),
        };
        composer.parser.next()?;
        let root = if let What::StreamEnd = composer.parser.next()?.what {
            None
        } else {
            let event = composer.parser.next()?;
            let root = composer.node(event, 0)?;
            composer.parser.next()?;
            Some(root)
        };
        Ok(Self {
            nodes: composer.nodes,
            root,
        })
    }

    pub(super) fn node(&self, id: NodeId) -> &DocumentNode<'t> {
        &self.nodes[id]
    }
}

struct Composer<'t> {
    parser: Parser<'t>,
    nodes: Vec<DocumentNode<'t>>,
    anchors: HashMap<&'t str, NodeId>,
}

impl<'t> Composer<'t> {
    fn node(&mut self, event: Event<'t>, depth: usize) -> Result<NodeId, Failure> {
        if depth > MAX_DEPTH {
            return Err(Failure::too_deep().at(event.start));
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(Failure::too_many_nodes().at(event.start));
        }
        let id = self.nodes.len();
        let start = event.start;
        let (content, properties) = match event.what {
            What::Scalar {
                properties,
                text,
                implicit,
            } => {
                let content = Content::Scalar {
                    text,
                    tag: properties.tag,
                    implicit,
                };
                (content, properties.anchor)
            }
            What::SequenceStart(properties) => (Content::Sequence(Vec::new()), properties.anchor),
            What::MappingStart(properties) => (Content::Mapping(Vec::new()), properties.anchor),
            What::Alias(name) => {
                let Some(target) = self.anchors.get(name).copied() else {
                    return Err(
                        Failure::new(format!("unknown anchor '{name}' referenced")).at(start)
                    );
                };
                (Content::Alias { name, target }, None)
            }
            _ => return Err(Failure::new("did not find expected node content").at(start)),
        };
        let is_collection = matches!(content, Content::Sequence(_) | Content::Mapping(_));
        self.nodes.push(DocumentNode {
            content,
            start,
            end: event.end.offset,
        });
        if let Some(anchor) = properties {
            self.anchors.insert(anchor, id);
        }
        if is_collection {
            let (children, end) = self.children(depth + 1, event.end.offset)?;
            let node = &mut self.nodes[id];
            node.end = end;
            if let Content::Sequence(list) | Content::Mapping(list) = &mut node.content {
                *list = children;
            }
        }
        Ok(id)
    }

    /// The nodes up to the end of the collection, and where it ends.
    fn children(&mut self, depth: usize, start: usize) -> Result<(Vec<NodeId>, usize), Failure> {
        let mut children = Vec::new();
        let mut end = start;
        loop {
            let event = self.parser.next()?;
            if let What::SequenceEnd | What::MappingEnd = event.what {
                // The end of a block is only noticed at whatever follows it.
                if event.start.offset != event.end.offset {
                    end = event.end.offset;
                }
                return Ok((children, end));
            }
            let child = self.node(event, depth)?;
            end = end.max(self.nodes[child].end);
            children.push(child);
        }
    }
}
