//! Why nothing came from upstreams.

use std::io;

use cairn_oci::{Error as Remote, chain};

use crate::Error;

/// The longest that an upstream is left alone because it asks for it, in seconds.
const LONGEST_PAUSE_S: u64 = 3600;
/// How long it is left alone when it does not say, in seconds.
const USUAL_PAUSE_S: u64 = 30;

/// Why an upstream gave nothing. Several requests may wait for the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It says that it does not have it.
    Missing,
    /// It wants to be left alone for a while.
    Busy {
        upstream: String,
        retry_after_s: u64,
    },
    /// It does not answer, refuses, or its answer is no good.
    Useless { upstream: String, reason: String },
    /// A quota has no room for what it gave.
    OverQuota { quota: String, what: String },
    /// The storage is full.
    Full(String),
    /// What it gave could not be kept.
    Kept(String),
}

impl Failure {
    pub(super) fn of(upstream: &str, error: &Remote) -> Self {
        match error {
            Remote::NotFound { .. } => Self::Missing,
            Remote::TooManyRequests { retry_after, .. } => Self::Busy {
                upstream: upstream.to_owned(),
                retry_after_s: retry_after
                    .map_or(USUAL_PAUSE_S, |asked| asked.as_secs())
                    .clamp(1, LONGEST_PAUSE_S),
            },
            error => Self::useless(upstream, chain(error)),
        }
    }

    pub(super) fn useless(upstream: &str, reason: String) -> Self {
        let upstream = upstream.to_owned();
        Self::Useless { upstream, reason }
    }

    /// Of storing what an upstream gave; a broken body is the upstream's fault.
    pub(super) fn of_keeping(upstream: &str, error: &Error) -> Self {
        match error {
            Error::Upstream { .. }
            | Error::ManifestInvalid(_)
            | Error::DigestMismatch { .. }
            | Error::BlobTooLarge { .. }
            | Error::ManifestTooLarge { .. } => Self::useless(upstream, chain(error)),
            Error::TooMany { .. } => Self::Busy {
                upstream: upstream.to_owned(),
                retry_after_s: 1,
            },
            error => Self::of_storage(error),
        }
    }

    /// Of storing what is known to be good.
    pub(super) fn of_storage(error: &Error) -> Self {
        match error {
            Error::QuotaExceeded { quota, what } => Self::OverQuota {
                quota: quota.clone(),
                what: what.clone(),
            },
            Error::StorageFull { .. } => Self::Full(chain(error)),
            error => Self::Kept(chain(error)),
        }
    }

    /// Of two upstreams that failed, the failure that matters: only if all say that they do not
    /// have it, nobody has it.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Missing, other) => other,
            (first, _) => first,
        }
    }

    /// As the answer to a client; `missing` is how it is told that nobody has it.
    pub(crate) fn into_error(self, missing: Error) -> Error {
        match self {
            Self::Missing => missing,
            Self::Busy {
                upstream,
                retry_after_s,
            } => Error::UpstreamBusy {
                upstream,
                retry_after_s,
            },
            Self::Useless { upstream, reason } => Error::Upstream {
                upstream,
                source: reason.into(),
            },
            Self::OverQuota { quota, what } => Error::QuotaExceeded { quota, what },
            Self::Full(reason) => Error::storage(
                keeping(),
                io::Error::new(io::ErrorKind::StorageFull, reason),
            ),
            Self::Kept(reason) => Error::storage(keeping(), io::Error::other(reason)),
        }
    }

    /// Why something older is served, for a warning to clients: what failed inside is not theirs.
    pub(super) fn warning(&self) -> String {
        match self {
            Self::Missing => "no upstream has it any more".to_owned(),
            Self::Busy { upstream, .. } => {
                format!("the upstream `{upstream}` wants fewer requests")
            }
            Self::Useless { upstream, .. } => {
                format!("the upstream `{upstream}` gives no usable answer")
            }
            Self::OverQuota { quota, .. } => {
                format!("the quota `{quota}` has no room for what the upstream has now")
            }
            Self::Full(_) | Self::Kept(_) => {
                "what the upstream has now could not be kept".to_owned()
            }
        }
    }
}

fn keeping() -> String {
    "keep what an upstream gave".to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_that_fails_is_not_one_that_has_nothing() {
        let useless = Failure::useless("a", "down".to_owned());
        assert_eq!(Failure::Missing.or(useless.clone()), useless);
        assert_eq!(useless.clone().or(Failure::Missing), useless);
        assert_eq!(Failure::Missing.or(Failure::Missing), Failure::Missing);
    }

    #[test]
    fn pauses_are_as_long_as_asked_for_within_reason() {
        let pause = |asked: Option<u64>| {
            let busy = Remote::TooManyRequests {
                what: "a".to_owned(),
                reason: "b".to_owned(),
                retry_after: asked.map(Duration::from_secs),
            };
            match Failure::of("hub", &busy) {
                Failure::Busy { retry_after_s, .. } => retry_after_s,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(pause(Some(7)), 7);
        assert_eq!(pause(Some(0)), 1);
        assert_eq!(pause(Some(u64::MAX)), LONGEST_PAUSE_S);
        assert_eq!(pause(None), USUAL_PAUSE_S);
    }
}
