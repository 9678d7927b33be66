//! Joins a hub with a one-time token, and renews the certificate later.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cairn_spec::agent::{JoinToken, Register, Registered, RegistrationPending, Renew, Renewed};
use http::StatusCode;

use super::{
    identity::{Identity, IdentityError, public_pem},
    wire::{Asker, Question, Wire, WireError},
};

/// How joining goes on.
#[derive(Debug)]
pub(super) enum Joining {
    /// The hub has taken the agent in.
    Registered(Box<Registered>),
    /// Somebody must agree; ask again after this time.
    Pending(Duration),
}

/// Why joining or renewing failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The hub does not do it.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The agent's key is of no use.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// What a hub is told of the cluster.
#[derive(Debug, Clone)]
pub struct Introduction {
    /// The UID of the namespace `kube-system`.
    pub cluster_uid: String,
    /// The API server's version.
    pub kubernetes_version: String,
}

/// Asks to join.
pub(super) async fn register(
    wire: &mut Wire,
    identity: &Identity,
    token: &JoinToken,
    introduction: &Introduction,
) -> Result<Joining, JoinError> {
    let key = identity.key()?;
    let register = Register {
        token: token.clone(),
        public_key: public_pem(&key)?,
        cluster_uid: introduction.cluster_uid.clone(),
        kubernetes_version: introduction.kubernetes_version.clone(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let asker = Asker {
        id: "",
        key: &key,
        certificate: None,
    };
    let question = Question::post("/agent/v1/register", &register, Duration::ZERO)?;
    let answer = wire.ask(asker, &question).await?;
    if answer.status == StatusCode::ACCEPTED {
        let pending: RegistrationPending = answer.json()?;
        return Ok(Joining::Pending(Duration::from_secs(
            pending.retry_after_s.into(),
        )));
    }
    Ok(Joining::Registered(Box::new(answer.json()?)))
}

/// Asks for a new certificate, with the key of the old one, which may have expired.
pub(super) async fn renew(
    wire: &mut Wire,
    identity: &mut Identity,
    cluster_uid: &str,
) -> Result<Renewed, JoinError> {
    let next = identity.next_key()?;
    let public_key = public_pem(&next)?;
    let agent_id = identity.joined().map(|joined| joined.agent_id.clone());
    let agent_id = agent_id.ok_or(IdentityError::Certificate)?;
    let proof = next.sign(&Renew::proof_of(&agent_id, &public_key));
    let renew = Renew {
        public_key,
        cluster_uid: cluster_uid.to_owned(),
        proof: BASE64.encode(proof),
    };
    let (key, certificate) = (identity.key()?, identity.certificate()?);
    let asker = Asker {
        id: &agent_id,
        key: &key,
        certificate: Some(&certificate),
    };
    let question = Question::post("/agent/v1/renew", &renew, Duration::ZERO)?;
    Ok(wire.ask(asker, &question).await?.json()?)
}
