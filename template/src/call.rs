//! What a function has of the template that calls it, whatever the language: its arguments, where
//! they stand, and the marks for what it makes of them.
//!
//! A function pulls its arguments one by one from a [`Call`], so that `and`, `or`, `default` and
//! their like evaluate no more than they need.

use std::{rc::Rc, sync::Arc};

use cairn_spec::{Diagnostic, Label, Span};

use crate::{
    host::{GeneratedCall, Generation},
    spans::{Class, OriginSet},
    state::{Failure, Outcome, State},
    value::{Entries, Source, Value, View},
    writer::Text,
};

/// Texts of this length and more are counted in what a render holds.
const LONG_TEXT_BYTES: usize = 1024;

/// What calls a function: a template language.
pub(crate) trait Caller<'a> {
    /// Evaluates an argument; the index is below the count that was promised.
    fn argument(&mut self, index: usize) -> Outcome<Value>;
    /// Where an argument stands.
    fn argument_span(&self, index: usize) -> Span;
    fn argument_count(&self) -> usize;
    /// The argument as messages show it, in languages whose messages do.
    fn argument_text(&self, _index: usize) -> String {
        String::new()
    }
    /// Renders a partial whose name is the first argument.
    fn include(&mut self, name: &str, context: Option<Value>) -> Outcome<Text>;
    /// Renders a text as a template, in languages that can.
    fn render_text(&mut self, text: &Value, context: Value) -> Outcome<Text>;
    fn state(&mut self) -> &mut State<'a>;
    /// Which call of the function this is, in languages that have functions whose values are
    /// generated.
    fn site(&self, _function: &'static str) -> CallSite {
        CallSite::default()
    }
}

/// Where a generated value is asked for, however lines move about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct CallSite {
    pub(crate) function: &'static str,
    /// The file, or what texts are called that `tpl` renders.
    pub(crate) template: Arc<str>,
    /// The text that `tpl` renders.
    pub(crate) text: Option<Arc<str>>,
    /// Counted from 1.
    pub(crate) occurrence: u32,
    /// The template that is being rendered.
    pub(crate) rendering: Arc<str>,
}

/// One call of a function.
pub(crate) struct Call<'c, 'a> {
    pub(crate) caller: &'c mut dyn Caller<'a>,
    /// The name of the function.
    pub(crate) name: &'static str,
    pub(crate) span: Span,
    /// The origins of all that was looked at so far.
    pub(crate) used: OriginSet,
    /// Something that was looked at was generated.
    used_generated: bool,
}

impl<'c, 'a> Call<'c, 'a> {
    pub(crate) fn new(caller: &'c mut dyn Caller<'a>, name: &'static str, span: Span) -> Self {
        Self {
            caller,
            name,
            span,
            used: OriginSet::EMPTY,
            used_generated: false,
        }
    }

    pub(crate) fn state(&mut self) -> &mut State<'a> {
        self.caller.state()
    }

    pub(crate) fn count(&self) -> usize {
        self.caller.argument_count()
    }

    /// An argument, as it is, to pass on.
    pub(crate) fn value(&mut self, index: usize) -> Outcome<Value> {
        self.caller.argument(index)
    }

    /// Remembers that the result depends on a value, without what is in it.
    pub(crate) fn uses(&mut self, value: &Value) {
        let source = value.source(self.state());
        self.used_generated |= source.class == Class::Opaque;
        let reasons = value.reasons(self.state());
        self.uses_origins(source.origins);
        self.uses_origins(reasons);
    }

    pub(crate) fn uses_origins(&mut self, origins: OriginSet) {
        let used = self.used;
        self.used = self.state().tracker.union(used, origins);
    }

    /// Remembers that a key is not in a map, which somebody may have written there.
    pub(crate) fn uses_deletion(&mut self, map: &Value, key: &str) {
        if let Some(origin) = map.deletion(key) {
            let deleted = self.state().tracker.single(origin);
            self.uses_origins(deleted);
        }
    }

    /// An argument of which the result depends on whether it is true.
    pub(crate) fn truth(&mut self, index: usize) -> Outcome<(Value, bool)> {
        let value = self.value(index)?;
        self.read(&value);
        let truth = value.is_true();
        Ok((value, truth))
    }

    /// A text, or what prints as one, to become part of the result with its marks.
    pub(crate) fn text(&mut self, index: usize) -> Outcome<Rc<Text>> {
        let value = self.value(index)?;
        self.as_text(index, &value)
    }

    /// A text that the result depends on as a whole.
    pub(crate) fn read_text(&mut self, index: usize) -> Outcome<Rc<Text>> {
        let value = self.value(index)?;
        self.uses(&value);
        self.as_text(index, &value)
    }

    pub(crate) fn as_text(&mut self, index: usize, value: &Value) -> Outcome<Rc<Text>> {
        let place = self.caller.argument_span(index);
        match value.to_text(place, self.state()) {
            Some(text) => Ok(text),
            None => Err(self.wrong_type(index, "a string, a number or a boolean", value)),
        }
    }

    pub(crate) fn integer(&mut self, index: usize) -> Outcome<i64> {
        let value = self.value(index)?;
        self.read(&value);
        match value.view() {
            View::Int(number) => Ok(number),
            View::Float(number) => {
                Err(self.error(index, format!("must be an integer, found {number}")))
            }
            View::Str(_) => {
                let failure = self.wrong_type(index, "an integer", &value);
                Err(failure.hint("convert it with `int`"))
            }
            _ => Err(self.wrong_type(index, "an integer", &value)),
        }
    }

    /// Remembers that it was looked at what a value is, but not what is in it.
    pub(crate) fn read(&mut self, value: &Value) {
        self.uses(value);
        self.state().read_shallow(value);
    }

    /// The items of a list; the result depends on how many there are.
    pub(crate) fn list(&mut self, index: usize) -> Outcome<Vec<Value>> {
        let value = self.value(index)?;
        self.as_list(index, &value)
    }

    pub(crate) fn as_list(&mut self, index: usize, value: &Value) -> Outcome<Vec<Value>> {
        let Some(items) = value.items().map(<[Value]>::to_vec) else {
            return Err(self.wrong_type(index, "a list", value));
        };
        self.read(value);
        self.state().make_items(items.len())?;
        Ok(items)
    }

    /// The entries of a map; the result depends on which there are.
    pub(crate) fn map(&mut self, index: usize) -> Outcome<Entries> {
        let value = self.value(index)?;
        let Some(entries) = value.entries().map(Rc::unwrap_or_clone) else {
            return Err(self.wrong_type(index, "a map", &value));
        };
        self.read(&value);
        self.state().make_map(entries.len())?;
        Ok(entries)
    }

    /// A scalar result, computed from all arguments that were looked at.
    pub(crate) fn computed(&mut self, value: impl Into<Value>) -> Value {
        Value::scalar(value, self.source())
    }

    /// What was computed from all that was looked at.
    pub(crate) fn source(&self) -> Source {
        if self.used_generated {
            return Source {
                class: Class::Opaque,
                origins: self.used,
            };
        }
        Source::derived(self.used)
    }

    /// A text result, computed as a whole from all arguments that were looked at.
    pub(crate) fn computed_text(&mut self, text: String) -> Outcome<Value> {
        self.computed_bytes(text.into_bytes())
    }

    /// The same of bytes.
    pub(crate) fn computed_bytes(&mut self, bytes: Vec<u8>) -> Outcome<Value> {
        self.state().check_length(bytes.len())?;
        if bytes.len() < LONG_TEXT_BYTES {
            return Ok(self.computed(bytes));
        }
        let (source, span) = (self.source(), self.span);
        let mark = self.state().mark(span, source.class, source.origins);
        Ok(Text::marked(bytes, mark).into())
    }

    /// A text result whose bytes know where they came from.
    pub(crate) fn finished(&mut self, text: Text) -> Outcome<Value> {
        self.state().check_text(&text)?;
        Ok(text.into())
    }

    /// A list of parts of the arguments; how many depends on what was looked at.
    pub(crate) fn listed(&mut self, items: Vec<Value>) -> Value {
        Value::list_of(items, Source::derived(self.used))
    }

    /// A value that was chosen or shaped by all that was looked at.
    pub(crate) fn chosen(&mut self, value: impl Into<Value>) -> Value {
        let used = self.used;
        self.chosen_by(used, value)
    }

    /// A value that was chosen or shaped by some of what was looked at.
    pub(crate) fn chosen_by(&mut self, used: OriginSet, value: impl Into<Value>) -> Value {
        let value = value.into();
        let because = self.state().tracker.union(value.because, used);
        Value { because, ..value }
    }

    pub(crate) fn wrong_type(&mut self, index: usize, expected: &str, found: &Value) -> Failure {
        let kind = found.kind();
        let mut failure = self.error(index, format!("must be {expected}, found {kind}"));
        if let Some(span) = found.written_at(self.state()) {
            failure.diagnostic.labels.push(Label {
                span,
                text: format!("{kind} is written here"),
            });
        }
        failure
    }

    /// Something is wrong with an argument: `argument 1 of `b64dec` {problem}`.
    pub(crate) fn error(&self, index: usize, problem: impl AsRef<str>) -> Failure {
        let message = format!(
            "argument {} of `{}` {}",
            index + 1,
            self.name,
            problem.as_ref()
        );
        Diagnostic::error("template-type", message)
            .at(self.caller.argument_span(index))
            .into()
    }

    /// What is wrong with the call, as Go words it.
    pub(crate) fn failure(&self, reason: impl Into<String>) -> Failure {
        Diagnostic::error("template-execution", reason)
            .at(self.span)
            .into()
    }

    /// Where an argument stands.
    pub(crate) fn argument_span(&self, index: usize) -> Span {
        self.caller.argument_span(index)
    }

    /// All arguments from one on.
    pub(crate) fn rest(&mut self, from: usize) -> Outcome<Vec<Value>> {
        (from..self.count())
            .map(|index| self.value(index))
            .collect()
    }

    /// An argument of which everything matters.
    pub(crate) fn whole(&mut self, index: usize) -> Outcome<Value> {
        let value = self.value(index)?;
        self.state().check_unfolded(&value)?;
        let origins = value.deep_origins(self.state())?;
        self.uses_origins(origins);
        Ok(value)
    }

    /// An argument as Go prints it, to become part of the result with its marks.
    pub(crate) fn printed(&mut self, index: usize) -> Outcome<Rc<Text>> {
        let value = self.value(index)?;
        let span = self.caller.argument_span(index);
        value.printed(span, self.state())
    }

    /// What a function that is not deterministic shall do at this place. Where it is told
    /// nothing, it refuses.
    pub(crate) fn generation(&mut self) -> Outcome<Generation> {
        let (function, place) = (self.name, self.span);
        let site = self.caller.site(function);
        let state = self.state();
        let known = state.generated.entry(site.clone()).or_insert(0);
        let count = *known;
        *known += 1;
        let call = GeneratedCall {
            function,
            template: &site.template,
            text: site.text.as_deref(),
            occurrence: site.occurrence,
            rendering: &site.rendering,
            count,
            place,
        };
        let problem = match state.host.generate(&call) {
            Generation::Refuse => format!("`{function}` gives another value at each render"),
            Generation::Unavailable(reason) => format!("`{function}` has no value: {reason}"),
            generation => return Ok(generation),
        };
        let hint = format!(
            "choose a seed, a fixed value or an existing one for call {} of `{function}` in `{}`",
            site.occurrence, site.template
        );
        let diagnostic = Diagnostic::error("template-nondeterministic", problem)
            .at(place)
            .hint(hint);
        Err(diagnostic.into())
    }

    /// A value that was generated, and what it was generated with.
    pub(crate) fn generated(&mut self, value: impl Into<Value>) -> Value {
        let source = Source {
            class: Class::Opaque,
            origins: self.used,
        };
        Value::scalar(value, source)
    }
}
