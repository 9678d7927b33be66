//! What is known while one template is rendered: its program, its variables, where it is.

use std::rc::Rc;

use cairn_spec::{Diagnostic, Label, Span};

use super::{
    ast::{NodeId, Program},
    format::quote,
};
use crate::{state::Failure, value::Value, writer::Text};

/// One template that is being rendered.
pub(super) struct Frame<'p> {
    /// Borrowed, as is the name: where two threads render, each count of holders is a wait.
    pub(super) program: &'p Program,
    /// The name of the template.
    pub(super) name: &'p str,
    /// Where its variables begin.
    pub(super) variables: usize,
    /// What `.` is.
    pub(super) dot: Value,
    /// The node that is evaluated, for messages.
    pub(super) at: NodeId,
    /// Where a text that `tpl` renders is called.
    pub(super) called: Span,
    /// The text that `tpl` renders, where its bytes came from.
    pub(super) literal: Option<Rc<Text>>,
}

/// More places than this would not be read.
const MAX_LABELS: usize = 16;

impl Frame<'_> {
    pub(super) fn span(&self, id: NodeId) -> Span {
        self.program.span(id, self.called)
    }

    /// Something is wrong with the node that is evaluated.
    pub(super) fn failure(&self, reason: impl Into<String>) -> Failure {
        let diagnostic = Diagnostic::error("template-execution", reason).at(self.span(self.at));
        let mut failure = self.wrap(diagnostic.into(), "");
        failure.trace.get_or_insert_default().is_direct = true;
        failure
    }

    /// Puts before a failure where it happened, and what `during` says.
    pub(super) fn wrap(&self, mut failure: Failure, during: &str) -> Failure {
        self.note(&mut failure);
        let prefix = format!(
            "template: {}: executing {} at <{}>: {during}",
            self.program.location(self.at),
            quote(self.name.as_bytes()),
            self.program.shown(self.at),
        );
        failure.within(prefix)
    }

    /// Adds the place of the node that is evaluated to a failure inside of it.
    pub(super) fn note(&self, failure: &mut Failure) {
        let span = self.span(self.at);
        let labels = &mut failure.diagnostic.labels;
        if labels.len() < MAX_LABELS && !labels.iter().any(|label| label.span == span) {
            let text = if labels.is_empty() {
                String::new()
            } else {
                "included here".to_owned()
            };
            labels.push(Label { span, text });
        }
    }
}
