//! Parses a template: finds the tags, lets the `handlebars` crate parse each of them, and
//! builds the tree of blocks. All that is wrong is reported, not only the first.

use std::{collections::HashMap, ops::Range, sync::Arc};

use cairn_spec::{Diagnostic, Diagnostics, SourceId, Value, suggest};
use handlebars::template::{BlockParam, HelperTemplate, Parameter, Template, TemplateElement};

use super::{
    ast::{
        Block, BlockKind, Branch, Element, Expression, ExpressionKind, PartialCall, Program, span,
    },
    path::parse_path,
    tags::{Kind, Piece, Problem, Tag, Word, scan},
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
        text,
        source,
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
        let mut diagnostic = Diagnostic::error(problem.code, problem.message)
            .at(span(source, &problem.range))
            .maybe_hint(problem.hint);
        if let Some((range, words)) = problem.other {
            diagnostic = diagnostic.label(span(source, &range), words);
        }
        diagnostics.push(diagnostic);
    }
    program
}

struct Parser<'t> {
    text: &'t str,
    source: SourceId,
    problems: Vec<Problem>,
    open: Vec<OpenBlock>,
    elements: Vec<Element>,
    partials: Vec<(Arc<str>, cairn_spec::Span)>,
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

type Parsed<T> = Result<T, Problem>;

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
            Kind::Print if tag.broken => Ok(()),
            Kind::Print => self
                .print(tag)
                .map(|expression| self.push(Element::Print(expression))),
            Kind::Partial if tag.broken => Ok(()),
            Kind::Partial => self
                .partial(tag)
                .map(|call| self.push(Element::Partial(call))),
            Kind::Open | Kind::OpenUnsupported => self.open(tag),
            Kind::Else => self.otherwise(tag),
            Kind::Close => self.close(tag),
            Kind::Unsupported if tag.broken => Ok(()),
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
        match self.compile("{{", tag, "}}")? {
            TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
                if tag.words.len() > 1 {
                    return self.call(&call, &tag.words, &tag.inner);
                }
                self.expression(&call.name, first)
            }
            _ => Err(not_understood(&tag.range)),
        }
    }

    fn open(&mut self, tag: &Tag) -> Parsed<()> {
        let name = tag.words.first().map(|word| self.slice(&word.range));
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
        if depth >= MAX_BLOCKS {
            let message = format!("blocks are nested more than {MAX_BLOCKS} deep");
            return Err(Problem::new(tag.range.clone(), message));
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
        let name = self.slice(&tag.inner).trim().to_owned();
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
        let name = self.slice(&first.range);
        let Some(kind) = BlockKind::from_name(name) else {
            return Err(unknown_block(name, &first.range));
        };
        let close = format!("}}}}{{{{/{name}}}}}");
        let TemplateElement::HelperBlock(call) = self.compile("{{#", tag, &close)? else {
            return Err(not_understood(&tag.range));
        };
        let mut arguments = self.arguments(&call, &tag.words[1..], &tag.range)?;
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
            let message = format!(
                "`{name}` takes at most {} block parameters, found {}",
                kind.parameter_limit(),
                parameters.len()
            );
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
        let TemplateElement::PartialExpression(call) = self.compile("{{>", tag, "}}")? else {
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
                    positional.push(self.expression(parameter, word)?);
                }
                Some(key) => named.push(self.named(key, word, &call.hash, &named)?),
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
        let name_span = span(self.source, &name.range);
        let name: Arc<str> = Arc::from(unquoted(self.slice(&name.range)));
        self.partials.push((Arc::clone(&name), name_span));
        Ok(PartialCall {
            tag: span(self.source, &tag.range),
            name,
            name_span,
            context: positional.pop(),
            named,
            line: tag.line.clone(),
        })
    }

    fn named(
        &self,
        key: &Range<usize>,
        word: &Word,
        hash: &HashMap<String, Parameter>,
        earlier: &[(Arc<str>, Expression)],
    ) -> Parsed<(Arc<str>, Expression)> {
        let name = self.slice(key);
        if earlier.iter().any(|(earlier, _)| &**earlier == name) {
            return Err(Problem::new(
                key.clone(),
                format!("`{name}=` is given twice"),
            ));
        }
        let parameter = hash.get(name).ok_or_else(|| not_understood(&word.range))?;
        Ok((Arc::from(name), self.expression(parameter, word)?))
    }

    /// `helper a b`, where the words are those that the crate saw.
    fn call(
        &self,
        call: &HelperTemplate,
        words: &[Word],
        range: &Range<usize>,
    ) -> Parsed<Expression> {
        let (name_word, words) = words.split_first().ok_or_else(|| not_understood(range))?;
        let name = self.slice(&name_word.range);
        let Some(helper) = helpers::find(name) else {
            return Err(unknown_helper(name, &name_word.range));
        };
        let arguments = self.arguments(call, words, range)?;
        if let Some(message) = helper.check_count(arguments.len()) {
            let mut problem = Problem::new(name_word.range.clone(), message);
            problem.code = "template-helper";
            problem.hint = Some(format!("its arguments are `{name} {}`", helper.parameters));
            return Err(problem);
        }
        let end = words
            .last()
            .map_or(name_word.range.end, |word| word.range.end);
        Ok(Expression {
            span: span(self.source, &(name_word.range.start..end)),
            kind: ExpressionKind::Call { helper, arguments },
        })
    }

    fn arguments(
        &self,
        call: &HelperTemplate,
        words: &[Word],
        range: &Range<usize>,
    ) -> Parsed<Vec<Expression>> {
        if let Some(key) = words.iter().find_map(|word| word.key.as_ref()) {
            let message = format!("there is no argument named `{}`", self.slice(key));
            return Err(Problem::new(key.clone(), message)
                .hint("only partials take `key=value`; `(dict \"key\" value)` makes a map"));
        }
        if words.len() != call.params.len() {
            return Err(not_understood(range));
        }
        words
            .iter()
            .zip(&call.params)
            .map(|(word, parameter)| self.expression(parameter, word))
            .collect()
    }

    fn expression(&self, parameter: &Parameter, word: &Word) -> Parsed<Expression> {
        let kind = match parameter {
            Parameter::Name(_) | Parameter::Path(_) => {
                ExpressionKind::Path(parse_path(self.text, &word.range, self.source)?)
            }
            Parameter::Literal(json) => ExpressionKind::Literal(literal(json, &word.range)?),
            Parameter::Subexpression(call) => {
                let TemplateElement::Expression(call) = call.as_element() else {
                    return Err(not_understood(&word.range));
                };
                let words = word.group.as_deref().unwrap_or_default();
                let inner = self.call(call, words, &word.range)?;
                return Ok(Expression {
                    span: span(self.source, &word.range),
                    ..inner
                });
            }
            _ => return Err(not_understood(&word.range)),
        };
        Ok(Expression {
            span: span(self.source, &word.range),
            kind,
        })
    }

    /// What the `handlebars` crate makes of the inside of one tag.
    fn compile(&self, before: &str, tag: &Tag, after: &str) -> Parsed<TemplateElement> {
        let inner = self.slice(&tag.inner);
        let text = format!("{before}{inner}{after}");
        match Template::compile(&text) {
            Ok(mut template) if template.elements.len() == 1 => template
                .elements
                .pop()
                .ok_or_else(|| not_understood(&tag.range)),
            Ok(_) => Err(not_understood(&tag.range)),
            Err(error) => {
                let offset = error
                    .pos()
                    .map_or(0, |(line, column)| offset_of(&text, line, column));
                let at = tag.inner.start + offset.saturating_sub(before.len());
                Err(self.refused(tag, at.min(tag.inner.end)))
            }
        }
    }

    /// The grammar accepts the tag up to some byte.
    fn refused(&self, tag: &Tag, at: usize) -> Problem {
        let Some(word) = word_at(&tag.words, at).or(tag.words.last()) else {
            return not_understood(&tag.range);
        };
        let found = self.slice(&word.range);
        let problem = Problem::new(
            word.range.clone(),
            format!("`{found}` is not a name, path or literal that can stand here"),
        );
        match found {
            "." => problem.hint("write `this`"),
            ".." => problem.hint("write `../this`"),
            _ if found.starts_with("../@") => {
                problem.hint(format!("write `@../{}`", &found["../@".len()..]))
            }
            _ if found.starts_with(['"', '\'']) => {
                problem.hint("a text can stand as an argument only; escapes are those of JSON")
            }
            _ => problem
                .hint("keys with other characters are written in brackets: `values.[my key]`"),
        }
    }

    fn slice(&self, range: &Range<usize>) -> &str {
        &self.text[range.clone()]
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

fn literal(json: &serde_json::Value, range: &Range<usize>) -> Parsed<Value> {
    if json
        .as_number()
        .is_some_and(|number| number.is_u64() && !number.is_i64())
    {
        let message = format!("`{json}` does not fit a 64-bit integer");
        return Err(Problem::new(range.clone(), message));
    }
    Ok(cairn_spec::Node::from(json.clone()).value)
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

/// The smallest word that holds a byte, or starts after it.
fn word_at(words: &[Word], at: usize) -> Option<&Word> {
    let word = words.iter().find(|word| at < word.range.end)?;
    match &word.group {
        Some(group) => word_at(group, at).or(Some(word)),
        None => Some(word),
    }
}

fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let line_start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    text[line_start..]
        .char_indices()
        .nth(column.saturating_sub(1))
        .map_or(text.len(), |(offset, _)| line_start + offset)
}

fn not_understood(range: &Range<usize>) -> Problem {
    Problem::new(range.clone(), "this tag is not valid Handlebars")
}

fn unknown_helper(name: &str, range: &Range<usize>) -> Problem {
    let mut problem = Problem::new(range.clone(), format!("there is no helper `{name}`"));
    problem.code = "template-helper";
    problem.hint = if BlockKind::from_name(name).is_some() {
        Some(format!("blocks start with `#`: `{{{{#{name} …}}}}`"))
    } else {
        suggest(name, helpers::names())
    };
    problem
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
