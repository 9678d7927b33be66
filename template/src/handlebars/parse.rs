//! Parses a template: finds the tags, lets the `handlebars` crate parse each of them, and
//! builds the tree of blocks. All that is wrong is reported, not only the first.

use std::{ops::Range, sync::Arc};

use cairn_spec::{Diagnostics, SourceId, Span, suggest};
use handlebars::template::{BlockParam, TemplateElement};

use super::{
    ast::{Block, BlockKind, Branch, Element, Expression, PartialCall, Program, span},
    lower::{Lowering, Parsed, not_understood},
    problem::Problem,
    tags::{Kind, Piece, Tag, scan},
};
use crate::helpers;

/// How deep blocks may nest in one template.
const MAX_BLOCKS: usize = 64;

/// Parses a text; a program that has errors is empty.
pub(crate) fn parse(
    name: &str,
    text: &Arc<str>,
    source: SourceId,
    diagnostics: &mut Diagnostics,
) -> Program {
    let (pieces, problems) = scan(text);
    let mut parser = Parser {
        lowering: Lowering { text, source },
        problems,
        open: Vec::new(),
        elements: Vec::new(),
        partials: Vec::new(),
    };
    for piece in &pieces {
        match piece {
            Piece::Text(range) if range.is_empty() => {}
            Piece::Text(range) => parser.push(Element::Text(range.clone())),
            Piece::Tag(tag) => parser.tag(tag),
        }
    }
    parser.finish();
    let mut program = Program {
        name: Arc::from(name),
        source,
        text: Arc::clone(text),
        elements: parser.elements,
        partials: parser.partials,
    };
    parser
        .problems
        .sort_by_key(|problem| (problem.range.start, problem.range.end));
    if !parser.problems.is_empty() {
        program.elements.clear();
    }
    for problem in parser.problems {
        diagnostics.push(problem.into_diagnostic(source));
    }
    program
}

struct Parser<'t> {
    lowering: Lowering<'t>,
    problems: Vec<Problem>,
    open: Vec<OpenBlock>,
    elements: Vec<Element>,
    partials: Vec<(Arc<str>, Span)>,
}

/// A block whose end was not seen yet.
struct OpenBlock {
    tag: Range<usize>,
    name: String,
    branches: Vec<Branch>,
    /// The branch that is being read; none when its tag is wrong, and after `{{else}}`.
    current: Option<Branch>,
    elements: Vec<Element>,
    has_else: bool,
}

impl Parser<'_> {
    fn push(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(block) => block.elements.push(element),
            None => self.elements.push(element),
        }
    }

    fn tag(&mut self, tag: &Tag) {
        let result = match tag.kind {
            Kind::Comment => Ok(()),
            Kind::Print | Kind::Partial | Kind::Unsupported if tag.broken => Ok(()),
            Kind::Print => self
                .print(tag)
                .map(|expression| self.push(Element::Print(expression))),
            Kind::Partial => self
                .partial(tag)
                .map(|call| self.push(Element::Partial(call))),
            Kind::Open | Kind::OpenUnsupported => self.open(tag),
            Kind::Else => self.otherwise(tag),
            Kind::Close => self.close(tag),
            Kind::Unsupported => Err(Problem::new(
                tag.range.clone(),
                "decorators are not supported",
            )),
        };
        if let Err(problem) = result {
            self.problems.push(problem);
        }
    }

    fn print(&self, tag: &Tag) -> Parsed<Expression> {
        let Some(first) = tag.words.first() else {
            return Err(Problem::new(tag.range.clone(), "this tag is empty"));
        };
        match self.lowering.compile("{{", tag, "}}")? {
            TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
                if tag.words.len() > 1 {
                    return self.lowering.call(&call, &tag.words, &tag.inner);
                }
                self.lowering.expression(&call.name, first)
            }
            _ => Err(not_understood(&tag.range)),
        }
    }

    fn open(&mut self, tag: &Tag) -> Parsed<()> {
        // Also of a tag that is wrong further on, the name shows what closes the block.
        let inner = self.lowering.slice(&tag.inner).trim_start();
        let name = inner
            .split(|c: char| c.is_whitespace() || matches!(c, '(' | '}' | '~'))
            .next();
        let block = OpenBlock {
            tag: tag.range.clone(),
            name: name.unwrap_or_default().to_owned(),
            branches: Vec::new(),
            current: None,
            elements: Vec::new(),
            has_else: false,
        };
        let depth = self.open.len();
        self.open.push(block);
        if tag.broken {
            return Ok(());
        }
        if tag.kind == Kind::OpenUnsupported {
            let message = "inline partials and partial blocks are not supported";
            return Err(Problem::new(tag.range.clone(), message)
                .hint("put the text in a partial of its own: `templates/_NAME.hbs`"));
        }
        // Said once: those within are too deep with it.
        if depth == MAX_BLOCKS {
            let message = format!("blocks are nested more than {MAX_BLOCKS} deep");
            return Err(Problem::new(tag.range.clone(), message)
                .hint("put the inner blocks into a partial: `templates/_NAME.hbs`"));
        }
        if depth > MAX_BLOCKS {
            return Ok(());
        }
        let branch = self.branch(tag)?;
        if let Some(block) = self.open.last_mut() {
            block.current = Some(branch);
        }
        Ok(())
    }

    /// `{{else}}` or `{{else if x}}`.
    fn otherwise(&mut self, tag: &Tag) -> Parsed<()> {
        let Some(block) = self.open.last_mut() else {
            let message = "`{{else}}` stands outside of any block";
            return Err(Problem::new(tag.range.clone(), message));
        };
        block.finish_branch();
        if block.has_else {
            let message = format!(
                "`{{{{#{}}}}}` has a branch after its `{{{{else}}}}`",
                block.name
            );
            let mut problem = Problem::new(tag.range.clone(), message);
            problem.other = Some((block.tag.clone(), "the block starts here".to_owned()));
            return Err(problem);
        }
        if tag.words.is_empty() {
            block.has_else = true;
            return Ok(());
        }
        if tag.broken {
            return Ok(());
        }
        let branch = self.branch(tag)?;
        if let Some(block) = self.open.last_mut() {
            block.current = Some(branch);
        }
        Ok(())
    }

    fn close(&mut self, tag: &Tag) -> Parsed<()> {
        let name = self.lowering.slice(&tag.inner).trim().to_owned();
        let Some(mut block) = self.open.pop() else {
            let message = format!("`{{{{/{name}}}}}` closes no block");
            return Err(Problem::new(tag.range.clone(), message));
        };
        block.finish_branch();
        let mismatch = (block.name != name).then(|| {
            let message = format!("`{{{{/{name}}}}}` does not close `{{{{#{}}}}}`", block.name);
            let mut problem = Problem::new(tag.range.clone(), message);
            problem.other = Some((block.tag.clone(), "this block is open".to_owned()));
            problem.hint(format!("close it with `{{{{/{}}}}}`", block.name))
        });
        if mismatch.is_some() && self.open.iter().any(|outer| outer.name == name) {
            // The inner block was forgotten; this tag closes the outer one.
            while self.open.pop().is_some_and(|outer| outer.name != name) {}
        }
        self.push(Element::Block(Block {
            branches: block.branches,
            otherwise: block.elements,
        }));
        mismatch.map_or(Ok(()), Err)
    }

    fn finish(&mut self) {
        for block in std::mem::take(&mut self.open) {
            let message = format!("`{{{{#{}}}}}` is never closed", block.name);
            self.problems
                .push(Problem::new(block.tag, message).hint(format!(
                    "add `{{{{/{}}}}}` where the block ends",
                    block.name
                )));
        }
    }

    /// The head of a block or of an `else if`.
    fn branch(&self, tag: &Tag) -> Parsed<Branch> {
        let Some(first) = tag.words.first() else {
            return Err(Problem::new(tag.range.clone(), "this block has no name"));
        };
        let name = self.lowering.slice(&first.range);
        let Some(kind) = BlockKind::from_name(name) else {
            return Err(unknown_block(name, &first.range));
        };
        let close = format!("}}}}{{{{/{name}}}}}");
        let TemplateElement::HelperBlock(call) = self.lowering.compile("{{#", tag, &close)? else {
            return Err(not_understood(&tag.range));
        };
        let mut arguments = self
            .lowering
            .arguments(&call, &tag.words[1..], &tag.range)?;
        if arguments.len() != 1 {
            let message = format!("`{name}` takes 1 argument, found {}", arguments.len());
            let mut problem = Problem::new(tag.range.clone(), message);
            problem.code = "template-helper";
            if arguments.len() > 1 && matches!(kind, BlockKind::If | BlockKind::Unless) {
                problem = problem.hint("put a condition in parentheses: `(eq a b)`");
            }
            return Err(problem);
        }
        let parameters = block_parameters(call.block_param.as_ref());
        if parameters.len() > kind.parameter_limit() {
            let message = match kind.parameter_limit() {
                0 => format!("`{name}` takes no block parameters"),
                limit => format!(
                    "`{name}` takes at most {limit} block parameter, found {}",
                    parameters.len()
                ),
            };
            return Err(Problem::new(tag.range.clone(), message));
        }
        Ok(Branch {
            kind,
            argument: arguments.remove(0),
            parameters,
            body: Vec::new(),
        })
    }

    fn partial(&mut self, tag: &Tag) -> Parsed<PartialCall> {
        let Some(name) = tag.words.first() else {
            return Err(Problem::new(tag.range.clone(), "this partial has no name"));
        };
        if name.group.is_some() {
            return Err(Problem::new(
                name.range.clone(),
                "the name of a partial must be written out",
            )
            .hint("`(include name context)` takes a computed name"));
        }
        let TemplateElement::PartialExpression(call) = self.lowering.compile("{{>", tag, "}}")?
        else {
            return Err(not_understood(&tag.range));
        };
        let words = &tag.words[1..];
        let mut positional = Vec::new();
        let mut named = Vec::new();
        let mut parameters = call.params.iter();
        for word in words {
            match &word.key {
                None => {
                    let parameter = parameters
                        .next()
                        .ok_or_else(|| not_understood(&word.range))?;
                    positional.push(self.lowering.expression(parameter, word)?);
                }
                Some(key) => named.push(self.lowering.named(key, word, &call.hash, &named)?),
            }
        }
        if positional.len() > 1 {
            let message = format!(
                "a partial takes at most one context, found {}",
                positional.len()
            );
            return Err(Problem::new(tag.range.clone(), message)
                .hint("name further values: `{{> NAME context key=value}}`"));
        }
        let name_span = span(self.lowering.source, &name.range);
        let name: Arc<str> = Arc::from(unquoted(self.lowering.slice(&name.range)));
        self.partials.push((Arc::clone(&name), name_span));
        Ok(PartialCall {
            tag: span(self.lowering.source, &tag.range),
            name,
            name_span,
            context: positional.pop(),
            named,
            line: tag.line.clone(),
        })
    }
}

impl OpenBlock {
    fn finish_branch(&mut self) {
        if let Some(mut branch) = self.current.take() {
            branch.body = std::mem::take(&mut self.elements);
            self.branches.push(branch);
        }
    }
}

fn block_parameters(parameters: Option<&BlockParam>) -> Vec<Arc<str>> {
    let names = match parameters {
        Some(BlockParam::Single(only)) => vec![only],
        Some(BlockParam::Pair((first, second))) => vec![first, second],
        _ => vec![],
    };
    names
        .into_iter()
        .filter_map(|name| name.as_name().map(Arc::from))
        .collect()
}

/// Partial names may be quoted, or put in brackets.
fn unquoted(name: &str) -> &str {
    for (open, close) in [('\'', '\''), ('"', '"'), ('[', ']')] {
        if let Some(inner) = name
            .strip_prefix(open)
            .and_then(|name| name.strip_suffix(close))
        {
            return inner;
        }
    }
    name
}

fn unknown_block(name: &str, range: &Range<usize>) -> Problem {
    let mut problem = Problem::new(range.clone(), format!("there is no block `{name}`"));
    problem.code = "template-helper";
    problem.hint = if helpers::find(name).is_some() {
        Some(format!(
            "`{name}` is a helper, not a block: `{{{{#if ({name} …)}}}}`"
        ))
    } else {
        suggest(name, BlockKind::NAMES)
    };
    problem
}
