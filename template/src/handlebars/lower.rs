//! Turns what the `handlebars` crate makes of one tag into our tree, in which each expression
//! knows its place.

use std::{collections::HashMap, ops::Range, sync::Arc};

use cairn_spec::{Node, SourceId, Value, suggest};
use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};

use super::{
    ast::{BlockKind, Expression, ExpressionKind, span},
    path::parse_path,
    problem::Problem,
    tags::Tag,
    words::Word,
};
use crate::helpers;

/// The template that the words stand in.
pub(super) struct Lowering<'t> {
    pub(super) text: &'t str,
    pub(super) source: SourceId,
}

pub(super) type Parsed<T> = Result<T, Problem>;

impl<'t> Lowering<'t> {
    /// `helper a b`, where the words are those that the crate saw.
    pub(super) fn call(
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

    pub(super) fn arguments(
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

    pub(super) fn expression(&self, parameter: &Parameter, word: &Word) -> Parsed<Expression> {
        let kind = match parameter {
            Parameter::Name(_) | Parameter::Path(_) => {
                ExpressionKind::Path(parse_path(self.text, &word.range, self.source)?)
            }
            Parameter::Literal(json) => ExpressionKind::Literal(self.literal(json, &word.range)?),
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

    fn literal(&self, json: &serde_json::Value, range: &Range<usize>) -> Parsed<Value> {
        let text = self.slice(range);
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.bytes().all(|byte| byte.is_ascii_digit()) && !json.is_i64() {
            let message = format!("`{text}` does not fit a 64-bit integer");
            return Err(Problem::new(range.clone(), message));
        }
        Ok(Node::from(json.clone()).value)
    }

    /// What the `handlebars` crate makes of the inside of one tag.
    pub(super) fn compile(&self, before: &str, tag: &Tag, after: &str) -> Parsed<TemplateElement> {
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
            format!(
                "`{}` is not a name, path or literal that can stand here",
                excerpt(found)
            ),
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

    pub(super) fn named(
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

    pub(super) fn slice(&self, range: &Range<usize>) -> &'t str {
        &self.text[range.clone()]
    }
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

/// As much of a text as a message can show.
fn excerpt(text: &str) -> String {
    const MOST: usize = 40;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.len() < text.len() => format!("{line}…"),
        None => line.to_owned(),
    }
}

pub(super) fn not_understood(range: &Range<usize>) -> Problem {
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
