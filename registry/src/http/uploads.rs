//! Upload sessions over HTTP.

use std::sync::Arc;

use axum::response::Response;
use cairn_spec::{Digest, DigestAlgorithm, DigestError, RepositoryName};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{
    Server, body,
    query::Query,
    ranges,
    response::{
        self, DOCKER_CONTENT_DIGEST, DOCKER_UPLOAD_UUID, value, with_headers, with_warnings,
    },
    routes::Call,
};
use crate::{
    Result,
    service::{UploadId, UploadStatus},
};

/// Where an upload stands, as headers. Without any byte the range is `0-0`, too.
pub(super) fn position(
    repository: &RepositoryName,
    upload: &UploadId,
    received_bytes: u64,
) -> [(HeaderName, HeaderValue); 3] {
    let last = received_bytes.saturating_sub(1);
    [
        // Relative: behind a proxy, only the client knows under which name it came here.
        (
            header::LOCATION,
            value(format!("/v2/{repository}/blobs/uploads/{upload}")),
        ),
        (header::RANGE, value(format!("0-{last}"))),
        (DOCKER_UPLOAD_UUID, value(upload.to_string())),
    ]
}

/// end-4a, end-4b, end-4c, end-11: starts an upload, unless the blob is mounted or comes along.
pub(super) async fn start(
    server: &Server,
    repository: RepositoryName,
    call: Call,
) -> Result<Response> {
    if let Some(mount) = call.query.get("mount") {
        let digest: Digest = mount.parse()?;
        let from = call.query.get("from").map(str::parse::<RepositoryName>);
        let readable = server.auth.readable(&call.session);
        // A source that cannot exist holds nothing, nor does one that the client may not read.
        if let Ok(from) = from.transpose() {
            let registry = Arc::clone(&server.registry);
            let (to, blob) = (repository.clone(), digest.clone());
            let mounting =
                async move { registry.mount(&to, &blob, from.as_ref(), &readable).await };
            if server.detached(mounting).await? {
                return Ok(created(server, &repository, &digest));
            }
        }
    } else if let Some(digest) = call.query.get("digest") {
        let digest: Digest = digest.parse()?;
        let registry = Arc::clone(&server.registry);
        let (to, blob) = (repository.clone(), digest.clone());
        let mut chunks = body::chunks(call.body, registry.limits.idle_timeout_s);
        server
            .detached(async move {
                let pushed = registry.push_blob(&to, &blob, &mut chunks).await;
                if pushed.is_err() {
                    body::drain(&mut chunks).await;
                }
                pushed
            })
            .await?;
        return Ok(created(server, &repository, &digest));
    }
    let algorithm = announced_algorithm(&call.query)?;
    let started = server.registry.start_upload(&repository, algorithm).await?;
    Ok(standing(StatusCode::ACCEPTED, &repository, &started))
}

/// end-5
pub(super) async fn append(
    server: &Server,
    repository: RepositoryName,
    id: UploadId,
    call: Call,
) -> Result<Response> {
    let registry = Arc::clone(&server.registry);
    let to = repository.clone();
    let mut chunks = body::chunks(call.body, registry.limits.idle_timeout_s);
    let chunk = ranges::chunk(&call.headers);
    let status = server
        .detached(async move {
            let appended = match chunk {
                Ok(chunk) => registry.append(&to, &id, chunk, &mut chunks).await,
                Err(error) => Err(error),
            };
            if appended.is_err() {
                body::drain(&mut chunks).await;
            }
            appended
        })
        .await?;
    Ok(standing(StatusCode::ACCEPTED, &repository, &status))
}

/// end-6
pub(super) async fn finish(
    server: &Server,
    repository: RepositoryName,
    id: UploadId,
    call: Call,
) -> Result<Response> {
    let registry = Arc::clone(&server.registry);
    let mut chunks = body::chunks(call.body, registry.limits.idle_timeout_s);
    let announced = announced_digest(&call.query);
    let chunk = ranges::chunk(&call.headers);
    let to = repository.clone();
    let digest = server
        .detached(async move {
            let finished = match (announced, chunk) {
                (Ok(digest), Ok(chunk)) => {
                    let input = (chunk, &mut chunks);
                    let finished = registry.finish(&to, &id, &digest, input).await;
                    finished.map(|()| digest)
                }
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            if finished.is_err() {
                body::drain(&mut chunks).await;
            }
            finished
        })
        .await?;
    Ok(created(server, &repository, &digest))
}

/// end-13
pub(super) async fn status(
    server: &Server,
    repository: RepositoryName,
    id: UploadId,
) -> Result<Response> {
    let status = server.registry.upload_status(&repository, &id).await?;
    Ok(standing(StatusCode::NO_CONTENT, &repository, &status))
}

/// end-14
pub(super) async fn cancel(
    server: &Server,
    repository: RepositoryName,
    id: UploadId,
) -> Result<Response> {
    let registry = Arc::clone(&server.registry);
    let cancelling = async move { registry.cancel_upload(&repository, &id).await };
    server.detached(cancelling).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}

fn standing(status: StatusCode, repository: &RepositoryName, upload: &UploadStatus) -> Response {
    let headers = position(repository, &upload.id, upload.received_bytes);
    with_headers(response::empty(status), headers)
}

fn created(server: &Server, repository: &RepositoryName, digest: &Digest) -> Response {
    let location = value(format!("/v2/{repository}/blobs/{digest}"));
    let created = with_headers(
        response::empty(StatusCode::CREATED),
        [
            (header::LOCATION, location),
            (DOCKER_CONTENT_DIGEST, value(digest.as_str())),
        ],
    );
    with_warnings(created, server.registry.quota_warnings(repository))
}

fn announced_digest(query: &Query) -> Result<Digest> {
    let refuse = || DigestError {
        input: String::new(),
        reason: "the parameter `digest` is missing",
    };
    Ok(query.get("digest").ok_or_else(refuse)?.parse()?)
}

fn announced_algorithm(query: &Query) -> Result<DigestAlgorithm> {
    match query.get("digest-algorithm") {
        None | Some("sha256") => Ok(DigestAlgorithm::Sha256),
        Some("sha512") => Ok(DigestAlgorithm::Sha512),
        Some(other) => Err(DigestError {
            input: other.to_owned(),
            reason: "the algorithm must be `sha256` or `sha512`",
        }
        .into()),
    }
}
