//! How a command ends: exit codes and the failures behind them.

use std::{io, process};

use cairn_compiler::InputError;

use crate::{chart_source::OFFLINE, files::FILE_MISSING};

/// Why a command ended; the number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitCode {
    /// Something failed.
    Error = 1,
    /// The command line makes no sense; clap ends with the same code.
    Usage = 2,
    /// The thing is not there.
    NotFound = 3,
    /// Who are you?
    Unauthenticated = 4,
    /// A policy forbids it.
    Denied = 5,
    /// It is there already and differs.
    Conflict = 6,
    /// The input has errors.
    InvalidInput = 7,
    /// It took too long.
    Timeout = 8,
    /// Some of it was done.
    Partial = 9,
}

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// A failed command: what happened, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: ExitCode,
    /// None when everything was said already, as with diagnostics.
    pub(crate) error: Option<anyhow::Error>,
    pub(crate) hint: Option<String>,
}

/// What a command returns.
pub(crate) type Outcome = Result<(), Failure>;

impl Failure {
    /// A failure with its own code.
    pub(crate) fn new(code: ExitCode, error: impl Into<anyhow::Error>) -> Self {
        Self {
            code,
            error: Some(error.into()),
            hint: None,
        }
    }

    /// Everything was said already.
    pub(crate) fn reported(code: ExitCode) -> Self {
        Self {
            code,
            error: None,
            hint: None,
        }
    }

    /// Says what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<anyhow::Error> for Failure {
    /// The code and the hint are those of the cause; what was attempted stays the message.
    fn from(error: anyhow::Error) -> Self {
        let is_missing = |cause: &(dyn std::error::Error + 'static)| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        let (code, hint) = if let Some(known) = error.downcast_ref::<cairn_oci::Error>() {
            (code_of(known), known.hint().map(str::to_owned))
        } else if error.chain().any(is_missing) {
            (ExitCode::NotFound, None)
        } else {
            (ExitCode::Error, None)
        };
        Self {
            code,
            error: Some(error),
            hint,
        }
    }
}

impl ExitCode {
    /// How a command ends that found errors of these codes: the input is invalid, unless all of them
    /// are of another kind.
    pub(crate) fn of_errors(errors: &[&str]) -> Self {
        let all = |codes: &[&str]| errors.iter().all(|code| codes.contains(code));
        let denied = ["pack-untrusted", "chart-untrusted", "chart-digest"];
        if errors.iter().any(|code| denied.contains(code)) {
            Self::Denied
        } else if all(&["lock-stale"]) {
            Self::Conflict
        } else if all(&["pack-registry", "chart-repository", OFFLINE]) {
            Self::Error
        } else if all(&[FILE_MISSING, "pack-missing", "chart-missing"]) {
            Self::NotFound
        } else {
            Self::InvalidInput
        }
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        let code = ExitCode::of_errors(&[error.code]);
        Self {
            hint: error.hint,
            ..Self::new(code, anyhow::Error::msg(error.message))
        }
    }
}

impl From<cairn_oci::Error> for Failure {
    fn from(error: cairn_oci::Error) -> Self {
        anyhow::Error::new(error).into()
    }
}

fn code_of(error: &cairn_oci::Error) -> ExitCode {
    use cairn_oci::Error;
    match error {
        Error::Untrusted { .. } | Error::Denied { .. } => ExitCode::Denied,
        // Content that is not what its digest says did not pass its verification.
        Error::Content { source, .. } if source.kind() == io::ErrorKind::InvalidData => {
            ExitCode::Denied
        }
        Error::NotFound { .. } => ExitCode::NotFound,
        Error::Unauthenticated { .. } => ExitCode::Unauthenticated,
        Error::Conflict { .. } => ExitCode::Conflict,
        Error::File { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            ExitCode::NotFound
        }
        Error::Malformed { .. }
        | Error::Reference(_)
        | Error::Artifact { .. }
        | Error::Incomplete { .. }
        | Error::Key { .. }
        | Error::Limit { .. }
        | Error::Setup { .. } => ExitCode::InvalidInput,
        _ => ExitCode::Error,
    }
}
