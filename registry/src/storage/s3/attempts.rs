//! Requests to the store: what a failure means, and how often one is tried.

use std::{error::Error as StdError, fmt, time::Duration};

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use rand::RngExt;

use crate::traces;

/// The longest pause before the second attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// The longest pause between two attempts: a store that asks to slow down needs seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why one request failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    detail: String,
}

/// What a failure means for the one who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is no such object or upload.
    NotFound,
    /// The condition of the request did not hold.
    ConditionFailed,
    /// The object is the one that is known already.
    NotModified,
    /// The range lies outside of the object.
    RangeInvalid,
    /// A part is not what the store once said it is, or not there.
    PartInvalid,
    /// The store does not know the operation.
    NotImplemented,
    /// The store has no room left, or gives us none.
    Full,
    /// Trying again may help. Whether the request had an effect is not known.
    Transient,
    /// Trying again does not help.
    Final,
}

impl Failure {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { kind, detail }
    }

    /// What a failed request means.
    #[expect(clippy::needless_pass_by_value, reason = "a function for `map_err`")]
    pub(super) fn of<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let Some(service) = error.as_service_error() else {
            let kind = match &error {
                SdkError::ConstructionFailure(_) => Kind::Final,
                _ => Kind::Transient,
            };
            return Self::new(kind, chain(&error));
        };
        let code = service.code().unwrap_or_default();
        let status = status.unwrap_or_default();
        let kind = match (status, code) {
            (_, "NoSuchBucket") => Kind::Final,
            (404, _) => Kind::NotFound,
            (412, _) => Kind::ConditionFailed,
            (304, _) => Kind::NotModified,
            (416, _) => Kind::RangeInvalid,
            (_, "InvalidPart") => Kind::PartInvalid,
            (501, _) | (_, "NotImplemented") => Kind::NotImplemented,
            (507, _) | (_, "QuotaExceeded" | "XMinioStorageFull") => Kind::Full,
            (408 | 429 | 500.., _) => Kind::Transient,
            (_, "ConditionalRequestConflict" | "OperationAborted" | "RequestTimeout") => {
                Kind::Transient
            }
            _ => Kind::Final,
        };
        let message = service.message().unwrap_or_default();
        let hint = hint(code);
        Self::new(
            kind,
            format!("the store answered {status} {code}: {message}{hint}"),
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail.trim_end_matches([' ', ':']))
    }
}

impl StdError for Failure {}

/// What to do about the mistakes that everybody makes once.
fn hint(code: &str) -> &'static str {
    match code {
        "AccessDenied" => " (hint: the credentials lack a permission on the bucket)",
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" => {
            " (hint: check the access key, its secret and the region)"
        }
        "ExpiredToken" => " (hint: the credentials have expired: renew them)",
        "NoSuchBucket" => " (hint: create the bucket, or correct its name)",
        "RequestTimeTooSkewed" => " (hint: correct this machine's clock)",
        "AuthorizationHeaderMalformed" | "PermanentRedirect" => {
            " (hint: the bucket is in another region)"
        }
        _ => "",
    }
}

/// An error and its causes. The SDK's own rendering would print requests with their headers.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// How a request ended that was tried until it had an answer.
#[derive(Debug)]
pub(super) struct Tried<T> {
    pub(super) outcome: Result<T, Failure>,
    /// An earlier attempt may have had its effect although it failed.
    pub(super) is_repeated: bool,
}

/// Tries a request until it has an answer, at most `attempts` times. In traces it is one.
pub(super) async fn tried<T, F>(
    operation: &'static str,
    attempts: u32,
    mut attempt: impl FnMut() -> F,
) -> Tried<T>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut span = traces::leaf(|| format!("S3 {operation}").into());
    let mut made = 0;
    loop {
        let outcome = attempt().await;
        made += 1;
        match &outcome {
            Err(failure) if failure.kind == Kind::Transient && made < attempts => {
                tracing::debug!(s3.attempt = made, error = %failure, "a request failed: trying again");
                pause(made).await;
            }
            _ => {
                let is_repeated = made > 1;
                if let Some(span) = &mut span {
                    span.set("rpc.system", "aws-api");
                    span.set("rpc.method", operation);
                    span.set("s3.attempts", made);
                    if let Err(failure) = &outcome {
                        span.fail(failure);
                    }
                }
                return Tried {
                    outcome,
                    is_repeated,
                };
            }
        }
    }
}

/// Waits after a failed attempt: at random, so that many clients do not come back at once.
pub(super) async fn pause(made: u32) {
    let ceiling = FIRST_PAUSE
        .saturating_mul(1 << made.min(16))
        .min(LONGEST_PAUSE);
    let share = rand::rng().random::<f64>();
    tokio::time::sleep(ceiling.mul_f64(share)).await;
}
