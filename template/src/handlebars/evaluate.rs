//! Renders the elements of a template: text, blocks and partials.
//!
//! A mistake in one tag does not stop the others: the tag is left out, the mistake recorded,
//! and the render fails in the end with all of them.

use std::{collections::HashMap, ops::Range, rc::Rc, sync::Arc};

use cairn_spec::{Diagnostic, Diagnostics, Label, Node, Origins, Span, suggest};

use super::{
    ast::{Block, BlockKind, Branch, Element, Expression, PartialCall, Program},
    scope::{Frame, Round, Scope},
};
use crate::{
    Limits,
    limits::MAX_NESTING,
    spans::{CauseKind, Class, OriginSet},
    state::{Failure, Outcome, State},
    value::{Entries, Entry, Source, Value, View},
    writer::Text,
};

/// After this many mistakes a render gives up: more would not be read.
const MAX_MISTAKES: usize = 50;

/// One render of one template.
pub(crate) struct Evaluator<'a> {
    pub(super) partials: &'a HashMap<Arc<str>, Program>,
    pub(super) state: State<'a>,
    pub(super) scope: Scope<'a>,
    pub(super) root: Value,
    /// The tags that included what is being rendered, outermost first.
    includes: Vec<Span>,
    nesting: usize,
    mistakes: Diagnostics,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(
        program: &Program,
        partials: &'a HashMap<Arc<str>, Program>,
        context: &'a Node,
        origins: &'a Origins,
        limits: &Limits,
    ) -> Self {
        let mut state = State::new(origins, limits, program.span(&(0..0)));
        let root = state.thaw(context);
        Self {
            partials,
            state,
            scope: Scope::new(root.clone()),
            root,
            includes: Vec::new(),
            nesting: 0,
            mistakes: Diagnostics::new(),
        }
    }

    /// Renders a template; gives the text with all that is known about it.
    pub(crate) fn run(
        mut self,
        program: &'a Program,
    ) -> Result<(Text, Value, State<'a>), Diagnostics> {
        let mut out = Text::new();
        if let Err(failure) = self.elements(&program.elements, program, &mut out) {
            self.record(failure);
        }
        if self.mistakes.is_empty() {
            Ok((out, self.root, self.state))
        } else {
            Err(self.mistakes)
        }
    }

    fn elements(
        &mut self,
        elements: &'a [Element],
        program: &'a Program,
        out: &mut Text,
    ) -> Outcome<()> {
        self.nested(|evaluator| {
            for element in elements {
                evaluator.state.step(1)?;
                if let Err(failure) = evaluator.element(element, program, out) {
                    if failure.fatal || evaluator.mistakes.len() >= MAX_MISTAKES {
                        return Err(Failure {
                            fatal: true,
                            ..failure
                        });
                    }
                    evaluator.record(failure);
                }
                if out.len() > evaluator.state.limits.output_bytes {
                    evaluator.state.check_length(out.len())?;
                }
            }
            Ok(())
        })
    }

    fn element(
        &mut self,
        element: &'a Element,
        program: &'a Program,
        out: &mut Text,
    ) -> Outcome<()> {
        match element {
            Element::Text(range) => {
                self.literal(range, program, out);
                Ok(())
            }
            Element::Print(expression) => self.print(expression, out),
            Element::Block(block) => self.block(block, program, out),
            Element::Partial(call) => self.partial(call, program, out),
        }
    }

    fn literal(&mut self, range: &Range<usize>, program: &Program, out: &mut Text) {
        let place = program.span(range);
        let mark = self.state.mark(place, Class::Template, OriginSet::EMPTY);
        out.push(&program.text[range.clone()], mark);
    }

    fn print(&mut self, expression: &'a Expression, out: &mut Text) -> Outcome<()> {
        self.state.place = expression.span;
        let value = self.evaluate(expression)?;
        let Some(text) = value.to_text(expression.span, &mut self.state) else {
            return Err(self.unprintable(expression, &value));
        };
        if text.is_empty() {
            // There is nothing to mark, but an `include` around it depends on it all the same.
            let origins = value.shallow_origins(&mut self.state);
            self.state.cause_of(origins, expression.span);
        }
        out.append(&text);
        Ok(())
    }

    fn unprintable(&mut self, expression: &Expression, value: &Value) -> Failure {
        let message = format!("{} cannot be printed", value.kind());
        let hint = match value.view() {
            View::Null => "give it a value, print `default`, or leave the line out with `if`",
            _ => "print it with `toYaml`",
        };
        let written = self.written_at(value);
        Diagnostic::error("template-type", message)
            .at(expression.span)
            .label(written, format!("{} is written here", value.kind()))
            .hint(hint)
            .into()
    }

    /// Where a value of the context was written.
    pub(super) fn written_at(&self, value: &Value) -> Option<Span> {
        value.written_at(&self.state)
    }

    fn block(&mut self, block: &'a Block, program: &'a Program, out: &mut Text) -> Outcome<()> {
        let outer = self.state.cause;
        let mut result = Ok(true);
        for branch in &block.branches {
            result = self.branch(branch, program, out);
            if !matches!(result, Ok(true)) {
                break;
            }
        }
        let result = match result {
            Ok(true) => self.elements(&block.otherwise, program, out),
            Ok(false) => Ok(()),
            Err(failure) => Err(failure),
        };
        self.state.cause = outer;
        result
    }

    /// Renders a branch if it applies. If it does not, says so, and leaves the cause set for
    /// the branches that follow: they are there because this one is not.
    fn branch(
        &mut self,
        branch: &'a Branch,
        program: &'a Program,
        out: &mut Text,
    ) -> Outcome<bool> {
        self.state.place = branch.argument.span;
        let value = self.evaluate(&branch.argument)?;
        self.state.read_shallow(&value);
        let kind = match branch.kind {
            BlockKind::If | BlockKind::Unless => CauseKind::Condition,
            BlockKind::Each => CauseKind::Loop,
            BlockKind::With => CauseKind::With,
        };
        let origins = value.shallow_origins(&mut self.state);
        self.state.enter(kind, branch.argument.span, origins);
        let applies = value.is_true() != (branch.kind == BlockKind::Unless);
        if !applies {
            return Ok(true);
        }
        match branch.kind {
            BlockKind::If | BlockKind::Unless => self.elements(&branch.body, program, out)?,
            BlockKind::With => {
                let mut frame = Frame::new(value.clone());
                frame.parameters = branch.parameters.iter().zip([value]).collect();
                self.in_frame(frame, &branch.body, program, out)?;
            }
            BlockKind::Each => self.each(branch, &value, program, out)?,
        }
        Ok(false)
    }

    fn each(
        &mut self,
        branch: &'a Branch,
        value: &Value,
        program: &'a Program,
        out: &mut Text,
    ) -> Outcome<()> {
        let origins = value.shallow_origins(&mut self.state);
        let rounds: Vec<(Option<Value>, Value)> = match value.entries() {
            Some(entries) => entries
                .iter()
                .map(|(key, entry)| (Some(Value::scalar(&**key, entry.key)), entry.value.clone()))
                .collect(),
            None => match value.items() {
                Some(items) => items.iter().map(|item| (None, item.clone())).collect(),
                None => return Err(self.not_a_collection(branch, value)),
            },
        };
        let count = rounds.len();
        self.state.step(count)?;
        for (index, (key, item)) in rounds.into_iter().enumerate() {
            let position = key.clone().unwrap_or_else(|| {
                let index = i64::try_from(index).unwrap_or(i64::MAX);
                Value::scalar(index, Source::derived(origins))
            });
            let frame = Frame {
                parameters: branch
                    .parameters
                    .iter()
                    .zip([item.clone(), position])
                    .collect(),
                this: item,
                round: Some(Round {
                    index,
                    count,
                    key,
                    origins,
                }),
            };
            self.in_frame(frame, &branch.body, program, out)?;
        }
        Ok(())
    }

    fn not_a_collection(&self, branch: &Branch, value: &Value) -> Failure {
        let message = format!("`each` needs a list or a map, found {}", value.kind());
        Diagnostic::error("template-type", message)
            .at(branch.argument.span)
            .label(
                self.written_at(value),
                format!("{} is written here", value.kind()),
            )
            .into()
    }

    fn in_frame(
        &mut self,
        frame: Frame<'a>,
        body: &'a [Element],
        program: &'a Program,
        out: &mut Text,
    ) -> Outcome<()> {
        self.scope.push(frame);
        let result = self.elements(body, program, out);
        self.scope.pop();
        result
    }

    fn partial(
        &mut self,
        call: &'a PartialCall,
        program: &'a Program,
        out: &mut Text,
    ) -> Outcome<()> {
        self.state.place = call.tag;
        let context = self.partial_context(call)?;
        let start = out.len();
        self.render_partial(&call.name, call.name_span, context, out)?;
        let Some((blanks, newline)) = &call.line else {
            return Ok(());
        };
        if !blanks.is_empty() {
            let rendered = out.split_off(start);
            let lines = rendered.as_str().matches('\n').count() + 1;
            self.state
                .check_length(rendered.len() + lines.saturating_mul(blanks.len()))?;
            out.append(&rendered.indented(&program.text[blanks.clone()]));
        }
        // The partial stands for whole lines, whether or not its last one is complete.
        if out.len() > start && !out.as_str().ends_with('\n') {
            self.literal(newline, program, out);
        }
        Ok(())
    }

    fn partial_context(&mut self, call: &'a PartialCall) -> Outcome<Value> {
        let context = match &call.context {
            Some(expression) => self.evaluate(expression)?,
            None => self.this(),
        };
        if call.named.is_empty() {
            return Ok(context);
        }
        let Some(entries) = context.entries() else {
            let message = format!(
                "`key=value` adds to a map, but the context is {}",
                context.kind()
            );
            let place = call.context.as_ref().map_or(call.tag, |given| given.span);
            return Err(Diagnostic::error("template-type", message)
                .at(place)
                .hint("give the partial a context of its own: `{{> NAME (dict) key=value}}`")
                .into());
        };
        let mut entries: Entries = Rc::unwrap_or_clone(entries);
        self.state.step(entries.len())?;
        for (name, expression) in &call.named {
            let value = self.evaluate(expression)?;
            let key = Source::TEMPLATE;
            entries.insert(Arc::clone(name), Entry { key, value });
        }
        let source = context.source(&mut self.state);
        Ok(Value {
            because: context.because,
            ..Value::map_of(entries, source)
        })
    }

    /// The current context.
    pub(super) fn this(&self) -> Value {
        self.scope.context(0).unwrap_or(&self.root).clone()
    }

    pub(super) fn render_partial(
        &mut self,
        name: &str,
        place: Span,
        context: Value,
        out: &mut Text,
    ) -> Outcome<()> {
        let Some(program) = self.partials.get(name) else {
            return Err(unknown_partial(name, place, self.partials).into());
        };
        if self.includes.len() >= self.state.limits.partial_depth {
            let message = format!(
                "partials are included more than {} deep",
                self.state.limits.partial_depth
            );
            return Err(Failure::limit(
                Diagnostic::error("template-limit", message)
                    .at(place)
                    .hint(format!("`{name}` may be including itself")),
            ));
        }
        self.includes.push(place);
        let outer_scope = self.scope.enter_partial(context);
        let outer_cause = self
            .state
            .enter(CauseKind::Partial, place, OriginSet::EMPTY);
        let result = self.elements(&program.elements, program, out);
        // A fatal mistake is recorded where it happened, with all that included it.
        let result = result.map_err(|failure| self.with_includes(failure));
        self.state.cause = outer_cause;
        self.scope.leave_partial(outer_scope);
        self.includes.pop();
        result
    }

    /// Counts nesting, which is what uses up the stack.
    pub(super) fn nested<T>(&mut self, run: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if self.nesting >= MAX_NESTING {
            let message =
                format!("blocks, partials and calls are nested more than {MAX_NESTING} deep");
            return Err(Failure::limit(
                Diagnostic::error("template-limit", message).at(self.state.place),
            ));
        }
        self.nesting += 1;
        let result = run(self);
        self.nesting -= 1;
        result
    }

    fn record(&mut self, failure: Failure) {
        let failure = self.with_includes(failure);
        self.mistakes.push(*failure.diagnostic);
    }

    /// Adds the tags that led to a mistake, innermost first.
    fn with_includes(&self, mut failure: Failure) -> Failure {
        for &include in self.includes.iter().rev() {
            let known = failure
                .diagnostic
                .labels
                .iter()
                .any(|label| label.span == include);
            if !known {
                failure.diagnostic.labels.push(Label {
                    span: include,
                    text: "included here".to_owned(),
                });
            }
        }
        failure
    }
}

/// What is wrong with a partial that does not exist.
pub(crate) fn unknown_partial(
    name: &str,
    place: Span,
    partials: &HashMap<Arc<str>, Program>,
) -> Diagnostic {
    let mut names: Vec<&str> = partials.keys().map(|name| &**name).collect();
    names.sort_unstable();
    Diagnostic::error(
        "template-undefined",
        format!("there is no partial `{name}`"),
    )
    .at(place)
    .hint(format!("a partial is a file `templates/_{name}.hbs`"))
    .maybe_hint(suggest(name, names))
}
