//! Which events a change of records is, and how they are written as CloudEvents.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>

use cairn_spec::RepositoryName;
use serde_json::{Value, json};
use ulid::Ulid;

use crate::{
    Result,
    auth::Actor,
    config::EventKind,
    records::{self, Manifest, Tag},
    storage::{Change, Key, Write},
};

/// What signatures are called: `artifactType`s of Sigstore bundles and of Notation.
const SIGNATURE_TYPES: [&str; 2] = [
    "application/vnd.dev.sigstore.bundle",
    "application/vnd.cncf.notary.signature",
];

/// Something that happened in a repository.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    pub(super) repository: RepositoryName,
    /// The tag or the digest that it is about; nothing if it is the repository.
    pub(super) subject: Option<String>,
    pub(super) data: Value,
}

impl Event {
    /// The events that a write brings about, if it takes effect.
    pub(super) fn of(write: &Write) -> Result<Vec<Self>> {
        let event = |kind, repository: &RepositoryName, subject: Option<String>, data| Self {
            kind,
            repository: repository.clone(),
            subject,
            data,
        };
        Ok(match (&write.key, &write.change) {
            (Key::Repository(repository), Change::PutNew(_)) => {
                vec![event(
                    EventKind::RepositoryCreated,
                    repository,
                    None,
                    json!({}),
                )]
            }
            (Key::Manifest(repository, digest), Change::PutNew(value)) => {
                let (manifest, bytes): (Manifest, _) = records::decode_value(&write.key, value)?;
                let data = json!({
                    "digest": digest,
                    "mediaType": manifest.media_type,
                    "sizeBytes": bytes.len(),
                    "subject": manifest.subject,
                });
                let subject = Some(digest.to_string());
                let pushed = event(
                    EventKind::ManifestPushed,
                    repository,
                    subject.clone(),
                    data.clone(),
                );
                let is_signature = manifest.subject.is_some() && is_signature(&bytes);
                let signature = is_signature
                    .then(|| event(EventKind::SignatureArrived, repository, subject, data));
                [pushed].into_iter().chain(signature).collect()
            }
            (Key::Manifest(repository, digest), Change::DeleteIf(_)) => {
                let data = json!({"digest": digest});
                let subject = Some(digest.to_string());
                vec![event(EventKind::ManifestDeleted, repository, subject, data)]
            }
            (Key::Tag(repository, tag), Change::PutNew(value) | Change::PutIf(_, value)) => {
                let (record, _): (Tag, _) = records::decode_value(&write.key, value)?;
                let data = json!({
                    "tag": tag,
                    "digest": record.digest,
                    "mediaType": record.media_type,
                    "previousDigest": record.previous,
                });
                let subject = Some(tag.to_string());
                let moved = event(
                    EventKind::TagMoved,
                    repository,
                    subject.clone(),
                    data.clone(),
                );
                // Where clients without referrers put signatures.
                let is_signature = tag
                    .as_str()
                    .strip_prefix("sha256-")
                    .is_some_and(|rest| rest.strip_suffix(".sig").is_some());
                let signature = is_signature
                    .then(|| event(EventKind::SignatureArrived, repository, subject, data));
                [moved].into_iter().chain(signature).collect()
            }
            (Key::Tag(repository, tag), Change::DeleteIf(_)) => {
                let data = json!({"tag": tag});
                vec![event(
                    EventKind::TagDeleted,
                    repository,
                    Some(tag.to_string()),
                    data,
                )]
            }
            _ => Vec::new(),
        })
    }

    /// The event as a receiver gets it.
    pub(super) fn cloud_event(&self, id: Ulid, now_unix_s: u64, actor: Option<&Actor>) -> Value {
        let kind = serde_json::to_value(self.kind).unwrap_or_default();
        let kind = kind.as_str().unwrap_or_default().replacen('-', ".", 1);
        let mut data = self.data.clone();
        data["repository"] = json!(self.repository);
        if let Some(actor) = actor {
            data["actor"] = json!(actor.name);
        }
        let mut event = json!({
            "specversion": "1.0",
            "id": id,
            "source": format!("/v2/{}", self.repository),
            "type": format!("dev.cairn.registry.{kind}"),
            "time": cairn_spec::rfc_3339(now_unix_s),
            "datacontenttype": "application/json",
            "data": data,
        });
        if let Some(subject) = &self.subject {
            event["subject"] = json!(subject);
        }
        event
    }
}

fn is_signature(manifest: &[u8]) -> bool {
    let manifest: Value = serde_json::from_slice(manifest).unwrap_or_default();
    let artifact_type = manifest["artifactType"].as_str();
    let artifact_type = artifact_type.or(manifest["config"]["mediaType"].as_str());
    let artifact_type = artifact_type.unwrap_or_default();
    SIGNATURE_TYPES
        .iter()
        .any(|signature| artifact_type.starts_with(signature))
}
