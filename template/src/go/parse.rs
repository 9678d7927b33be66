//! Parses Go templates, with the errors that Go gives.
//!
//! `actions.rs` parses what stands in an action; here is what actions make: lists, control
//! structures and definitions.

use std::{
    mem::{replace, take},
    sync::Arc,
};

use cairn_spec::SourceId;

use super::{
    ast::{
        Control, ControlId, Kind, List, Node, NodeId, NumberId, Pipe, PipeId, Program, Slot,
        StringId, Template,
    },
    format::{is_print, quote},
    literal::Number,
    token::{Keyword, LexError, Lexer, Token, TokenKind},
};
use crate::limits::MAX_SYNTAX_DEPTH;

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParseError {
    /// What is wrong.
    pub(crate) reason: String,
    /// Go's message: `template: NAME:LINE: REASON`.
    pub(crate) message: String,
    /// Where the parser stopped.
    pub(crate) offset: usize,
}

pub(super) type Parsed<T> = Result<T, ParseError>;

/// Parses a text that may not call the functions in `unknown`.
pub(crate) fn parse(
    name: &str,
    text: &Arc<str>,
    source: Option<SourceId>,
    unknown: &'static [&'static str],
    tables: &mut Tables,
) -> Result<Program, ParseError> {
    let mut parser = Parser {
        lexer: Lexer::new(text),
        text,
        unknown,
        tokens: [Token::END; 3],
        peeked: 0,
        action_start: None,
        depth: 0,
        scope: Scope::new(),
        scratch: Vec::new(),
        // After a mistake nobody goes on, and the tables are lost.
        program: Program {
            name: name.into(),
            text: Arc::clone(text),
            source,
            nodes: take(&mut tables.nodes),
            children: take(&mut tables.children),
            controls: take(&mut tables.controls),
            pipes: take(&mut tables.pipes),
            names: take(&mut tables.names),
            numbers: Vec::new(),
            strings: Vec::new(),
            slots: Vec::new(),
            templates: Vec::new(),
        },
    };
    parser.program()?;
    let mut program = parser.program;
    fit(&mut program.nodes, &mut tables.nodes);
    fit(&mut program.children, &mut tables.children);
    fit(&mut program.controls, &mut tables.controls);
    fit(&mut program.pipes, &mut tables.pipes);
    fit(&mut program.names, &mut tables.names);
    Ok(program)
}

/// Tables that one program after the other grows in, so that each is kept in as little memory as
/// it needs.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    nodes: Vec<Node>,
    children: Vec<NodeId>,
    controls: Vec<Control>,
    pipes: Vec<Pipe>,
    names: Vec<(u32, u32)>,
}

/// Copies what was read out of the table that it grew in, which is kept for the next.
fn fit<T: Copy>(table: &mut Vec<T>, kept: &mut Vec<T>) {
    let fitting = table.as_slice().to_vec();
    *kept = replace(table, fitting);
    kept.clear();
}

pub(super) struct Parser<'t> {
    lexer: Lexer<'t>,
    pub(super) text: &'t str,
    pub(super) unknown: &'static [&'static str],
    /// The token that was read last, and those that were pushed back behind it.
    tokens: [Token; 3],
    peeked: usize,
    /// Where the action starts that is being parsed.
    action_start: Option<usize>,
    pub(super) depth: usize,
    pub(super) scope: Scope<'t>,
    /// Children of lists that are not complete yet.
    pub(super) scratch: Vec<NodeId>,
    pub(super) program: Program,
}

/// The variables of one template.
pub(super) struct Scope<'t> {
    /// All that Go's parser knows, which includes those of a branch before this one.
    known: Vec<&'t str>,
    /// Those that are set when this place is rendered; the index is the slot.
    live: Vec<&'t str>,
    frame: usize,
    /// The slots of all assignments so far.
    assignments: Vec<Slot>,
    /// In which loops there were `break` and `continue` so far.
    jumps: Vec<usize>,
    loops: usize,
}

impl<'t> Scope<'t> {
    fn new() -> Self {
        Self {
            known: vec!["$"],
            live: vec!["$"],
            frame: 1,
            assignments: Vec::new(),
            jumps: Vec::new(),
            loops: 0,
        }
    }

    pub(super) fn declare(&mut self, name: &'t str) -> Slot {
        self.live.push(name);
        self.frame = self.frame.max(self.live.len());
        Slot(number(self.live.len() - 1))
    }

    pub(super) fn know(&mut self, name: &'t str) {
        self.known.push(name);
    }

    pub(super) fn assign(&mut self, slot: Option<Slot>) {
        self.assignments.extend(slot);
    }

    pub(super) fn is_known(&self, name: &str) -> bool {
        self.known.contains(&name)
    }

    pub(super) fn slot(&self, name: &str) -> Option<Slot> {
        let index = self.live.iter().rposition(|live| *live == name)?;
        Some(Slot(number(index)))
    }
}

/// A list that ended, and with what.
enum Ended {
    End,
    /// The position of the `else`, and whether `if` or `with` follows.
    Else(Option<Keyword>),
}

/// An `if`, or one `else if` of it, before its end was found.
struct Pending {
    kind: Keyword,
    start: usize,
    position: u32,
    pipe: NodeId,
    body: List,
    known: usize,
    live: usize,
    assignments: usize,
    jumps: usize,
}

impl<'t> Parser<'t> {
    // Tokens, with as much looking ahead as Go's parser does.

    pub(super) fn next(&mut self) -> Token {
        if self.peeked > 0 {
            self.peeked -= 1;
        } else {
            self.tokens[0] = self.lexer.next();
        }
        self.tokens[self.peeked]
    }

    pub(super) fn backup(&mut self) {
        self.peeked += 1;
    }

    pub(super) fn backup2(&mut self, before: Token) {
        self.tokens[1] = before;
        self.peeked = 2;
    }

    pub(super) fn backup3(&mut self, first: Token, second: Token) {
        self.tokens[1] = second;
        self.tokens[2] = first;
        self.peeked = 3;
    }

    pub(super) fn peek(&mut self) -> Token {
        if self.peeked > 0 {
            return self.tokens[self.peeked - 1];
        }
        self.peeked = 1;
        self.tokens[0] = self.lexer.next();
        self.tokens[0]
    }

    pub(super) fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != TokenKind::Space {
                return token;
            }
        }
    }

    pub(super) fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.backup();
        token
    }

    pub(super) fn value(&self, token: Token) -> &'t str {
        &self.text[token.range()]
    }

    fn line(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset]
            .split(|&byte| byte == b'\n')
            .count()
    }

    // Errors.

    pub(super) fn error(&self, reason: impl Into<String>) -> ParseError {
        let reason = reason.into();
        let offset = self.tokens[0].start();
        let message = format!(
            "template: {}:{}: {reason}",
            self.program.name,
            self.line(offset)
        );
        ParseError {
            reason,
            message,
            offset,
        }
    }

    pub(super) fn unexpected(&self, token: Token, context: &str) -> ParseError {
        let shown = self.shown(token);
        if token.kind != TokenKind::Error {
            return self.error(format!("unexpected {shown} in {context}"));
        }
        let line = self.action_start.map(|start| self.line(start));
        match line {
            Some(line) if line != self.line(token.start()) => {
                let action = if shown.ends_with(" action") {
                    ""
                } else {
                    " in action"
                };
                self.error(format!(
                    "{shown}{action} started at {}:{line}",
                    self.program.name
                ))
            }
            _ => self.error(shown),
        }
    }

    fn shown(&self, token: Token) -> String {
        let value = self.value(token);
        match (token.kind, self.lexer.error()) {
            (TokenKind::Eof, _) => "EOF".to_owned(),
            (TokenKind::Error, Some(error)) => lex_error(error, value),
            (TokenKind::Keyword(_) | TokenKind::Dot | TokenKind::Nil, _) => format!("<{value}>"),
            _ if value.len() > 10 => {
                let start: String = value.chars().take(10).collect();
                format!("{}...", quote(start.as_bytes()))
            }
            _ => quote(value.as_bytes()),
        }
    }

    pub(super) fn expect(&mut self, kind: TokenKind, context: &str) -> Parsed<Token> {
        let token = self.next_non_space();
        if token.kind == kind {
            Ok(token)
        } else {
            Err(self.unexpected(token, context))
        }
    }

    /// Goes one level deeper, if that is still allowed.
    pub(super) fn enter(&mut self) -> Parsed<()> {
        if self.depth >= MAX_SYNTAX_DEPTH {
            return Err(self.error(format!(
                "the template nests more than {MAX_SYNTAX_DEPTH} levels deep"
            )));
        }
        self.depth += 1;
        Ok(())
    }

    // Nodes.

    /// Adds a node that is one token.
    pub(super) fn add_token(&mut self, kind: Kind, token: Token) -> NodeId {
        self.add(kind, token.start(), token.start(), token.end())
    }

    pub(super) fn add(&mut self, kind: Kind, position: usize, start: usize, end: usize) -> NodeId {
        let id = NodeId(number(self.program.nodes.len()));
        self.program.nodes.push(Node {
            kind,
            position: number(position),
            start: number(start),
            end: number(end),
        });
        id
    }

    pub(super) fn add_pipe(&mut self, pipe: Pipe) -> PipeId {
        self.program.pipes.push(pipe);
        PipeId(number(self.program.pipes.len() - 1))
    }

    pub(super) fn add_string(&mut self, string: &[u8]) -> StringId {
        self.program.strings.push(string.into());
        StringId(number(self.program.strings.len() - 1))
    }

    pub(super) fn add_number(&mut self, value: Number) -> NumberId {
        self.program.numbers.push(value);
        NumberId(number(self.program.numbers.len() - 1))
    }

    /// Makes a list of what was put on the scratch since it was so long.
    pub(super) fn list(&mut self, since: usize) -> List {
        let start = number(self.program.children.len());
        self.program.children.extend(self.scratch.drain(since..));
        List {
            start,
            length: number(self.program.children.len()) - start,
        }
    }

    // Grammar.

    fn program(&mut self) -> Parsed<()> {
        let since = self.scratch.len();
        while self.peek().kind != TokenKind::Eof {
            if self.peek().kind == TokenKind::LeftDelim {
                let delim = self.next();
                if self.next_non_space().kind == TokenKind::Keyword(Keyword::Define) {
                    self.definition()?;
                    continue;
                }
                self.backup2(delim);
            }
            if let Some(ended) = self.text_or_action()? {
                return Err(self.unexpected_end(&ended, ""));
            }
        }
        let body = self.list(since);
        let name = Arc::clone(&self.program.name);
        self.define(name, body)
    }

    fn unexpected_end(&self, ended: &Ended, context: &str) -> ParseError {
        let shown = match ended {
            Ended::End => "{{end}}",
            Ended::Else(_) => "{{else}}",
        };
        self.error(format!("unexpected {shown}{context}"))
    }

    fn definition(&mut self) -> Parsed<()> {
        let context = "define clause";
        let token = self.next_non_space();
        let name = self.template_name(token, context)?;
        self.expect(TokenKind::RightDelim, context)?;
        let outer = replace(&mut self.scope, Scope::new());
        let (body, ended) = self.item_list()?;
        if !matches!(ended, Ended::End) {
            return Err(self.unexpected_end(&ended, " in define clause"));
        }
        self.define(name, body)?;
        self.scope = outer;
        Ok(())
    }

    /// Adds a template to what the text defines.
    fn define(&mut self, name: Arc<str>, body: List) -> Parsed<()> {
        let is_empty = self.program.children(body).iter().all(|&child| {
            let node = self.program.node(child);
            matches!(node.kind, Kind::Text)
                && self.text[node.start as usize..node.end as usize]
                    .trim()
                    .is_empty()
        });
        let template = Template {
            name,
            body,
            frame: number(self.scope.frame),
            is_empty,
        };
        let templates = &mut self.program.templates;
        match templates
            .iter_mut()
            .find(|known| known.name == template.name)
        {
            None => templates.push(template),
            Some(known) if known.is_empty => *known = template,
            Some(_) if template.is_empty => {}
            Some(_) => {
                return Err(self.error(format!(
                    "template: multiple definition of template {}",
                    quote(template.name.as_bytes())
                )));
            }
        }
        Ok(())
    }

    fn item_list(&mut self) -> Parsed<(List, Ended)> {
        self.enter()?;
        let since = self.scratch.len();
        while self.peek_non_space().kind != TokenKind::Eof {
            if let Some(ended) = self.text_or_action()? {
                self.depth -= 1;
                return Ok((self.list(since), ended));
            }
        }
        Err(self.error("unexpected EOF"))
    }

    /// Puts a node on the scratch, or tells that the list ended.
    fn text_or_action(&mut self) -> Parsed<Option<Ended>> {
        let token = self.next_non_space();
        match token.kind {
            TokenKind::Text => {
                let node = self.add_token(Kind::Text, token);
                self.scratch.push(node);
                Ok(None)
            }
            TokenKind::LeftDelim => {
                self.action_start = Some(token.start());
                let ended = self.action();
                // An error has been worded already.
                self.action_start = None;
                ended
            }
            _ => Err(self.unexpected(token, "input")),
        }
    }

    fn action(&mut self) -> Parsed<Option<Ended>> {
        let token = self.next_non_space();
        let node = match token.kind {
            TokenKind::Keyword(Keyword::Block) => self.block(token)?,
            TokenKind::Keyword(keyword @ (Keyword::Break | Keyword::Continue)) => {
                self.jump(token, keyword)?
            }
            TokenKind::Keyword(Keyword::Else) => {
                let next = self.peek_non_space();
                if let TokenKind::Keyword(keyword @ (Keyword::If | Keyword::With)) = next.kind {
                    return Ok(Some(Ended::Else(Some(keyword))));
                }
                self.expect(TokenKind::RightDelim, "else")?;
                return Ok(Some(Ended::Else(None)));
            }
            TokenKind::Keyword(Keyword::End) => {
                self.expect(TokenKind::RightDelim, "end")?;
                return Ok(Some(Ended::End));
            }
            TokenKind::Keyword(keyword @ (Keyword::If | Keyword::Range | Keyword::With)) => {
                self.control(token, keyword)?
            }
            TokenKind::Keyword(Keyword::Template) => self.template(token)?,
            _ => {
                self.backup();
                let start = self.peek().start();
                let pipe = self.pipeline("command", TokenKind::RightDelim)?;
                let end = self.program.node(pipe).end as usize;
                self.add(Kind::Action(pipe), start, start, end)
            }
        };
        self.scratch.push(node);
        Ok(None)
    }

    fn jump(&mut self, token: Token, keyword: Keyword) -> Parsed<NodeId> {
        let (kind, shown) = match keyword {
            Keyword::Break => (Kind::Break, "{{break}}"),
            _ => (Kind::Continue, "{{continue}}"),
        };
        let next = self.next_non_space();
        if next.kind != TokenKind::RightDelim {
            return Err(self.unexpected(next, shown));
        }
        if self.scope.loops == 0 {
            return Err(self.error(format!("{shown} outside {{{{range}}}}")));
        }
        self.scope.jumps.push(self.scope.loops);
        Ok(self.add_token(kind, token))
    }

    fn control(&mut self, token: Token, keyword: Keyword) -> Parsed<NodeId> {
        let mut pending = Vec::new();
        let mut open = self.open_control(token, keyword)?;
        // `else if` continues a chain, however long, without recursion.
        let otherwise = loop {
            match self.close_body(&mut open)? {
                Ended::End => break None,
                Ended::Else(Some(next)) if next == keyword && keyword != Keyword::Range => {
                    let token = self.next_non_space();
                    pending.push(open);
                    open = self.open_control(token, keyword)?;
                }
                Ended::Else(_) => {
                    let (list, ended) = self.item_list()?;
                    if let Ended::Else(_) = ended {
                        return Err(self.error("expected end; found {{else}}"));
                    }
                    break Some(list);
                }
            }
        };
        let mut node = self.finish_control(&open, otherwise);
        while let Some(outer) = pending.pop() {
            let since = self.scratch.len();
            self.scratch.push(node);
            let otherwise = self.list(since);
            node = self.finish_control(&outer, Some(otherwise));
        }
        Ok(node)
    }

    fn open_control(&mut self, token: Token, kind: Keyword) -> Parsed<Pending> {
        let (known, live) = (self.scope.known.len(), self.scope.live.len());
        let (assignments, jumps) = (self.scope.assignments.len(), self.scope.jumps.len());
        let context = match kind {
            Keyword::If => "if",
            Keyword::With => "with",
            _ => "range",
        };
        let pipe = self.pipeline(context, TokenKind::RightDelim)?;
        Ok(Pending {
            kind,
            start: token.start(),
            position: self.program.node(pipe).position,
            pipe,
            body: List::default(),
            known,
            live,
            assignments,
            jumps,
        })
    }

    fn close_body(&mut self, open: &mut Pending) -> Parsed<Ended> {
        let live = self.scope.live.len();
        if open.kind == Keyword::Range {
            self.scope.loops += 1;
        }
        let (body, ended) = self.item_list()?;
        if open.kind == Keyword::Range {
            self.scope.loops -= 1;
        }
        open.body = body;
        // What a branch declares is gone in the next, though Go's parser still knows the name.
        self.scope.live.truncate(live);
        Ok(ended)
    }

    fn finish_control(&mut self, open: &Pending, otherwise: Option<List>) -> NodeId {
        self.scope.known.truncate(open.known);
        self.scope.live.truncate(open.live);
        let start = number(self.program.slots.len());
        for &slot in &self.scope.assignments[open.assignments..] {
            let is_outside = (slot.0 as usize) < open.live;
            if is_outside && !self.program.slots[start as usize..].contains(&slot) {
                self.program.slots.push(slot);
            }
        }
        let length = number(self.program.slots.len()) - start;
        let loops = self.scope.loops;
        let jumps = self.scope.jumps[open.jumps..].contains(&loops) && loops > 0;
        self.program.controls.push(Control {
            pipe: open.pipe,
            body: open.body,
            otherwise,
            assigned: List { start, length },
            jumps,
        });
        let control = ControlId(number(self.program.controls.len() - 1));
        let kind = match open.kind {
            Keyword::If => Kind::If(control),
            Keyword::With => Kind::With(control),
            _ => Kind::Range(control),
        };
        let end = self.program.node(open.pipe).end as usize;
        self.add(kind, open.position as usize, open.start, end)
    }

    fn block(&mut self, token: Token) -> Parsed<NodeId> {
        let context = "block clause";
        let name_token = self.next_non_space();
        let name = self.template_name(name_token, context)?;
        let pipe = self.pipeline(context, TokenKind::RightDelim)?;
        let outer = replace(&mut self.scope, Scope::new());
        let (body, ended) = self.item_list()?;
        if !matches!(ended, Ended::End) {
            return Err(self.unexpected_end(&ended, " in block clause"));
        }
        self.define(Arc::clone(&name), body)?;
        self.scope = outer;
        Ok(self.add_template(token, name_token, &name, Some(pipe)))
    }

    fn template(&mut self, token: Token) -> Parsed<NodeId> {
        let context = "template clause";
        let name_token = self.next_non_space();
        let name = self.template_name(name_token, context)?;
        let pipe = if self.next_non_space().kind == TokenKind::RightDelim {
            None
        } else {
            self.backup();
            Some(self.pipeline(context, TokenKind::RightDelim)?)
        };
        Ok(self.add_template(token, name_token, &name, pipe))
    }

    fn add_template(
        &mut self,
        token: Token,
        name_token: Token,
        name: &str,
        pipe: Option<NodeId>,
    ) -> NodeId {
        let name = self.add_string(name.as_bytes());
        let end = pipe.map_or(name_token.end(), |pipe| {
            self.program.node(pipe).end as usize
        });
        let kind = Kind::Template { name, pipe };
        self.add(kind, name_token.start(), token.start(), end)
    }

    fn template_name(&mut self, token: Token, context: &str) -> Parsed<Arc<str>> {
        if !matches!(token.kind, TokenKind::String | TokenKind::RawString) {
            return Err(self.unexpected(token, context));
        }
        let name = self.unquoted(token)?;
        Ok(String::from_utf8_lossy(&name).into())
    }
}

fn lex_error(error: LexError, value: &str) -> String {
    let text = match error {
        LexError::UnclosedComment => "unclosed comment",
        LexError::CommentEndsEarly => "comment ends before closing delimiter",
        LexError::UnclosedLeftParen => "unclosed left paren",
        LexError::UnexpectedRightParen => "unexpected right paren",
        LexError::UnclosedAction => "unclosed action",
        LexError::ExpectedDeclare => "expected :=",
        LexError::UnterminatedCharacter => "unterminated character constant",
        LexError::UnterminatedString => "unterminated quoted string",
        LexError::UnterminatedRawString => "unterminated raw quoted string",
        LexError::BadNumber => return format!("bad number syntax: {}", quote(value.as_bytes())),
        LexError::BadCharacter(char) => return format!("bad character {}", code_point(char)),
        LexError::UnrecognizedCharacter(char) => {
            return format!("unrecognized character in action: {}", code_point(char));
        }
    };
    text.to_owned()
}

/// A character as Go's `%#U` prints it.
fn code_point(char: char) -> String {
    let number = format!("U+{:04X}", u32::from(char));
    if is_print(char) {
        format!("{number} '{char}'")
    } else {
        number
    }
}

/// Templates are below 4 GiB, as every source text is.
pub(super) fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
