//! What can go wrong while content moves, and while it is signed and verified.

use std::{fmt, io, path::PathBuf, time::Duration};

use cairn_spec::{ArtifactError, Digest, ReferenceError};

/// Why an operation on OCI content failed.
///
/// The classes matter to callers: a command line maps them to exit codes, a server to statuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The manifest, blob, tag or repository does not exist.
    #[error("`{what}` does not exist")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The registry wants credentials, or refused those it got.
    #[error("failed to authenticate for `{what}`: {reason}")]
    Unauthenticated {
        /// What was asked for.
        what: String,
        /// What the registry says.
        reason: String,
    },
    /// The registry knows who asks and says no.
    #[error("access to `{what}` is denied: {reason}")]
    Denied {
        /// What was asked for.
        what: String,
        /// What the registry says.
        reason: String,
    },
    /// Something stands in the way, such as a tag that is written once.
    #[error("failed to write `{what}`: {reason}")]
    Conflict {
        /// What was to be written.
        what: String,
        /// What the registry says.
        reason: String,
    },
    /// The registry was asked too often.
    #[error("the registry wants fewer requests, and does not answer about `{what}`: {reason}")]
    TooManyRequests {
        /// What was asked for.
        what: String,
        /// What the registry says.
        reason: String,
        /// How long it wants to be left alone, if it says so.
        retry_after: Option<Duration>,
    },
    /// The registry answered with an error.
    #[error("`{method} {url}` was answered with {status}: {reason}")]
    Registry {
        /// The HTTP method.
        method: http::Method,
        /// The URL, without its query.
        url: String,
        /// The HTTP status.
        status: http::StatusCode,
        /// The codes and messages of the answer.
        reason: String,
    },
    /// The registry's answer breaks the specification.
    #[error("the registry's answer about `{what}` is malformed: {reason}")]
    Answer {
        /// What was asked for.
        what: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The request did not get an answer.
    #[error("failed to reach the registry with `{method} {url}`")]
    Request {
        /// The HTTP method.
        method: http::Method,
        /// The URL, without its query.
        url: String,
        /// What the HTTP client says.
        #[source]
        source: RequestError,
    },
    /// The client cannot be set up, for instance because of a malformed certificate.
    #[error("failed to set up the registry client")]
    Setup {
        /// What the HTTP client says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Content is not what its descriptor says, or could not be read.
    #[error("failed to read `{digest}`")]
    Content {
        /// The digest that was asked for.
        digest: Digest,
        /// What went wrong; a mismatch has the kind `InvalidData`.
        #[source]
        source: io::Error,
    },
    /// A manifest or an artifact is malformed.
    #[error("`{what}` is not a valid artifact")]
    Artifact {
        /// What was read.
        what: String,
        /// What is wrong with it.
        #[source]
        source: ArtifactError,
    },
    /// Something is larger, or there is more of it, than allowed.
    #[error("`{what}` exceeds the limit of {}", amount(*limit, unit))]
    Limit {
        /// What is too large.
        what: String,
        /// The limit.
        limit: u64,
        /// Its unit.
        unit: &'static str,
    },
    /// A file or directory could not be read or written.
    #[error("failed to {action} `{}`", path.display())]
    File {
        /// What was attempted.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A place that content is copied from or to failed.
    #[error("failed to store or to read `{what}`")]
    Store {
        /// What.
        what: String,
        /// What the place says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A configuration file or a document is malformed.
    #[error("`{what}` is malformed: {reason}")]
    Malformed {
        /// The file or document.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name is malformed.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A reference lacks what the operation needs.
    #[error("`{reference}` {reason}")]
    Incomplete {
        /// The reference.
        reference: String,
        /// What it lacks.
        reason: &'static str,
    },
    /// A key cannot be used.
    #[error("the {what} cannot be used: {reason}")]
    Key {
        /// Which key; never its content.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The trust policy refuses the content.
    #[error("`{what}` is not trusted: {reason}")]
    Untrusted {
        /// The reference.
        what: String,
        /// Why the policy refuses.
        reason: String,
        /// What to do about it.
        hint: String,
    },
}

/// `4 MiB` for 4194304 `bytes`.
fn amount(limit: u64, unit: &str) -> String {
    if unit == "bytes" && limit.is_multiple_of(1 << 20) {
        format!("{} MiB", limit >> 20)
    } else {
        format!("{limit} {unit}")
    }
}

/// Why a request got no answer, in the words of its innermost cause: what the layers of the HTTP
/// client say above it is only that something failed.
#[derive(Debug)]
pub struct RequestError(reqwest::Error);

impl RequestError {
    /// `error` without its URL, whose query may hold a token.
    pub(crate) fn new(error: reqwest::Error) -> Self {
        Self(error.without_url())
    }

    /// A redirect could not be followed.
    pub fn is_redirect(&self) -> bool {
        self.0.is_redirect()
    }

    /// Nothing came in time.
    pub fn is_timeout(&self) -> bool {
        self.0.is_timeout()
    }

    /// No connection could be made.
    pub fn is_connect(&self) -> bool {
        self.0.is_connect()
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cause: &dyn std::error::Error = &self.0;
        while let Some(source) = cause.source() {
            cause = source;
        }
        write!(f, "{cause}")
    }
}

impl std::error::Error for RequestError {}

impl Error {
    /// The content does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// What to do next, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Untrusted { hint, .. } => Some(hint),
            Self::Unauthenticated { reason, .. } if reason.contains("token service `") => {
                Some("if the token service is the registry's, name its host with --token-service")
            }
            Self::TooManyRequests { .. } => {
                Some("wait, and try again; a login often allows for more")
            }
            Self::Unauthenticated { .. } => {
                Some("log in to the registry, or pass a user and a password")
            }
            // The registry's own words say what to do.
            Self::Denied { reason, .. } if reason.contains("immutable") => None,
            Self::Denied { .. } => {
                Some("use credentials that may do this, or ask whoever runs the registry")
            }
            Self::Request { source, .. } if source.is_connect() => Some(
                "check the address, and that the registry runs there and speaks HTTPS (plain HTTP is the default on this machine only)",
            ),
            Self::Answer { .. } => {
                Some("do not use what it answers, and ask whoever runs the registry")
            }
            Self::File { .. } => Some("check the path, and that you may read and write there"),
            Self::Malformed { .. } => Some("mend the file"),
            Self::Incomplete { .. } => Some("references are HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]"),
            Self::Registry { status, .. } if status.is_server_error() => {
                Some("the registry has a problem: its log says more")
            }
            Self::Request { .. } | Self::Registry { .. } => {
                Some("check that a registry answers at this address")
            }
            Self::Content { source, .. } if source.kind() == io::ErrorKind::InvalidData => Some(
                "the registry's copy is damaged or was tampered with: do not use it, and have it pushed again",
            ),
            Self::Content { .. } => Some("the connection broke: try again"),
            Self::Limit { .. } => {
                Some("nothing this large is expected here: check what is asked for")
            }
            Self::Artifact { .. } => {
                Some("what the registry has there is no OCI artifact: check the reference")
            }
            _ => None,
        }
    }

    pub(crate) fn not_found(what: impl fmt::Display) -> Self {
        Self::NotFound {
            what: what.to_string(),
        }
    }

    pub(crate) fn artifact(what: impl fmt::Display) -> impl FnOnce(ArtifactError) -> Self {
        move |source| Self::Artifact {
            what: what.to_string(),
            source,
        }
    }

    pub(crate) fn content(digest: &Digest) -> impl FnOnce(io::Error) -> Self {
        let digest = digest.clone();
        move |source| Self::Content { digest, source }
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
