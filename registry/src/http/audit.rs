//! Which requests are written to the audit log, and what is said about them.

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderMap, Method, StatusCode, header};

use super::{
    context::Context,
    endpoint::Endpoint,
    response::{DOCKER_CONTENT_DIGEST, Failure},
};
use crate::{
    auth::{ANONYMOUS, Actor},
    operations::audit::{AuditAction, AuditOutcome, AuditRecord},
    service::Reference,
};

/// A request that may be worth a record, taken down before it is served.
pub(super) struct Audited {
    action: AuditAction,
    repository: Option<String>,
    reference: Option<String>,
    context: Context,
    user_agent: Option<String>,
    has_credentials: bool,
}

impl Audited {
    pub(super) fn new(
        endpoint: Option<&Endpoint>,
        method: &Method,
        headers: &HeaderMap,
        context: Context,
    ) -> Self {
        let (action, repository, reference) = subject(endpoint, method);
        let agent = headers.get(header::USER_AGENT);
        Self {
            action,
            repository,
            reference,
            context,
            user_agent: agent.map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned()),
            has_credentials: headers.contains_key(header::AUTHORIZATION),
        }
    }

    /// The record, if what came of the request is worth one.
    pub(super) fn record(self, response: &Response, now_unix_s: u64) -> Option<AuditRecord> {
        let status = response.status();
        let outcome = match status {
            StatusCode::FORBIDDEN => AuditOutcome::Denied,
            // Without credentials it is but the question for them.
            StatusCode::UNAUTHORIZED if self.has_credentials => AuditOutcome::Denied,
            StatusCode::UNAUTHORIZED => return None,
            _ if self.action == AuditAction::Read => return None,
            // An upload has begun or goes on: its end is what counts.
            StatusCode::ACCEPTED if self.action == AuditAction::PushBlob => return None,
            _ if status.is_success() => AuditOutcome::Done,
            _ => AuditOutcome::Failed,
        };
        let action = if status == StatusCode::UNAUTHORIZED {
            AuditAction::Login
        } else {
            self.action
        };
        let digest = response.headers().get(DOCKER_CONTENT_DIGEST);
        let failure = response.extensions().get::<Failure>();
        let actor = response.extensions().get::<Arc<Actor>>();
        Some(AuditRecord {
            time: cairn_spec::rfc_3339(now_unix_s),
            action,
            outcome,
            status: Some(status.as_u16()),
            repository: self.repository,
            reference: self.reference,
            digest: digest.and_then(|digest| Some(digest.to_str().ok()?.to_owned())),
            reason: failure.map(|Failure(error)| error.public_message()),
            actor: actor.map_or(ANONYMOUS, |actor| &actor.name).to_owned(),
            trace_id: self.context.trace_id.map(|id| id.to_string()),
            remote_address: Some(self.context.client.to_string()),
            request_id: Some(self.context.request_id.to_string()),
            user_agent: self.user_agent,
        })
    }
}

fn subject(
    endpoint: Option<&Endpoint>,
    method: &Method,
) -> (AuditAction, Option<String>, Option<String>) {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    let is_delete = *method == Method::DELETE;
    match endpoint {
        Some(Endpoint::Manifest(name, reference)) => {
            let action = match reference {
                _ if is_read => AuditAction::Read,
                Reference::Tag(_) if is_delete => AuditAction::DeleteTag,
                Reference::Digest(_) if is_delete => AuditAction::DeleteManifest,
                _ => AuditAction::PushManifest,
            };
            (action, Some(name.to_string()), Some(reference.to_string()))
        }
        Some(Endpoint::Blob(name, digest)) => {
            let action = if is_delete {
                AuditAction::DeleteBlob
            } else {
                AuditAction::Read
            };
            (action, Some(name.to_string()), Some(digest.to_string()))
        }
        // Giving an upload up leaves nothing.
        Some(Endpoint::Upload(name, _)) if is_read || is_delete => {
            (AuditAction::Read, Some(name.to_string()), None)
        }
        Some(Endpoint::Uploads(name) | Endpoint::Upload(name, _)) => {
            (AuditAction::PushBlob, Some(name.to_string()), None)
        }
        Some(Endpoint::Tags(name) | Endpoint::Referrers(name, _) | Endpoint::Trust(name, _)) => {
            (AuditAction::Read, Some(name.to_string()), None)
        }
        Some(Endpoint::Base | Endpoint::Catalog | Endpoint::Discover) | None => {
            (AuditAction::Read, None, None)
        }
    }
}
