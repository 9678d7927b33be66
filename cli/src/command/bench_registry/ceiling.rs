//! What the load generator itself reaches: against a server that answers without doing anything,
//! and against one that only has the system send a file.

use std::{
    convert::Infallible,
    fs::File,
    io::{self, BufRead as _, BufReader, Seek as _, Write as _},
    net,
    path::Path,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    load::{self, Load},
    report::{Ceiling, Unit},
    run::rough,
    target::Target,
    workload::Workload,
};

/// As long as a small manifest.
const ANSWER_BYTES: usize = 1024;
/// What a file is written in.
const BLOCK_BYTES: usize = 1024 * 1024;

/// Measures over each number of connections that manifests and large blobs are read over.
pub(crate) async fn measure(duration: Duration, blob_bytes: u64) -> Result<Vec<Ceiling>> {
    let listener = net::TcpListener::bind("127.0.0.1:0").context("no free port")?;
    listener.set_nonblocking(true)?;
    let target = plain(listener.local_addr()?);
    let stop = CancellationToken::new();
    // A runtime of its own on a thread of its own, as a registry's process has.
    let server = thread::spawn({
        let stop = stop.clone();
        move || serve(listener, &stop)
    });
    let mut ceilings = Vec::new();
    for &connections in Workload::ManifestGetTag.connections() {
        ceilings.push(against(&target, Unit::OperationsPerSecond, connections, duration).await?);
    }
    stop.cancel();
    server
        .join()
        .map_err(|_| anyhow::anyhow!("the server panicked"))??;
    let file = file_of(blob_bytes).context("failed to write a temporary file")?;
    for &connections in Workload::PullLarge.connections() {
        let listener = net::TcpListener::bind("127.0.0.1:0").context("no free port")?;
        let target = plain(listener.local_addr()?);
        let path = file.path().to_owned();
        let sending = thread::spawn(move || send_file(&listener, &path, connections));
        ceilings.push(against(&target, Unit::BytesPerSecond, connections, duration).await?);
        sending
            .join()
            .map_err(|_| anyhow::anyhow!("the server panicked"))??;
    }
    Ok(ceilings)
}

fn plain(address: net::SocketAddr) -> Target {
    Target {
        authority: address.to_string(),
        is_secure: false,
        tls: None,
    }
}

async fn against(
    target: &Target,
    unit: Unit,
    connections: usize,
    duration: Duration,
) -> Result<Ceiling> {
    let path = "/".to_owned();
    let load = match unit {
        Unit::BytesPerSecond => Load::Pull { path },
        _ => Load::Read {
            method: Method::GET,
            paths: vec![path],
        },
    };
    let sample = load::run(target, load, connections, duration).await?;
    let moved = match unit {
        Unit::BytesPerSecond => sample.bytes,
        _ => sample.operations,
    };
    Ok(Ceiling {
        connections,
        unit,
        value: rough(moved) / sample.elapsed.as_secs_f64(),
    })
}

fn serve(listener: net::TcpListener, stop: &CancellationToken) -> Result<()> {
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

/// A file that is in the system's memory, for it has just been written.
fn file_of(size_bytes: u64) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    let block = vec![b' '; BLOCK_BYTES];
    let mut left = usize::try_from(size_bytes).map_err(io::Error::other)?;
    while left > 0 {
        let length = left.min(block.len());
        file.write_all(&block[..length])?;
        left -= length;
    }
    Ok(file)
}

/// Serves as many connections as there are, a thread for each, until the other ends close them.
fn send_file(listener: &net::TcpListener, path: &Path, connections: usize) -> Result<()> {
    thread::scope(|scope| {
        let mut sending = Vec::new();
        for _ in 0..connections {
            let (stream, _) = listener.accept()?;
            sending.push(scope.spawn(move || answer_with_file(stream, path)));
        }
        for sending in sending {
            sending
                .join()
                .map_err(|_| anyhow::anyhow!("the server panicked"))??;
        }
        Ok(())
    })
}

fn answer_with_file(mut stream: net::TcpStream, path: &Path) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut file = File::open(path)?;
    let size_bytes = file.metadata()?.len();
    let mut requests = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    loop {
        line.clear();
        if requests.read_line(&mut line)? == 0 {
            return Ok(());
        }
        // The empty line that ends a request's headers.
        if line.trim_end().is_empty() {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size_bytes}\r\n\r\n");
            stream.write_all(head.as_bytes())?;
            file.rewind()?;
            // Between a file and a socket, the standard library has the system copy: sendfile(2).
            io::copy(&mut file, &mut stream)?;
        }
    }
}
