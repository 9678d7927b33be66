//! Who makes a request, and whether they may: everything but HTTP.
//!
//! Credentials become a `Session`, once a request; the `policy` then decides. A session is
//! narrowed by what it rests on: an API token by its scopes, a token of the token service by what
//! it grants. It never outlives what it rests on, because passwords and API tokens are looked at
//! again on every use.

mod access;
mod actor;
mod api_tokens;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod htpasswd;
mod issuer;
mod jws;
mod oidc;
mod permission;
mod policy;
mod sessions;
mod throttle;

pub use actor::{ANONYMOUS, Actor, Method};
pub use api_tokens::{ApiToken, PREFIX as API_TOKEN_PREFIX, TokensFile};
pub use htpasswd::{Algorithm, MAX_PASSWORD_BYTES, with_user, without_user};
pub use permission::{Action, Permission};
pub use policy::{Decision, Effect, Policy, Rule};

pub(crate) use access::{ScopeError, Wanted, scopes_of};
pub(crate) use oidc::Fetch;
pub(crate) use permission::Need;

use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use cairn_spec::RepositoryName;
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use self::{
    access::Access,
    api_tokens::{ApiTokens, Known, Scope},
    htpasswd::Passwords,
    issuer::{Claims, Issuer, Proof, Purpose, Subject},
    jws::Unverified,
    oidc::{Identity, OidcIssuer},
    sessions::Sessions,
    throttle::Throttle,
};
use crate::{
    Limits, Result,
    clock::{Clock as _, SystemClock},
    config::{AuthConfig, CertificateUser, OidcConfig},
    operations::metrics::WatchedFile,
    storage::Metadata,
    watched::{Files, Watch, Watched},
};

/// A file or a setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{place}`: {reason}")]
pub struct Invalid {
    /// The file or setting, with line and column where they are known.
    pub place: String,
    /// What is wrong there.
    pub reason: String,
}

impl Invalid {
    pub(crate) fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        let (place, reason) = (place.into(), reason.into());
        Self { place, reason }
    }
}

/// What a client shows to say who it is.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) credentials: Credentials,
    pub(crate) certificate: Option<Arc<CertificateNames>>,
    /// Where the client is, to slow down those who guess.
    pub(crate) address: IpAddr,
}

/// The credentials of a request.
pub(crate) enum Credentials {
    None,
    Basic {
        user: String,
        password: Zeroizing<String>,
    },
    Bearer(Zeroizing<String>),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic { .. } => "Basic",
            Self::Bearer(_) => "Bearer",
        })
    }
}

/// The names in a verified client certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CertificateNames {
    pub(crate) common_name: Option<String>,
    pub(crate) uris: Vec<String>,
}

/// An actor, and what narrows their rights in this request.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) actor: Arc<Actor>,
    proof: Proof,
    /// What the API token is for at most; empty for everything.
    scopes: Vec<Scope>,
    /// What the token of the token service grants; `None` when there is none.
    granted: Option<Vec<Access>>,
    expires_unix_s: Option<u64>,
}

impl Session {
    pub(crate) fn anonymous() -> Self {
        Self {
            actor: Arc::new(Actor::anonymous()),
            proof: Proof::Anonymous,
            scopes: Vec::new(),
            granted: None,
            expires_unix_s: None,
        }
    }

    fn is_within_scopes(&self, permission: &Permission) -> bool {
        self.scopes.is_empty() || self.scopes.iter().any(|scope| scope.covers(permission))
    }
}

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody has said who they are.
    Unknown,
    /// The credentials are wrong, whichever part of them.
    Wrong,
    /// The token does not grant what a new one would.
    Insufficient,
    /// The policy does not allow it.
    Denied(Box<Permission>),
    /// Too many wrong credentials came from there.
    Throttled,
    /// Too many passwords are being verified.
    Busy,
}

/// A token of the token service.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) lifetime_s: u64,
    pub(crate) since_unix_s: u64,
    pub(crate) refresh_token: Option<String>,
}

/// Knows who may use the registry.
#[derive(Debug)]
pub(crate) struct Auth {
    /// `None` when everybody may do everything.
    guard: Option<Guard>,
    stranger: Session,
}

#[derive(Debug)]
struct Guard {
    policy: Arc<Watched<Policy>>,
    passwords: Option<Arc<Watched<Passwords>>>,
    tokens: Option<Arc<Watched<ApiTokens>>>,
    oidc: Vec<OidcIssuer>,
    certificates: Option<CertificateUser>,
    issuer: Option<Issuer>,
    sessions: Sessions,
    throttle: Throttle,
    /// Each verification of a password takes much memory and time.
    checks: Arc<Semaphore>,
    check_wait: Duration,
}

impl Auth {
    /// Reads what the configuration names; without one, everybody may do everything.
    pub(crate) async fn open(
        config: Option<&AuthConfig>,
        limits: &Limits,
        metadata: &dyn Metadata,
        watch: &Watch,
        fetch: impl Fn(&OidcConfig) -> Result<Fetch, Invalid>,
    ) -> Result<Self> {
        let guard = match config {
            Some(config) => Some(Guard::open(config, limits, metadata, watch, fetch).await?),
            None => None,
        };
        Ok(Self {
            guard,
            stranger: Session::anonymous(),
        })
    }

    /// Everybody may do everything.
    pub(crate) fn is_open(&self) -> bool {
        self.guard.is_none()
    }

    /// The token service's audience, if clients are to use the service.
    pub(crate) fn token_service(&self) -> Option<&str> {
        let issuer = self.guard.as_ref()?.issuer.as_ref()?;
        Some(&issuer.config.service)
    }

    /// Who makes a request.
    pub(crate) async fn authenticate(&self, presented: &Presented) -> Result<Session, Refusal> {
        match &self.guard {
            Some(guard) => guard.authenticate(presented).await,
            None => Ok(self.stranger.clone()),
        }
    }

    /// Whether they may.
    pub(crate) async fn authorize(&self, session: &Session, need: &Need) -> Result<(), Refusal> {
        match &self.guard {
            Some(guard) => guard.authorize(session, need).await,
            None => Ok(()),
        }
    }

    /// The repositories that somebody may pull.
    pub(crate) fn readable(&self, session: &Session) -> Readable {
        let guard = self.guard.as_ref();
        Readable(guard.map(|guard| (guard.policy.last(), session.clone())))
    }

    /// A token for as much of what is wanted as its holder may do.
    pub(crate) async fn issue(
        &self,
        session: &Session,
        wanted: &Wanted,
        is_offline: bool,
    ) -> Result<Issued, Refusal> {
        let guard = self.guard.as_ref().ok_or(Refusal::Wrong)?;
        guard.issue(session, wanted, is_offline).await
    }

    /// Who a refresh token was issued to.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Session, Refusal> {
        let guard = self.guard.as_ref().ok_or(Refusal::Wrong)?;
        guard.own_token(token, Purpose::Refresh).await
    }
}

/// The repositories that somebody may pull.
#[derive(Debug, Clone)]
pub(crate) struct Readable(Option<(Arc<Policy>, Session)>);

impl Readable {
    /// All of them.
    pub(crate) fn everything() -> Self {
        Self(None)
    }

    /// What a policy lets a user pull.
    #[cfg(test)]
    pub(crate) fn of(policy: Policy, user: &str) -> Self {
        let session = session(user.to_owned(), Proof::Certificate);
        Self(Some((Arc::new(policy), session)))
    }

    /// What the names of all of them begin with, in order; none of these begins with another.
    pub(crate) fn beginnings(&self) -> Vec<String> {
        let Some((policy, session)) = &self.0 else {
            return vec![String::new()];
        };
        let mut beginnings: Vec<String> = policy.pulled_beginnings(&session.actor);
        beginnings.sort_unstable();
        // After sorting, what one begins with stands before it.
        beginnings.dedup_by(|later, earlier| later.starts_with(earlier.as_str()));
        beginnings
    }

    pub(crate) fn includes(&self, repository: &RepositoryName) -> bool {
        let Some((policy, session)) = &self.0 else {
            return true;
        };
        let permission = Permission {
            action: Action::Pull,
            repository: repository.clone(),
            tag: None,
        };
        session.is_within_scopes(&permission)
            && policy.decide(&session.actor, &permission).is_allowed
    }
}

impl Guard {
    async fn open(
        config: &AuthConfig,
        limits: &Limits,
        metadata: &dyn Metadata,
        watch: &Watch,
        fetch: impl Fn(&OidcConfig) -> Result<Fetch, Invalid>,
    ) -> Result<Self> {
        let urls_interval = Duration::from_millis(limits.jwks_interval_ms);
        let issuer = if config.token_service.enabled {
            Some(Issuer::open(config.token_service.clone(), metadata).await?)
        } else {
            None
        };
        let mut oidc: Vec<OidcIssuer> = Vec::new();
        for one in &config.oidc {
            let is_taken = one.issuer == config.token_service.service
                || oidc
                    .iter()
                    .any(|other| other.name() == one.name || other.url() == one.issuer);
            if is_taken {
                return Err(Invalid::new(
                    format!("auth.oidc.{}", one.name),
                    "its `name` and `issuer` must be its own",
                )
                .into());
            }
            oidc.push(OidcIssuer::open(one.clone(), watch, urls_interval, &fetch)?);
        }
        Ok(Self {
            policy: watch.open(
                WatchedFile::AccessPolicy,
                parsed(&config.policy, Policy::parse),
            )?,
            passwords: config
                .htpasswd
                .as_ref()
                .map(|path| watch.open(WatchedFile::Passwords, parsed(path, Passwords::parse)))
                .transpose()?,
            tokens: config
                .tokens
                .as_ref()
                .map(|path| watch.open(WatchedFile::Tokens, parsed(path, ApiTokens::parse)))
                .transpose()?,
            oidc,
            certificates: config.client_certificates,
            issuer,
            sessions: Sessions::new()?,
            throttle: Throttle::new(limits.failed_logins_per_minute),
            checks: Arc::new(Semaphore::new(limits.password_checks)),
            check_wait: Duration::from_secs(limits.upload_wait_s),
        })
    }

    async fn authenticate(&self, presented: &Presented) -> Result<Session, Refusal> {
        let generation = self.generation().await;
        let key = match &presented.credentials {
            Credentials::None => return Ok(self.of_certificate(presented)),
            // What some clients send for nobody.
            Credentials::Basic { user, password } if user.is_empty() && password.is_empty() => {
                return Ok(Session::anonymous());
            }
            Credentials::Basic { user, password } => self.sessions.key(&["basic", user, password]),
            Credentials::Bearer(token) => self.sessions.key(&["bearer", token]),
        };
        let now_unix_s = unix_now_s();
        if let Some(session) = self.sessions.get(&key, generation, now_unix_s) {
            return Ok(session);
        }
        let session = match &presented.credentials {
            Credentials::Basic { user, password } => {
                self.guessable(presented.address, self.of_password(user, password))
                    .await?
            }
            Credentials::Bearer(token) if token.starts_with(API_TOKEN_PREFIX) => {
                self.guessable(presented.address, async { self.of_api_token(token, None) })
                    .await?
            }
            Credentials::Bearer(token) => self.of_bearer(token).await?,
            Credentials::None => Session::anonymous(),
        };
        self.sessions.put(key, generation, session.clone());
        Ok(session)
    }

    /// Reads changed files; the number grows with each change.
    async fn generation(&self) -> u64 {
        let mut generation = 0;
        if let Some(passwords) = &self.passwords {
            passwords.current().await;
            generation += passwords.generation();
        }
        if let Some(tokens) = &self.tokens {
            tokens.current().await;
            generation += tokens.generation();
        }
        generation
    }

    /// Looks at what somebody could guess, unless they have guessed too often.
    async fn guessable(
        &self,
        address: IpAddr,
        check: impl Future<Output = Result<Session, Refusal>>,
    ) -> Result<Session, Refusal> {
        if !self.throttle.may_try(address, Instant::now()) {
            return Err(Refusal::Throttled);
        }
        let checked = check.await;
        if matches!(checked, Err(Refusal::Wrong)) {
            self.throttle.failed(address, Instant::now());
        }
        checked
    }

    fn of_certificate(&self, presented: &Presented) -> Session {
        let named = presented.certificate.as_deref().zip(self.certificates);
        let user = named.and_then(|(names, part)| match part {
            CertificateUser::CommonName => names.common_name.clone(),
            CertificateUser::Uri => names.uris.first().cloned(),
        });
        // Nobody is a stranger by certificate.
        match user.filter(|user| !user.is_empty() && user != ANONYMOUS) {
            Some(user) => session(user, Proof::Certificate),
            None => Session::anonymous(),
        }
    }

    /// A password, or one of the tokens that stand in its place.
    async fn of_password(
        &self,
        user: &str,
        password: &Zeroizing<String>,
    ) -> Result<Session, Refusal> {
        if password.starts_with(API_TOKEN_PREFIX) && self.tokens.is_some() {
            return self.of_api_token(password, Some(user));
        }
        if !self.oidc.is_empty()
            && password.matches('.').count() == 2
            && password.starts_with("eyJ")
        {
            return self.of_bearer(password).await;
        }
        let passwords = self.passwords.as_ref().ok_or(Refusal::Wrong)?.last();
        let check = tokio::time::timeout(self.check_wait, Arc::clone(&self.checks).acquire_owned());
        let Ok(Ok(permit)) = check.await else {
            return Err(Refusal::Busy);
        };
        let (name, password) = (user.to_owned(), password.clone());
        let verified = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            passwords.verify(&name, &password)
        });
        let fingerprint = verified.await.ok().flatten().ok_or(Refusal::Wrong)?;
        Ok(session(user.to_owned(), Proof::Password { fingerprint }))
    }

    fn of_api_token(&self, secret: &str, user: Option<&str>) -> Result<Session, Refusal> {
        let tokens = self.tokens.as_ref().ok_or(Refusal::Wrong)?.last();
        let known = tokens.find(secret, unix_now_s()).ok_or(Refusal::Wrong)?;
        if user.is_some_and(|user| user != known.user) {
            return Err(Refusal::Wrong);
        }
        Ok(token_session(known))
    }

    async fn of_bearer(&self, token: &str) -> Result<Session, Refusal> {
        let unverified = Unverified::parse(token).map_err(refused)?;
        if self
            .issuer
            .as_ref()
            .is_some_and(|issuer| issuer.is_own(&unverified))
        {
            return self.own_token(token, Purpose::Access).await;
        }
        let claimed = unverified.claimed_issuer().ok_or(Refusal::Wrong)?;
        let issuer = self.oidc.iter().find(|issuer| issuer.url() == claimed);
        let issuer = issuer.ok_or(Refusal::Wrong)?;
        let Identity {
            user,
            groups,
            expires_unix_s,
        } = issuer.verify(&unverified).await.map_err(refused)?;
        let proof = Proof::Oidc {
            issuer: issuer.name().to_owned(),
        };
        let actor = Actor {
            name: user,
            groups,
            method: proof.method(),
        };
        Ok(Session {
            actor: Arc::new(actor),
            expires_unix_s: Some(expires_unix_s),
            ..session(String::new(), proof)
        })
    }

    /// A token of the token service, if what it rests on still stands.
    async fn own_token(&self, token: &str, purpose: Purpose) -> Result<Session, Refusal> {
        let issuer = self.issuer.as_ref().ok_or(Refusal::Wrong)?;
        let unverified = Unverified::parse(token).map_err(refused)?;
        let claims = issuer.verify(purpose, &unverified).map_err(refused)?;
        let scopes = self.still_stands(&claims).await.ok_or(Refusal::Wrong)?;
        let actor = Actor {
            name: claims.sub,
            groups: claims.groups,
            method: claims.proof.method(),
        };
        Ok(Session {
            actor: Arc::new(actor),
            proof: claims.proof,
            scopes,
            granted: (purpose == Purpose::Access).then_some(claims.access),
            expires_unix_s: Some(claims.exp),
        })
    }

    /// The scopes that narrow the token, or nothing if it was revoked.
    async fn still_stands(&self, claims: &Claims) -> Option<Vec<Scope>> {
        self.generation().await;
        match &claims.proof {
            Proof::Anonymous => Some(Vec::new()),
            Proof::Password { fingerprint } => {
                let passwords = self.passwords.as_ref()?.last();
                (passwords.fingerprint(&claims.sub)? == *fingerprint).then(Vec::new)
            }
            Proof::ApiToken { name, fingerprint } => {
                let tokens = self.tokens.as_ref()?.last();
                let known = tokens.named(name, unix_now_s())?;
                (known.fingerprint == *fingerprint && known.user == claims.sub)
                    .then(|| known.scopes.clone())
            }
            Proof::Oidc { issuer } => self
                .oidc
                .iter()
                .any(|one| one.name() == issuer)
                .then(Vec::new),
            Proof::Certificate => self.certificates.map(|_| Vec::new()),
        }
    }

    async fn authorize(&self, session: &Session, need: &Need) -> Result<(), Refusal> {
        let policy = self.policy.current().await;
        let is_anonymous = session.actor.is_anonymous();
        match need {
            Need::Answer if is_anonymous && session.granted.is_none() => Err(Refusal::Unknown),
            Need::Answer => Ok(()),
            Need::Catalog if is_anonymous && !policy.is_public_anywhere() => Err(Refusal::Unknown),
            Need::Catalog => match &session.granted {
                Some(granted) if !granted.iter().any(Access::is_catalog) => {
                    Err(Refusal::Insufficient)
                }
                _ => Ok(()),
            },
            Need::Permissions(permissions) => permissions
                .iter()
                .try_for_each(|permission| permit(&policy, session, permission)),
        }
    }

    async fn issue(
        &self,
        session: &Session,
        wanted: &Wanted,
        is_offline: bool,
    ) -> Result<Issued, Refusal> {
        let issuer = self.issuer.as_ref().ok_or(Refusal::Wrong)?;
        let policy = self.policy.current().await;
        let mut access = Vec::new();
        for (repository, actions) in &wanted.repositories {
            let may = |action: &&Action| {
                let permission = Permission {
                    action: **action,
                    repository: repository.clone(),
                    tag: None,
                };
                session.is_within_scopes(&permission)
                    && policy.allows_some(&session.actor, &permission)
            };
            let actions: Vec<String> = actions
                .iter()
                .filter(may)
                .map(ToString::to_string)
                .collect();
            if !actions.is_empty() {
                let name = repository.to_string();
                access.push(Access {
                    kind: "repository".to_owned(),
                    name,
                    actions,
                });
            }
        }
        if wanted.is_catalog {
            let (kind, name) = ("registry".to_owned(), "catalog".to_owned());
            access.push(Access {
                kind,
                name,
                actions: vec!["*".to_owned()],
            });
        }
        let subject = Subject {
            name: &session.actor.name,
            groups: &session.actor.groups,
            proof: &session.proof,
            expires_unix_s: session.expires_unix_s.filter(|_| session.granted.is_none()),
        };
        let issued_unix_s = unix_now_s();
        let (token, exp) = issuer
            .issue(Purpose::Access, &subject, access)
            .map_err(refused)?;
        let refresh_token = if is_offline && session.proof.is_revocable() {
            Some(
                issuer
                    .issue(Purpose::Refresh, &subject, Vec::new())
                    .map_err(refused)?
                    .0,
            )
        } else {
            None
        };
        Ok(Issued {
            token,
            lifetime_s: exp.saturating_sub(issued_unix_s),
            since_unix_s: issued_unix_s,
            refresh_token,
        })
    }
}

/// Decides one permission. Strangers are asked who they are before they learn anything; what is
/// denied is denied alike whether it exists or not.
fn permit(policy: &Policy, session: &Session, permission: &Permission) -> Result<(), Refusal> {
    let is_allowed = session.is_within_scopes(permission)
        && policy.decide(&session.actor, permission).is_allowed;
    if !is_allowed {
        return Err(if session.actor.is_anonymous() {
            Refusal::Unknown
        } else {
            Refusal::Denied(Box::new(permission.clone()))
        });
    }
    match &session.granted {
        Some(granted) if !granted.iter().any(|access| access.covers(permission)) => {
            Err(Refusal::Insufficient)
        }
        _ => Ok(()),
    }
}

fn session(user: String, proof: Proof) -> Session {
    let actor = Actor {
        name: user,
        groups: Vec::new(),
        method: proof.method(),
    };
    Session {
        actor: Arc::new(actor),
        proof,
        scopes: Vec::new(),
        granted: None,
        expires_unix_s: None,
    }
}

fn token_session(known: &Known) -> Session {
    let proof = Proof::ApiToken {
        name: known.name.clone(),
        fingerprint: known.fingerprint.clone(),
    };
    Session {
        scopes: known.scopes.clone(),
        expires_unix_s: Some(known.expires_unix_s),
        ..session(known.user.clone(), proof)
    }
}

/// Why is for the log: whoever guesses learns nothing.
fn refused(reason: jws::Refused) -> Refusal {
    tracing::info!(reason, "refused a token");
    Refusal::Wrong
}

/// How to read one file with a parser that names it in errors.
fn parsed<T, F: Fn(&str, &str) -> Result<T, Invalid>>(
    path: &std::path::Path,
    parse: F,
) -> impl Fn(&Files) -> Result<T, Invalid> + use<T, F> {
    let path = path.to_owned();
    move |files| parse(&path.display().to_string(), &files.read(&path)?)
}

/// Seconds since 1970. Tokens come from other machines, so this clock is the world's.
fn unix_now_s() -> u64 {
    SystemClock::default().unix_now_s()
}

/// Names a secret without telling it.
fn fingerprint(secret: &str) -> String {
    hex::encode(&Sha256::digest(secret.as_bytes())[..12])
}

/// Random bytes.
fn random<const N: usize>() -> Result<[u8; N], &'static str> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| "there is no randomness")?;
    Ok(bytes)
}
