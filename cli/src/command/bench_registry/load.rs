//! The load: connections that each send one request after another for as long as it was asked for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use cairn_spec::{Digest, media_type};
use http::{HeaderName, Method, StatusCode, header};
use tokio_util::task::TaskTracker;

use super::{
    connection::{Connection, Payload},
    content::{Artifact, Content, LargeBlob},
    download::Download,
    target::Target,
};

/// The size of a small artifact's blobs.
pub(crate) const SMALL_BLOB_BYTES: usize = 1024;
/// What clients that push in chunks send at once.
const CHUNK_BYTES: u64 = 4 * 1024 * 1024;
/// The length of a range that is read.
const RANGE_BYTES: u64 = 64 * 1024;

/// What each connection does, again and again.
#[derive(Debug)]
pub(crate) enum Load {
    /// Pushes artifacts that nobody pushed before.
    PushArtifacts {
        content: Content,
        repository: String,
        name: String,
    },
    /// Pushes one blob, once.
    PushBlob {
        blob: LargeBlob,
        repository: String,
        in_chunks: bool,
    },
    /// Pulls the same large content again and again.
    Pull { path: String },
    /// Asks for paths in turn.
    Read { method: Method, paths: Vec<String> },
    /// Reads ranges of one blob from all over it.
    ReadRanges { path: String, size_bytes: u64 },
}

/// What a load is sent over.
enum Client {
    Any(Connection),
    Pulling(Download),
}

/// What one measurement saw.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latencies_us: Vec<u64>,
}

/// Runs a load for `duration`, and to the end of what is under way then.
pub(crate) async fn run(
    target: &Target,
    load: Load,
    connections: usize,
    duration: Duration,
) -> Result<Sample> {
    let mut opened = Vec::with_capacity(connections);
    for _ in 0..connections {
        opened.push(match load {
            Load::Pull { .. } => Client::Pulling(Download::open(target).await?),
            _ => Client::Any(Connection::open(target).await?),
        });
    }
    let load = Arc::new(load);
    let next = Arc::new(AtomicU64::new(0));
    let tasks = TaskTracker::new();
    let started = Instant::now();
    let workers: Vec<_> = opened
        .into_iter()
        .map(|mut client| {
            let (load, next) = (Arc::clone(&load), Arc::clone(&next));
            tasks.spawn(async move {
                let mut sample = Sample::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let began = Instant::now();
                    sample.bytes += load.once(&mut client, number).await?;
                    let latency_us = began.elapsed().as_micros();
                    sample.operations += 1;
                    let latency_us = u64::try_from(latency_us).unwrap_or(u64::MAX);
                    sample.latencies_us.push(latency_us);
                    if load.is_single() || started.elapsed() >= duration {
                        return Ok::<_, anyhow::Error>(sample);
                    }
                }
            })
        })
        .collect();
    let mut whole = Sample::default();
    for worker in workers {
        let sample = worker.await.context("a connection's task failed")??;
        whole.operations += sample.operations;
        whole.bytes += sample.bytes;
        whole.latencies_us.extend(sample.latencies_us);
    }
    whole.elapsed = started.elapsed();
    Ok(whole)
}

impl Load {
    /// It is done after one operation.
    fn is_single(&self) -> bool {
        matches!(self, Self::PushBlob { .. })
    }

    /// One operation; how many bytes of content it moved.
    async fn once(&self, client: &mut Client, number: u64) -> Result<u64> {
        match (self, client) {
            (Self::Pull { path }, Client::Pulling(download)) => download.pull(path).await,
            (
                Self::PushArtifacts {
                    content,
                    repository,
                    name,
                },
                Client::Any(connection),
            ) => {
                let artifact = content.artifact(&format!("{name}/{number}"), SMALL_BLOB_BYTES);
                let tag = format!("{name}-{number}");
                push_artifact(connection, repository, &artifact, &tag).await?;
                Ok(2 * SMALL_BLOB_BYTES as u64)
            }
            (
                Self::PushBlob {
                    blob,
                    repository,
                    in_chunks,
                },
                Client::Any(connection),
            ) => {
                push_large_blob(connection, repository, blob, *in_chunks).await?;
                Ok(blob.size_bytes)
            }
            (Self::Read { method, paths }, Client::Any(connection)) => {
                let index = usize::try_from(number).unwrap_or_default() % paths.len();
                let answer = connection
                    .send(method.clone(), &paths[index], &ACCEPT, Payload::empty())
                    .await?
                    .expect(StatusCode::OK, &paths[index])?;
                Ok(answer.body_bytes)
            }
            (Self::ReadRanges { path, size_bytes }, Client::Any(connection)) => {
                // A step that has no common divisor with a size that is a power of two.
                let places = (size_bytes / RANGE_BYTES).max(1);
                let first = number.wrapping_mul(7919) % places * RANGE_BYTES;
                let last = (first + RANGE_BYTES).min(*size_bytes) - 1;
                let range = format!("bytes={first}-{last}");
                let headers = [(header::RANGE, range.as_str())];
                let answer = connection
                    .send(Method::GET, path, &headers, Payload::empty())
                    .await?
                    .expect(StatusCode::PARTIAL_CONTENT, path)?;
                Ok(answer.body_bytes)
            }
            _ => bail!("this load goes over another kind of connection"),
        }
    }
}

/// What clients say they understand.
const ACCEPT: [(HeaderName, &str); 2] = [
    (header::ACCEPT, media_type::OCI_INDEX),
    (header::ACCEPT, media_type::OCI_MANIFEST),
];

/// Pushes both blobs, then the manifest under a tag.
pub(crate) async fn push_artifact(
    connection: &mut Connection,
    repository: &str,
    artifact: &Artifact,
    tag: &str,
) -> Result<()> {
    push_blob(connection, repository, &artifact.config).await?;
    push_blob(connection, repository, &artifact.layer).await?;
    put_manifest(connection, repository, tag, &artifact.manifest).await
}

/// Pushes a blob as most clients do: `POST`, then `PUT` with all of it.
pub(crate) async fn push_blob(
    connection: &mut Connection,
    repository: &str,
    bytes: &Bytes,
) -> Result<()> {
    let location = start_upload(connection, repository).await?;
    let location = closing(&location, &Digest::sha256(bytes));
    let payload = Payload::bytes(bytes.clone());
    connection
        .send(Method::PUT, &location, &OCTETS, payload)
        .await?
        .expect(StatusCode::CREATED, "pushing a blob")?;
    Ok(())
}

pub(crate) async fn push_large_blob(
    connection: &mut Connection,
    repository: &str,
    blob: &LargeBlob,
    in_chunks: bool,
) -> Result<()> {
    let mut location = start_upload(connection, repository).await?;
    let mut sent = 0;
    while in_chunks && sent < blob.size_bytes {
        let end = blob.size_bytes.min(sent + CHUNK_BYTES);
        let range = format!("{sent}-{}", end - 1);
        let headers = [OCTETS[0].clone(), (header::CONTENT_RANGE, range.as_str())];
        location = connection
            .send(
                Method::PATCH,
                &location,
                &headers,
                Payload::range(blob, sent..end),
            )
            .await?
            .expect(StatusCode::ACCEPTED, "pushing a chunk")?
            .location()?;
        sent = end;
    }
    let location = closing(&location, &blob.digest);
    let rest = Payload::range(blob, sent..blob.size_bytes);
    connection
        .send(Method::PUT, &location, &OCTETS, rest)
        .await?
        .expect(StatusCode::CREATED, "pushing a large blob")?;
    Ok(())
}

pub(crate) async fn put_manifest(
    connection: &mut Connection,
    repository: &str,
    reference: &str,
    manifest: &Bytes,
) -> Result<()> {
    let path = format!("/v2/{repository}/manifests/{reference}");
    let headers = [(header::CONTENT_TYPE, media_type::OCI_MANIFEST)];
    connection
        .send(
            Method::PUT,
            &path,
            &headers,
            Payload::bytes(manifest.clone()),
        )
        .await?
        .expect(StatusCode::CREATED, "pushing a manifest")?;
    Ok(())
}

const OCTETS: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/octet-stream")];

async fn start_upload(connection: &mut Connection, repository: &str) -> Result<String> {
    let path = format!("/v2/{repository}/blobs/uploads/");
    connection
        .send(Method::POST, &path, &[], Payload::empty())
        .await?
        .expect(StatusCode::ACCEPTED, "starting an upload")?
        .location()
}

fn closing(location: &str, digest: &Digest) -> String {
    let separator = if location.contains('?') { '&' } else { '?' };
    format!("{location}{separator}digest={digest}")
}
