//! What names mean at one place of a template: the contexts around it, the loops and their
//! variables, and block parameters.

use std::sync::Arc;

use super::ast::LoopVariable;
use crate::{
    spans::OriginSet,
    value::{Source, Value},
};

/// A context that `this` and `../` reach.
pub(super) struct Frame<'a> {
    pub(super) this: Value,
    pub(super) parameters: Vec<(&'a Arc<str>, Value)>,
    pub(super) round: Option<Round>,
}

/// One round of a loop.
pub(super) struct Round {
    pub(super) index: usize,
    pub(super) count: usize,
    pub(super) key: Option<Value>,
    /// Where the collection came from.
    pub(super) origins: OriginSet,
}

impl Frame<'_> {
    pub(super) fn new(this: Value) -> Self {
        Self {
            this,
            parameters: Vec::new(),
            round: None,
        }
    }
}

/// The frames of the partials that are being rendered, one behind the other.
pub(super) struct Scope<'a> {
    frames: Vec<Frame<'a>>,
    /// The first frame of the template or partial that is being rendered: what lies before
    /// belongs to who included it.
    base: usize,
}

impl<'a> Scope<'a> {
    pub(super) fn new(root: Value) -> Self {
        Self {
            frames: vec![Frame::new(root)],
            base: 0,
        }
    }

    pub(super) fn push(&mut self, frame: Frame<'a>) {
        self.frames.push(frame);
    }

    pub(super) fn pop(&mut self) {
        self.frames.pop();
    }

    /// Enters a partial; gives what [`Self::leave_partial`] takes.
    pub(super) fn enter_partial(&mut self, this: Value) -> usize {
        let outer = self.base;
        self.base = self.frames.len();
        self.push(Frame::new(this));
        outer
    }

    pub(super) fn leave_partial(&mut self, outer: usize) {
        self.pop();
        self.base = outer;
    }

    fn visible(&self) -> impl DoubleEndedIterator<Item = &Frame<'a>> {
        self.frames[self.base..].iter()
    }

    /// The context so many levels out.
    pub(super) fn context(&self, levels: usize) -> Option<&Value> {
        self.visible().nth_back(levels).map(|frame| &frame.this)
    }

    /// How many `../` reach a context.
    pub(super) fn depth(&self) -> usize {
        self.visible().count() - 1
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&Value> {
        self.visible()
            .rev()
            .flat_map(|frame| &frame.parameters)
            .find(|(parameter, _)| &***parameter == name)
            .map(|(_, value)| value)
    }

    pub(super) fn parameter_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.frames[self.base..]
            .iter()
            .flat_map(|frame| frame.parameters.iter().map(|(name, _)| &***name))
    }

    /// The variable of the loop so many loops out.
    pub(super) fn loop_variable(&self, levels: usize, variable: LoopVariable) -> Option<Value> {
        let round = self
            .visible()
            .rev()
            .filter_map(|frame| frame.round.as_ref())
            .nth(levels)?;
        let source = Source::derived(round.origins);
        Some(match variable {
            LoopVariable::Index => {
                Value::scalar(i64::try_from(round.index).unwrap_or(i64::MAX), source)
            }
            LoopVariable::Key => return round.key.clone(),
            LoopVariable::First => Value::scalar(round.index == 0, source),
            LoopVariable::Last => Value::scalar(round.index + 1 == round.count, source),
        })
    }
}
