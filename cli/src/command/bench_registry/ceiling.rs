//! What the load generator itself reaches: a server that answers without doing anything.

use std::{convert::Infallible, thread, time::Duration};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    load::{self, Load},
    report::Ceiling,
    target::Target,
};

/// The numbers of connections that manifests are read over.
const CONNECTIONS: [usize; 3] = [1, 16, 128];
/// As long as a small manifest.
const ANSWER_BYTES: usize = 1024;

/// Measures over each number of connections.
pub(crate) async fn measure(duration: Duration) -> Result<Vec<Ceiling>> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no free port")?;
    listener.set_nonblocking(true)?;
    let target = Target {
        authority: listener.local_addr()?.to_string(),
    };
    let stop = CancellationToken::new();
    // A runtime of its own on a thread of its own, as a registry's process has.
    let server = thread::spawn({
        let stop = stop.clone();
        move || serve(listener, &stop)
    });
    let mut ceilings = Vec::new();
    for connections in CONNECTIONS {
        let load = Load::Read {
            method: Method::GET,
            paths: vec!["/".to_owned()],
        };
        let sample = load::run(&target, load, connections, duration).await?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate is shown with few digits"
        )]
        let operations = sample.operations as f64;
        ceilings.push(Ceiling {
            connections,
            operations_per_s: operations / sample.elapsed.as_secs_f64(),
        });
    }
    stop.cancel();
    server
        .join()
        .map_err(|_| anyhow::anyhow!("the server panicked"))??;
    Ok(ceilings)
}

fn serve(listener: std::net::TcpListener, stop: &CancellationToken) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let body = Bytes::from(vec![b' '; ANSWER_BYTES]);
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => return Ok(()),
            };
            let (stream, _) = accepted?;
            stream.set_nodelay(true)?;
            let body = body.clone();
            let answer = service_fn(move |_| {
                let response = Response::new(Full::new(body.clone()));
                std::future::ready(Ok::<_, Infallible>(response))
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            // A connection that breaks is seen at its other end.
            tasks.spawn(async move { drop(connection.await) });
        }
    })
}
