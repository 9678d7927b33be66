//! How clusters join: tokens, agents that wait for approval, and agents that are sent away.

use std::sync::PoisonError;

use cairn_oci::PublicKey;
use cairn_spec::{
    GroupName, Timestamp,
    agent::{
        Command, CommandKind, Intervals, JoinToken, Register, Registered, RegistrationPending,
        limits::{MAX_ID_BYTES, MAX_JOIN_TOKEN_LIFE_S},
    },
};
use sha2::{Digest as _, Sha256};

use crate::{
    AgentRecord, AgentState, Error, Hub, TokenRecord, authentication::Asked, authority::random,
};

/// How often a record is read and changed again when another process was faster.
const ATTEMPTS: u32 = 5;

/// How long a token that has expired is remembered, in seconds (7 d): agents that wait for approval
/// ask with it again and again.
const EXPIRED_TOKEN_MEMORY_S: u64 = 7 * 86_400;

/// A join token that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// How long it is good, in seconds; a day at most.
    pub life_s: u64,
    /// For how many clusters it is good.
    pub uses: u32,
    /// The group of clusters that join with it.
    pub group: Option<GroupName>,
    /// Somebody must agree to each of them.
    pub needs_approval: bool,
}

/// The answer to an agent that wants to join.
#[derive(Debug)]
pub(crate) enum Registration {
    Done(Box<Registered>),
    Pending(RegistrationPending),
}

impl Hub {
    /// Makes a join token. Its secret is in the result and nowhere else.
    pub async fn create_token(&self, new: &NewToken) -> Result<JoinToken, Error> {
        if new.life_s == 0 || new.life_s > MAX_JOIN_TOKEN_LIFE_S || new.uses == 0 {
            return Err(Error::Malformed(
                "a join token is good for 1 s to 24 h, and for one cluster or more".to_owned(),
            ));
        }
        if self.offers.keyring(new.group.as_ref()).is_none() {
            return Err(Error::NotFound("keyring for the clusters that would join"));
        }
        if self.forget_old_tokens().await? >= self.limits.join_tokens {
            return Err(Error::TooLarge {
                what: "list of join tokens",
                limit: self.limits.join_tokens as u64,
                unit: "entries",
            });
        }
        let token = JoinToken {
            id: hex::encode(random::<6>()?),
            secret: hex::encode(random::<24>()?),
        };
        let record = TokenRecord {
            id: token.id.clone(),
            secret_sha256: hash(&token.secret),
            expires: Timestamp::from_unix_s(self.clock.unix_s().saturating_add(new.life_s)),
            uses_left: new.uses,
            group: new.group.clone(),
            needs_approval: new.needs_approval,
        };
        self.store.put_token(&record).await?;
        tracing::info!(token = %token.id, "a join token was made");
        Ok(token)
    }

    /// Forgets tokens that expired long ago; returns how many are left.
    async fn forget_old_tokens(&self) -> Result<usize, Error> {
        let now_s = self.clock.unix_s();
        let mut left = 0;
        for token in self.store.tokens().await? {
            if token
                .expires
                .unix_s()
                .saturating_add(EXPIRED_TOKEN_MEMORY_S)
                <= now_s
            {
                self.store.remove_token(&token.id).await?;
            } else {
                left += 1;
            }
        }
        Ok(left)
    }

    /// All join tokens, without their secrets.
    pub async fn tokens(&self) -> Result<Vec<TokenRecord>, Error> {
        Ok(self.store.tokens().await?)
    }

    /// Takes a join token back; whether there was one. Who joined with it stays.
    pub async fn remove_token(&self, id: &str) -> Result<bool, Error> {
        Ok(self.store.remove_token(id).await?)
    }

    /// Lets a cluster in, or has it wait.
    pub(crate) async fn register(
        &self,
        asked: &Asked<'_>,
        body: &[u8],
        wanted: &Register,
    ) -> Result<Registration, Error> {
        let key = PublicKey::from_pem(&wanted.public_key)
            .map_err(|error| Error::Malformed(error.to_string()))?;
        self.authenticate_key(asked, &key, body)?;
        check_texts(wanted)?;
        let token = self.store.token(&wanted.token.id).await?;
        let token = token.ok_or(Error::JoinTokenRefused)?;
        if !same(&token.secret_sha256, &hash(&wanted.token.secret)) {
            return Err(Error::JoinTokenRefused);
        }
        let known = self.store.agents_of_cluster(&wanted.cluster_uid).await?;
        // An answer may have been lost, and an agent that waits asks again.
        let again = known
            .iter()
            .find(|agent| agent.token_id == token.id && agent.key_id == key.id());
        let agent = if let Some(agent) = again {
            agent.clone()
        } else {
            let is_known = known.iter().any(|agent| agent.state == AgentState::Active);
            self.join(wanted, &key, &token, is_known).await?
        };
        match agent.state {
            AgentState::Active => self.registered(&agent, &key).map(Registration::Done),
            AgentState::Pending => Ok(Registration::Pending(RegistrationPending {
                retry_after_s: self.settings.pending_retry_s,
            })),
            AgentState::Revoked => Err(Error::Revoked("the agent was sent away")),
        }
    }

    /// Fails when clusters join too often.
    pub(crate) fn admit_join(&self) -> Result<(), Error> {
        let mut joins = self.joins.lock().unwrap_or_else(PoisonError::into_inner);
        let per_min = self.limits.joins_per_s.saturating_mul(60);
        joins
            .admit(per_min, self.limits.join_burst, self.clock.unix_ms())
            .map_err(|retry_after_s| Error::TooManyRequests { retry_after_s })
    }

    async fn join(
        &self,
        wanted: &Register,
        key: &PublicKey,
        token: &TokenRecord,
        is_known: bool,
    ) -> Result<AgentRecord, Error> {
        let now = Timestamp::from_unix_s(self.clock.unix_s());
        if token.expires <= now {
            return Err(Error::JoinTokenRefused);
        }
        if !key.is_p256() {
            return Err(Error::Malformed("the key is not a P-256 key".to_owned()));
        }
        // Whoever has a token must not take the place of a cluster that is there.
        let must_wait = is_known || token.needs_approval || self.settings.needs_approval;
        let agent = AgentRecord {
            id: hex::encode(random::<12>()?),
            cluster_uid: wanted.cluster_uid.clone(),
            group: token.group.clone(),
            state: if must_wait {
                AgentState::Pending
            } else {
                AgentState::Active
            },
            key_id: key.id().to_owned(),
            next_key_id: None,
            token_id: token.id.clone(),
            joined: now,
            kubernetes_version: wanted.kubernetes_version.clone(),
            agent_version: wanted.agent_version.clone(),
            version: 1,
        };
        if !self.store.join(&token.id, &agent).await? {
            return Err(Error::JoinTokenRefused);
        }
        tracing::info!(agent = %agent.id, cluster = %agent.cluster_uid, state = ?agent.state, "a cluster joins");
        Ok(agent)
    }

    fn registered(&self, agent: &AgentRecord, key: &PublicKey) -> Result<Box<Registered>, Error> {
        let keyring = self.offers.keyring(agent.group.as_ref());
        let keyring = keyring.ok_or(Error::NotFound("keyring for this cluster"))?;
        let (id, uid) = (&agent.id, &agent.cluster_uid);
        let issued = self.authority.issue(id, uid, key, self.clock.unix_s())?;
        Ok(Box::new(Registered {
            agent_id: agent.id.clone(),
            certificate: issued.pem,
            not_after: Timestamp::from_unix_s(issued.not_after_s),
            ca: self.settings.tls_authorities.clone(),
            keyring: keyring.keys.keyring().clone(),
            intervals: Intervals {
                sync_s: self.settings.sync_s,
                wait_s: self.settings.wait_s,
            },
        }))
    }

    /// Agrees to an agent that waits. Other agents of its cluster are sent away.
    pub async fn approve(&self, id: &str) -> Result<AgentRecord, Error> {
        let agent = self.store.agent(id).await?;
        let agent = agent.ok_or(Error::NotFound("agent of this identity"))?;
        if agent.state == AgentState::Revoked {
            return Err(Error::Conflict(
                "the agent was sent away; it must join again".to_owned(),
            ));
        }
        for other in self.store.agents_of_cluster(&agent.cluster_uid).await? {
            if other.id != agent.id && other.state == AgentState::Active {
                self.revoke(&other.id).await?;
            }
        }
        self.change_agent(id, |agent| agent.state = AgentState::Active)
            .await
    }

    /// Sends an agent away: its certificate is good for nothing from now on.
    pub async fn revoke(&self, id: &str) -> Result<AgentRecord, Error> {
        let revoked = self
            .change_agent(id, |agent| agent.state = AgentState::Revoked)
            .await?;
        tracing::info!(agent = %revoked.id, cluster = %revoked.cluster_uid, "an agent is sent away");
        Ok(revoked)
    }

    /// Asks something of an agent; returns the command's identity.
    pub async fn command(&self, id: &str, kind: CommandKind) -> Result<String, Error> {
        let agent = self.store.agent(id).await?;
        agent.ok_or(Error::NotFound("agent of this identity"))?;
        let command = Command {
            id: hex::encode(random::<8>()?),
            kind,
        };
        if !self.store.add_command(id, &command).await? {
            return Err(Error::Conflict(
                "too many commands wait for this agent".to_owned(),
            ));
        }
        self.roster.refresh(&*self.store, id).await?;
        Ok(command.id)
    }

    /// Changes an agent's record, and what is known of it in memory.
    pub(crate) async fn change_agent(
        &self,
        id: &str,
        change: impl Fn(&mut AgentRecord) + Send + Sync,
    ) -> Result<AgentRecord, Error> {
        for _ in 0..ATTEMPTS {
            let agent = self.store.agent(id).await?;
            let mut agent = agent.ok_or(Error::NotFound("agent of this identity"))?;
            let version = agent.version;
            change(&mut agent);
            agent.version = version.saturating_add(1);
            if self.store.replace_agent(&agent, version).await? {
                self.roster.refresh(&*self.store, id).await?;
                return Ok(agent);
            }
        }
        Err(Error::Conflict(
            "the agent's record keeps changing".to_owned(),
        ))
    }
}

fn check_texts(wanted: &Register) -> Result<(), Error> {
    let is_uid = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let uid = &wanted.cluster_uid;
    if uid.is_empty() || uid.len() > MAX_ID_BYTES || !is_uid(uid) {
        return Err(Error::Malformed(
            "`clusterUid` is not the UID of a namespace".to_owned(),
        ));
    }
    for version in [&wanted.kubernetes_version, &wanted.agent_version] {
        if version.len() > MAX_ID_BYTES {
            return Err(Error::TooLarge {
                what: "version",
                limit: MAX_ID_BYTES as u64,
                unit: "bytes",
            });
        }
    }
    Ok(())
}

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Compares without telling by its time where two texts differ.
fn same(left: &str, right: &str) -> bool {
    let differences = left
        .bytes()
        .zip(right.bytes())
        .fold(0, |all, (a, b)| all | (a ^ b));
    left.len() == right.len() && differences == 0
}
