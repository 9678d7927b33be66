//! ID tokens of OIDC issuers: who a workload is, vouched for by where it runs.
//!
//! <https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation>

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::{
    Invalid,
    jws::{KeySet, Refused, Unverified, Validity},
    unix_now_s,
};
use crate::{
    config::{JwksConfig, OidcConfig},
    operations::metrics::WatchedFile,
    watched::{Files, Watch, Watched},
};

/// How often keys at a URL are asked for although no token needs it: keys that were withdrawn are
/// not accepted for longer.
const MAX_KEY_AGE: Duration = Duration::from_mins(5);
/// How long keys stay in use when their URL does not answer.
const MAX_KEY_SILENCE: Duration = Duration::from_hours(24);
/// The largest clock skew that may be configured, in seconds.
const MAX_CLOCK_SKEW_S: u64 = 300;
/// The most groups of a user, and the longest name of either, in bytes.
const MAX_GROUPS: usize = 500;
const MAX_NAME_BYTES: usize = 512;

/// Fetches a document; how is none of this module's business.
pub(crate) type Fetch = Box<dyn Fn() -> BoxFuture<'static, Result<Bytes, String>> + Send + Sync>;

/// One issuer and its keys.
#[derive(Debug)]
pub(crate) struct OidcIssuer {
    config: OidcConfig,
    keys: Keys,
}

/// Who an ID token speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) groups: Vec<String>,
    pub(crate) expires_unix_s: u64,
}

#[derive(Debug)]
enum Keys {
    File(Arc<Watched<KeySet>>),
    Remote(RemoteKeys),
}

struct RemoteKeys {
    fetch: Fetch,
    /// The shortest time between two requests.
    interval: Duration,
    state: Mutex<Fetched>,
}

#[derive(Default)]
struct Fetched {
    keys: Option<(Arc<KeySet>, Instant)>,
    asked: Option<Instant>,
}

impl std::fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RemoteKeys")
    }
}

impl OidcIssuer {
    pub(crate) fn open(
        config: OidcConfig,
        watch: &Watch,
        urls_interval: Duration,
        fetch: impl FnOnce(&OidcConfig) -> Result<Fetch, Invalid>,
    ) -> Result<Self, Invalid> {
        let refuse = |reason: &str| Err(Invalid::new(format!("auth.oidc.{}", config.name), reason));
        if config.name.is_empty()
            || !config
                .name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return refuse("`name` must be letters, digits and `-`");
        }
        if config.audiences.is_empty() {
            return refuse(
                "`audiences` must name this registry, or tokens for anybody would be accepted",
            );
        }
        if config.clock_skew_s > MAX_CLOCK_SKEW_S {
            return refuse("`clockSkewS` is more than 300");
        }
        let keys = match &config.jwks {
            JwksConfig::File(path) => {
                let path = path.clone();
                let read = move |files: &Files| {
                    KeySet::parse(files.read(&path)?.as_bytes())
                        .map_err(|reason| Invalid::new(path.display().to_string(), reason))
                };
                Keys::File(watch.open(WatchedFile::OidcKeys, read)?)
            }
            JwksConfig::Url { .. } => Keys::Remote(RemoteKeys {
                fetch: fetch(&config)?,
                interval: urls_interval,
                state: Mutex::default(),
            }),
        };
        Ok(Self { config, keys })
    }

    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    pub(crate) fn url(&self) -> &str {
        &self.config.issuer
    }

    /// Who the token speaks of.
    pub(crate) async fn verify(&self, token: &Unverified<'_>) -> Result<Identity, Refused> {
        let keys = self
            .keys
            .current(token.key_id())
            .await
            .ok_or("the issuer's keys are not known")?;
        let claims: Map<String, Value> = token.verify(&keys)?;
        let claims = Value::Object(claims);
        let validity =
            Validity::deserialize(&claims).map_err(|_| "the token's times are malformed")?;
        validity.check(unix_now_s(), self.config.clock_skew_s)?;
        if claims["iss"] != self.config.issuer {
            return Err("the token is another issuer's");
        }
        let audiences = texts(&claims["aud"]);
        if !audiences
            .iter()
            .any(|audience| self.config.audiences.contains(audience))
        {
            return Err("the token is for another audience");
        }
        let lacking = self
            .config
            .require
            .iter()
            .find(|(claim, value)| claims[claim.as_str()] != value.as_str());
        if lacking.is_some() {
            return Err("the token lacks a claim that is required");
        }
        let user = claims[&self.config.user_claim].as_str().unwrap_or_default();
        let groups = self
            .config
            .groups_claim
            .as_ref()
            .map(|claim| texts(&claims[claim]))
            .unwrap_or_default();
        let is_bad = |name: &str| {
            name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control)
        };
        if is_bad(user) || groups.len() > MAX_GROUPS || groups.iter().any(|group| is_bad(group)) {
            return Err("the token names no user, or a malformed one");
        }
        let own = |name: &str| format!("{}:{name}", self.config.name);
        Ok(Identity {
            user: own(user),
            groups: groups.iter().map(|group| own(group)).collect(),
            expires_unix_s: validity.exp.saturating_add(self.config.clock_skew_s),
        })
    }
}

/// A text, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

impl Keys {
    async fn current(&self, wanted: Option<&str>) -> Option<Arc<KeySet>> {
        match self {
            Self::File(file) => Some(file.current().await),
            Self::Remote(remote) => remote.current(wanted).await,
        }
    }
}

impl RemoteKeys {
    /// The keys, asked for again when they are old or lack the one that is wanted. One request at a
    /// time, and not more often than the interval allows, whatever clients send.
    async fn current(&self, wanted: Option<&str>) -> Option<Arc<KeySet>> {
        let mut state = self.state.lock().await;
        let is_enough = state.keys.as_ref().is_some_and(|(keys, since)| {
            since.elapsed() < MAX_KEY_AGE && wanted.is_none_or(|id| keys.has(id))
        });
        let may_ask = state
            .asked
            .is_none_or(|asked| asked.elapsed() >= self.interval);
        if !is_enough && may_ask {
            state.asked = Some(Instant::now());
            let fetched = (self.fetch)().await.and_then(|text| KeySet::parse(&text));
            match fetched {
                Ok(keys) => state.keys = Some((Arc::new(keys), Instant::now())),
                Err(error) => tracing::error!(%error, "failed to fetch an OIDC issuer's keys"),
            }
        }
        let usable = state
            .keys
            .as_ref()
            .filter(|(_, since)| since.elapsed() < MAX_KEY_SILENCE);
        usable.map(|(keys, _)| Arc::clone(keys))
    }
}
