//! Manifests and tags over HTTP.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use cairn_spec::{Digest, RepositoryName, Tag};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;

use super::{
    Server, body,
    needs::push_to,
    response::{
        self, DOCKER_CONTENT_DIGEST, IMMUTABLE, OCI_SUBJECT, OCI_TAG, REVALIDATE, etag, is_known,
        json_body, value, warning, with_headers, with_warnings,
    },
    routes::Call,
};
use crate::{
    Error, Result,
    auth::Session,
    service::{Admission, ManifestPush, Reference, Stored},
    upstream::Pulled,
};

/// end-3: a manifest exactly as it was pushed, whatever `Accept` says.
pub(super) async fn get(
    server: &Server,
    repository: RepositoryName,
    reference: Reference,
    call: Call,
) -> Result<Response> {
    let Pulled { stored, stale } = server.manifest(&repository, &reference).await?;
    let is_head = call.method == Method::HEAD;
    let admitted = server.registry.admit(&repository, &stored, is_head).await;
    let admission = match admitted {
        Err(Error::Untrusted { reason, .. })
            if may_sign(server, &repository, &call.session).await =>
        {
            Admission::Warned(reason)
        }
        admitted => admitted?,
    };
    server.registry.note_pull(&repository, &stored.digest);
    let caching = match reference {
        Reference::Digest(_) => IMMUTABLE,
        Reference::Tag(_) => REVALIDATE,
    };
    let mut response = with_headers(
        Response::default(),
        [
            (header::ETAG, etag(&stored.digest)),
            (header::CACHE_CONTROL, caching),
            (DOCKER_CONTENT_DIGEST, value(stored.digest.as_str())),
        ],
    );
    if let Admission::Warned(reason) = admission {
        let headers = response.headers_mut();
        headers.insert(header::WARNING, warning(&format!("not trusted: {reason}")));
    }
    if let Some(reason) = stale {
        let headers = response.headers_mut();
        headers.append(header::WARNING, warning(&format!("stale: {reason}")));
    }
    if is_known(&call.headers, &stored.digest) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let mut response = with_headers(
        response,
        [
            (header::CONTENT_TYPE, value(&stored.media_type)),
            (
                header::CONTENT_LENGTH,
                HeaderValue::from(stored.bytes.len()),
            ),
        ],
    );
    if !is_head {
        *response.body_mut() = Body::from(stored.bytes);
    }
    Ok(response)
}

/// Whoever may push may read what is not signed yet: signing needs it. Where everybody may push,
/// that would be everybody.
async fn may_sign(server: &Server, repository: &RepositoryName, session: &Session) -> bool {
    let push = push_to(repository);
    !server.auth.is_open() && server.auth.authorize(session, &push).await.is_ok()
}

/// end-7a, end-7b
pub(super) async fn put(
    server: &Server,
    repository: RepositoryName,
    reference: Reference,
    call: Call,
) -> Result<Response> {
    let limits = &server.registry.limits;
    let mut chunks = body::chunks(call.body, limits.idle_timeout_s);
    let read = match tag_parameters(&call.query, limits.tag_parameters) {
        Ok(tags) => body::collect(&mut chunks, limits.manifest_bytes)
            .await
            .map(|bytes| (tags, bytes)),
        Err(error) => Err(error),
    };
    if read.is_err() {
        body::drain(&mut chunks).await;
    }
    let (tags, bytes) = read?;
    let content_type = call.headers.get(header::CONTENT_TYPE);
    let push = ManifestPush {
        repository: repository.clone(),
        reference,
        tags: tags.clone(),
        content_type: content_type
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        bytes,
        upstream: None,
    };
    let registry = Arc::clone(&server.registry);
    let pull_through = server.pull_through.clone();
    let pushing = async move {
        if let Some(pull_through) = pull_through {
            let content_type = push.content_type.as_deref();
            pull_through
                .complete(&push.repository, &push.bytes, content_type)
                .await;
        }
        registry.push_manifest(push).await
    };
    let stored = server.detached(pushing).await?;
    let created = created(&repository, &stored, &tags);
    Ok(with_warnings(
        created,
        server.registry.quota_warnings(&repository),
    ))
}

/// end-9, by digest
pub(super) async fn delete(
    server: &Server,
    repository: RepositoryName,
    digest: Digest,
) -> Result<Response> {
    let registry = Arc::clone(&server.registry);
    let deleting = async move { registry.delete_manifest(&repository, &digest).await };
    server.detached(deleting).await?;
    Ok(response::empty(StatusCode::ACCEPTED))
}

/// end-9, by tag
pub(super) async fn delete_tag(
    server: &Server,
    repository: RepositoryName,
    tag: Tag,
) -> Result<Response> {
    let registry = Arc::clone(&server.registry);
    let deleting = async move { registry.delete_tag(&repository, &tag).await };
    server.detached(deleting).await?;
    Ok(response::empty(StatusCode::ACCEPTED))
}

/// What the trust policy says of a manifest: a Cairn extension of the distribution API.
pub(super) async fn trust(
    server: &Server,
    repository: RepositoryName,
    reference: Reference,
) -> Result<Response> {
    let stored = server.manifest(&repository, &reference).await?.stored;
    let verdict = server.registry.trust_of(&repository, &stored).await?;
    let body = match verdict {
        None => json!({"digest": stored.digest, "verdict": "none"}),
        Some(verdict) => match verdict.refusal {
            None => json!({
                "digest": stored.digest,
                "verdict": "trusted",
                "policy": verdict.policy,
                "signers": verdict.signers,
            }),
            Some(refusal) => json!({
                "digest": stored.digest,
                "verdict": "refused",
                "policy": verdict.policy,
                "reason": refusal.reason,
                "hint": refusal.hint,
            }),
        },
    };
    Ok(json_body("application/json", &body))
}

fn tag_parameters(query: &super::query::Query, limit: usize) -> Result<Vec<Tag>> {
    if query.all("tag").count() > limit {
        return Err(Error::TooManyTags { limit });
    }
    let tags = query.all("tag").map(str::parse::<Tag>);
    Ok(tags.collect::<Result<_, _>>()?)
}

fn created(repository: &RepositoryName, stored: &Stored, tags: &[Tag]) -> Response {
    let digest = &stored.digest;
    let location = value(format!("/v2/{repository}/manifests/{digest}"));
    let mut response = with_headers(
        response::empty(StatusCode::CREATED),
        [
            (header::LOCATION, location),
            (DOCKER_CONTENT_DIGEST, value(digest.as_str())),
        ],
    );
    let headers = response.headers_mut();
    if let Some(subject) = &stored.subject {
        headers.insert(OCI_SUBJECT, value(subject.as_str()));
    }
    if !tags.is_empty() {
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        headers.insert(OCI_TAG, value(tags.join(", ")));
    }
    response
}
