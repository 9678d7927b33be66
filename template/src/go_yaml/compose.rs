//! Events to nodes: the first document of a text, with its aliases found but not expanded.

use std::{borrow::Cow, collections::HashMap, ops::Range};

use super::{
    MAX_DEPTH, MAX_NODES, blocks,
    error::Failure,
    input::Input,
    parse::{Event, Parser, What},
    scan::{Cursor, Mark},
};

/// A node's number in its [`Document`].
pub(super) type NodeId = usize;

/// Nodes in the order in which they begin, each followed by those in it.
#[derive(Debug, PartialEq)]
pub(super) struct Document<'t> {
    pub(super) nodes: Vec<DocumentNode<'t>>,
    pub(super) root: Option<NodeId>,
}

#[derive(Debug, PartialEq)]
pub(super) struct DocumentNode<'t> {
    pub(super) content: Content<'t>,
    /// Where it stands in the text, in bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    /// The first node that is not in it.
    pub(super) past: NodeId,
}

#[derive(Debug, PartialEq)]
pub(super) enum Content<'t> {
    Scalar {
        text: Cow<'t, str>,
        tag: Option<Box<str>>,
        implicit: bool,
    },
    Sequence,
    /// Keys and values in turn.
    Mapping,
    Alias {
        name: &'t str,
        target: NodeId,
    },
}

impl DocumentNode<'_> {
    /// Where it stands in the text, in bytes.
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.end.max(self.start)
    }
}

impl<'t> Document<'t> {
    /// Reads the first document; what follows it is not looked at.
    pub(super) fn read(input: &'t Input<'_>) -> Result<Self, Failure> {
        match blocks::compose(input) {
            Some(document) => Ok(document),
            None => Self::read_in_full(input),
        }
    }

    /// As [`Self::read`], token by token as libyaml does.
    pub(super) fn read_in_full(input: &'t Input<'_>) -> Result<Self, Failure> {
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

    /// The nodes of a list; the keys and values of a map in turn.
    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + use<'_, 't> {
        let past = self.nodes[id].past;
        let inner = move |child: &NodeId| *child < past;
        std::iter::successors(Some(id + 1).filter(inner), move |child| {
            Some(self.nodes[*child].past).filter(inner)
        })
    }

    /// The keys of a map, each with its value.
    pub(super) fn entries(
        &self,
        id: NodeId,
    ) -> impl Iterator<Item = (NodeId, NodeId)> + use<'_, 't> {
        let mut children = self.children(id);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }
}

/// The place of an offset in the text.
pub(super) fn mark_of(input: &Input<'_>, offset: usize) -> Mark {
    let mut cursor = Cursor::new(input);
    while cursor.mark.offset < offset && !cursor.at_end() {
        if cursor.at_break() {
            cursor.take_break();
        } else {
            cursor.skip();
        }
    }
    cursor.mark
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
                let tag = Some(properties.tag).filter(|tag| !tag.is_empty());
                let content = Content::Scalar {
                    text,
                    tag: tag.map(String::into_boxed_str),
                    implicit,
                };
                (content, properties.anchor)
            }
            What::SequenceStart(properties) => (Content::Sequence, properties.anchor),
            What::MappingStart(properties) => (Content::Mapping, properties.anchor),
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
        let is_collection = matches!(content, Content::Sequence | Content::Mapping);
        self.nodes.push(DocumentNode {
            content,
            start: start.offset,
            end: event.end.offset,
            past: id + 1,
        });
        if let Some(anchor) = properties {
            self.anchors.insert(anchor, id);
        }
        if is_collection {
            let end = self.children(depth + 1, event.end.offset)?;
            let past = self.nodes.len();
            let node = &mut self.nodes[id];
            node.end = end;
            node.past = past;
        }
        Ok(id)
    }

    /// Reads on to the end of the collection, and says where that is.
    fn children(&mut self, depth: usize, start: usize) -> Result<usize, Failure> {
        let mut end = start;
        loop {
            let event = self.parser.next()?;
            if let What::SequenceEnd | What::MappingEnd = event.what {
                // The end of a block is only noticed at whatever follows it.
                if event.start.offset != event.end.offset {
                    end = event.end.offset;
                }
                return Ok(end);
            }
            let child = self.node(event, depth)?;
            end = end.max(self.nodes[child].end);
        }
    }
}
