//! Why a chart cannot be loaded or rendered.

use std::fmt;

use cairn_spec::Diagnostic;
use cairn_template::go;

use crate::Dialect;

/// What is wrong with a chart or its values: in Helm's words, and as a [`Diagnostic`] that points
/// at the place.
#[derive(Debug, Clone)]
pub struct Error {
    message: String,
    diagnostic: Box<Diagnostic>,
}

impl Error {
    /// An error that Helm gives in these words.
    pub fn new(message: impl Into<String>, diagnostic: Diagnostic) -> Self {
        Self {
            message: message.into(),
            diagnostic: Box::new(diagnostic),
        }
    }

    /// The same error, found while doing what `context` says; Helm puts it in front.
    pub(crate) fn within(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// As [`Self::within`], where only Helm 4 says what it was doing.
    pub(crate) fn within_helm_4(self, context: impl fmt::Display, dialect: Dialect) -> Self {
        match dialect {
            Dialect::Helm4 => self.within(context),
            Dialect::Helm3 => self,
        }
    }

    /// What is wrong with a template. Helm 4 writes what led there in lines of their own.
    pub(crate) fn of_template(error: go::Error, dialect: Dialect) -> Self {
        let message = match dialect {
            Dialect::Helm4 => error.helm_message(),
            Dialect::Helm3 => error.helm_3_message(),
        };
        Self::new(message, error.into_diagnostic())
    }

    /// The message as Helm shows it after `Error: `.
    pub fn helm_message(&self) -> &str {
        &self.message
    }

    /// What is wrong, where, and what to do next.
    pub fn diagnostic(&self) -> &Diagnostic {
        &self.diagnostic
    }

    /// What is wrong, with Helm's words as a note where they are others.
    pub fn into_explained(self) -> Diagnostic {
        // What Helm does not refuse, it has no words for.
        let is_ours = ["template-limit", "template-nondeterministic"];
        let Self {
            message,
            diagnostic,
        } = self;
        if message == diagnostic.message || is_ours.contains(&diagnostic.code) {
            return *diagnostic;
        }
        diagnostic.note(format!("Helm says: {message}"))
    }

    /// As [`Self::diagnostic`].
    pub fn into_diagnostic(self) -> Diagnostic {
        *self.diagnostic
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
