//! What an agent must not forget: which desired state it accepted last. It lies in a Secret of the
//! cluster, and is written before anything is done about it.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cairn_runner::{
    cluster::{Applied, Cluster, ClusterError, Force, Mode, id_of},
    run::NAMESPACE,
};
use cairn_spec::{Digest, Envelope, ObjectId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::{accept::Last, spool::Spool};

const NAME: &str = "cairn-agent-state";
const KEY: &str = "state.json";

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// The highest generation that was accepted; 0 if none was.
    #[serde(default)]
    pub generation: u64,
    /// The desired state that was accepted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
    /// What happened, and the hub does not know yet.
    #[serde(default, skip_serializing_if = "Spool::is_empty")]
    pub spool: Spool,
}

/// A desired state that was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Accepted {
    /// Where its bundle comes from.
    pub repository: String,
    /// The bundle.
    pub bundle: Digest,
    /// When bundle and policy became what they are.
    pub since: Timestamp,
    /// The digest of the policy, where that is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// What a hub sent, as it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Envelope>,
}

/// Why there is no remembering.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The API server does not do it.
    #[error("failed to {doing} what the agent remembers")]
    Cluster {
        /// `read` or `write`.
        doing: &'static str,
        /// What it says.
        #[source]
        source: Box<ClusterError>,
    },
    /// What is there is not what was written. It is not made anew: old desired states would be accepted.
    #[error(
        "the Secret `{NAMESPACE}/{name}` is damaged: {problem}. Restore it; or delete it, and check that nobody offers an old desired state"
    )]
    Damaged {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl State {
    /// Reads it; nothing is remembered when there is no Secret.
    pub async fn read(cluster: &Cluster) -> Result<Self, MemoryError> {
        let Some(bytes) = read_secret(cluster, NAME, KEY).await? else {
            return Ok(Self::default());
        };
        serde_json::from_slice(&bytes).map_err(|error| MemoryError::Damaged {
            name: NAME,
            problem: error.to_string(),
        })
    }

    /// Writes it.
    pub async fn write(&self, cluster: &Cluster) -> Result<(), MemoryError> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        write_secret(cluster, NAME, &[(KEY, &text)]).await
    }

    /// What the next desired state must be newer than.
    pub fn last(&self) -> Last {
        Last {
            generation: self.generation,
            bundle: self.accepted.as_ref().map(|it| it.bundle.clone()),
        }
    }
}

/// A value of a Secret of the agent's own.
pub(crate) async fn read_secret(
    cluster: &Cluster,
    name: &'static str,
    key: &str,
) -> Result<Option<Vec<u8>>, MemoryError> {
    let secret = cluster.get(&id(name)).await.map_err(failed("read"))?;
    let Some(secret) = secret else {
        return Ok(None);
    };
    let encoded = secret["data"][key].as_str();
    let decoded = encoded.and_then(|encoded| BASE64.decode(encoded).ok());
    let damaged = || MemoryError::Damaged {
        name,
        problem: format!("it has no `{key}`"),
    };
    decoded.map(Some).ok_or_else(damaged)
}

/// Writes a Secret of the agent's own.
pub(crate) async fn write_secret(
    cluster: &Cluster,
    name: &str,
    entries: &[(&str, &[u8])],
) -> Result<(), MemoryError> {
    let data: serde_json::Map<String, Json> = entries
        .iter()
        .map(|(key, bytes)| ((*key).to_owned(), BASE64.encode(bytes).into()))
        .collect();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": data,
    });
    let apply = async |object: &Json| {
        let id = id_of(object);
        cluster.apply(&id, object, Mode::Write, Force::Take).await
    };
    let mut written = apply(&secret).await;
    if written.as_ref().is_err_and(ClusterError::is_not_found) {
        // Outside of the cluster nothing has made the namespace yet.
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
        });
        apply(&namespace).await.map_err(failed("write"))?;
        written = apply(&secret).await;
    }
    match written.map_err(failed("write"))? {
        Applied::Created(_) | Applied::Merged(_) | Applied::Conflicts(_) => Ok(()),
    }
}

fn failed(doing: &'static str) -> impl Fn(ClusterError) -> MemoryError {
    move |source| MemoryError::Cluster {
        doing,
        source: Box::new(source),
    }
}

fn id(name: &str) -> ObjectId {
    ObjectId {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: name.to_owned(),
    }
}
