//! An agent that is nothing but its half of the protocol: it joins, syncs and renews over a
//! connection of its own, and can be made to do each thing wrong.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use anyhow::{Context as _, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use cairn_hub::Clock;
use cairn_oci::{
    PrivateKey, key,
    request_token::{self, Proof, thumbprint},
};
use cairn_spec::agent::{
    JoinToken, Problem, ProblemCode, Register, Registered, Renew, Renewed, RequestClaims, Sync,
    SyncAnswer,
};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

/// Where the hub is, and what all agents share.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<TlsConnector>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: TaskTracker,
    pub(crate) traffic: Arc<Traffic>,
}

/// Bytes on the wire, TLS included.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
}

/// An agent.
pub(crate) struct Agent {
    pub(crate) hub: Hub,
    pub(crate) key: PrivateKey,
    pub(crate) cluster_uid: String,
    /// Who it is, once it has joined.
    pub(crate) id: String,
    /// Its certificate, DER.
    pub(crate) certificate: Vec<u8>,
    pub(crate) boot_id: String,
    pub(crate) seq: u64,
    /// Its clock less the hub's, in seconds.
    pub(crate) skew_s: i64,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// The connection has shown the certificate.
    has_shown: bool,
}

/// What the hub answered.
pub(crate) type Answer<T> = Result<T, Problem>;

impl Agent {
    pub(crate) fn new(hub: &Hub, cluster_uid: &str) -> Result<Self> {
        Ok(Self {
            hub: hub.clone(),
            key: key::generate()?,
            cluster_uid: cluster_uid.to_owned(),
            id: String::new(),
            certificate: Vec::new(),
            boot_id: "boot1".to_owned(),
            seq: 0,
            skew_s: 0,
            connection: None,
            has_shown: false,
        })
    }

    pub(crate) fn public_key(&self) -> Result<String> {
        Ok(self.key.public_key()?.to_pem()?)
    }

    /// What it says to join.
    pub(crate) fn register_body(&self, token: &JoinToken) -> Result<Register> {
        Ok(Register {
            token: token.clone(),
            public_key: self.public_key()?,
            cluster_uid: self.cluster_uid.clone(),
            kubernetes_version: "v1.36.3".to_owned(),
            agent_version: "0.1.0".to_owned(),
        })
    }

    /// Joins; the status is 202 while somebody must agree.
    pub(crate) async fn register(&mut self, token: &JoinToken) -> Result<Answer<StatusCode>> {
        let body = json(&self.register_body(token)?)?;
        let path = "/agent/v1/register";
        let claims = RequestClaims {
            iss: String::new(),
            ..self.claims(&Method::POST, path, &body)
        };
        let token = request_token::sign(&self.key, &claims, Proof::InBody)?;
        let response = self
            .send((Method::POST, path), body, Some(token), &[])
            .await?;
        let (status, body) = read(response).await?;
        if status != StatusCode::OK {
            return Ok(if status.is_success() {
                Ok(status)
            } else {
                Err(parse(&body)?)
            });
        }
        let registered: Registered = parse(&body)?;
        self.id = registered.agent_id;
        self.certificate = der(&registered.certificate)?;
        Ok(Ok(status))
    }

    /// A sync with the next number; the rest is as given.
    pub(crate) async fn sync(&mut self, mut sync: Sync) -> Result<Answer<SyncAnswer>> {
        self.seq += 1;
        sync.seq = self.seq;
        sync.boot_id.clone_from(&self.boot_id);
        let body = json(&sync)?;
        self.call(Method::POST, "/agent/v1/sync", body, &[]).await
    }

    /// Renews, with a new key.
    pub(crate) async fn renew(&mut self) -> Result<Answer<Renewed>> {
        let key = key::generate()?;
        let renewed = self.renew_to(&key, &self.cluster_uid.clone()).await?;
        if let Ok(renewed) = &renewed {
            self.key = key;
            self.certificate = der(&renewed.certificate)?;
            self.has_shown = false;
        }
        Ok(renewed)
    }

    /// Asks for a certificate for a key, and keeps the old one.
    pub(crate) async fn renew_to(
        &mut self,
        key: &PrivateKey,
        uid: &str,
    ) -> Result<Answer<Renewed>> {
        let public_key = key.public_key()?.to_pem()?;
        let proof = key.sign(&Renew::proof_of(&self.id, &public_key));
        let wanted = Renew {
            public_key,
            cluster_uid: uid.to_owned(),
            proof: STANDARD.encode(proof),
        };
        let body = json(&wanted)?;
        self.call(Method::POST, "/agent/v1/renew", body, &[]).await
    }

    /// A request as an agent sends it; the answer's body is JSON. The certificate is shown with the
    /// first request of a connection, and when the hub asks for it.
    pub(crate) async fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
        headers: &[(header::HeaderName, &str)],
    ) -> Result<Answer<T>> {
        loop {
            let is_old = self.connection.is_some();
            let shows = !self.has_shown || !is_old;
            let proof = if shows {
                Proof::Certificate(&self.certificate)
            } else {
                Proof::Thumbprint(&self.certificate)
            };
            let claims = self.claims(&method, path, &body);
            let token = request_token::sign(&self.key, &claims, proof)?;
            let sent = self.send((method.clone(), path), body.clone(), Some(token), headers);
            let response = match sent.await {
                // The hub has closed the connection meanwhile, and nothing was sent.
                Err(error) if is_old && was_not_sent(&error) => {
                    self.disconnect();
                    continue;
                }
                sent => sent?,
            };
            let (status, body) = read(response).await?;
            if status.is_success() {
                self.has_shown = true;
                return Ok(Ok(parse(&body)?));
            }
            let problem: Problem = parse(&body)?;
            if problem.code == ProblemCode::CertificateUnknown && !shows {
                self.has_shown = false;
                continue;
            }
            return Ok(Err(problem));
        }
    }

    /// What a token for a request claims.
    pub(crate) fn claims(&self, method: &Method, path: &str, body: &[u8]) -> RequestClaims {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let iat = self.hub.clock.unix_s().saturating_add_signed(self.skew_s);
        RequestClaims {
            iss: self.id.clone(),
            iat,
            exp: iat + 60,
            jti: format!(
                "{:x}-{}",
                std::process::id(),
                NUMBER.fetch_add(1, Ordering::Relaxed)
            ),
            htm: method.to_string(),
            htu: path.to_owned(),
            bsh: thumbprint(body),
        }
    }

    /// Sends anything over the agent's connection, which is opened first if need be.
    pub(crate) async fn send(
        &mut self,
        (method, path): (Method, &str),
        body: Bytes,
        token: Option<String>,
        headers: &[(header::HeaderName, &str)],
    ) -> Result<Response<hyper::body::Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(Full::new(body))?;
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => {
                self.has_shown = false;
                connect(&self.hub).await?
            }
        };
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        self.connection = Some(connection);
        Ok(response)
    }

    /// Speaks to this hub from now on, and no longer to the one before: what is left of a connection to
    /// that one would take a request and break, if word of its end is still on the way.
    pub(crate) fn turn_to(&mut self, hub: &Hub) {
        self.hub = hub.clone();
        self.disconnect();
    }

    /// Ends the connection, and with it the request that is held.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
    }
}

fn was_not_sent(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<hyper::Error>();
    error.is_some_and(|error| error.is_canceled() || error.is_closed())
}

async fn connect(hub: &Hub) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(hub.address).await?;
    stream.set_nodelay(true)?;
    let stream = Counted {
        stream,
        traffic: Arc::clone(&hub.traffic),
    };
    match &hub.tls {
        None => speak(hub, stream).await,
        Some(tls) => {
            let name = ServerName::try_from("localhost")?;
            let stream = Box::pin(tls.connect(name, stream)).await?;
            speak(hub, stream).await
        }
    }
}

async fn speak<S>(hub: &Hub, stream: S) -> Result<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http1::Builder::new()
        .max_buf_size(16 * 1024)
        .handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await?;
    hub.tasks.spawn(async move {
        // Whoever waits for an answer learns that the connection broke.
        let _ = connection.await;
    });
    Ok(sender)
}

pub(crate) fn json(value: &impl Serialize) -> Result<Bytes> {
    Ok(Bytes::from(serde_json::to_vec(value)?))
}

pub(crate) async fn read(response: Response<hyper::body::Incoming>) -> Result<(StatusCode, Bytes)> {
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).with_context(|| String::from_utf8_lossy(body).into_owned())
}

pub(crate) fn der(pem: &str) -> Result<Vec<u8>> {
    Ok(CertificateDer::from_pem_slice(pem.as_bytes())?.to_vec())
}

/// Counts what passes.
struct Counted {
    stream: TcpStream,
    traffic: Arc<Traffic>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        self.traffic
            .received
            .fetch_add(read as u64, Ordering::Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            self.traffic
                .sent
                .fetch_add(*written as u64, Ordering::Relaxed);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
