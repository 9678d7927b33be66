//! Sends one request: with credentials when the registry asks for them, again when it is busy,
//! and never with credentials to another host.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use cairn_spec::RegistryHost;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{RequestBuilder, Response, Url, redirect};
use serde::Deserialize;

use super::{Client, Options, auth::Access, challenge::Challenge};
use crate::{Error, error::RequestError, limits, network, store::Origin};

/// A request about a repository.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// The repository.
    pub(super) origin: &'a Origin,
    /// What the request does to it.
    pub(super) access: Access,
    /// What the request is about, for messages: a tag or a digest.
    pub(super) subject: &'a str,
}

impl Call<'_> {
    fn what(&self) -> String {
        let separator = if self.subject.contains(':') { '@' } else { ':' };
        if self.subject.is_empty() {
            self.origin.to_string()
        } else {
            format!("{}{separator}{}", self.origin, self.subject)
        }
    }

    /// The registry's answer breaks the specification.
    pub(super) fn bad_answer(&self, reason: impl Into<String>) -> Error {
        Error::Answer {
            what: self.what(),
            reason: reason.into(),
        }
    }
}

/// How long a client waits for whom, and whether it goes where it is led.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// The longest silence while an answer arrives.
    pub(super) read_timeout: Option<Duration>,
    /// The longest time for a whole request.
    pub(super) timeout: Option<Duration>,
    /// Redirects are followed.
    pub(super) follows: bool,
}

/// An HTTP client, over connections of its own.
pub(super) fn http_client(
    options: &Options,
    tls: rustls::ClientConfig,
    manner: Manner,
) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder();
    if let Some(read_timeout) = manner.read_timeout {
        builder = builder.read_timeout(read_timeout);
    }
    if let Some(timeout) = manner.timeout {
        builder = builder.timeout(timeout);
    }
    let private_hosts = options.private_hosts.clone();
    if let Some(hosts) = &private_hosts {
        // A proxy would resolve names by itself, and reach what it likes.
        builder = builder
            .dns_resolver(network::PublicAddresses::or_of(hosts))
            .no_proxy();
    }
    let policy = if manner.follows {
        redirect::Policy::custom(move |attempt| follow(attempt, private_hosts.as_deref()))
    } else {
        redirect::Policy::none()
    };
    builder
        .user_agent(concat!("cairn/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect_timeout)
        .redirect(policy)
        // Where a redirect leads need not know where it was met.
        .referer(false)
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|source| Error::Setup {
            source: source.into(),
        })
}

/// Follows a few redirects, but never from HTTPS to plain HTTP, nor into private networks.
fn follow(
    attempt: redirect::Attempt<'_>,
    private_hosts: Option<&[RegistryHost]>,
) -> redirect::Action {
    let downgraded = attempt.url().scheme() != "https"
        && attempt.previous().iter().any(|url| url.scheme() == "https");
    if downgraded {
        attempt.error("a redirect leads from HTTPS to plain HTTP")
    } else if attempt.previous().len() > limits::MAX_REDIRECTS {
        attempt.error("too many redirects")
    } else if private_hosts.is_some_and(|hosts| !network::may_ask(attempt.url(), hosts)) {
        attempt.error("a redirect leads into a private network")
    } else {
        attempt.follow()
    }
}

impl Client {
    /// Sends a request that can be repeated, and returns the first answer that is neither a
    /// challenge nor a sign of a busy registry.
    pub(super) async fn send(
        &self,
        call: Call<'_>,
        request: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Response, Error> {
        self.repeat(call.subject, || self.send_authorized(call, &request))
            .await
    }

    /// Sends again, after a pause, while the answer is a sign of a busy server and attempts are left.
    pub(super) async fn repeat<F>(
        &self,
        subject: &str,
        send: impl Fn() -> F,
    ) -> Result<Response, Error>
    where
        F: Future<Output = Result<Response, Error>>,
    {
        let options = &self.inner.options;
        let mut attempt = 1;
        loop {
            let result = send().await;
            let last = attempt >= options.max_attempts.max(1);
            let wait = match &result {
                Ok(response) if !last && may_be_repeated(response) => backoff(
                    options.first_backoff,
                    attempt,
                    retry_after(response.headers()),
                ),
                Err(Error::Request { source, .. }) if !last && !source.is_redirect() => {
                    backoff(options.first_backoff, attempt, None)
                }
                _ => return result,
            };
            tracing::debug!(
                oci.subject = subject,
                attempt,
                wait_ms = wait.as_millis(),
                "asking again after a pause"
            );
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Sends a request, a second time with fresh credentials when the registry asks for them.
    async fn send_authorized(
        &self,
        call: Call<'_>,
        request: &impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Response, Error> {
        let authenticator = &self.inner.authenticator;
        let known = authenticator.known(call.origin, call.access).await;
        let response = self
            .send_once(call, request(&self.inner.http), known.as_ref())
            .await?;
        let scheme = self.scheme(&call.origin.registry);
        let asks = response.status() == StatusCode::UNAUTHORIZED
            && is_registry(response.url(), scheme, call.origin);
        if !asks {
            return Ok(response);
        }
        let challenge = Challenge::of(response.headers());
        let fresh = authenticator
            .authorize(scheme, call, &challenge, known.as_ref())
            .await?;
        self.send_once(call, request(&self.inner.http), Some(&fresh))
            .await
    }

    /// Sends a request that cannot be repeated, because its body streams by. The registry must
    /// have been asked something before, so that its challenge is answered already.
    pub(super) async fn send_streaming(
        &self,
        call: Call<'_>,
        request: RequestBuilder,
    ) -> Result<Response, Error> {
        let known = self
            .inner
            .authenticator
            .known(call.origin, call.access)
            .await;
        self.send_once(call, request, known.as_ref()).await
    }

    /// Starts a request whose body of `size_bytes` has time to arrive.
    pub(super) fn upload_request(
        &self,
        method: Method,
        url: Url,
        size_bytes: u64,
    ) -> RequestBuilder {
        self.inner
            .uploads
            .request(method, url)
            .timeout(self.upload_timeout(size_bytes))
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, size_bytes)
    }

    /// How long an upload of `size_bytes` may take.
    pub(super) fn upload_timeout(&self, size_bytes: u64) -> Duration {
        let transfer = Duration::from_secs(size_bytes / limits::MIN_UPLOAD_BYTES_PER_S);
        self.inner.options.read_timeout.saturating_add(transfer)
    }

    async fn send_once(
        &self,
        call: Call<'_>,
        request: RequestBuilder,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, Error> {
        let (client, request) = request.build_split();
        let mut request = request.map_err(|error| Error::Setup {
            source: error.into(),
        })?;
        let scheme = self.scheme(&call.origin.registry);
        if scheme == "https" && request.url().scheme() != "https" {
            return Err(call.bad_answer("it leads from HTTPS to plain HTTP"));
        }
        if let Some(hosts) = &self.inner.options.private_hosts
            && !is_registry(request.url(), scheme, call.origin)
            && !network::may_ask(request.url(), hosts)
        {
            return Err(call.bad_answer("it leads into a private network"));
        }
        // An upload may be sent elsewhere by its `Location`; credentials stay with the registry.
        if let Some(authorization) = authorization
            && is_registry(request.url(), scheme, call.origin)
        {
            request
                .headers_mut()
                .insert(header::AUTHORIZATION, authorization.clone());
        }
        let (method, url) = (request.method().clone(), shown(request.url()));
        let sent = Box::pin(client.execute(request)).await;
        sent.map_err(|error| Error::Request {
            method,
            url,
            source: RequestError::new(error),
        })
    }
}

fn is_registry(url: &Url, scheme: &str, origin: &Origin) -> bool {
    Url::parse(&format!("{scheme}://{}/", origin.registry))
        .is_ok_and(|registry| registry.origin() == url.origin())
}

pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}

fn is_busy(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// The registry is busy, and does not ask to be left alone for longer than is waited here.
fn may_be_repeated(response: &Response) -> bool {
    let asked = retry_after(response.headers()).unwrap_or_default();
    is_busy(response.status()) && asked <= limits::MAX_BACKOFF
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

/// Doubles with every attempt, at least what the registry asks for, within the limit. Half to
/// one and a half times as long, so that clients do not come back all at once.
fn backoff(first: Duration, attempt: u32, asked: Option<Duration>) -> Duration {
    let doubled = first.saturating_mul(1 << (attempt - 1).min(16));
    let jittered = doubled.mul_f64(rand::random_range(0.5..1.5));
    jittered
        .max(asked.unwrap_or_default())
        .min(limits::MAX_BACKOFF)
}

/// Turns an answer that is not a success into an error.
pub(super) async fn check(
    call: Call<'_>,
    method: Method,
    response: Response,
) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let url = shown(response.url());
    let retry_after = retry_after(response.headers());
    let body = read_limited(call, response, limits::MAX_ERROR_BYTES).await;
    let reason = match body {
        Ok(body) if !body.is_empty() => error_text(&body),
        _ => status
            .canonical_reason()
            .unwrap_or("no reason given")
            .to_owned(),
    };
    let what = call.what();
    Err(match status {
        StatusCode::NOT_FOUND => Error::NotFound { what },
        StatusCode::UNAUTHORIZED => Error::Unauthenticated { what, reason },
        StatusCode::FORBIDDEN => Error::Denied { what, reason },
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Error::Conflict { what, reason },
        StatusCode::TOO_MANY_REQUESTS => Error::TooManyRequests {
            what,
            reason,
            retry_after,
        },
        _ => Error::Registry {
            method,
            url,
            status,
            reason,
        },
    })
}

/// Reads a body that must not be larger than `limit_bytes`.
pub(super) async fn read_limited(
    call: Call<'_>,
    mut response: Response,
    limit_bytes: usize,
) -> Result<Bytes, Error> {
    let url = shown(response.url());
    let mut body = BytesMut::new();
    loop {
        let chunk = response.chunk().await.map_err(|error| Error::Request {
            method: Method::GET,
            url: url.clone(),
            source: RequestError::new(error),
        })?;
        match chunk {
            Some(chunk) if body.len() + chunk.len() > limit_bytes => {
                return Err(Error::Limit {
                    what: call.what(),
                    limit: limit_bytes as u64,
                    unit: "bytes",
                });
            }
            Some(chunk) => body.extend_from_slice(&chunk),
            None => return Ok(body.freeze()),
        }
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    code: String,
    #[serde(default)]
    message: Option<Arc<str>>,
}

/// The longest reason, in characters, that is repeated from a registry.
const MAX_REASON_CHARS: usize = 400;

/// What an error body says, safe to print.
pub(super) fn error_text(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { errors }) if !errors.is_empty() => {
            let entries: Vec<String> = errors
                .iter()
                .map(|ErrorEntry { code, message }| match message {
                    Some(message) => format!("{code}: {message}"),
                    None => code.clone(),
                })
                .collect();
            entries.join("; ")
        }
        _ => String::from_utf8_lossy(body).into_owned(),
    };
    safe(text.trim())
}

/// A text from outside, safe to print and not too long.
pub(super) fn safe(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(printable).take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_in_the_registrys_words() {
        assert_eq!(
            error_text(br#"{"errors":[{"code":"DENIED","message":"no"},{"code":"X"}]}"#),
            "DENIED: no; X"
        );
        assert_eq!(error_text(b"<p>\x1b[31mred</p>\n"), "<p> [31mred</p>");
    }

    #[test]
    fn waits_grow_and_are_bounded() {
        let first = Duration::from_millis(100);
        assert!(backoff(first, 1, None) <= Duration::from_millis(150));
        assert!(backoff(first, 3, None) >= Duration::from_millis(200));
        assert_eq!(backoff(first, 9, Some(Duration::MAX)), limits::MAX_BACKOFF);
    }
}
