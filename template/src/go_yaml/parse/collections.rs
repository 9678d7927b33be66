//! The entries of lists and maps, in blocks and in brackets.

use super::{Event, Kind, Mark, Parse, Parser, Properties, State, What, empty_scalar, event};

impl<'t> Parser<'t> {
    pub(super) fn block_sequence_entry(&mut self) -> Parse<Event<'t>> {
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            Kind::BlockEntry => {
                self.scanner.take();
                match self.scanner.peek()?.kind {
                    Kind::BlockEntry | Kind::BlockEnd => {
                        self.state = State::BlockSequenceEntry;
                        Ok(empty_scalar(end))
                    }
                    _ => {
                        self.states.push(State::BlockSequenceEntry);
                        self.node(true, false)
                    }
                }
            }
            Kind::BlockEnd => self.end_collection(What::SequenceEnd),
            _ => Err(self.in_collection("did not find expected '-' indicator", start)),
        }
    }

    pub(super) fn indentless_sequence_entry(&mut self) -> Parse<Event<'t>> {
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        if token.kind != Kind::BlockEntry {
            self.leave();
            return Ok(event(What::SequenceEnd, start, start));
        }
        self.scanner.take();
        match self.scanner.peek()?.kind {
            Kind::BlockEntry | Kind::Key | Kind::Value | Kind::BlockEnd => {
                self.state = State::IndentlessSequenceEntry;
                Ok(empty_scalar(end))
            }
            _ => {
                self.states.push(State::IndentlessSequenceEntry);
                self.node(true, false)
            }
        }
    }

    pub(super) fn block_mapping_key(&mut self) -> Parse<Event<'t>> {
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        match token.kind {
            Kind::Key => {
                self.scanner.take();
                self.block_mapping_node(State::BlockMappingValue, end)
            }
            Kind::BlockEnd => self.end_collection(What::MappingEnd),
            _ => Err(self.in_collection("did not find expected key", start)),
        }
    }

    pub(super) fn block_mapping_value(&mut self) -> Parse<Event<'t>> {
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        if token.kind != Kind::Value {
            self.state = State::BlockMappingKey;
            return Ok(empty_scalar(start));
        }
        self.scanner.take();
        self.block_mapping_node(State::BlockMappingKey, end)
    }

    fn block_mapping_node(&mut self, next: State, indicator_end: Mark) -> Parse<Event<'t>> {
        match self.scanner.peek()?.kind {
            Kind::Key | Kind::Value | Kind::BlockEnd => {
                self.state = next;
                Ok(empty_scalar(indicator_end))
            }
            _ => {
                self.states.push(next);
                self.node(true, true)
            }
        }
    }

    pub(super) fn flow_sequence_entry(&mut self, first: bool) -> Parse<Event<'t>> {
        self.flow_separator(
            first,
            &Kind::FlowSequenceEnd,
            "did not find expected ',' or ']'",
        )?;
        let token = self.scanner.peek()?;
        match token.kind {
            Kind::FlowSequenceEnd => self.end_collection(What::SequenceEnd),
            Kind::Key => {
                self.state = State::FlowSequenceEntryKey;
                self.event_of_token(What::MappingStart(Properties::default()))
            }
            _ => {
                self.states.push(State::FlowSequenceEntry);
                self.node(false, false)
            }
        }
    }

    pub(super) fn flow_sequence_entry_key(&mut self) -> Parse<Event<'t>> {
        let token = self.scanner.peek()?;
        match token.kind {
            Kind::Value | Kind::FlowEntry | Kind::FlowSequenceEnd => {
                // libyaml takes the token here, whatever it is.
                let mark = token.end;
                self.scanner.take();
                self.state = State::FlowSequenceEntryValue;
                Ok(empty_scalar(mark))
            }
            _ => {
                self.states.push(State::FlowSequenceEntryValue);
                self.node(false, false)
            }
        }
    }

    pub(super) fn flow_sequence_entry_value(&mut self) -> Parse<Event<'t>> {
        let token = self.scanner.peek()?;
        let mark = token.start;
        if token.kind == Kind::Value {
            self.scanner.take();
            let next = &self.scanner.peek()?.kind;
            if !matches!(next, Kind::FlowEntry | Kind::FlowSequenceEnd) {
                self.states.push(State::FlowSequenceEntryEnd);
                return self.node(false, false);
            }
        }
        self.state = State::FlowSequenceEntryEnd;
        Ok(empty_scalar(mark))
    }

    pub(super) fn flow_mapping_key(&mut self, first: bool) -> Parse<Event<'t>> {
        self.flow_separator(
            first,
            &Kind::FlowMappingEnd,
            "did not find expected ',' or '}'",
        )?;
        match self.scanner.peek()?.kind {
            Kind::FlowMappingEnd => self.end_collection(What::MappingEnd),
            Kind::Key => {
                self.scanner.take();
                self.flow_mapping_node(State::FlowMappingValue, true)
            }
            _ => {
                self.states.push(State::FlowMappingEmptyValue);
                self.node(false, false)
            }
        }
    }

    pub(super) fn flow_mapping_value(&mut self) -> Parse<Event<'t>> {
        let token = self.scanner.peek()?;
        let mark = token.start;
        if token.kind != Kind::Value {
            self.state = State::FlowMappingKey;
            return Ok(empty_scalar(mark));
        }
        self.scanner.take();
        self.flow_mapping_node(State::FlowMappingKey, false)
    }

    fn flow_mapping_node(&mut self, next: State, key: bool) -> Parse<Event<'t>> {
        let token = self.scanner.peek()?;
        let mark = token.start;
        let empty = match token.kind {
            Kind::FlowEntry | Kind::FlowMappingEnd => true,
            Kind::Value => key,
            _ => false,
        };
        if empty {
            self.state = next;
            return Ok(empty_scalar(mark));
        }
        self.states.push(next);
        self.node(false, false)
    }

    /// Goes over the `,` that stands before all entries but the first.
    fn flow_separator(&mut self, first: bool, end: &Kind<'t>, problem: &'static str) -> Parse<()> {
        let token = self.scanner.peek()?;
        if first || token.kind == *end {
            return Ok(());
        }
        let mark = token.start;
        if token.kind != Kind::FlowEntry {
            return Err(self.in_collection(problem, mark));
        }
        self.scanner.take();
        Ok(())
    }
}
