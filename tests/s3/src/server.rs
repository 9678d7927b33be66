//! The server: counts each request, lets it fail if that was ordered, and else answers it.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Result;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use s3s::{
    Body,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    ACCESS_KEY_ID, Death, Fault, Operation, Quirks, Request, SECRET_ACCESS_KEY, faults::Faults,
    objects::Objects, service::Service,
};

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    state: Arc<State>,
    shutdown: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    objects: Arc<Objects>,
    faults: Faults,
    requests: Mutex<Vec<Request>>,
    latency: Mutex<Duration>,
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl S3Server {
    /// Starts a server without quirks on a free port of this machine.
    pub async fn start() -> Self {
        Self::with(Quirks::default()).await
    }

    /// Starts a server on a free port of this machine.
    pub async fn with(quirks: Quirks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        Self::on(listener.expect("a free port"), quirks)
    }

    /// Starts a server on a listener.
    pub fn on(listener: TcpListener, quirks: Quirks) -> Self {
        let address = listener.local_addr().expect("a bound listener");
        let state = Arc::new(State::default());
        let objects = Arc::clone(&state.objects);
        let mut builder = S3ServiceBuilder::new(Service { objects, quirks });
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        let shutdown = CancellationToken::new();
        let accepting = accept(listener, builder.build(), Arc::clone(&state));
        let stopped = shutdown.clone();
        TaskTracker::new().spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = accepting => {}
            }
        });
        Self {
            address,
            state,
            shutdown,
        }
    }

    /// The server's URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, a share of all requests (0 to 1) meets one of these faults.
    pub fn fail(&self, seed: u64, share: f64, kinds: &[Fault]) {
        self.state.faults.share(seed, share, kinds);
    }

    /// How many requests have met a fault until now.
    pub fn strikes(&self) -> u64 {
        self.state.faults.strikes()
    }

    /// The next request for an operation meets a fault.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.state.faults.next(operation, fault);
    }

    /// Whoever asks dies at a request, counted from now (1 is the next): it and all that follow have
    /// no answer, until [`S3Server::revive`].
    pub fn die_at(&self, request: u32, death: Death) {
        self.state.faults.die(Some((request, death)));
    }

    /// The one who asks has died.
    pub fn has_died(&self) -> bool {
        self.state.faults.is_dead()
    }

    /// Somebody else asks from now on.
    pub fn revive(&self) {
        self.state.faults.die(None);
    }

    /// From now on, every request waits so long before anything happens.
    pub fn delay(&self, latency: Duration) {
        *locked(&self.state.latency) = latency;
    }

    /// The requests since the last call.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *locked(&self.state.requests))
    }

    /// Puts an object into the bucket, as somebody else.
    pub fn put(&self, key: &str, bytes: impl Into<bytes::Bytes>) {
        let put = self.state.objects.put(key, bytes.into(), None);
        put.expect("a put without condition");
    }

    /// Every object's key with its size in bytes, sorted.
    pub fn objects(&self) -> Vec<(String, usize)> {
        self.state.objects.keys()
    }

    /// The keys of all multipart uploads under way.
    pub fn multipart_uploads(&self) -> Vec<String> {
        let uploads = self.state.objects.uploads("");
        uploads.into_iter().map(|(key, _)| key).collect()
    }
}

async fn accept(listener: TcpListener, service: S3Service, state: Arc<State>) {
    let connections = TaskTracker::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, service.clone(), Arc::clone(&state)));
        }
    }
}

async fn serve(stream: TcpStream, service: S3Service, state: Arc<State>) {
    // Without it, answers in two segments wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let answering = service_fn(move |request| {
        let (service, state) = (service.clone(), Arc::clone(&state));
        async move { answer(&service, &state, request).await }
    });
    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    // The client sees a broken connection; nobody else needs to know.
    let _ = builder
        .serve_connection(TokioIo::new(stream), answering)
        .await;
}

async fn answer(
    service: &S3Service,
    state: &State,
    request: http::Request<Incoming>,
) -> Result<Response<Body>> {
    let headers = request.headers();
    let is_conditional =
        headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_NONE_MATCH);
    let seen = Request::new(request.method(), request.uri(), is_conditional);
    let fault = state.faults.strike(&seen);
    locked(&state.requests).push(seen);
    let latency = *locked(&state.latency);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    match fault {
        Some(Fault::InternalError) => return refuse(request, 500, "InternalError").await,
        Some(Fault::Full) => return refuse(request, 507, "XMinioStorageFull").await,
        Some(Fault::ExpiredCredentials) => return refuse(request, 403, "ExpiredToken").await,
        Some(Fault::SlowDown) => return refuse(request, 503, "SlowDown").await,
        Some(Fault::ConditionalRequestConflict) => {
            return refuse(request, 409, "ConditionalRequestConflict").await;
        }
        Some(Fault::Silence) => return pending().await,
        Some(Fault::BrokenBefore) => return Err(broken().into()),
        _ => {}
    }
    let answered = service.call(request.map(Body::from)).await;
    let mut response = answered.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    match fault {
        Some(Fault::BrokenAfter) => return Err(broken().into()),
        Some(Fault::InternalErrorAfter) => return Ok(failure(500, "InternalError")),
        Some(Fault::Truncated) => return Ok(truncated(response).await),
        Some(Fault::WrongEtag) => {
            let etag = HeaderValue::from_static("\"0123456789abcdef0123456789abcdef\"");
            response.headers_mut().insert(header::ETAG, etag);
        }
        _ => {}
    }
    Ok(response)
}

/// Reads the request to its end, so that the client is there to see the answer.
async fn refuse(
    request: http::Request<Incoming>,
    status: u16,
    code: &str,
) -> Result<Response<Body>> {
    request.into_body().collect().await?;
    Ok(failure(status, code))
}

fn failure(status: u16, code: &str) -> Response<Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>as ordered</Message></Error>"
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    response
}

/// Half of the body, and then a broken connection.
async fn truncated(response: Response<Body>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let whole = match body.collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(_) => bytes::Bytes::new(),
    };
    let half = whole.slice(..whole.len() / 2);
    let pieces = [Ok(hyper::body::Frame::data(half)), Err(broken())];
    let body = StreamBody::new(futures_util::stream::iter(pieces));
    Response::from_parts(parts, Body::http_body_unsync(body))
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "as ordered")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
