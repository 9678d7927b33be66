//! What an API server refuses, and how it is away.

use serde::Deserialize;

/// The longest message that is shown as it is, in bytes.
const MAX_MESSAGE_BYTES: usize = 500;

/// Why a request failed, after all attempts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The API server did not answer for as long as it was waited.
    #[error("the API server does not answer `{request}`: tried for {tried_s} s")]
    Away {
        /// Method and path.
        request: String,
        /// How long it was tried, in seconds.
        tried_s: u64,
        /// What the last attempt met; none if it was cut short.
        #[source]
        source: Option<Box<kube::Error>>,
    },
    /// The API server is not who the kubeconfig says, or does not speak TLS.
    #[error("no connection to the API server can be made")]
    Tls(#[source] Box<kube::Error>),
    /// The API server said no.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// An answer is no JSON, or lacks what it must have.
    #[error("the API server's answer to `{request}` cannot be read: {problem}")]
    Answer {
        /// Method and path.
        request: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No API serves the kind.
    #[error("the API server knows no `{kind}` in `{api_version}`")]
    UnknownKind {
        /// `apiVersion`.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// An object without a name, or the like.
    #[error("an object cannot be applied: {0}")]
    Object(String),
}

/// What an API server says when it does not do what it was asked to (`metav1.Status`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// The reason, as one word.
    pub reason: String,
    /// The reason for people.
    pub message: String,
    /// More about it.
    pub details: Details,
}

/// The details of a refusal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    /// Each problem.
    pub causes: Vec<Cause>,
    /// When to ask again, in seconds; 0: unknown.
    pub retry_after_seconds: u64,
}

/// One problem of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Cause {
    /// The kind of the problem, as one word.
    pub reason: String,
    /// The problem for people.
    pub message: String,
    /// The field it is about.
    pub field: String,
}

/// A field that another manager holds, with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The field, such as `.spec.replicas`.
    pub field: String,
    /// Who holds it.
    pub manager: String,
}

impl Default for Refusal {
    fn default() -> Self {
        Self {
            code: 0,
            reason: String::new(),
            message: "no reason was given".to_owned(),
            details: Details::default(),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the API server refuses: {} ({})",
            self.brief(),
            self.code
        )
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// Reads a body, which is not JSON if something in front of the API server has answered.
    pub(super) fn read(code: u16, body: &[u8]) -> Self {
        let mut read = serde_json::from_slice::<Self>(body).unwrap_or_else(|_| Self {
            message: String::from_utf8_lossy(body).trim().to_owned(),
            ..Self::default()
        });
        read.code = code;
        read
    }

    /// The reason without the objects that the API server prints in full.
    pub fn brief(&self) -> String {
        if self.message.len() <= MAX_MESSAGE_BYTES || self.details.causes.is_empty() {
            return cut(&self.message).to_owned();
        }
        let causes = self.details.causes.iter().map(|cause| {
            // What follows the value is what is wrong with it.
            let tail = cause.message.rsplit_once("}: ").map(|(_, tail)| tail);
            let problem = cut(tail.unwrap_or(&cause.message));
            format!("{}: {problem}", cause.field)
        });
        causes.collect::<Vec<_>>().join("; ")
    }

    /// The fields that others hold, if that is why an apply was refused.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let causes = self.details.causes.iter();
        causes
            .filter(|cause| cause.reason == "FieldManagerConflict")
            .map(|cause| Conflict {
                field: cause.field.clone(),
                manager: quoted(&cause.message).unwrap_or_default().to_owned(),
            })
            .collect()
    }

    /// True if fields that cannot be changed are why: the object has to be made anew.
    ///
    /// Validations of built-in kinds say so in words alone; rules of custom kinds may say anything.
    pub fn is_about_immutable_fields(&self) -> bool {
        const WORDS: [&str; 4] = [
            "field is immutable",
            "Forbidden: updates to",
            "may not be changed",
            "cannot be changed",
        ];
        self.code == 422 && WORDS.iter().any(|words| self.message.contains(words))
    }
}

/// The beginning of a message, as much as people read.
fn cut(message: &str) -> &str {
    let end = message.floor_char_boundary(MAX_MESSAGE_BYTES);
    message.get(..end).unwrap_or(message)
}

/// `conflict with "NAME" using VERSION` names the manager in Go's quotes.
fn quoted(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once('"')?;
    Some(rest.split_once('"')?.0)
}

impl ClusterError {
    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    pub(super) fn has_code(&self, code: u16) -> bool {
        self.refusal().is_some_and(|refusal| refusal.code == code)
    }

    /// True if who asks may not.
    pub fn is_forbidden(&self) -> bool {
        self.has_code(403)
    }

    /// True if there is no such object, or no such namespace or API.
    pub fn is_not_found(&self) -> bool {
        self.has_code(404)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_names_field_and_manager() {
        let body = br#"{"kind":"Status","status":"Failure","message":"Apply failed with 1 conflict: conflict with \"kubectl\" using apps/v1: .spec.replicas","reason":"Conflict","details":{"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"kubectl\" using apps/v1","field":".spec.replicas"}]},"code":409}"#;
        let refusal = Refusal::read(409, body);
        assert_eq!(
            refusal.conflicts(),
            [Conflict {
                field: ".spec.replicas".to_owned(),
                manager: "kubectl".to_owned(),
            }]
        );
    }

    #[test]
    fn what_cannot_be_changed_is_told_without_the_whole_object() {
        let spec = format!("{{\"Containers\":\"{}\"}}", "x".repeat(600));
        let problem = format!("Invalid value: {spec}: field is immutable");
        let body = serde_json::json!({
            "message": format!("Job.batch \"migrate\" is invalid: spec.template: {problem}"),
            "details": {"causes": [{"field": "spec.template", "message": problem}]},
        });
        let refusal = Refusal::read(422, body.to_string().as_bytes());
        assert_eq!(refusal.brief(), "spec.template: field is immutable");
        assert!(refusal.is_about_immutable_fields());
    }

    #[test]
    fn a_proxy_refuses_in_words() {
        let refusal = Refusal::read(429, b"Too many requests, please try again later.\n");
        assert_eq!(
            refusal.to_string(),
            "the API server refuses: Too many requests, please try again later. (429)"
        );
    }
}
