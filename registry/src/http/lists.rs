//! Lists over HTTP: tags, repositories, referrers and extensions.

use axum::response::Response;
use cairn_spec::{Digest, RepositoryName, media_type};
use http::{HeaderValue, header};
use serde_json::json;

use super::{
    Server,
    query::{Query, encoded},
    response::{OCI_FILTERS_APPLIED, json_body, json_bytes, value, warning},
    routes::Call,
};
use crate::{Result, service::Page};

/// end-1: the registry speaks this protocol.
pub(super) fn base() -> Response {
    json_body("application/json", &json!({}))
}

/// end-8a, end-8b
pub(super) async fn tags(
    server: &Server,
    repository: RepositoryName,
    query: &Query,
) -> Result<Response> {
    let entries = query.page_entries()?;
    let last = query.get("last");
    let (page, lacking) = match &server.pull_through {
        Some(pull_through) => pull_through.tags(&repository, entries, last).await?,
        None => (
            server.registry.tags(&repository, entries, last).await?,
            None,
        ),
    };
    let body = json!({"name": repository, "tags": page.names});
    let path = format!("/v2/{repository}/tags/list");
    Ok(incomplete(paged(&body, &path, entries, &page), lacking))
}

/// The repositories that the client may pull, as Docker's registry lists them.
pub(super) async fn catalog(server: &Server, call: Call) -> Result<Response> {
    let entries = call.query.page_entries()?;
    let last = call.query.get("last");
    let readable = server.auth.readable(&call.session);
    let page = server
        .registry
        .repositories(entries, last, &readable)
        .await?;
    let body = json!({"repositories": page.names});
    Ok(paged(&body, "/v2/_catalog", entries, &page))
}

/// end-12a, end-12b
pub(super) async fn referrers(
    server: &Server,
    repository: RepositoryName,
    subject: Digest,
    query: &Query,
) -> Result<Response> {
    let filter = query.get("artifactType").filter(|text| !text.is_empty());
    let last = query.get("last").map(str::parse::<Digest>).transpose()?;
    let (page, lacking) = if let Some(pull_through) = &server.pull_through {
        let page = pull_through.referrers(&repository, &subject, filter, last.as_ref());
        page.await?
    } else {
        let registry = &server.registry;
        let page = registry.referrers(&repository, &subject, filter, last.as_ref());
        (page.await?, None)
    };
    // The descriptors are JSON already, and there may be megabytes of them.
    let media_type = media_type::OCI_INDEX;
    let head = format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}","manifests":"#);
    let body = [head.as_bytes(), &page.json(), b"}"].concat();
    let mut response = json_bytes(media_type, body);
    let headers = response.headers_mut();
    if filter.is_some() {
        let applied = HeaderValue::from_static("artifactType");
        headers.insert(OCI_FILTERS_APPLIED, applied);
    }
    if let Some(last) = page.entries.last().filter(|_| page.has_more) {
        let filter = filter.map(|filter| format!("&artifactType={}", encoded(filter)));
        let filter = filter.unwrap_or_default();
        let next = format!(
            "/v2/{repository}/referrers/{subject}?last={}{filter}",
            last.digest
        );
        headers.insert(header::LINK, link(&next));
    }
    Ok(incomplete(response, lacking))
}

/// Says why a list lacks what upstreams would have, if it does.
fn incomplete(mut response: Response, lacking: Option<String>) -> Response {
    if let Some(reason) = lacking {
        let warning = warning(&format!("incomplete: {reason}"));
        response.headers_mut().insert(header::WARNING, warning);
    }
    response
}

/// <https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md>
pub(super) fn extensions() -> Response {
    json_body("application/json", &json!({"extensions": []}))
}

fn paged(body: &serde_json::Value, path: &str, entries: Option<usize>, page: &Page) -> Response {
    let mut response = json_body("application/json", body);
    if let Some(next) = &page.next {
        let entries = entries.map(|entries| format!("n={entries}&"));
        let next = format!(
            "{path}?{}last={}",
            entries.unwrap_or_default(),
            encoded(next)
        );
        response.headers_mut().insert(header::LINK, link(&next));
    }
    response
}

/// <https://www.rfc-editor.org/rfc/rfc5988>
fn link(next: &str) -> HeaderValue {
    value(format!("<{next}>; rel=\"next\""))
}
