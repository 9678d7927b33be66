//! What can go wrong, and the one place that chooses an HTTP status and an OCI code for it.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>

use std::{fmt, io, net::SocketAddr};

use cairn_spec::{Digest, DigestError, ReferenceError, RepositoryName, Tag};
use http::StatusCode;

use crate::{
    auth::{Invalid, Permission},
    service::UploadId,
    storage::{Key, PayloadKey},
};

/// This crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why the registry did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration value is unusable.
    #[error("the setting `{setting}` is invalid: `{value}`")]
    Config {
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        #[source]
        source: Source,
    },
    /// A file or a setting cannot be used.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Everybody could use the registry, which nobody said is wanted.
    #[error("whoever reaches {address} could push and delete: no authentication is configured")]
    OpenToEveryone {
        /// The address that is listened on.
        address: SocketAddr,
    },
    /// Another process holds the storage.
    #[error("`{path}` is in use by another process")]
    InUse {
        /// The database file.
        path: String,
    },
    /// A newer version has changed what is stored.
    #[error(
        "the storage has format {found}, which Cairn {written_by} wrote; this version knows formats up to {known}"
    )]
    StorageTooNew {
        /// The storage's format.
        found: u32,
        /// The version that wrote it.
        written_by: String,
        /// The newest format that this version knows.
        known: u32,
    },
    /// The store below failed.
    #[error("failed to {action}")]
    Storage {
        /// What was attempted.
        action: String,
        /// Why it failed.
        #[source]
        source: Source,
    },
    /// There is no room left in the store below.
    #[error("the storage is full: failed to {action}")]
    StorageFull {
        /// What was attempted.
        action: String,
        /// What the store said.
        #[source]
        source: Source,
    },
    /// The store below does not answer, or asks to come back later.
    #[error("the storage is unavailable: failed to {action}")]
    Unavailable {
        /// What was attempted.
        action: String,
        /// Why it failed.
        #[source]
        source: Source,
    },
    /// A stored record or payload is not what its key promises.
    #[error("`{key}` is corrupt: {reason}")]
    Corrupt {
        /// The record or payload.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A payload that was asked for is not stored.
    #[error("the payload `{key}` is missing")]
    PayloadMissing {
        /// The payload.
        key: PayloadKey,
    },
    /// A compare-and-swap lost: the record is not in the state the write required.
    #[error("`{key}` changed meanwhile")]
    Conflict {
        /// The record.
        key: String,
    },
    /// A record changed faster than this request could follow.
    #[error("`{what}` is being changed by too many others: try again")]
    Contended {
        /// What is contended.
        what: String,
    },
    /// A folder that content shall be copied from or to does not fit.
    #[error("`{path}` cannot be used: {reason}")]
    Folder {
        /// The folder or file.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The server is shutting down.
    #[error("the registry is shutting down")]
    Closed,

    /// The client must say who it is, or did so wrongly.
    #[error("{reason}")]
    Unauthenticated {
        /// What is wrong.
        reason: &'static str,
        /// How to do it, as a `WWW-Authenticate` header.
        challenge: String,
    },
    /// The policy does not allow the request.
    #[error("`{user}` may not {permission}: ask whoever runs the registry")]
    Denied {
        /// Who asks.
        user: String,
        /// For what.
        permission: Box<Permission>,
    },
    /// Too many wrong credentials came from one address.
    #[error("too many failed logins from your address: try again in a minute")]
    TooManyFailures,
    /// A request to the token service is malformed.
    #[error("the token request is invalid: {0}")]
    TokenRequestInvalid(&'static str),
    /// A repository name or a tag is malformed.
    #[error(transparent)]
    Name(ReferenceError),
    /// A digest is malformed.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The content has another digest than the client announced.
    #[error("the content's digest is `{actual}`, but `{expected}` was announced")]
    DigestMismatch {
        /// What the client announced.
        expected: Digest,
        /// What was received.
        actual: Digest,
    },
    /// Nothing was ever pushed to the repository.
    #[error("the repository `{0}` does not exist")]
    RepositoryUnknown(RepositoryName),
    /// The repository does not hold the blob.
    #[error("the repository `{repository}` has no blob `{digest}`")]
    BlobUnknown {
        /// The repository.
        repository: RepositoryName,
        /// The blob.
        digest: Digest,
    },
    /// The repository does not hold the manifest.
    #[error("the repository `{repository}` has no manifest `{reference}`")]
    ManifestUnknown {
        /// The repository.
        repository: RepositoryName,
        /// The tag or digest asked for.
        reference: String,
    },
    /// A tag was asked for that nobody can have pushed.
    #[error("there is no tag `{0}`")]
    TagUnknown(String),
    /// The manifest breaks its format.
    #[error("the manifest is invalid: {0}")]
    ManifestInvalid(String),
    /// A manifest references content that the repository does not hold.
    #[error("the manifest references `{0}`, which is not in the repository: push it first")]
    ManifestBlobUnknown(Digest),
    /// A manifest is too large.
    #[error("the manifest is larger than {limit_bytes} bytes")]
    ManifestTooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The tag is immutable and already names other content.
    #[error(
        "the tag `{repository}:{tag}` is immutable and already names `{existing}`: push the new content under a new tag"
    )]
    TagImmutable {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
        /// What it names.
        existing: Digest,
    },
    /// The trust policy refuses the manifest.
    #[error("`{repository}@{digest}` is not trusted: {reason}; {hint}")]
    Untrusted {
        /// The repository.
        repository: RepositoryName,
        /// The manifest.
        digest: Digest,
        /// Why.
        reason: String,
        /// What to do about it.
        hint: String,
    },
    /// A quota does not allow what the request would add.
    #[error("the quota `{quota}` is used up: {what}")]
    QuotaExceeded {
        /// Its name.
        quota: String,
        /// What is used, and what to do about it.
        what: String,
    },
    /// More tags were given in one request than the limit allows.
    #[error("more than {limit} tags in one request")]
    TooManyTags {
        /// The limit.
        limit: usize,
    },
    /// There is no such upload, or it has ended.
    #[error("there is no upload `{0}`: start a new one")]
    UploadUnknown(String),
    /// A chunk does not continue where the upload stands.
    #[error("the chunk does not continue the upload, which has {received_bytes} bytes")]
    UploadOutOfOrder {
        /// The upload.
        upload: UploadId,
        /// Its repository.
        repository: RepositoryName,
        /// How much of it has been received.
        received_bytes: u64,
    },
    /// A `Content-Range` is malformed or contradicts the length of the body.
    #[error("the chunk is invalid: {0}")]
    ChunkInvalid(String),
    /// A blob, or one chunk of it, is too large.
    #[error("more than {limit_bytes} bytes were sent")]
    BlobTooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The request's body ended early.
    #[error("failed to read the request's body")]
    Body(#[source] Source),
    /// The client stopped sending.
    #[error("no bytes arrived for {limit_s} seconds")]
    BodyIdle {
        /// The limit.
        limit_s: u64,
    },
    /// A `Range` lies outside of the blob.
    #[error("the range lies outside of the blob's {size_bytes} bytes")]
    RangeNotSatisfiable {
        /// The blob's size.
        size_bytes: u64,
    },
    /// A page parameter is malformed.
    #[error("`{value}` is not a page size: expected a number")]
    PageInvalid {
        /// The parameter as it was given.
        value: String,
    },
    /// Too many requests of one kind are under way.
    #[error("too many {what} are under way: try again later")]
    TooMany {
        /// Of what.
        what: &'static str,
    },
    /// A client asks more often than it may.
    #[error("too many requests: try again in {retry_after_s} seconds")]
    RateLimited {
        /// When it may ask again.
        retry_after_s: u64,
    },
    /// An upstream wants to be left alone for a while.
    #[error("the upstream `{upstream}` wants fewer requests: try again in {retry_after_s} seconds")]
    UpstreamBusy {
        /// Its name.
        upstream: String,
        /// When it may be asked again.
        retry_after_s: u64,
    },
    /// An upstream does not answer, or its answer is no good.
    #[error("the upstream `{upstream}` gives no usable answer")]
    Upstream {
        /// Its name.
        upstream: String,
        /// Why not.
        #[source]
        source: Source,
    },
    /// A mirror could not find out what to copy.
    #[error("the mirror `{mirror}` failed")]
    Mirror {
        /// Its name.
        mirror: String,
        /// Why.
        #[source]
        source: Source,
    },
    /// There is no such mirror.
    #[error("there is no mirror `{0}` in the configuration")]
    MirrorUnknown(String),
    /// The headers are too large.
    #[error("the headers are larger than {limit_bytes} bytes")]
    HeadersTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The target is too long.
    #[error("the request target is longer than {limit_bytes} bytes")]
    TargetTooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// There is no such endpoint.
    #[error("there is no endpoint at `{path}`")]
    EndpointUnknown {
        /// The path.
        path: String,
    },
    /// The endpoint does not know the method.
    #[error("the endpoint accepts {allowed} only")]
    MethodNotAllowed {
        /// The methods it knows, as an `Allow` header lists them.
        allowed: &'static str,
    },
    /// A bug: a handler panicked.
    #[error("an internal error occurred")]
    Panic,
}

/// The code of an error on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum ErrorCode {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    PaginationNumberInvalid,
    SizeInvalid,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unknown,
    Unsupported,
}

impl ErrorCode {
    /// The code as it stands in a body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::Denied => "DENIED",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
            Self::Unsupported => "UNSUPPORTED",
        }
    }
}

impl Error {
    /// The status and the code that stand for this error on the wire.
    pub fn wire(&self) -> (StatusCode, ErrorCode) {
        use ErrorCode as Code;
        use StatusCode as Status;
        match self {
            Self::Config { .. }
            | Self::Invalid(_)
            | Self::OpenToEveryone { .. }
            | Self::InUse { .. }
            | Self::StorageTooNew { .. }
            | Self::Storage { .. }
            | Self::Corrupt { .. }
            | Self::PayloadMissing { .. }
            | Self::Folder { .. }
            | Self::Mirror { .. }
            | Self::MirrorUnknown(_)
            | Self::Panic => (Status::INTERNAL_SERVER_ERROR, Code::Unknown),
            Self::Conflict { .. }
            | Self::Contended { .. }
            | Self::Closed
            | Self::Unavailable { .. } => (Status::SERVICE_UNAVAILABLE, Code::Unavailable),
            Self::StorageFull { .. } => (Status::INSUFFICIENT_STORAGE, Code::Unavailable),
            Self::Unauthenticated { .. } => (Status::UNAUTHORIZED, Code::Unauthorized),
            Self::TooManyFailures => (Status::TOO_MANY_REQUESTS, Code::TooManyRequests),
            Self::TokenRequestInvalid(_) => (Status::BAD_REQUEST, Code::Unsupported),
            Self::ManifestInvalid(_) | Self::Name(ReferenceError::Tag(_)) => {
                (Status::BAD_REQUEST, Code::ManifestInvalid)
            }
            Self::Name(_) => (Status::BAD_REQUEST, Code::NameInvalid),
            Self::Digest(_) | Self::DigestMismatch { .. } => {
                (Status::BAD_REQUEST, Code::DigestInvalid)
            }
            Self::RepositoryUnknown(_) => (Status::NOT_FOUND, Code::NameUnknown),
            Self::BlobUnknown { .. } => (Status::NOT_FOUND, Code::BlobUnknown),
            Self::ManifestUnknown { .. } | Self::TagUnknown(_) => {
                (Status::NOT_FOUND, Code::ManifestUnknown)
            }
            Self::ManifestBlobUnknown(_) => (Status::BAD_REQUEST, Code::ManifestBlobUnknown),
            Self::ManifestTooLarge { .. } | Self::BlobTooLarge { .. } => {
                (Status::PAYLOAD_TOO_LARGE, Code::SizeInvalid)
            }
            Self::Denied { .. }
            | Self::TagImmutable { .. }
            | Self::Untrusted { .. }
            | Self::QuotaExceeded { .. } => (Status::FORBIDDEN, Code::Denied),
            Self::TooManyTags { .. } | Self::TargetTooLong { .. } => {
                (Status::URI_TOO_LONG, Code::Unsupported)
            }
            Self::UploadUnknown(_) => (Status::NOT_FOUND, Code::BlobUploadUnknown),
            Self::UploadOutOfOrder { .. } => {
                (Status::RANGE_NOT_SATISFIABLE, Code::BlobUploadInvalid)
            }
            Self::ChunkInvalid(_) => (Status::BAD_REQUEST, Code::SizeInvalid),
            Self::Body(_) => (Status::BAD_REQUEST, Code::BlobUploadInvalid),
            Self::BodyIdle { .. } => (Status::REQUEST_TIMEOUT, Code::BlobUploadInvalid),
            Self::RangeNotSatisfiable { .. } => (Status::RANGE_NOT_SATISFIABLE, Code::SizeInvalid),
            Self::PageInvalid { .. } => (Status::BAD_REQUEST, Code::PaginationNumberInvalid),
            Self::Upstream { .. } => (Status::BAD_GATEWAY, Code::Unavailable),
            Self::TooMany { .. } | Self::RateLimited { .. } | Self::UpstreamBusy { .. } => {
                (Status::TOO_MANY_REQUESTS, Code::TooManyRequests)
            }
            Self::HeadersTooLarge { .. } => {
                (Status::REQUEST_HEADER_FIELDS_TOO_LARGE, Code::Unsupported)
            }
            Self::EndpointUnknown { .. } => (Status::NOT_FOUND, Code::Unsupported),
            Self::MethodNotAllowed { .. } => (Status::METHOD_NOT_ALLOWED, Code::Unsupported),
        }
    }

    /// What the client is told: causes inside of the server are not its business.
    pub fn public_message(&self) -> String {
        match self {
            Self::Unavailable { .. } => "the storage is unavailable: try again".to_owned(),
            Self::StorageFull { .. } => "the registry's storage is full, and nothing of this was stored: ask whoever runs the registry to make room, then try again".to_owned(),
            _ if self.wire().0 == StatusCode::INTERNAL_SERVER_ERROR => {
                "an internal error occurred: the server's log has the details".to_owned()
            }
            _ => self.to_string(),
        }
    }

    /// The error with its causes, for the log.
    pub(crate) fn with_causes(&self) -> String {
        cairn_oci::chain(self)
    }

    pub(crate) fn storage(action: String, source: impl Into<Source>) -> Self {
        let source = source.into();
        let is_full = source
            .downcast_ref::<io::Error>()
            .is_some_and(|source| is_full(source.kind()));
        if is_full {
            return Self::StorageFull { action, source };
        }
        Self::Storage { action, source }
    }

    pub(crate) fn unavailable(action: String, source: impl Into<Source>) -> Self {
        let source = source.into();
        Self::Unavailable { action, source }
    }

    pub(crate) fn corrupt(key: impl fmt::Display, reason: impl Into<String>) -> Self {
        Self::Corrupt {
            key: key.to_string(),
            reason: reason.into(),
        }
    }

    pub(crate) fn conflict(key: &Key) -> Self {
        Self::Conflict {
            key: key.to_string(),
        }
    }

    /// The store says that a file does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        match self {
            Self::Storage { source, .. } => source
                .downcast_ref::<io::Error>()
                .is_some_and(|source| source.kind() == io::ErrorKind::NotFound),
            _ => false,
        }
    }
}

fn is_full(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl From<ReferenceError> for Error {
    fn from(error: ReferenceError) -> Self {
        match error {
            ReferenceError::Digest(error) => Self::Digest(error),
            error => Self::Name(error),
        }
    }
}
