//! The helpers that templates call: one table, one small file a family.
//!
//! A helper pulls its arguments one by one from a [`Call`], so that `and`, `or`, `default` and
//! their like evaluate no more than they need. It knows nothing of the language it is called
//! from; `spec/pack.md` §4 describes each helper for authors.

mod collections;
mod encoding;
mod logic;
mod math;
mod paths;
mod text;
mod version;
mod yaml;

use std::{borrow::Cow, ops::RangeInclusive, rc::Rc};

use cairn_spec::{Diagnostic, Label, Span, Value};

use crate::{
    spans::OriginSet,
    state::{Failure, Outcome, State},
    value::{Data, Entries, Source, Val, View},
    writer::Text,
};

/// What calls a helper: a template language.
pub(crate) trait Caller<'a> {
    /// Evaluates an argument; the index is below the count that was promised.
    fn argument(&mut self, index: usize) -> Outcome<Val<'a>>;
    /// Where an argument stands.
    fn argument_span(&self, index: usize) -> Span;
    fn argument_count(&self) -> usize;
    /// Renders a partial whose name is the first argument.
    fn include(&mut self, name: &str, context: Option<Val<'a>>) -> Outcome<Text>;
    fn state(&mut self) -> &mut State<'a>;
}

/// One helper.
pub(crate) struct Helper {
    pub(crate) name: &'static str,
    /// What it takes, for messages: `n s`.
    pub(crate) parameters: &'static str,
    pub(crate) arity: RangeInclusive<usize>,
    pub(crate) run: for<'c, 'a> fn(&mut Call<'c, 'a>) -> Outcome<Val<'a>>,
}

/// The most arguments of a helper that takes any number.
const MANY: usize = usize::MAX;

/// One call of a helper.
pub(crate) struct Call<'c, 'a> {
    pub(crate) caller: &'c mut dyn Caller<'a>,
    pub(crate) helper: &'static Helper,
    pub(crate) span: Span,
    /// The origins of all that was looked at so far.
    used: OriginSet,
}

macro_rules! helpers {
    ($($name:literal ($parameters:literal) $arity:expr => $run:path;)*) => {
        /// All helpers, sorted by family.
        static HELPERS: &[Helper] = &[
            $(Helper { name: $name, parameters: $parameters, arity: $arity, run: $run },)*
        ];
    };
}

helpers! {
    "toYaml" ("x") 1..=1 => yaml::to_yaml;
    "toJson" ("x") 1..=1 => yaml::to_json;
    "fromYaml" ("s") 1..=1 => yaml::from_yaml;
    "fromJson" ("s") 1..=1 => yaml::from_json;

    "indent" ("n s") 2..=2 => text::indent;
    "nindent" ("n s") 2..=2 => text::nindent;
    "quote" ("x") 1..=1 => text::quote;
    "squote" ("x") 1..=1 => text::squote;
    "string" ("x") 1..=1 => text::string;
    "join" ("sep l") 2..=2 => text::join;
    "split" ("sep s") 2..=2 => text::split;
    "replace" ("old new s") 3..=3 => text::replace;
    "lower" ("s") 1..=1 => text::lower;
    "upper" ("s") 1..=1 => text::upper;
    "trim" ("s") 1..=1 => text::trim;
    "trimPrefix" ("p s") 2..=2 => text::trim_prefix;
    "trimSuffix" ("p s") 2..=2 => text::trim_suffix;
    "trunc" ("n s") 2..=2 => text::trunc;
    "hasPrefix" ("p s") 2..=2 => text::has_prefix;
    "hasSuffix" ("p s") 2..=2 => text::has_suffix;

    "default" ("d x") 2..=2 => logic::default;
    "coalesce" ("a b …") 1..=MANY => logic::coalesce;
    "ternary" ("a b c") 3..=3 => logic::ternary;
    "required" ("message x") 2..=2 => logic::required;
    "fail" ("message") 1..=1 => logic::fail;
    "eq" ("a b …") 2..=MANY => logic::eq;
    "ne" ("a b") 2..=2 => logic::ne;
    "lt" ("a b") 2..=2 => logic::lt;
    "gt" ("a b") 2..=2 => logic::gt;
    "le" ("a b") 2..=2 => logic::le;
    "ge" ("a b") 2..=2 => logic::ge;
    "and" ("a b …") 1..=MANY => logic::and;
    "or" ("a b …") 1..=MANY => logic::or;
    "not" ("x") 1..=1 => logic::not;

    "add" ("a b …") 2..=MANY => math::add;
    "sub" ("a b …") 2..=MANY => math::sub;
    "mul" ("a b …") 2..=MANY => math::mul;
    "div" ("a b …") 2..=MANY => math::div;
    "mod" ("a b …") 2..=MANY => math::remainder;
    "min" ("a b …") 1..=MANY => math::min;
    "max" ("a b …") 1..=MANY => math::max;
    "int" ("x") 1..=1 => math::int;

    "get" ("map path [default]") 2..=3 => paths::get;
    "has" ("map path") 2..=2 => paths::has;

    "len" ("x") 1..=1 => collections::len;
    "list" ("a b …") 0..=MANY => collections::list;
    "dict" ("k v …") 0..=MANY => collections::dict;
    "keys" ("m") 1..=1 => collections::keys;
    "merge" ("a b …") 1..=MANY => collections::merge;
    "first" ("l") 1..=1 => collections::first;
    "last" ("l") 1..=1 => collections::last;
    "append" ("l x") 2..=2 => collections::append;
    "concat" ("a b …") 1..=MANY => collections::concat;
    "sortAlpha" ("l") 1..=1 => collections::sort_alpha;
    "uniq" ("l") 1..=1 => collections::uniq;
    "contains" ("haystack x") 2..=2 => collections::contains;

    "b64enc" ("s") 1..=1 => encoding::b64enc;
    "b64dec" ("s") 1..=1 => encoding::b64dec;
    "sha256" ("s") 1..=1 => encoding::sha256;

    "semver" ("range version") 2..=2 => version::semver;

    "include" ("name [context]") 1..=2 => text::include;
}

/// The helper of that name.
pub(crate) fn find(name: &str) -> Option<&'static Helper> {
    HELPERS.iter().find(|helper| helper.name == name)
}

/// All names, for "did you mean".
pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
    HELPERS.iter().map(|helper| helper.name)
}

impl Helper {
    /// What is wrong with that many arguments.
    pub(crate) fn check_count(&self, count: usize) -> Option<String> {
        if self.arity.contains(&count) {
            return None;
        }
        let (least, most) = (*self.arity.start(), *self.arity.end());
        let expected = match (least, most) {
            (1, 1) => "1 argument".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (1, MANY) => "at least 1 argument".to_owned(),
            (least, MANY) => format!("at least {least} arguments"),
            (least, most) => format!("{least} or {most} arguments"),
        };
        Some(format!("`{}` takes {expected}, found {count}", self.name))
    }
}

impl<'c, 'a> Call<'c, 'a> {
    pub(crate) fn new(caller: &'c mut dyn Caller<'a>, helper: &'static Helper, span: Span) -> Self {
        Self {
            caller,
            helper,
            span,
            used: OriginSet::EMPTY,
        }
    }

    fn state(&mut self) -> &mut State<'a> {
        self.caller.state()
    }

    fn count(&self) -> usize {
        self.caller.argument_count()
    }

    /// An argument, as it is, to pass on.
    fn value(&mut self, index: usize) -> Outcome<Val<'a>> {
        self.caller.argument(index)
    }

    /// Remembers that the result depends on a value, without what is in it.
    fn uses(&mut self, value: &Val<'a>) {
        let origins = value.shallow_origins(self.state());
        self.uses_origins(origins);
    }

    fn uses_origins(&mut self, origins: OriginSet) {
        let used = self.used;
        self.used = self.state().tracker.union(used, origins);
    }

    /// An argument of which the result depends on whether it is true.
    fn truth(&mut self, index: usize) -> Outcome<(Val<'a>, bool)> {
        let value = self.value(index)?;
        self.read(&value);
        let truth = value.is_true();
        Ok((value, truth))
    }

    /// A text, or what prints as one, to become part of the result with its marks.
    fn text(&mut self, index: usize) -> Outcome<Rc<Text>> {
        let value = self.value(index)?;
        self.as_text(index, &value)
    }

    /// A text that the result depends on as a whole.
    fn read_text(&mut self, index: usize) -> Outcome<Rc<Text>> {
        let value = self.value(index)?;
        self.uses(&value);
        self.as_text(index, &value)
    }

    fn as_text(&mut self, index: usize, value: &Val<'a>) -> Outcome<Rc<Text>> {
        let place = self.caller.argument_span(index);
        match value.to_text(place, self.state()) {
            Some(text) => Ok(text),
            None => Err(self.wrong_type(index, "a string, a number or a boolean", value)),
        }
    }

    fn integer(&mut self, index: usize) -> Outcome<i64> {
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
    fn read(&mut self, value: &Val<'a>) {
        self.uses(value);
        if let Data::Node(node) = &value.data {
            self.state().read_shallow(node);
        }
    }

    /// The items of a list; the result depends on how many there are.
    fn list(&mut self, index: usize) -> Outcome<Vec<Val<'a>>> {
        let value = self.value(index)?;
        self.as_list(index, &value)
    }

    fn as_list(&mut self, index: usize, value: &Val<'a>) -> Outcome<Vec<Val<'a>>> {
        let Some(items) = value.items().map(Cow::into_owned) else {
            return Err(self.wrong_type(index, "a list", value));
        };
        self.read(value);
        self.state().step(items.len())?;
        Ok(items)
    }

    /// The entries of a map; the result depends on which there are.
    fn map(&mut self, index: usize) -> Outcome<Entries<'a>> {
        let value = self.value(index)?;
        let Some(entries) = value.entries(self.state()).map(Cow::into_owned) else {
            return Err(self.wrong_type(index, "a map", &value));
        };
        self.read(&value);
        self.state().step(entries.len())?;
        Ok(entries)
    }

    /// A scalar result, computed from all arguments that were looked at.
    fn computed(&mut self, value: impl Into<Value>) -> Val<'a> {
        Val::scalar(value, Source::derived(self.used))
    }

    /// A text result, computed as a whole from all arguments that were looked at.
    fn computed_text(&mut self, text: String) -> Outcome<Val<'a>> {
        self.state().check_length(text.len())?;
        Ok(self.computed(text))
    }

    /// A text result whose bytes know where they came from.
    fn finished(&mut self, text: Text) -> Outcome<Val<'a>> {
        self.state().check_length(text.len())?;
        Ok(text.into())
    }

    /// A list of parts of the arguments; how many depends on what was looked at.
    fn listed(&mut self, items: Vec<Val<'a>>) -> Val<'a> {
        Val::list(items, Source::derived(self.used))
    }

    /// A value that was chosen or shaped by all that was looked at.
    fn chosen(&mut self, value: impl Into<Val<'a>>) -> Val<'a> {
        let used = self.used;
        self.chosen_by(used, value)
    }

    /// A value that was chosen or shaped by some of what was looked at.
    fn chosen_by(&mut self, used: OriginSet, value: impl Into<Val<'a>>) -> Val<'a> {
        let value = value.into();
        let because = self.state().tracker.union(value.because, used);
        Val { because, ..value }
    }

    fn wrong_type(&mut self, index: usize, expected: &str, found: &Val<'a>) -> Failure {
        let kind = found.kind();
        let mut failure = self.error(index, format!("must be {expected}, found {kind}"));
        if let Data::Node(node) = &found.data
            && let Some(span) = self.state().origins.span(node.origin)
        {
            failure.diagnostic.labels.push(Label {
                span,
                text: format!("{kind} is written here"),
            });
        }
        failure
    }

    /// Something is wrong with an argument: `argument 1 of `b64dec` {problem}`.
    fn error(&self, index: usize, problem: impl AsRef<str>) -> Failure {
        let message = format!(
            "argument {} of `{}` {}",
            index + 1,
            self.helper.name,
            problem.as_ref()
        );
        Diagnostic::error("template-type", message)
            .at(self.caller.argument_span(index))
            .into()
    }
}
