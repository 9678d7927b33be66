//! What can go wrong, and which problem an agent is told.

use std::io;

use cairn_oci::keyring::Refusal;
use cairn_spec::agent::{Problem, ProblemCode};

use crate::StoreError;

/// Why the hub does not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A request is not written as it should be.
    #[error("{0}")]
    Malformed(String),
    /// Something is larger than it may be.
    #[error("the {what} has more than {limit} {unit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// Its unit.
        unit: &'static str,
    },
    /// There is no proof of who asks, or it is wrong.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The token is of another time.
    #[error("{0}")]
    Clock(&'static str),
    /// The certificate that a token names was not seen here.
    #[error("the hub has not seen this certificate")]
    CertificateUnknown,
    /// The certificate has expired.
    #[error("the certificate has expired")]
    CertificateExpired,
    /// The agent does not count any more.
    #[error("{0}")]
    Revoked(&'static str),
    /// The join token is unknown, expired or used up; which of them is nobody's business.
    #[error("the join token is unknown, has expired or is used up")]
    JoinTokenRefused,
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(&'static str),
    /// The range lies outside of the content.
    #[error("the range lies outside of the content, which has {size_bytes} bytes")]
    RangeNotSatisfiable {
        /// The content's size.
        size_bytes: u64,
    },
    /// Too many requests.
    #[error("too many requests")]
    TooManyRequests {
        /// When to come again, in seconds.
        retry_after_s: u64,
    },
    /// What was signed is not accepted.
    #[error("what was signed is not accepted: {0}")]
    Refused(#[from] Refusal),
    /// What was signed does not fit what is there.
    #[error("{0}")]
    Conflict(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Where bundles come from failed.
    #[error("the bundle's content cannot be read")]
    Content(#[source] crate::ContentError),
    /// Certificates cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Authority(String),
    /// The server's TLS cannot be set up.
    #[error("TLS of the hub: {0}")]
    Tls(String),
    /// The server cannot listen.
    #[error("the hub cannot serve")]
    Serve(#[source] io::Error),
    /// The system has no randomness.
    #[error("the system has no randomness")]
    Randomness,
}

impl Error {
    /// What an agent is told.
    pub fn problem(&self) -> Problem {
        let (code, hint) = match self {
            Self::Malformed(_) | Self::Refused(_) | Self::Conflict(_) => {
                (ProblemCode::Malformed, None)
            }
            Self::TooLarge { .. } => (
                ProblemCode::TooLarge,
                Some("send less, and say what was left out"),
            ),
            Self::Unauthenticated(_) => (ProblemCode::Unauthenticated, None),
            Self::Clock(_) => (ProblemCode::Clock, Some("go by the clock of `Date`")),
            Self::CertificateUnknown => (
                ProblemCode::CertificateUnknown,
                Some("send the whole certificate as `x5c`"),
            ),
            Self::CertificateExpired => (
                ProblemCode::CertificateExpired,
                Some("renew it with `/agent/v1/renew`"),
            ),
            Self::Revoked(_) => (ProblemCode::Revoked, Some("join again with a new token")),
            Self::JoinTokenRefused => {
                (ProblemCode::JoinTokenRefused, Some("have a new token made"))
            }
            Self::NotFound(_) => (ProblemCode::NotFound, None),
            Self::RangeNotSatisfiable { .. } => (ProblemCode::RangeNotSatisfiable, None),
            Self::TooManyRequests { .. } => (
                ProblemCode::TooManyRequests,
                Some("wait as long as `Retry-After` says"),
            ),
            _ => (ProblemCode::Unavailable, None),
        };
        let message = match code {
            // What fails inside is for the hub's log.
            ProblemCode::Unavailable => "the hub cannot answer now".to_owned(),
            _ => self.to_string(),
        };
        Problem {
            code,
            message,
            hint: hint.map(str::to_owned),
        }
    }
}
