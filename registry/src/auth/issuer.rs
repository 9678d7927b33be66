//! The registry's own tokens. All replicas sign with one key, which the first of them makes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Method,
    access::Access,
    jws::{KeySet, Refused, Signer, Unverified, Validity},
    unix_now_s,
};
use crate::{
    Error, Result,
    config::TokenServiceConfig,
    records,
    storage::{Key, Metadata, MetadataExt as _},
};

/// The record with the signing key.
const SIGNING_KEY: &str = "token-signing-key";

/// How far the clocks of replicas may differ, in seconds.
const CLOCK_SKEW_S: u64 = 30;

/// Signs and verifies the registry's own tokens.
#[derive(Debug)]
pub(crate) struct Issuer {
    signer: Signer,
    keys: KeySet,
    pub(crate) config: TokenServiceConfig,
}

/// What a token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    aud: String,
    pub(crate) sub: String,
    pub(crate) exp: u64,
    nbf: u64,
    iat: u64,
    jti: String,
    purpose: Purpose,
    pub(crate) access: Vec<Access>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    pub(crate) proof: Proof,
}

/// What a token is for; one kind is never taken for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Purpose {
    Access,
    Refresh,
}

/// What an identity rests on. It is looked at again whenever a token is used, so a token does not
/// outlive the password or the API token that it was issued for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Proof {
    Anonymous,
    Password { fingerprint: String },
    ApiToken { name: String, fingerprint: String },
    Oidc { issuer: String },
    Certificate,
}

impl Proof {
    pub(crate) fn method(&self) -> Method {
        match self {
            Self::Anonymous => Method::Anonymous,
            Self::Password { .. } => Method::Password,
            Self::ApiToken { name, .. } => Method::ApiToken(name.clone()),
            Self::Oidc { issuer } => Method::Oidc(issuer.clone()),
            Self::Certificate => Method::Certificate,
        }
    }

    /// It can be looked at again, so a long-lived token is as safe as a short one.
    pub(crate) fn is_revocable(&self) -> bool {
        matches!(self, Self::Password { .. } | Self::ApiToken { .. })
    }
}

/// What a new token is to say.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    pub(crate) groups: &'a [String],
    pub(crate) proof: &'a Proof,
    /// What it rests on ends at this time.
    pub(crate) expires_unix_s: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SigningKey {
    created_unix_s: u64,
}

impl Issuer {
    /// Takes the signing key out of the storage, or makes it.
    pub(crate) async fn open(config: TokenServiceConfig, metadata: &dyn Metadata) -> Result<Self> {
        let key = Key::System(SIGNING_KEY);
        let failed = |reason: Refused| Error::corrupt(Key::System(SIGNING_KEY), reason);
        if metadata.get(&key).await?.is_none() {
            let fields = SigningKey {
                created_unix_s: unix_now_s(),
            };
            let record = records::encode(&fields, &Signer::generate().map_err(failed)?)?;
            match metadata.put_new(key.clone(), record).await {
                // Another replica was first: its key is everybody's.
                Ok(_) | Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let entry = metadata.get(&key).await?;
        let entry = entry.ok_or_else(|| failed("it vanished"))?;
        let (_, pkcs8): (SigningKey, Bytes) = records::decode(&key, &entry)?;
        let signer = Signer::from_pkcs8(&pkcs8).map_err(failed)?;
        Ok(Self {
            keys: signer.key_set(),
            signer,
            config,
        })
    }

    /// A new token, and when it ends.
    pub(crate) fn issue(
        &self,
        purpose: Purpose,
        subject: &Subject<'_>,
        access: Vec<Access>,
    ) -> Result<(String, u64), Refused> {
        let now = unix_now_s();
        let lifetime_s = match purpose {
            Purpose::Access => self.config.lifetime_s,
            Purpose::Refresh => self.config.refresh_lifetime_s,
        };
        let exp = (now + lifetime_s).min(subject.expires_unix_s.unwrap_or(u64::MAX));
        let claims = Claims {
            iss: self.config.service.clone(),
            aud: self.config.service.clone(),
            sub: subject.name.to_owned(),
            exp,
            nbf: now,
            iat: now,
            jti: ulid::Ulid::new().to_string(),
            purpose,
            access,
            groups: subject.groups.to_vec(),
            proof: subject.proof.clone(),
        };
        Ok((self.signer.sign(&claims)?, exp))
    }

    /// The token says that it is one of ours.
    pub(crate) fn is_own(&self, token: &Unverified<'_>) -> bool {
        token.claimed_issuer().as_deref() == Some(self.config.service.as_str())
    }

    pub(crate) fn verify(
        &self,
        purpose: Purpose,
        token: &Unverified<'_>,
    ) -> Result<Claims, Refused> {
        let claims: Claims = token.verify(&self.keys)?;
        let validity: Validity = token.verify(&self.keys)?;
        validity.check(unix_now_s(), CLOCK_SKEW_S)?;
        if claims.iss != self.config.service || claims.aud != self.config.service {
            return Err("the token is for another service");
        }
        if claims.purpose != purpose {
            return Err("the token is for another purpose");
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryMetadata;

    fn config(service: &str) -> TokenServiceConfig {
        TokenServiceConfig {
            service: service.to_owned(),
            ..TokenServiceConfig::default()
        }
    }

    fn subject(proof: &Proof, expires_unix_s: Option<u64>) -> Subject<'_> {
        Subject {
            name: "ada",
            groups: &[],
            proof,
            expires_unix_s,
        }
    }

    #[tokio::test]
    async fn replicas_share_a_key_and_others_do_not() {
        let storage = MemoryMetadata::default();
        let proof = Proof::Certificate;
        let first = Issuer::open(config("a"), &storage).await.unwrap();
        let second = Issuer::open(config("a"), &storage).await.unwrap();
        let (token, _) = first
            .issue(Purpose::Access, &subject(&proof, None), Vec::new())
            .unwrap();
        let token = Unverified::parse(&token).unwrap();
        assert_eq!(second.verify(Purpose::Access, &token).unwrap().sub, "ada");
        assert!(second.verify(Purpose::Refresh, &token).is_err());
        let other_service = Issuer::open(config("b"), &storage).await.unwrap();
        assert!(other_service.verify(Purpose::Access, &token).is_err());
        let stranger = Issuer::open(config("a"), &MemoryMetadata::default())
            .await
            .unwrap();
        assert!(stranger.verify(Purpose::Access, &token).is_err());
    }

    #[tokio::test]
    async fn a_token_ends_with_what_it_rests_on() {
        let issuer = Issuer::open(config("a"), &MemoryMetadata::default())
            .await
            .unwrap();
        let proof = Proof::Certificate;
        let past = unix_now_s() - CLOCK_SKEW_S - 1;
        let (token, exp) = issuer
            .issue(Purpose::Access, &subject(&proof, Some(past)), Vec::new())
            .unwrap();
        assert_eq!(exp, past);
        let token = Unverified::parse(&token).unwrap();
        assert_eq!(
            issuer.verify(Purpose::Access, &token).unwrap_err(),
            "the token has expired"
        );
    }
}
