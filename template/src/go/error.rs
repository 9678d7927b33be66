//! What is wrong with a template, in Go's words and in Helm's.

use std::fmt;

use cairn_spec::Diagnostic;

use crate::state::Failure;

/// Why a template cannot be parsed or rendered.
#[derive(Debug, Clone)]
pub struct Error(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    kind: Kind,
    /// Go's whole message.
    message: String,
    /// Where in `message` each wrapped error begins, the outermost first.
    levels: Vec<usize>,
    diagnostic: Diagnostic,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Parse {
        file: String,
    },
    /// Whether the reason is a message of `fail` or `required`.
    Execute {
        is_message: bool,
    },
}

impl Error {
    pub(super) fn parse(file: &str, message: String, diagnostic: Diagnostic) -> Self {
        Self(Box::new(Details {
            kind: Kind::Parse {
                file: file.to_owned(),
            },
            message,
            levels: vec![0],
            diagnostic,
        }))
    }

    pub(super) fn execute(failure: Failure) -> Self {
        let trace = failure.trace.unwrap_or_default();
        let mut message = String::new();
        let mut levels = Vec::new();
        for prefix in trace.prefixes.iter().rev() {
            levels.push(message.len());
            message.push_str(prefix);
        }
        if !trace.is_direct {
            levels.push(message.len());
        }
        message.push_str(&failure.diagnostic.message);
        Self(Box::new(Details {
            kind: Kind::Execute {
                is_message: trace.is_message,
            },
            message,
            levels,
            diagnostic: *failure.diagnostic,
        }))
    }

    /// The whole message as Go's `text/template` gives it, with all templates that led here.
    pub fn go_message(&self) -> &str {
        &self.0.message
    }

    /// The message as `helm template` shows it.
    pub fn helm_message(&self) -> String {
        match &self.0.kind {
            Kind::Parse { file } => self.helm_parse_message(file),
            Kind::Execute { is_message } => self.helm_execute_message(*is_message),
        }
    }

    /// The message as `helm template` of Helm 3 shows it: Go's, but for those of `fail` and
    /// `required`, and for mistakes in the text.
    pub fn helm_3_message(&self) -> String {
        match &self.0.kind {
            Kind::Execute { is_message: false } => self.0.message.clone(),
            _ => self.helm_message(),
        }
    }

    /// What is wrong, where, what led there, and where the values were written.
    pub fn diagnostic(&self) -> &Diagnostic {
        &self.0.diagnostic
    }

    /// As [`Self::diagnostic`].
    pub fn into_diagnostic(self) -> Diagnostic {
        self.0.diagnostic
    }

    fn helm_parse_message(&self, file: &str) -> String {
        let mut tokens = self.0.message.split(": ");
        let (_, location) = (tokens.next(), tokens.next());
        match (location, self.0.message.rsplit(": ").next()) {
            (Some(location), Some(last)) => format!("parse error at ({location}): {last}"),
            _ => format!("parse error in ({file}): {}", self.0.message),
        }
    }

    fn helm_execute_message(&self, is_message: bool) -> String {
        let mut tokens = self.0.message.splitn(3, ": ");
        let location = tokens.nth(1).unwrap_or_default();
        if is_message {
            return format!(
                "execution error at ({location}): {}",
                self.0.diagnostic.message
            );
        }
        let mut lines = String::new();
        let mut last = None;
        for &start in &self.0.levels {
            let Some(level) = Level::parse(&self.0.message[start..]) else {
                // Helm shows an error as it is when it does not know one of those in it.
                return self.0.message.clone();
            };
            if last.as_ref() != Some(&level) {
                lines.push_str(&level.to_string());
            }
            last = Some(level);
        }
        lines.trim().to_owned()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

/// One of the wrapped errors, taken apart as Helm does.
#[derive(PartialEq, Eq)]
struct Level<'m> {
    location: &'m str,
    executing: Option<(&'m str, &'m str)>,
    message: &'m str,
}

impl<'m> Level<'m> {
    fn parse(message: &'m str) -> Option<Self> {
        let rest = message.strip_prefix("template: ")?;
        if rest.starts_with("no template ") {
            return Some(Self {
                location: "",
                executing: None,
                message,
            });
        }
        if let Some((location, after)) = rest.split_once(": executing ")
            && let Some(executing) = after.strip_prefix('"')
            && let Some((function, after)) = executing.split_once('"')
            && let Some(at) = after.strip_prefix(" at <")
            && let Some((node, message)) = at.split_once(">: ")
        {
            return Some(Self {
                location,
                executing: Some((function, node)),
                message: before_next(message),
            });
        }
        let (location, message) = rest.rsplit_once(": ")?;
        Some(Self {
            location,
            executing: None,
            message: before_next(message),
        })
    }
}

/// What follows in the message is told by the next level.
fn before_next(message: &str) -> &str {
    message.split(" template:").next().unwrap_or(message)
}

impl fmt::Display for Level<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.location.is_empty() {
            write!(f, "{}\n  ", self.location)?;
        }
        if let Some((function, node)) = self.executing {
            write!(f, "executing \"{function}\" at <{node}>:\n    ")?;
        }
        if !self.message.is_empty() {
            writeln!(f, "{}", self.message)?;
        }
        Ok(())
    }
}
