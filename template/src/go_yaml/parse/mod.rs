//! libyaml's parser: tokens to events.

mod collections;

use std::borrow::Cow;

use super::{
    error::Failure,
    input::Input,
    scan::{Kind, Mark, Scanner, Token},
};

/// What the text says next, and where.
#[derive(Debug)]
pub(super) struct Event<'t> {
    pub(super) what: What<'t>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

#[derive(Debug)]
pub(super) enum What<'t> {
    StreamStart,
    StreamEnd,
    DocumentStart,
    DocumentEnd,
    Alias(&'t str),
    Scalar {
        properties: Properties<'t>,
        text: Cow<'t, str>,
        /// The text decides what the scalar means.
        implicit: bool,
    },
    SequenceStart(Properties<'t>),
    SequenceEnd,
    MappingStart(Properties<'t>),
    MappingEnd,
}

/// What may stand before a node.
#[derive(Debug, Default, Clone)]
pub(super) struct Properties<'t> {
    pub(super) anchor: Option<&'t str>,
    /// In full; empty when there is none.
    pub(super) tag: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    StreamStart,
    ImplicitDocumentStart,
    DocumentStart,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceFirstEntry,
    BlockSequenceEntry,
    IndentlessSequenceEntry,
    BlockMappingFirstKey,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceFirstEntry,
    FlowSequenceEntry,
    FlowSequenceEntryKey,
    FlowSequenceEntryValue,
    FlowSequenceEntryEnd,
    FlowMappingFirstKey,
    FlowMappingKey,
    FlowMappingValue,
    FlowMappingEmptyValue,
    End,
}

type Parse<T> = Result<T, Failure>;

#[derive(Debug)]
pub(super) struct Parser<'t> {
    scanner: Scanner<'t>,
    state: State,
    states: Vec<State>,
    marks: Vec<Mark>,
    tag_directives: Vec<(String, String)>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(input: &'t Input<'_>) -> Self {
        Self {
            scanner: Scanner::new(input),
            state: State::StreamStart,
            states: Vec::new(),
            marks: Vec::new(),
            tag_directives: Vec::new(),
        }
    }

    pub(super) fn next(&mut self) -> Parse<Event<'t>> {
        match self.state {
            State::StreamStart => {
                self.state = State::ImplicitDocumentStart;
                self.event_of_token(What::StreamStart)
            }
            State::ImplicitDocumentStart => self.document_start(true),
            State::DocumentStart => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(true, false),
            State::BlockSequenceFirstEntry => {
                self.enter()?;
                self.block_sequence_entry()
            }
            State::BlockSequenceEntry => self.block_sequence_entry(),
            State::IndentlessSequenceEntry => self.indentless_sequence_entry(),
            State::BlockMappingFirstKey => {
                self.enter()?;
                self.block_mapping_key()
            }
            State::BlockMappingKey => self.block_mapping_key(),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceFirstEntry => {
                self.enter()?;
                self.flow_sequence_entry(true)
            }
            State::FlowSequenceEntry => self.flow_sequence_entry(false),
            State::FlowSequenceEntryKey => self.flow_sequence_entry_key(),
            State::FlowSequenceEntryValue => self.flow_sequence_entry_value(),
            State::FlowSequenceEntryEnd => {
                self.state = State::FlowSequenceEntry;
                let mark = self.scanner.peek()?.start;
                Ok(event(What::MappingEnd, mark, mark))
            }
            State::FlowMappingFirstKey => {
                self.enter()?;
                self.flow_mapping_key(true)
            }
            State::FlowMappingKey => self.flow_mapping_key(false),
            State::FlowMappingValue => self.flow_mapping_value(),
            State::FlowMappingEmptyValue => {
                self.state = State::FlowMappingKey;
                let mark = self.scanner.peek()?.start;
                Ok(empty_scalar(mark))
            }
            State::End => Err(Failure::new(
                "attempted to go past the end of stream; corrupted value?",
            )),
        }
    }

    fn document_start(&mut self, implicit: bool) -> Parse<Event<'t>> {
        if !implicit {
            while self.scanner.peek()?.kind == Kind::DocumentEnd {
                self.scanner.take();
            }
        }
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            Kind::StreamEnd => {
                self.state = State::End;
                self.event_of_token(What::StreamEnd)
            }
            Kind::VersionDirective { .. } | Kind::TagDirective { .. } | Kind::DocumentStart => {
                self.explicit_document_start(start)
            }
            _ if implicit => {
                self.directives()?;
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                Ok(event(What::DocumentStart, start, end))
            }
            _ => self.explicit_document_start(start),
        }
    }

    fn explicit_document_start(&mut self, start: Mark) -> Parse<Event<'t>> {
        self.directives()?;
        let token = self.scanner.peek()?;
        if token.kind != Kind::DocumentStart {
            let mark = token.start;
            return Err(found_by_parser(
                "did not find expected <document start>",
                mark,
            ));
        }
        let end = token.end;
        self.states.push(State::DocumentEnd);
        self.state = State::DocumentContent;
        self.scanner.take();
        Ok(event(What::DocumentStart, start, end))
    }

    fn document_content(&mut self) -> Parse<Event<'t>> {
        let token = self.scanner.peek()?;
        match token.kind {
            Kind::VersionDirective { .. }
            | Kind::TagDirective { .. }
            | Kind::DocumentStart
            | Kind::DocumentEnd
            | Kind::StreamEnd => {
                let mark = token.start;
                self.leave();
                Ok(empty_scalar(mark))
            }
            _ => self.node(true, false),
        }
    }

    fn document_end(&mut self) -> Parse<Event<'t>> {
        let token = self.scanner.peek()?;
        let start = token.start;
        let mut end = token.start;
        if token.kind == Kind::DocumentEnd {
            end = token.end;
            self.scanner.take();
        }
        self.tag_directives.clear();
        self.state = State::DocumentStart;
        Ok(event(What::DocumentEnd, start, end))
    }

    /// A node with its properties; a sequence may start without more indentation where
    /// `indentless` is set.
    fn node(&mut self, block: bool, indentless: bool) -> Parse<Event<'t>> {
        let token = self.scanner.peek()?;
        let start = token.start;
        let mut end = token.start;
        if let Kind::Alias(name) = token.kind {
            let end = token.end;
            self.scanner.take();
            self.leave();
            return Ok(event(What::Alias(name), start, end));
        }
        let properties = self.properties(start, &mut end)?;
        let token = self.scanner.peek()?;
        let inner = token.end;
        let begin = |parser: &mut Self, state, what| {
            parser.state = state;
            Ok(event(what, start, inner))
        };
        match &token.kind {
            Kind::BlockEntry if indentless => begin(
                self,
                State::IndentlessSequenceEntry,
                What::SequenceStart(properties),
            ),
            Kind::Scalar { .. } => {
                let Some(Token {
                    kind: Kind::Scalar { text, plain },
                    end,
                    ..
                }) = self.scanner.take()
                else {
                    return Err(Failure::new("did not find expected node content"));
                };
                self.leave();
                let implicit = (properties.tag.is_empty() && plain) || properties.tag == "!";
                let what = What::Scalar {
                    properties,
                    text,
                    implicit,
                };
                Ok(event(what, start, end))
            }
            Kind::FlowSequenceStart => begin(
                self,
                State::FlowSequenceFirstEntry,
                What::SequenceStart(properties),
            ),
            Kind::FlowMappingStart => begin(
                self,
                State::FlowMappingFirstKey,
                What::MappingStart(properties),
            ),
            Kind::BlockSequenceStart if block => begin(
                self,
                State::BlockSequenceFirstEntry,
                What::SequenceStart(properties),
            ),
            Kind::BlockMappingStart if block => begin(
                self,
                State::BlockMappingFirstKey,
                What::MappingStart(properties),
            ),
            _ if properties.anchor.is_some() || !properties.tag.is_empty() => {
                self.leave();
                let implicit = properties.tag.is_empty();
                let what = What::Scalar {
                    properties,
                    text: Cow::Borrowed(""),
                    implicit,
                };
                Ok(event(what, start, end))
            }
            _ => {
                let mark = token.start;
                Err(within("did not find expected node content", mark, start))
            }
        }
    }

    /// An anchor and a tag, in any order.
    fn properties(&mut self, start: Mark, end: &mut Mark) -> Parse<Properties<'t>> {
        let mut properties = Properties::default();
        let mut found_tag = false;
        loop {
            let token = self.scanner.peek()?;
            match token.kind {
                Kind::Anchor(name) if properties.anchor.is_none() => {
                    properties.anchor = Some(name);
                    *end = token.end;
                    self.scanner.take();
                }
                Kind::Tag { .. } if !found_tag => {
                    found_tag = true;
                    *end = token.end;
                    let Some(Token {
                        kind: Kind::Tag { handle, suffix },
                        start: mark,
                        ..
                    }) = self.scanner.take()
                    else {
                        break;
                    };
                    properties.tag = self.full_tag(&handle, suffix, mark, start)?;
                }
                _ => break,
            }
        }
        Ok(properties)
    }

    fn full_tag(&self, handle: &str, suffix: String, mark: Mark, start: Mark) -> Parse<String> {
        if handle.is_empty() {
            return Ok(suffix);
        }
        match self.tag_directives.iter().find(|(name, _)| name == handle) {
            Some((_, prefix)) if !prefix.is_empty() || !suffix.is_empty() => {
                Ok(format!("{prefix}{suffix}"))
            }
            _ => Err(within("found undefined tag handle", mark, start)),
        }
    }

    fn directives(&mut self) -> Parse<()> {
        let mut version = false;
        loop {
            let token = self.scanner.peek()?;
            let mark = token.start;
            match token.kind {
                Kind::VersionDirective { major, minor } => {
                    if version {
                        return Err(found_by_parser("found duplicate %YAML directive", mark));
                    }
                    if (major, minor) != (1, 1) {
                        return Err(found_by_parser("found incompatible YAML document", mark));
                    }
                    version = true;
                    self.scanner.take();
                }
                Kind::TagDirective { .. } => {
                    if let Some(Token {
                        kind: Kind::TagDirective { handle, prefix },
                        ..
                    }) = self.scanner.take()
                    {
                        if self.tag_directives.iter().any(|(name, _)| *name == handle) {
                            return Err(found_by_parser("found duplicate %TAG directive", mark));
                        }
                        self.tag_directives.push((handle, prefix));
                    }
                }
                _ => break,
            }
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if !self.tag_directives.iter().any(|(name, _)| name == handle) {
                self.tag_directives
                    .push((handle.to_owned(), prefix.to_owned()));
            }
        }
        Ok(())
    }

    /// Takes the token that starts a collection.
    fn enter(&mut self) -> Parse<()> {
        let mark = self.scanner.peek()?.start;
        self.marks.push(mark);
        self.scanner.take();
        Ok(())
    }

    fn leave(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    fn end_collection(&mut self, what: What<'t>) -> Parse<Event<'t>> {
        self.leave();
        self.marks.pop();
        self.event_of_token(what)
    }

    /// Takes a token that is an event.
    fn event_of_token(&mut self, what: What<'t>) -> Parse<Event<'t>> {
        let token = self.scanner.peek()?;
        let event = event(what, token.start, token.end);
        self.scanner.take();
        Ok(event)
    }

    fn in_collection(&self, problem: &'static str, mark: Mark) -> Failure {
        within(
            problem,
            mark,
            self.marks.last().copied().unwrap_or_default(),
        )
    }
}

fn event(what: What<'_>, start: Mark, end: Mark) -> Event<'_> {
    Event { what, start, end }
}

fn empty_scalar<'t>(mark: Mark) -> Event<'t> {
    event(
        What::Scalar {
            properties: Properties::default(),
            text: Cow::Borrowed(""),
            implicit: true,
        },
        mark,
        mark,
    )
}

fn found_by_parser(problem: &'static str, mark: Mark) -> Failure {
    Failure::by_parser(problem, mark, Mark::default())
}

fn within(problem: &'static str, mark: Mark, context: Mark) -> Failure {
    Failure::by_parser(problem, mark, context)
}
