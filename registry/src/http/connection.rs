//! One connection: HTTP/1.1 or HTTP/2, with limits on how long a client may do nothing.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::Watcher},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use tokio_rustls::server::TlsStream;
use tower_http::add_extension::AddExtension;

use super::Peer;
use crate::{
    Limits,
    operations::metrics::{Counted, Metrics},
    tls::Tls,
};

/// Streams of one HTTP/2 connection at a time.
const CONCURRENT_STREAMS: u32 = 128;
/// How much of a body one HTTP/2 stream, and all of a connection, may send ahead, in bytes.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// What is read from the socket at once, in bytes; a request's headers have to fit.
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// A connection that was accepted; it counts as open until this is dropped.
#[derive(Debug)]
pub(crate) struct Accepted<S> {
    stream: S,
    pub(crate) peer: Peer,
    open: Counted,
}

impl<S> Accepted<S> {
    pub(crate) fn new(stream: S, address: SocketAddr, metrics: &Arc<Metrics>) -> Self {
        metrics.connections_accepted.add(1);
        Self {
            stream,
            peer: Peer {
                address,
                is_secure: false,
                certificate: None,
            },
            open: Counted::new(metrics, |metrics| &metrics.connections),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Accepted<S> {
    /// The same connection after a TLS handshake.
    pub(crate) async fn secured(self, tls: &Tls) -> io::Result<Accepted<TlsStream<S>>> {
        let (stream, names) = tls.accept(self.stream).await?;
        Ok(Accepted {
            stream,
            peer: Peer {
                address: self.peer.address,
                is_secure: true,
                certificate: names.map(Arc::new),
            },
            open: self.open,
        })
    }
}

/// Serves a connection until it ends or, after its current request, until shutdown.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    accepted: Accepted<S>,
    router: Router,
    limits: &Limits,
    watcher: Watcher,
) {
    let Accepted {
        stream,
        peer,
        open: _open,
    } = accepted;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_timeout_s))
        .max_buf_size(READ_BUFFER_BYTES)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(CONCURRENT_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(Duration::from_secs(limits.idle_timeout_s));
    let service = TowerToHyperService::new(AddExtension::new(router, peer));
    let stream = OpeningGuard::new(stream, Duration::from_secs(limits.header_timeout_s));
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    if let Err(error) = watcher.watch(connection).await {
        // Clients that leave early are everyday business.
        tracing::debug!(error, "a connection ended early");
    }
}

/// Ends a connection whose client does not even say which version of HTTP it speaks: the limits of
/// either version begin only then.
struct OpeningGuard<S> {
    stream: S,
    /// Present until enough was read to tell.
    deadline: Option<Pin<Box<Sleep>>>,
    read_bytes: usize,
}

/// How HTTP/2 begins, in bytes; HTTP/1.1 is told apart no later.
const PREFACE_BYTES: usize = 24;

impl<S> OpeningGuard<S> {
    fn new(stream: S, timeout: Duration) -> Self {
        Self {
            stream,
            deadline: Some(Box::pin(sleep(timeout))),
            read_bytes: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for OpeningGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(deadline) = &mut self.deadline else {
            return polled;
        };
        if polled.is_pending() {
            ready!(deadline.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.read_bytes += buffer.filled().len() - before;
        if self.read_bytes >= PREFACE_BYTES {
            self.deadline = None;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for OpeningGuard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Fails a write that the client does not let proceed: nobody holds a download open for nothing.
#[derive(Debug)]
pub(crate) struct StallGuard {
    stream: TcpStream,
    timeout: Duration,
    /// Set while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
    metrics: Arc<Metrics>,
}

impl StallGuard {
    pub(crate) fn new(stream: TcpStream, limits: &Limits, metrics: Arc<Metrics>) -> Self {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "failed to set TCP_NODELAY");
        }
        let timeout = Duration::from_secs(limits.idle_timeout_s);
        Self {
            stream,
            timeout,
            deadline: None,
            metrics,
        }
    }

    /// Passes on what is ready; fails what has been pending for too long.
    fn guard(
        &mut self,
        polled: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(written)) = &polled {
            self.metrics.sent_bytes.add(*written as u64);
        }
        if polled.is_ready() {
            self.deadline = None;
            return polled;
        }
        let timeout = self.timeout;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for StallGuard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        self.metrics.received_bytes.add(read as u64);
        polled
    }
}

impl AsyncWrite for StallGuard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.guard(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.guard(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
