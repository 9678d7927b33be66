//! The server: accepts connections until it is told to stop, then drains.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Error, Limits, Progress, Reload, Result,
    http::{self, Accepted, Server, StallGuard},
    operations::{audit::AuditLog, metrics::Metrics},
    quota, retention,
    service::Registry,
    tls::Tls,
    traces::Exporter,
    watched::Watch,
    workers::Workers,
};

/// How long to wait after the system refused a connection, most often for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A registry that is ready to serve.
#[derive(Debug)]
pub struct App {
    server: Server,
    /// What goes on beside the requests; [`Self::run`] starts it.
    pub(crate) workers: Workers,
    metrics_address: Option<SocketAddr>,
    tls: Option<Arc<Tls>>,
    is_open_to_everyone: bool,
    reload: Reload,
    /// Sends traces; [`Self::run`] starts it, and ends it last.
    pub(crate) exporter: Option<Exporter>,
}

impl App {
    pub(crate) fn new(
        server: Server,
        tls: Option<Tls>,
        is_open_to_everyone: bool,
        watch: &Arc<Watch>,
    ) -> Self {
        let mut workers = Workers::default();
        let files = Arc::clone(watch);
        workers.add("files", |stop| files.follow(stop));
        if let Some(limits) = server.client_limits.clone() {
            workers.add("client-limits", async move |stop| {
                limits.forget_clients(stop).await;
            });
        }
        Self {
            server,
            workers,
            metrics_address: None,
            tls: tls.map(Arc::new),
            is_open_to_everyone,
            reload: watch.reload(),
            exporter: None,
        }
    }

    /// Has the files read again that may change while the server runs.
    pub fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// The server speaks TLS.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Fails if whoever reaches the address could do everything, and nobody said that this is
    /// wanted. [`App::run`] checks it too.
    pub fn check_address(&self, address: SocketAddr) -> Result<()> {
        let is_for_this_machine = address.ip().to_canonical().is_loopback();
        if self.server.auth.is_open() && !is_for_this_machine && !self.is_open_to_everyone {
            return Err(Error::OpenToEveryone { address });
        }
        Ok(())
    }

    /// Has the metrics served beside the registry.
    pub(crate) async fn serve_metrics(&mut self, address: SocketAddr) -> Result<()> {
        let failed = |source| Error::storage(format!("listen on {address} for metrics"), source);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        self.metrics_address = Some(listener.local_addr().map_err(failed)?);
        let server = self.server.clone();
        self.workers.add("metrics", move |stop| {
            http::serve_metrics(listener, server, stop)
        });
        Ok(())
    }

    /// Where the metrics are served, if they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// What maintenance has done since the process started.
    pub fn maintenance(&self) -> Progress {
        self.server.registry.tally.progress()
    }

    /// Whom workers tell what they did.
    pub(crate) fn telling(&self) -> (Arc<Metrics>, Option<Arc<AuditLog>>) {
        (Arc::clone(&self.server.metrics), self.server.audit.clone())
    }

    /// The registry behind the server, for workers.
    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.server.registry)
    }

    /// Serves until `shutdown` is cancelled and requests under way have ended, or their grace
    /// period has.
    ///
    /// The storage is closed when this returns, so it can be opened again.
    pub async fn run(mut self, listener: TcpListener, shutdown: CancellationToken) -> Result<()> {
        let address = listener.local_addr().map_err(listening)?;
        self.check_address(address)?;
        tracing::info!(server.address = %address, "serving on {address}");
        let limits = self.server.registry.limits.clone();
        let router = http::router(self.server.clone());
        let connections = TaskTracker::new();
        let graceful = GracefulShutdown::new();
        let abort = CancellationToken::new();
        let slots = Arc::new(Semaphore::new(limits.connections));
        let workers = TaskTracker::new();
        self.workers
            .start(&workers, &shutdown, &abort, &self.server.metrics);
        workers.close();
        let (exporters, farewell) = (TaskTracker::new(), CancellationToken::new());
        if let Some(exporter) = self.exporter.take() {
            exporters.spawn(exporter.run(farewell.clone()));
        }
        exporters.close();

        loop {
            let accepted = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, accept(&listener).await)
            };
            let (slot, (stream, address)) = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = accepted => accepted,
            };
            let (router, limits) = (router.clone(), limits.clone());
            let (watcher, abort) = (graceful.watcher(), abort.clone());
            let tls = self.tls.clone();
            let accepted = Accepted::new(
                StallGuard::new(stream, &limits, Arc::clone(&self.server.metrics)),
                address,
                &self.server.metrics,
            );
            connections.spawn(async move {
                let _slot = slot;
                tokio::select! {
                    () = connect(accepted, tls, router, &limits, watcher) => {}
                    () = abort.cancelled() => {}
                }
            });
        }

        tracing::info!(server.connections = connections.len(), "draining");
        drop(listener);
        self.server.start_draining();
        let drain = Duration::from_secs(limits.drain_s);
        let tasks = self.server.registry.tasks.clone();
        let drained = timeout(drain, async {
            graceful.shutdown().await;
            workers.wait().await;
            tasks.close();
            tasks.wait().await;
            quota::flush(&self.server.registry).await?;
            retention::flush_pulls(&self.server.registry).await
        });
        match drained.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what was pushed and pulled last was not written down; a recount finds pushes"
            ),
            Err(_) => tracing::warn!(
                drain_s = limits.drain_s,
                "requests are still under way after the grace period: ending them"
            ),
        }
        abort.cancel();
        connections.close();
        connections.wait().await;
        workers.wait().await;
        farewell.cancel();
        exporters.wait().await;
        drop(router);
        // Closing the stores waits for their last writes.
        tokio::task::spawn_blocking(move || drop(self))
            .await
            .map_err(|_| Error::Closed)
    }
}

/// Serves a connection, after the handshake if there is one.
async fn connect(
    accepted: Accepted<StallGuard>,
    tls: Option<Arc<Tls>>,
    router: Router,
    limits: &Limits,
    watcher: Watcher,
) {
    let Some(tls) = tls else {
        return http::serve(accepted, router, limits, watcher).await;
    };
    let client = accepted.peer.address;
    match accepted.secured(&tls).await {
        Ok(accepted) => http::serve(accepted, router, limits, watcher).await,
        Err(error) => tracing::debug!(%error, client.address = %client, "a TLS handshake failed"),
    }
}

/// The next connection, however often the system refuses one.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn listening(source: io::Error) -> Error {
    Error::storage("listen".to_owned(), source)
}
