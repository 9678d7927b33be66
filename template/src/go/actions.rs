//! Parses what stands in an action: pipelines, commands and operands.

use std::borrow::Cow;

use super::{
    ast::{Kind, List, Node, NodeId, Pipe},
    format::quote,
    literal,
    parse::{Parsed, Parser, number},
    token::{Token, TokenKind},
};
use crate::functions;

impl<'t> Parser<'t> {
    pub(super) fn pipeline(&mut self, context: &str, end: TokenKind) -> Parsed<NodeId> {
        let start = self.peek_non_space().start();
        let since = self.scratch.len();
        let is_assignment = self.declarations(context)?;
        let variables = self.list(since);
        let since = self.scratch.len();
        let last = loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break token,
                TokenKind::Bool
                | TokenKind::CharConstant
                | TokenKind::Complex
                | TokenKind::Dot
                | TokenKind::Field
                | TokenKind::Identifier
                | TokenKind::Number
                | TokenKind::Nil
                | TokenKind::RawString
                | TokenKind::String
                | TokenKind::Variable
                | TokenKind::LeftParen => {
                    self.backup();
                    let command = self.command()?;
                    self.scratch.push(command);
                }
                _ => return Err(self.unexpected(token, context)),
            }
        };
        let commands = self.list(since);
        self.check_pipeline(commands, context)?;
        if !is_assignment {
            self.open_slots(variables);
        }
        let end = match self.program.children(commands).last() {
            Some(&command) => self.program.node(command).end as usize,
            None => last.start(),
        };
        let pipe = self.add_pipe(Pipe {
            variables,
            is_assignment,
            commands,
        });
        Ok(self.add(Kind::Pipe(pipe), start, start, end))
    }

    /// Reads `$x :=`, `$x =` or `$i, $x :=` and puts the variables on the scratch; gives
    /// whether it assigns.
    fn declarations(&mut self, context: &str) -> Parsed<bool> {
        let mut found: Vec<Token> = Vec::new();
        loop {
            let variable = self.peek_non_space();
            if variable.kind != TokenKind::Variable {
                // `range $i, := x` declares one.
                self.declare(&found, false);
                return Ok(false);
            }
            self.next();
            let after = self.peek();
            let next = self.peek_non_space();
            match next.kind {
                TokenKind::Assign | TokenKind::Declare => {
                    let is_assignment = next.kind == TokenKind::Assign;
                    self.next_non_space();
                    found.push(variable);
                    self.declare(&found, is_assignment);
                    return Ok(is_assignment);
                }
                TokenKind::Char if self.value(next) == "," => {
                    self.next_non_space();
                    found.push(variable);
                    if context != "range" || found.len() >= 2 {
                        return Err(self.error(format!("too many declarations in {context}")));
                    }
                    let following = self.peek_non_space().kind;
                    if !matches!(
                        following,
                        TokenKind::Variable | TokenKind::RightDelim | TokenKind::RightParen
                    ) {
                        return Err(self.error("range can only initialize variables"));
                    }
                }
                _ => {
                    if after.kind == TokenKind::Space {
                        self.backup3(variable, after);
                    } else {
                        self.backup2(variable);
                    }
                    self.declare(&found, false);
                    return Ok(false);
                }
            }
        }
    }

    /// Gives declared variables their slots, which is only due once the pipeline is read: in
    /// `$x := f $x` the argument is the variable of that name before this one.
    fn open_slots(&mut self, variables: List) {
        for id in self.program.children(variables).to_vec() {
            let Node {
                kind, start, end, ..
            } = self.program.node(id);
            let name = self.text.get(start as usize..end as usize);
            if let (Kind::Variable(_, names), Some(name)) = (kind, name) {
                let slot = self.scope.declare(name);
                self.program.set_kind(id, Kind::Variable(Some(slot), names));
            }
        }
    }

    fn declare(&mut self, variables: &[Token], is_assignment: bool) {
        for &token in variables {
            let name = &self.text[token.range()];
            let slot = if is_assignment {
                let slot = self.scope.slot(name);
                self.scope.assign(slot);
                slot
            } else {
                None
            };
            // Go's parser takes the name as declared from here on.
            self.scope.know(name);
            let names = self.names(&[token], 0);
            let node = self.add_token(Kind::Variable(slot, names), token);
            self.scratch.push(node);
        }
    }

    fn check_pipeline(&mut self, commands: List, context: &str) -> Parsed<()> {
        if commands.length == 0 {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (index, &command) in self.program.children(commands).iter().enumerate().skip(1) {
            let Kind::Command(arguments) = self.program.node(command).kind else {
                continue;
            };
            let first = self.program.children(arguments)[0];
            if matches!(
                self.program.node(first).kind,
                Kind::Bool(_) | Kind::Dot | Kind::Nil | Kind::Number(_) | Kind::String(_)
            ) {
                return Err(self.error(format!(
                    "non executable command in pipeline stage {}",
                    index + 1
                )));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<NodeId> {
        let start = self.peek_non_space().start();
        let since = self.scratch.len();
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                self.scratch.push(operand);
            }
            let token = self.next();
            match token.kind {
                TokenKind::Space => {}
                TokenKind::RightDelim | TokenKind::RightParen => {
                    self.backup();
                    break;
                }
                TokenKind::Pipe => break,
                _ => return Err(self.unexpected(token, "operand")),
            }
        }
        let arguments = self.list(since);
        let Some(&last) = self.program.children(arguments).last() else {
            return Err(self.error("empty command"));
        };
        let end = self.program.node(last).end as usize;
        Ok(self.add(Kind::Command(arguments), start, start, end))
    }

    fn operand(&mut self) -> Parsed<Option<NodeId>> {
        let Some(term) = self.term()? else {
            return Ok(None);
        };
        if self.peek().kind != TokenKind::Field {
            return Ok(Some(term));
        }
        let position = self.peek().start();
        let mut fields = Vec::new();
        while self.peek().kind == TokenKind::Field {
            fields.push(self.next());
        }
        let node = self.program.node(term);
        let end = fields.last().map_or(position, |field| field.end());
        let kind = match node.kind {
            Kind::Field(names) => Kind::Field(self.extend_names(names, &fields)),
            Kind::Variable(slot, names) => Kind::Variable(slot, self.extend_names(names, &fields)),
            Kind::Bool(_) | Kind::String(_) | Kind::Number(_) | Kind::Nil | Kind::Dot => {
                let term = self.program.shown(term);
                return Err(self.error(format!(
                    "unexpected . after term {}",
                    quote(term.as_bytes())
                )));
            }
            _ => Kind::Chain(term, self.names(&fields, 1)),
        };
        Ok(Some(self.add(kind, position, node.start as usize, end)))
    }

    fn term(&mut self) -> Parsed<Option<NodeId>> {
        let token = self.next_non_space();
        let value = self.value(token);
        let kind = match token.kind {
            TokenKind::Identifier => {
                let known = functions::find(value).filter(|_| !self.unknown.contains(&value));
                let Some(function) = known else {
                    let name = quote(value.as_bytes());
                    return Err(self.error(format!("function {name} not defined")));
                };
                Kind::Function(function)
            }
            TokenKind::Dot => Kind::Dot,
            TokenKind::Nil => Kind::Nil,
            TokenKind::Variable => {
                if !self.scope.is_known(value) {
                    let name = quote(value.as_bytes());
                    return Err(self.error(format!("undefined variable {name}")));
                }
                let slot = self.scope.slot(value);
                Kind::Variable(slot, self.names(&[token], 0))
            }
            TokenKind::Field => Kind::Field(self.names(&[token], 1)),
            TokenKind::Bool => Kind::Bool(value == "true"),
            TokenKind::CharConstant => {
                let char = literal::character(value).map_err(|problem| self.error(problem))?;
                let number = literal::Number {
                    int: Some(char),
                    #[expect(clippy::cast_precision_loss, reason = "a character is far smaller")]
                    float: char as f64,
                    imaginary: None,
                    is_float: false,
                };
                Kind::Number(self.add_number(number))
            }
            TokenKind::Complex | TokenKind::Number => {
                let number = literal::number(value).map_err(|problem| self.error(problem))?;
                Kind::Number(self.add_number(number))
            }
            TokenKind::LeftParen => {
                self.enter()?;
                let pipe = self.pipeline("parenthesized pipeline", TokenKind::RightParen)?;
                self.depth -= 1;
                return Ok(Some(pipe));
            }
            TokenKind::String | TokenKind::RawString => {
                let string = self.unquoted(token)?;
                Kind::String(self.add_string(&string))
            }
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some(self.add_token(kind, token)))
    }

    pub(super) fn unquoted(&mut self, token: Token) -> Parsed<Cow<'t, [u8]>> {
        literal::unquote(self.value(token)).ok_or_else(|| self.error("invalid syntax"))
    }

    /// Adds names to the table, each without so many bytes at its start.
    fn names(&mut self, tokens: &[Token], skipped: usize) -> List {
        let start = number(self.program.names.len());
        for token in tokens {
            let range = (number(token.start() + skipped), number(token.end()));
            self.program.names.push(range);
        }
        List {
            start,
            length: number(tokens.len()),
        }
    }

    /// The names, which are the last in the table, with those of more fields.
    fn extend_names(&mut self, names: List, fields: &[Token]) -> List {
        let more = self.names(fields, 1);
        List {
            start: names.start,
            length: names.length + more.length,
        }
    }
}
