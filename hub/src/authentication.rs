//! Who sends a request: a token that is good for this one request, by the key of a certificate of
//! ours, from an agent that counts.

use std::sync::{Arc, Mutex, PoisonError};

use cairn_oci::{
    PublicKey,
    request_token::{Unverified, thumbprint},
};
use cairn_spec::agent::{
    RequestClaims,
    limits::{MAX_CLOCK_SKEW_S, MAX_ID_BYTES, RENEWAL_GRACE_S, REQUEST_TOKEN_LIFE_S},
};
use sha2::{Digest as _, Sha256};

use crate::{AgentState, Error, Hub, Limits, authority::Identity, once::Remembered, roster::Live};

/// How long a token can be good at all, in seconds: its life, and the clocks' difference both ways.
const TOKEN_MEMORY_S: u64 = REQUEST_TOKEN_LIFE_S + 2 * MAX_CLOCK_SKEW_S;
/// How long a certificate is known by its hash after it was shown, in seconds (6 h).
const CERTIFICATE_MEMORY_S: u64 = 6 * 3_600;
/// The first half of a hash tells identities apart.
type Half = [u8; 16];

/// What this process has seen.
#[derive(Debug)]
pub(crate) struct Seen {
    requests: Mutex<Remembered<Half, ()>>,
    certificates: Mutex<Remembered<String, Arc<Identity>>>,
}

impl Seen {
    pub(crate) fn new(limits: &Limits) -> Self {
        let requests = Remembered::new(TOKEN_MEMORY_S, limits.remembered_requests);
        let certificates = Remembered::new(CERTIFICATE_MEMORY_S, limits.remembered_certificates);
        Self {
            requests: Mutex::new(requests),
            certificates: Mutex::new(certificates),
        }
    }

    fn certificate(&self, hash: &str) -> Option<Arc<Identity>> {
        let certificates = self
            .certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        certificates.get(&hash.to_owned())
    }

    fn remember_certificate(&self, hash: String, identity: &Arc<Identity>, now_s: u64) {
        let mut certificates = self
            .certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        certificates.insert(hash, Arc::clone(identity), now_s);
    }

    /// Fails for a token that was here before.
    fn first_time(&self, claims: &RequestClaims, now_s: u64) -> Result<(), Error> {
        let mut hasher = Sha256::new();
        hasher.update(claims.iss.as_bytes());
        hasher.update([0]);
        hasher.update(claims.jti.as_bytes());
        let mut half = Half::default();
        half.copy_from_slice(&hasher.finalize()[..16]);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        match requests.insert_new(half, (), now_s) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Unauthenticated("the token was used before")),
            Err(_) => Err(Error::TooManyRequests {
                retry_after_s: TOKEN_MEMORY_S,
            }),
        }
    }
}

/// What a token must be about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The value of `Authorization`.
    pub(crate) authorization: Option<&'a str>,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
}

impl<'a> Asked<'a> {
    fn token(&self) -> Result<Unverified<'a>, Error> {
        let header = self
            .authorization
            .ok_or(Error::Unauthenticated("there is no token"))?;
        let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Error::Unauthenticated("the token is not a bearer token"));
        }
        Unverified::parse(token).map_err(Error::Unauthenticated)
    }
}

/// An agent that counts, and what its token says of the request.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) live: Arc<Live>,
    pub(crate) identity: Arc<Identity>,
    claims: RequestClaims,
}

impl Caller {
    /// Fails unless the token is about this body, as it was sent.
    pub(crate) fn check_body(&self, body: &[u8]) -> Result<(), Error> {
        check_body(&self.claims, body)
    }
}

fn check_body(claims: &RequestClaims, body: &[u8]) -> Result<(), Error> {
    if claims.bsh == thumbprint(body) {
        Ok(())
    } else {
        Err(Error::Unauthenticated("the token is about another body"))
    }
}

/// Whether a certificate that has expired will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    Refused,
    /// For the renewal alone, and not for ever.
    WithinGrace,
}

impl Hub {
    /// Who sends a request with a certificate. The body is checked when it is there.
    pub(crate) async fn authenticate(
        &self,
        asked: &Asked<'_>,
        expired: Expired,
    ) -> Result<Caller, Error> {
        let now_s = self.clock.unix_s();
        let token = asked.token()?;
        let identity = self.identity(&token, now_s)?;
        let claims = token
            .verify(&identity.key)
            .map_err(Error::Unauthenticated)?;
        if claims.iss != identity.agent_id {
            return Err(Error::Unauthenticated(
                "the token and the certificate name different agents",
            ));
        }
        self.check_claims(&claims, asked, now_s)?;
        check_end(identity.not_after_s, expired, now_s)?;
        let agent = self.roster.agent(&*self.store, &identity.agent_id).await?;
        let live = agent.ok_or(Error::Revoked("the agent is not known any more"))?;
        self.check_agent(&live, &identity).await?;
        Ok(Caller {
            live,
            identity,
            claims,
        })
    }

    /// The certificate's identity: of a certificate that was seen before by its hash alone.
    fn identity(&self, token: &Unverified<'_>, now_s: u64) -> Result<Arc<Identity>, Error> {
        let Some(der) = token.certificate().map_err(Error::Unauthenticated)? else {
            let hash = token.thumbprint();
            let hash = hash.ok_or(Error::Unauthenticated("the token has no certificate"))?;
            return self.seen.certificate(hash).ok_or(Error::CertificateUnknown);
        };
        let hash = thumbprint(&der);
        if let Some(known) = self.seen.certificate(&hash) {
            return Ok(known);
        }
        let identity = Arc::new(self.authority.judge(&der, now_s)?);
        self.seen.remember_certificate(hash, &identity, now_s);
        Ok(identity)
    }

    /// The token of a request whose key is in its body.
    pub(crate) fn authenticate_key(
        &self,
        asked: &Asked<'_>,
        key: &PublicKey,
        body: &[u8],
    ) -> Result<(), Error> {
        let token = asked.token()?;
        let claims = token.verify(key).map_err(Error::Unauthenticated)?;
        if !claims.iss.is_empty() {
            return Err(Error::Unauthenticated(
                "the token names an agent that has not joined",
            ));
        }
        // Tokens of different keys may have the same number.
        let of_key = RequestClaims {
            iss: format!("\n{}", key.id()),
            ..claims
        };
        self.check_claims(&of_key, asked, self.clock.unix_s())?;
        check_body(&of_key, body)
    }

    /// The token is about this request, of now, and new.
    fn check_claims(
        &self,
        claims: &RequestClaims,
        asked: &Asked<'_>,
        now_s: u64,
    ) -> Result<(), Error> {
        if claims.htm != asked.method || claims.htu != asked.path {
            return Err(Error::Unauthenticated("the token is about another request"));
        }
        if claims.jti.is_empty() || claims.jti.len() > MAX_ID_BYTES {
            return Err(Error::Unauthenticated(
                "the token's number is empty or too long",
            ));
        }
        if claims.exp <= claims.iat || claims.exp - claims.iat > REQUEST_TOKEN_LIFE_S {
            return Err(Error::Unauthenticated("the token lives for too long"));
        }
        if claims.iat > now_s.saturating_add(MAX_CLOCK_SKEW_S) {
            return Err(Error::Clock("the token is not good yet"));
        }
        if claims.exp.saturating_add(MAX_CLOCK_SKEW_S) <= now_s {
            return Err(Error::Clock("the token has expired"));
        }
        // What was used before the hub started is not remembered.
        if claims.iat < self.started_s {
            return Err(Error::Clock("the token is older than the hub's memory"));
        }
        self.seen.first_time(claims, now_s)
    }

    /// The agent counts, this is its certificate, and it does not ask too often.
    async fn check_agent(&self, live: &Live, identity: &Identity) -> Result<(), Error> {
        let record = {
            let mut state = live.state();
            let (per_min, burst) = (self.limits.agent_requests_per_min, self.limits.agent_burst);
            let admitted = state.pace.admit(per_min, burst, self.clock.unix_ms());
            admitted.map_err(|retry_after_s| Error::TooManyRequests { retry_after_s })?;
            Arc::clone(&state.record)
        };
        if record.state != AgentState::Active {
            return Err(Error::Revoked("the agent does not count any more"));
        }
        if record.key_id == identity.key.id() {
            return Ok(());
        }
        if record.next_key_id.as_deref() == Some(identity.key.id()) {
            // The new certificate was used: the old one is not needed any more.
            return self
                .change_agent(&live.id, |agent| {
                    identity.key.id().clone_into(&mut agent.key_id);
                    agent.next_key_id = None;
                })
                .await
                .map(|_| ());
        }
        Err(Error::Revoked("the certificate was replaced"))
    }
}

fn check_end(not_after_s: u64, expired: Expired, now_s: u64) -> Result<(), Error> {
    let good_until_s = match expired {
        Expired::Refused => not_after_s,
        Expired::WithinGrace => not_after_s.saturating_add(RENEWAL_GRACE_S),
    };
    if now_s > good_until_s {
        return Err(Error::CertificateExpired);
    }
    Ok(())
}
