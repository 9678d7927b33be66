//! How a hub says no.

use serde::{Deserialize, Serialize};

/// The body of every answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// What is wrong, for programs.
    pub code: ProblemCode,
    /// What is wrong, for people.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// The request is not written as it should be: 400.
    Malformed,
    /// The request is larger than it may be: 413.
    TooLarge,
    /// There is no proof of who asks, or it is wrong: 401.
    Unauthenticated,
    /// The token is of another time: 401, with the hub's `Date`. Try again by that clock.
    Clock,
    /// The hub has not seen the certificate that the token names: 401. Try again with all of it.
    CertificateUnknown,
    /// The certificate has expired: 401. Renew it.
    CertificateExpired,
    /// The agent was revoked, or its certificate replaced: 403. It must join again.
    Revoked,
    /// The join token is unknown, expired or used up: 403.
    JoinTokenRefused,
    /// There is no such thing, or not for this agent: 404.
    NotFound,
    /// The range lies outside of the content: 416.
    RangeNotSatisfiable,
    /// Too many requests: 429, with `Retry-After`.
    TooManyRequests,
    /// The hub cannot answer now: 500, 502 or 503, perhaps with `Retry-After`.
    Unavailable,
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}
