//! Answers, and which status each error has.

use axum::{body::Body, response::Response};
use cairn_spec::agent::ProblemCode;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{Error, Hub};

/// When a hub that cannot answer is asked again, in seconds.
const UNAVAILABLE_RETRY_S: u64 = 5;

/// An answer in JSON.
pub(super) fn json(hub: &Hub, status: StatusCode, content: &impl Serialize) -> Response {
    let Ok(content) = serde_json::to_vec(content) else {
        return with_date(hub, status_only(StatusCode::INTERNAL_SERVER_ERROR));
    };
    let mut response = Response::new(Body::from(content));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    with_date(hub, response)
}

/// An error, as an agent is told it.
pub(super) fn problem(hub: &Hub, error: &Error) -> Response {
    let problem = error.problem();
    if problem.code == ProblemCode::Unavailable {
        tracing::error!(error = error as &dyn std::error::Error, "a request failed");
    } else {
        tracing::debug!(
            error = error as &dyn std::error::Error,
            "a request was refused"
        );
    }
    let mut response = json(hub, status_of(problem.code), &problem);
    let retry_after_s = match error {
        Error::TooManyRequests { retry_after_s } => Some(*retry_after_s),
        _ if problem.code == ProblemCode::Unavailable => Some(UNAVAILABLE_RETRY_S),
        _ => None,
    };
    if let Some(seconds) = retry_after_s {
        let seconds = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    if let Error::RangeNotSatisfiable { size_bytes } = error
        && let Ok(range) = HeaderValue::try_from(format!("bytes */{size_bytes}"))
    {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}

fn status_of(code: ProblemCode) -> StatusCode {
    match code {
        ProblemCode::Malformed => StatusCode::BAD_REQUEST,
        ProblemCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ProblemCode::Unauthenticated
        | ProblemCode::Clock
        | ProblemCode::CertificateUnknown
        | ProblemCode::CertificateExpired => StatusCode::UNAUTHORIZED,
        ProblemCode::Revoked | ProblemCode::JoinTokenRefused => StatusCode::FORBIDDEN,
        ProblemCode::NotFound => StatusCode::NOT_FOUND,
        ProblemCode::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        ProblemCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ProblemCode::Unavailable | ProblemCode::Unknown => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn status_only(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Agents learn the time from `Date`: it is that of the clock which judges their tokens.
pub(super) fn with_date(hub: &Hub, mut response: Response) -> Response {
    if let Ok(date) = HeaderValue::try_from(imf_fixdate(hub.clock.unix_s())) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// A time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7>).
fn imf_fixdate(unix_s: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = cairn_spec::rfc_3339(unix_s);
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let days = usize::try_from(unix_s / 86_400 % 7).unwrap_or_default();
    let month: usize = part(5..7).parse().unwrap_or(1);
    let day = DAYS.get(days).copied().unwrap_or_default();
    let month = MONTHS
        .get(month.saturating_sub(1))
        .copied()
        .unwrap_or_default();
    format!(
        "{day}, {} {month} {} {} GMT",
        part(8..10),
        part(0..4),
        part(11..19)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_as_http_writes_them() {
        for (unix_s, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (1_795_867_200, "Sat, 28 Nov 2026 12:00:00 GMT"),
        ] {
            assert_eq!(imf_fixdate(unix_s), expected);
        }
    }
}
