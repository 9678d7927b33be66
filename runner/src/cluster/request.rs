//! One request to the API server: attempts, pauses between them, and how large an answer may be.
//!
//! All requests are ones that may be made twice: reads, server-side applies, and what is done to one
//! version of one object only.

use std::{fmt::Write as _, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::{Cluster, ClusterError, Refusal};

/// The largest answer: a page of 500 objects of more than 100 KiB each.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// The first pause between two attempts, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How often a request is made that ends in an internal error: a webhook that is just starting is
/// worth a few more attempts, one that is gone will not come back by itself.
const INTERNAL_ERRORS: u32 = 5;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) accept: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    /// True if the object is new.
    pub(super) is_created: bool,
    pub(super) value: Value,
}

pub(super) const JSON: &str = "application/json";

impl Call {
    pub(super) fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            accept: JSON,
            content_type: JSON,
            body: Bytes::new(),
        }
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn request(&self) -> Result<Request<Body>, ClusterError> {
        let request = Request::builder()
            .method(self.method.clone())
            .uri(self.path.as_str())
            .header(header::ACCEPT, self.accept)
            .header(header::CONTENT_TYPE, self.content_type);
        request
            .body(Body::from(self.body.clone()))
            .map_err(|error| ClusterError::Object(error.to_string()))
    }
}

/// How much of an answer belongs to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// All of it.
    Whole,
    /// Its head; the rest comes as things happen.
    Head,
}

/// How one attempt ended that did not succeed.
enum Failure {
    /// Another attempt will not do better.
    Final(ClusterError),
    /// No answer came.
    Away(Option<Box<kube::Error>>),
    /// The server refuses for now.
    Later(Refusal, Option<Duration>),
}

impl Cluster {
    /// Asks until there is an answer or the patience ends.
    pub(super) async fn ask(&self, call: &Call) -> Result<Answer, ClusterError> {
        let response = self.attempts(call, Reading::Whole).await?;
        let is_created = response.status() == StatusCode::CREATED;
        let value = read(call, response).await?;
        Ok(Answer { is_created, value })
    }

    /// The same for an answer of which only some is to be read.
    pub(super) async fn ask_typed<T: DeserializeOwned>(
        &self,
        call: &Call,
    ) -> Result<T, ClusterError> {
        read(call, self.attempts(call, Reading::Whole).await?).await
    }

    /// The same for an answer that is no JSON.
    pub(super) async fn ask_bytes(&self, call: &Call) -> Result<Bytes, ClusterError> {
        let response = self.attempts(call, Reading::Whole).await?;
        let body = response.into_body().collect_bytes().await;
        body.map_err(|error| ClusterError::Answer {
            request: call.name(),
            problem: error.to_string(),
        })
    }

    /// Asks for an answer that goes on, such as a watch.
    pub(super) async fn open(&self, call: &Call) -> Result<Response<Body>, ClusterError> {
        self.attempts(call, Reading::Head).await
    }

    async fn attempts(
        &self,
        call: &Call,
        reading: Reading,
    ) -> Result<Response<Body>, ClusterError> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut internal_errors = 0;
        loop {
            let failure = match self.attempt(call, reading).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(failure) => failure,
            };
            let asked_for = match &failure {
                Failure::Later(refusal, after) => {
                    internal_errors += u32::from(refusal.code == 500);
                    *after
                }
                _ => None,
            };
            // Not all at the same moment, when many wait for the same server.
            let pause_now = asked_for
                .unwrap_or(pause)
                .mul_f64(rand::random_range(1.0..1.25));
            let is_patient = started.elapsed() + pause_now < self.pace.patience;
            if !is_patient || internal_errors >= INTERNAL_ERRORS {
                return Err(match failure {
                    Failure::Later(refusal, _) => ClusterError::Refused(Box::new(refusal)),
                    Failure::Away(source) => ClusterError::Away {
                        request: call.name(),
                        tried_s: started.elapsed().as_secs(),
                        source,
                    },
                    Failure::Final(error) => error,
                });
            }
            sleep(pause_now).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn attempt(&self, call: &Call, reading: Reading) -> Result<Response<Body>, Failure> {
        let request = call.request().map_err(Failure::Final)?;
        let _place = self.places.acquire().await;
        let once = async {
            let response = self.accepted(request).await?;
            if reading == Reading::Head {
                return Ok(response);
            }
            let (parts, body) = response.into_parts();
            let body = whole(body).await.map_err(|cut| match cut {
                Cut::Away(error) => Failure::Away(Some(error)),
                Cut::TooLarge => Failure::Final(ClusterError::Answer {
                    request: call.name(),
                    problem: format!("it is larger than {MAX_ANSWER_BYTES} bytes"),
                }),
            })?;
            Ok(Response::from_parts(parts, Body::from(body)))
        };
        let started = Instant::now();
        let ended = timeout(self.pace.request_timeout, once).await;
        if reading == Reading::Whole {
            self.meter.count(started.elapsed());
        }
        ended.unwrap_or(Err(Failure::Away(None)))
    }

    /// The response, if it is one of success.
    async fn accepted(&self, request: Request<Body>) -> Result<Response<Body>, Failure> {
        let response = match self.client.send(request).await {
            Ok(response) => response,
            Err(error) if is_about_tls(&error) => {
                return Err(Failure::Final(ClusterError::Tls(Box::new(error))));
            }
            Err(error) => return Err(Failure::Away(Some(Box::new(error)))),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let after = retry_after(response.headers());
        let body = whole(response.into_body()).await.unwrap_or_default();
        let refusal = Refusal::read(status.as_u16(), &body);
        let after = after.or_else(|| {
            let seconds = refusal.details.retry_after_seconds;
            (seconds > 0).then(|| Duration::from_secs(seconds))
        });
        Err(match status.as_u16() {
            429 | 500 | 502..=504 => {
                Failure::Later(refusal, after.map(|after| after.min(LONGEST_PAUSE)))
            }
            _ => Failure::Final(ClusterError::Refused(Box::new(refusal))),
        })
    }
}

async fn read<T: DeserializeOwned>(
    call: &Call,
    response: Response<Body>,
) -> Result<T, ClusterError> {
    let body = response.into_body().collect_bytes().await;
    body.map_err(|error| error.to_string())
        .and_then(|body| serde_json::from_slice(&body).map_err(|error| error.to_string()))
        .map_err(|problem| ClusterError::Answer {
            request: call.name(),
            problem,
        })
}

/// How a body ends too early.
enum Cut {
    Away(Box<kube::Error>),
    TooLarge,
}

async fn whole(mut body: Body) -> Result<Bytes, Cut> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Cut::Away(Box::new(kube::Error::Service(error.into()))))?;
        if let Ok(data) = frame.into_data() {
            if whole.len() + data.len() > MAX_ANSWER_BYTES {
                return Err(Cut::TooLarge);
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// Seconds, as API servers say it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// A certificate does not get better by asking again.
fn is_about_tls(error: &kube::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return true;
        }
        // Errors of IO say what those that they hold are caused by, and leave out those themselves.
        cause = match error.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|held| held as _),
            None => error.source(),
        };
    }
    false
}

/// A part of a path, with all bytes that mean something in one written as `%XX`.
pub(super) fn encoded(part: &str) -> String {
    let mut encoded = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_part_of_a_path() {
        assert_eq!(encoded("system:node-1.x"), "system:node-1.x");
        assert_eq!(encoded("../a?b=c&d"), "..%2Fa%3Fb%3Dc%26d");
    }
}
