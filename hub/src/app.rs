//! The hub as a server of its own: accepts connections until it is told to stop, then drains.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Config, Error, Hub, Limits, router, tls};

/// How long to wait after the system refused a connection, most often for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What is read from a connection at once, in bytes; a request's header has to fit, token included.
const READ_BUFFER_BYTES: usize = 8 * 1024;

/// A hub that is ready to serve.
#[derive(Debug)]
pub struct App {
    hub: Arc<Hub>,
    tls: Option<Acceptor>,
}

/// Makes a server of a configuration.
pub async fn build(config: Config) -> Result<App, Error> {
    let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
    Ok(App {
        hub: Hub::open(config).await?,
        tls: tls.map(Acceptor),
    })
}

impl App {
    /// The hub behind the server.
    pub fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.hub)
    }

    /// Serves until `shutdown` is cancelled and requests under way have ended, or their grace period
    /// has. Agents that wait are answered then, and told to come back at different times.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let address = listener.local_addr().map_err(Error::Serve)?;
        tracing::info!(server.address = %address, "the hub serves on {address}");
        let limits = self.hub.limits().clone();
        let router = router(Arc::clone(&self.hub));
        let connections = TaskTracker::new();
        let graceful = GracefulShutdown::new();
        let abort = CancellationToken::new();
        let slots = Arc::new(Semaphore::new(limits.connections));
        let work = TaskTracker::new();
        let (hub, stop) = (Arc::clone(&self.hub), CancellationToken::new());
        let stopped = stop.clone();
        work.spawn(async move { hub.work(stopped).await });
        work.close();
        loop {
            let accepted = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, accept(&listener).await)
            };
            let (slot, stream) = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accepted => accepted,
            };
            let served = serve(
                stream,
                self.tls.clone(),
                router.clone(),
                limits.clone(),
                graceful.watcher(),
            );
            let abort = abort.clone();
            connections.spawn(async move {
                let _slot = slot;
                tokio::select! {
                    () = served => {}
                    () = abort.cancelled() => {}
                }
            });
        }
        drop(listener);
        self.hub.start_draining();
        let drain = Duration::from_secs(limits.drain_s);
        if timeout(drain, graceful.shutdown()).await.is_err() {
            tracing::warn!(
                drain_s = limits.drain_s,
                "requests are still under way: ending them"
            );
        }
        abort.cancel();
        connections.close();
        connections.wait().await;
        // Those who were heard of until now are written down.
        stop.cancel();
        work.wait().await;
        Ok(())
    }
}

/// Serves a connection, after the handshake if there is one.
async fn serve(
    stream: TcpStream,
    tls: Option<Acceptor>,
    router: Router,
    limits: Limits,
    watcher: Watcher,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to set TCP_NODELAY");
    }
    let Some(Acceptor(tls)) = tls else {
        return speak(stream, router, &limits, watcher).await;
    };
    let time = Duration::from_secs(limits.handshake_timeout_s);
    // Boxed, so that nothing of a handshake is held while the connection lives.
    match timeout(time, Box::pin(tls.accept(stream))).await {
        // Futures hold what moves through them more than once, and this is large.
        Ok(Ok(stream)) => speak(Box::new(stream), router, &limits, watcher).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
    limits: &Limits,
    watcher: Watcher,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_timeout_s))
        .max_buf_size(READ_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        // Agents that leave early are everyday business.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The next connection, however often the system refuses one.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Shakes hands.
#[derive(Clone)]
struct Acceptor(TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}
