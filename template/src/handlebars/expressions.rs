//! Evaluates expressions: paths, literals and calls of helpers.

use cairn_spec::{Diagnostic, Span, nearest, suggest};

use super::{
    ast::{Expression, ExpressionKind, LoopVariable, Path, PathStart, Segment},
    evaluate::Evaluator,
};
use crate::{
    call::{Call, Caller},
    helpers,
    state::{Failure, Outcome, State},
    value::{Data, Source, Value, View},
    writer::Text,
};

impl<'a> Evaluator<'a> {
    pub(super) fn evaluate(&mut self, expression: &'a Expression) -> Outcome<Value> {
        match &expression.kind {
            ExpressionKind::Path(path) => self.path(path, expression.span),
            ExpressionKind::Literal(value) => Ok(Value::from_tree(value, Source::TEMPLATE)),
            ExpressionKind::Call { helper, arguments } => self.nested(|evaluator| {
                evaluator.state.step(1)?;
                let mut arguments = Arguments {
                    evaluator,
                    arguments,
                };
                let mut call = Call::new(&mut arguments, helper.name, expression.span);
                (helper.run)(&mut call)
            }),
        }
    }

    fn path(&mut self, path: &'a Path, span: Span) -> Outcome<Value> {
        let (mut value, segments) = self.path_start(path, span)?;
        for (index, segment) in segments.iter().enumerate() {
            match value.child(&segment.key) {
                Some(child) => value = child,
                None => return Err(self.undefined(path, index, segments, &value)),
            }
        }
        Ok(value)
    }

    /// The value a path starts at, and the segments that are left.
    fn path_start(&self, path: &'a Path, span: Span) -> Outcome<(Value, &'a [Segment])> {
        match path.start {
            PathStart::Root => Ok((self.root.clone(), &path.segments)),
            PathStart::Loop(levels, variable) => self
                .scope
                .loop_variable(levels, variable)
                .map(|value| (value, path.segments.as_slice()))
                .ok_or_else(|| no_loop_variable(variable, span)),
            PathStart::Context(levels) => match self.scope.context(levels) {
                Some(value) => Ok((value.clone(), &path.segments)),
                None => Err(self.no_outer_context(span)),
            },
            PathStart::Name => {
                let parameter = path
                    .segments
                    .split_first()
                    .and_then(|(name, rest)| Some((self.scope.parameter(&name.key)?, rest)));
                Ok(match parameter {
                    Some((value, rest)) => (value.clone(), rest),
                    None => (self.this(), &path.segments),
                })
            }
        }
    }

    fn no_outer_context(&self, span: Span) -> Failure {
        let message = match self.scope.depth() {
            0 => "there is no context outside of this one".to_owned(),
            1 => "there is only 1 context outside of this one".to_owned(),
            depth => format!("there are only {depth} contexts outside of this one"),
        };
        Diagnostic::error("template-undefined", message)
            .at(span)
            .hint("only `each` and `with` open a context, and partials do not see their caller's; `@root` is the whole")
            .into()
    }

    /// The key at `index` of `segments` is not in `parent`.
    fn undefined(
        &self,
        path: &Path,
        index: usize,
        segments: &[Segment],
        parent: &Value,
    ) -> Failure {
        let segment = &segments[index];
        let key = &*segment.key;
        let parent_name = written_path(path, segments, index);
        let what = match parent.view() {
            View::Map(_) if parent_name.is_empty() => format!("`{key}` is not defined"),
            View::Map(_) => format!("`{parent_name}` has no key `{key}`"),
            View::List(length) => {
                format!("`{parent_name}` has no index `{key}`: it is a list of {length}")
            }
            _ => format!(
                "`{parent_name}` has no key `{key}`: it is {}",
                parent.kind()
            ),
        };
        let what = what.replacen("`` has", "the context has", 1);
        let written = match parent.view() {
            View::Map(_) => None,
            _ => self.written_at(parent),
        };
        let deleted = match &parent.data {
            Data::Map(map) => map.deletion(key),
            _ => None,
        };
        let deleted = deleted.and_then(|origin| self.state.origins.span(origin));
        Diagnostic::error("template-undefined", what)
            .at(segment.span)
            .label(written, format!("{} is written here", parent.kind()))
            .label(deleted, "it is deleted here")
            .maybe_hint(self.undefined_hint(path, index, key, parent))
            .into()
    }

    fn undefined_hint(
        &self,
        path: &Path,
        index: usize,
        key: &str,
        parent: &Value,
    ) -> Option<String> {
        let bare = index == 0 && matches!(path.start, PathStart::Name);
        let keys = parent.keys();
        let keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
        let parameters: Vec<&str> = self.scope.parameter_names().collect();
        let near = nearest(key, keys.iter().copied()).or_else(|| {
            let parameters = parameters.iter().copied();
            bare.then(|| nearest(key, parameters)).flatten()
        });
        // One letter is near to every other.
        let is_word = key.chars().count() > 1;
        if let Some(near) = near.filter(|_| is_word) {
            return Some(format!("did you mean `{near}`?"));
        }
        if bare && self.root.child(key).is_some() {
            return Some(format!(
                "here the context is not the whole: write `@root.{key}`"
            ));
        }
        if bare && helpers::find(key).is_some() {
            return Some(format!("`{key}` is a helper: it needs arguments"));
        }
        let in_values = matches!(path.start, PathStart::Name | PathStart::Root)
            && path
                .segments
                .first()
                .is_some_and(|first| &*first.key == "values");
        if in_values && index > 0 && matches!(parent.view(), View::Map(_)) {
            return Some(
                "name it in `values.yaml`, or read it with `get` if it may be absent".to_owned(),
            );
        }
        is_word.then(|| suggest(key, keys)).flatten()
    }
}

/// The path up to a segment, as messages name it.
fn written_path(path: &Path, segments: &[Segment], index: usize) -> String {
    let mut name = match path.start {
        PathStart::Name | PathStart::Loop(..) => String::new(),
        PathStart::Root => "@root".to_owned(),
        PathStart::Context(levels) => format!("{}this", "../".repeat(levels)),
    };
    // A block parameter is the first segment of the path, but not of what is left of it.
    let skipped = path.segments.len() - segments.len();
    for segment in &path.segments[..skipped + index] {
        if !name.is_empty() {
            name.push('.');
        }
        let plain = segment
            .key
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '$' | ':'));
        if plain {
            name.push_str(&segment.key);
        } else {
            name.extend(["[", &*segment.key, "]"]);
        }
    }
    name
}

fn no_loop_variable(variable: LoopVariable, span: Span) -> Failure {
    let (name, hint) = match variable {
        LoopVariable::Index => ("@index", "only `each` sets it"),
        LoopVariable::Key => (
            "@key",
            "only `each` over a map sets it; for a list there is `@index`",
        ),
        LoopVariable::First => ("@first", "only `each` sets it"),
        LoopVariable::Last => ("@last", "only `each` sets it"),
    };
    Diagnostic::error(
        "template-undefined",
        format!("`{name}` is not defined here"),
    )
    .at(span)
    .hint(hint)
    .into()
}

/// The arguments of one call, evaluated when the helper asks.
struct Arguments<'e, 'a> {
    evaluator: &'e mut Evaluator<'a>,
    arguments: &'a [Expression],
}

impl<'a> Caller<'a> for Arguments<'_, 'a> {
    fn argument(&mut self, index: usize) -> Outcome<Value> {
        self.evaluator.evaluate(&self.arguments[index])
    }

    fn argument_span(&self, index: usize) -> Span {
        self.arguments[index].span
    }

    fn argument_count(&self) -> usize {
        self.arguments.len()
    }

    fn include(&mut self, name: &str, context: Option<Value>) -> Outcome<Text> {
        let place = self.arguments[0].span;
        let context = context.unwrap_or_else(|| self.evaluator.this());
        let count = self.evaluator.state.tracker.cause_count();
        let mut text = Text::new();
        self.evaluator
            .render_partial(name, place, context, &mut text)?;
        // A helper may look at the whole text, and so at what was left out of it.
        text.add_causes(count..self.evaluator.state.tracker.cause_count());
        Ok(text)
    }

    fn render_text(&mut self, _text: &Value, _context: Value) -> Outcome<Text> {
        let message = "Handlebars renders no text as a template";
        Err(Diagnostic::error("template-type", message)
            .at(self.arguments[0].span)
            .into())
    }

    fn state(&mut self) -> &mut State<'a> {
        &mut self.evaluator.state
    }
}
