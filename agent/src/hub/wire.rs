//! One request to the hub: who asks is proved for each, and whom is asked is pinned.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use cairn_oci::{
    PrivateKey,
    request_token::{self, Proof},
};
use cairn_spec::{
    agent::{Problem, ProblemCode, RequestClaims, limits},
    gzip,
};
use http::{Method, StatusCode, header};
use jiff::Timestamp;
use rand::RngExt as _;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::clock::Clock;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may take beside the time that the request may be held; of content, how long the next
/// part of it may.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to a hub.
#[derive(Debug)]
pub struct Wire {
    client: reqwest::Client,
    base: String,
    clock: Clock,
    /// How far the hub's clock is ahead of this one's, in seconds.
    ahead_s: i64,
    /// The hub has seen the certificate on this connection.
    is_shown: bool,
}

/// Who asks.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    /// The agent; empty while it joins.
    pub id: &'a str,
    /// Its key.
    pub key: &'a PrivateKey,
    /// Its certificate, DER; none while it joins.
    pub certificate: Option<&'a [u8]>,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The authorities cannot be used.
    #[error("the hub's certificate authorities cannot be used: {0}")]
    Authorities(String),
    /// A request cannot be made.
    #[error("a request to the hub cannot be made: {0}")]
    Request(String),
    /// No answer came.
    #[error("the hub does not answer")]
    Away(#[source] Box<reqwest::Error>),
    /// It has stopped in the middle of an answer.
    #[error("the hub has stopped answering: nothing came for {} s", ANSWER_TIMEOUT.as_secs())]
    Silent,
    /// The hub says no.
    #[error("the hub refuses ({status}): {}", problem.message)]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it says.
        problem: Box<Problem>,
        /// When to ask again.
        after: Option<Duration>,
    },
    /// The answer cannot be read.
    #[error("the hub's answer cannot be read: {0}")]
    Answer(String),
}

impl WireError {
    /// What the hub says is wrong.
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Self::Refused { problem, .. } => Some(problem.code),
            _ => None,
        }
    }

    /// When to ask again, as the hub says.
    pub fn after(&self) -> Option<Duration> {
        match self {
            Self::Refused { after, .. } => *after,
            _ => None,
        }
    }
}

/// A body that is read.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, WireError> {
        serde_json::from_slice(&self.body).map_err(|error| WireError::Answer(error.to_string()))
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The method.
    pub method: Method,
    /// The path, such as `/agent/v1/sync`.
    pub path: String,
    body: Bytes,
    is_gzip: bool,
    /// How long all of it may take; none for content, which comes as fast as the network lets it.
    patience: Option<Duration>,
    /// The largest answer, in bytes.
    limit_bytes: u64,
}

impl Question {
    /// A `POST` of JSON; large ones are compressed.
    pub fn post(path: &str, body: &impl Serialize, held: Duration) -> Result<Self, WireError> {
        let json =
            serde_json::to_vec(body).map_err(|error| WireError::Request(error.to_string()))?;
        let is_gzip = json.len() >= limits::GZIP_FROM_BYTES;
        let body = if is_gzip { gzip(&json) } else { json };
        Ok(Self {
            method: Method::POST,
            path: path.to_owned(),
            body: body.into(),
            is_gzip,
            patience: Some(held + ANSWER_TIMEOUT),
            limit_bytes: limits::MAX_ANSWER_BYTES as u64,
        })
    }

    /// A `GET` of content.
    pub fn get(path: String, limit_bytes: u64) -> Self {
        Self {
            method: Method::GET,
            path,
            body: Bytes::new(),
            is_gzip: false,
            patience: None,
            limit_bytes,
        }
    }
}

impl Wire {
    /// Trusts these authorities alone (PEM).
    pub fn new(url: &str, authorities: &[&str], clock: Clock) -> Result<Self, WireError> {
        let mut roots = RootCertStore::empty();
        for pem in authorities {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate =
                    certificate.map_err(|error| WireError::Authorities(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| WireError::Authorities(error.to_string()))?;
            }
        }
        if roots.is_empty() {
            let none = "there is no certificate in PEM";
            return Err(WireError::Authorities(none.to_owned()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| WireError::Authorities(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .user_agent(concat!("cairn-agent/", env!("CARGO_PKG_VERSION")))
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tls_backend_preconfigured(tls)
            .build()
            .map_err(|error| WireError::Request(error.to_string()))?;
        Ok(Self {
            client,
            base: url.trim_end_matches('/').to_owned(),
            clock,
            ahead_s: 0,
            is_shown: false,
        })
    }

    /// How far the hub's clock is ahead, in seconds.
    pub fn ahead_s(&self) -> i64 {
        self.ahead_s
    }

    /// Asks; once more if the hub has another clock, or has not seen the certificate.
    pub async fn ask(
        &mut self,
        asker: Asker<'_>,
        question: &Question,
    ) -> Result<Answer, WireError> {
        let mut body = Vec::new();
        let status = self.read(asker, question, &mut body).await?;
        Ok(Answer { status, body })
    }

    /// The same; what came before the connection broke is left in `body`, and a further call with it
    /// goes on from there.
    pub async fn read(
        &mut self,
        asker: Asker<'_>,
        question: &Question,
        body: &mut Vec<u8>,
    ) -> Result<StatusCode, WireError> {
        let first = self.read_once(asker, question, body).await;
        match first.as_ref().err().and_then(WireError::code) {
            Some(ProblemCode::Clock) => self.read_once(asker, question, body).await,
            Some(ProblemCode::CertificateUnknown) => {
                self.is_shown = false;
                self.read_once(asker, question, body).await
            }
            _ => first,
        }
    }

    async fn read_once(
        &mut self,
        asker: Asker<'_>,
        question: &Question,
        body: &mut Vec<u8>,
    ) -> Result<StatusCode, WireError> {
        let token = self.token(asker, question)?;
        let mut request = self
            .client
            .request(
                question.method.clone(),
                format!("{}{}", self.base, question.path),
            )
            .bearer_auth(token);
        if let Some(patience) = question.patience {
            request = request.timeout(patience);
        }
        if !question.body.is_empty() {
            request = request
                .header(header::CONTENT_TYPE, "application/json")
                .body(question.body.clone());
        }
        if question.is_gzip {
            request = request.header(header::CONTENT_ENCODING, "gzip");
        }
        if !body.is_empty() {
            request = request.header(header::RANGE, format!("bytes={}-", body.len()));
        }
        let patience = question.patience.unwrap_or(ANSWER_TIMEOUT);
        let sent = in_time(patience, request.send()).await;
        // Another connection may lead to another hub.
        let response = sent.inspect_err(|_| self.is_shown = false)?;
        let status = response.status();
        let date = response.headers().get(header::DATE);
        let date = date.and_then(|date| date.to_str().ok()).and_then(http_date);
        if let Some(date) = date {
            self.ahead_s = date.as_second() - self.clock.now().as_second();
        }
        let after = response.headers().get(header::RETRY_AFTER);
        let after = after.and_then(|after| after.to_str().ok()?.parse().ok());
        if status.is_success() {
            self.is_shown = asker.certificate.is_some();
            if status != StatusCode::PARTIAL_CONTENT {
                body.clear();
            }
            let read = read_body(response, question.limit_bytes, body).await;
            read.inspect_err(|_| self.is_shown = false)?;
            return Ok(status);
        }
        let mut said = Vec::new();
        read_body(response, question.limit_bytes, &mut said).await?;
        // Something in front of the hub may have answered.
        let problem = serde_json::from_slice(&said).unwrap_or_else(|_| Problem {
            code: ProblemCode::Unknown,
            message: String::from_utf8_lossy(&said).chars().take(200).collect(),
            hint: None,
        });
        Err(WireError::Refused {
            status: status.as_u16(),
            problem: Box::new(problem),
            after: after.map(Duration::from_secs),
        })
    }

    fn token(&self, asker: Asker<'_>, question: &Question) -> Result<String, WireError> {
        let now = self.clock.now().as_second().saturating_add(self.ahead_s);
        let now = u64::try_from(now).unwrap_or_default();
        let claims = RequestClaims {
            iss: asker.id.to_owned(),
            iat: now,
            exp: now + limits::REQUEST_TOKEN_LIFE_S,
            jti: format!("{:032x}", rand::rng().random::<u128>()),
            htm: question.method.to_string(),
            htu: question.path.clone(),
            bsh: request_token::thumbprint(&question.body),
        };
        let proof = match asker.certificate {
            None => Proof::InBody,
            Some(der) if self.is_shown => Proof::Thumbprint(der),
            Some(der) => Proof::Certificate(der),
        };
        request_token::sign(asker.key, &claims, proof)
            .map_err(|error| WireError::Request(error.to_string()))
    }
}

async fn in_time<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, reqwest::Error>>,
) -> Result<T, WireError> {
    let ended = tokio::time::timeout(patience, work).await;
    let ended = ended.map_err(|_| WireError::Silent)?;
    ended.map_err(|error| WireError::Away(Box::new(error)))
}

async fn read_body(
    mut response: reqwest::Response,
    limit_bytes: u64,
    body: &mut Vec<u8>,
) -> Result<(), WireError> {
    loop {
        let Some(chunk) = in_time(ANSWER_TIMEOUT, response.chunk()).await? else {
            return Ok(());
        };
        if (body.len() + chunk.len()) as u64 > limit_bytes {
            let problem = format!("it has more than {limit_bytes} bytes");
            return Err(WireError::Answer(problem));
        }
        body.extend_from_slice(&chunk);
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
    zoned.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_answers_are_read() {
        let date = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(date.to_string(), "1994-11-06T08:49:37Z");
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn a_hub_without_authority_is_not_spoken_to() {
        let clock = Clock::system();
        for pem in [
            "",
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        ] {
            assert!(Wire::new("https://hub", &[pem], clock.clone()).is_err());
        }
    }
}
