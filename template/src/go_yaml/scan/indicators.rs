//! What starts a token: indicators, and the choice of scanner for everything else.

use super::{Kind, MAX_LEVELS, Mark, Scan, Scanner, SimpleKey, Token};

impl<'t> Scanner<'t> {
    /// Finds the next token, or the several that come with it.
    pub(super) fn fetch(&mut self) -> Scan<()> {
        if !self.started {
            self.started = true;
            self.simple_key_allowed = true;
            self.simple_keys.push(SimpleKey::default());
            self.push_empty(Kind::StreamStart);
            return Ok(());
        }
        self.skip_to_token();
        self.unroll_indent(Some(self.cursor.mark.column));
        if self.cursor.at_end() {
            return self.stream_end();
        }
        let (first, second) = (self.cursor.byte(0), self.cursor.byte(1));
        let in_flow = self.flow_level > 0;
        if self.cursor.mark.column == 0 && first == b'%' {
            return self.directive();
        }
        if self.cursor.at_document_indicator() {
            return self.document_indicator(first);
        }
        match first {
            b'[' => self.flow_start(Kind::FlowSequenceStart),
            b'{' => self.flow_start(Kind::FlowMappingStart),
            b']' => self.flow_end(Kind::FlowSequenceEnd),
            b'}' => self.flow_end(Kind::FlowMappingEnd),
            b',' => self.flow_entry(),
            b'-' if self.cursor.is_blankz(1) => self.block_entry(),
            b'?' if in_flow || self.cursor.is_blankz(1) => self.key(),
            b':' if in_flow || self.cursor.is_blankz(1) => self.value(),
            b'*' | b'&' => self.anchor(first == b'*'),
            b'!' => self.tag(),
            b'|' if !in_flow => self.block_scalar(true),
            b'>' if !in_flow => self.block_scalar(false),
            b'\'' => self.quoted_scalar(true),
            b'"' => self.quoted_scalar(false),
            b'-' if !matches!(second, b' ' | b'\t') => self.plain_scalar(),
            b'?' | b':' if !in_flow => self.plain_scalar(),
            b'-' | b'?' | b':' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' | b' ' | b'\t' => {
                Err(self.cannot_start())
            }
            _ if self.cursor.at_break() => Err(self.cannot_start()),
            _ => self.plain_scalar(),
        }
    }

    fn cannot_start(&self) -> super::Failure {
        let here = self.cursor.mark;
        self.scanner_error(here, "found character that cannot start any token")
    }

    /// Goes over spaces, comments and line breaks. Tabs are spaces where no key may start.
    fn skip_to_token(&mut self) {
        loop {
            if self.cursor.mark.column == 0 && self.cursor.rest().starts_with(b"\xef\xbb\xbf") {
                self.cursor.skip();
            }
            let tabs = self.flow_level > 0 || !self.simple_key_allowed;
            while self.cursor.byte(0) == b' ' || (tabs && self.cursor.byte(0) == b'\t') {
                self.cursor.skip();
            }
            self.cursor.skip_comment();
            if !self.cursor.at_break() {
                return;
            }
            self.cursor.take_break();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }

    fn stream_end(&mut self) -> Scan<()> {
        if let Some(broken) = self.cursor.broken_end() {
            return Err(broken);
        }
        if self.cursor.mark.column != 0 {
            self.cursor.mark.column = 0;
            self.cursor.mark.line += 1;
        }
        self.unroll_indent(None);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.push_empty(Kind::StreamEnd);
        Ok(())
    }

    fn document_indicator(&mut self, first: u8) -> Scan<()> {
        self.unroll_indent(None);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let kind = if first == b'-' {
            Kind::DocumentStart
        } else {
            Kind::DocumentEnd
        };
        self.push_indicator(kind, 3);
        Ok(())
    }

    fn flow_start(&mut self, kind: Kind<'t>) -> Scan<()> {
        self.save_simple_key()?;
        let mark = self.cursor.mark;
        self.simple_keys.push(SimpleKey {
            token: self.taken + self.tokens.len(),
            mark,
            ..SimpleKey::default()
        });
        self.flow_level += 1;
        if self.flow_level > MAX_LEVELS {
            return Err(self.scanner_error(mark, format!("exceeded max depth of {MAX_LEVELS}")));
        }
        self.simple_key_allowed = true;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn flow_end(&mut self, kind: Kind<'t>) -> Scan<()> {
        self.remove_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            let inner = self.simple_keys.pop().map(|key| key.token);
            if let Some(key) = self.simple_keys.last_mut()
                && Some(key.token) == inner
            {
                key.awaited = false;
            }
        }
        self.simple_key_allowed = false;
        self.push_indicator(kind, 1);
        Ok(())
    }

    fn flow_entry(&mut self) -> Scan<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(Kind::FlowEntry, 1);
        Ok(())
    }

    fn block_entry(&mut self) -> Scan<()> {
        // In a flow collection the parser refuses it, since it can say where the collection is.
        if self.flow_level == 0 {
            let here = self.cursor.mark;
            if !self.simple_key_allowed {
                let problem = "block sequence entries are not allowed in this context";
                return Err(self.scanner_error(here, problem));
            }
            self.roll_indent(here.column, None, Kind::BlockSequenceStart, here)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.push_indicator(Kind::BlockEntry, 1);
        Ok(())
    }

    fn key(&mut self) -> Scan<()> {
        if self.flow_level == 0 {
            self.start_mapping_here("mapping keys are not allowed in this context")?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.push_indicator(Kind::Key, 1);
        Ok(())
    }

    fn value(&mut self) -> Scan<()> {
        let level = self.simple_keys.len() - 1;
        if self.is_valid_key(level)? {
            let key = self.simple_keys[level];
            self.insert_token(
                key.token,
                Token {
                    kind: Kind::Key,
                    start: key.mark,
                    end: key.mark,
                },
            );
            self.roll_indent(
                key.mark.column,
                Some(key.token),
                Kind::BlockMappingStart,
                key.mark,
            )?;
            self.simple_keys[level].possible = false;
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                self.start_mapping_here("mapping values are not allowed in this context")?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.push_indicator(Kind::Value, 1);
        Ok(())
    }

    fn start_mapping_here(&mut self, problem: &'static str) -> Scan<()> {
        let here = self.cursor.mark;
        if !self.simple_key_allowed {
            return Err(self.scanner_error(here, problem));
        }
        self.roll_indent(here.column, None, Kind::BlockMappingStart, here)
    }

    fn push_indicator(&mut self, kind: Kind<'t>, length: usize) {
        let start = self.cursor.mark;
        self.cursor.skip_bytes(length);
        self.push_token(kind, start);
    }

    /// Adds a token that ends here.
    pub(super) fn push_token(&mut self, kind: Kind<'t>, start: Mark) {
        let end = self.cursor.mark;
        self.tokens.push_back(Token { kind, start, end });
    }
}
