//! Server-side apply, in earnest or as a question.

use bytes::Bytes;
use cairn_spec::ObjectId;
use http::Method;
use serde_json::Value;

use super::{Cluster, ClusterError, Conflict, Listed, is_built_in, request::Call};
use crate::inventory::FIELD_MANAGER;

/// Whether anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only what would be there is answered; admission takes part.
    DryRun,
    /// It is written.
    Write,
}

/// Whether fields that other managers hold are taken from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// No: they are conflicts.
    Ask,
    /// Yes.
    Take,
}

/// What an apply has led to, or would.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// The object is new.
    Created(Value),
    /// It was there; this is what it is now, changed or not.
    Merged(Value),
    /// Others hold fields, with other values. Nothing is written.
    Conflicts(Vec<Conflict>),
}

/// Whether the API server has to look for fields that it does not know. A server-side apply of a built-in kind
/// fails for them anyhow, and to look once more costs a tenth of the request.
fn validation(id: &ObjectId) -> &'static str {
    if is_built_in(id.group()) {
        "Ignore"
    } else {
        "Strict"
    }
}

impl Cluster {
    /// Applies an object, with the fields it has and no others.
    pub async fn apply(
        &self,
        id: &ObjectId,
        object: &Value,
        mode: Mode,
        force: Force,
    ) -> Result<Applied, ClusterError> {
        self.apply_answering(id, object, (mode, force), Listed::Whole)
            .await
    }

    /// The same where no more than so much of the object needs to come back.
    pub async fn apply_answering(
        &self,
        id: &ObjectId,
        object: &Value,
        (mode, force): (Mode, Force),
        answer: Listed,
    ) -> Result<Applied, ClusterError> {
        let resource = self.resource_of(id).await?;
        let call = Call {
            method: Method::PATCH,
            path: format!(
                "{}?fieldManager={FIELD_MANAGER}&fieldValidation={}&force={}{}",
                resource.path_of(id),
                validation(id),
                force == Force::Take,
                if mode == Mode::DryRun {
                    "&dryRun=All"
                } else {
                    ""
                },
            ),
            accept: answer.accept_one(),
            content_type: "application/apply-patch+yaml",
            // JSON is YAML.
            body: Bytes::from(object.to_string()),
        };
        match self.ask(&call).await {
            Ok(answer) if answer.is_created => Ok(Applied::Created(answer.value)),
            Ok(answer) => Ok(Applied::Merged(answer.value)),
            Err(error) => {
                let conflicts = error.refusal().map(super::Refusal::conflicts);
                match conflicts.filter(|conflicts| !conflicts.is_empty()) {
                    Some(conflicts) => Ok(Applied::Conflicts(conflicts)),
                    None => Err(error),
                }
            }
        }
    }
}
