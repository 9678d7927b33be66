//! How a command ends: exit codes and the failures behind them.

use std::process;

/// Why a command ended; the number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitCode {
    /// Something failed.
    Error = 1,
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
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<cairn_oci::Error>() {
            Ok(error) => error.into(),
            Err(error) => Self {
                code: ExitCode::Error,
                error: Some(error),
                hint: None,
            },
        }
    }
}

impl From<cairn_oci::Error> for Failure {
    fn from(error: cairn_oci::Error) -> Self {
        use cairn_oci::Error;
        let code = match &error {
            Error::Untrusted { .. } | Error::Denied { .. } => ExitCode::Denied,
            Error::NotFound { .. } => ExitCode::NotFound,
            Error::Unauthenticated { .. } => ExitCode::Unauthenticated,
            Error::Conflict { .. } => ExitCode::Conflict,
            Error::Malformed { .. } | Error::Reference(_) | Error::Artifact { .. } => {
                ExitCode::InvalidInput
            }
            _ => ExitCode::Error,
        };
        let hint = error.hint().map(str::to_owned);
        Self {
            code,
            error: Some(error.into()),
            hint,
        }
    }
}
