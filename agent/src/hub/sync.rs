//! The one exchange with the hub that goes on and on: heartbeat, report, and the question what is wanted.

use std::{path::PathBuf, sync::Arc, time::Duration};

use cairn_oci::{envelope::unverified_payload, keyring};
use cairn_runner::{
    cluster::Cluster,
    run::{RunError, store},
    window::WindowError,
};
use cairn_spec::{
    Digest, Envelope,
    agent::{
        CommandKind, DesiredState, Keyring, Metrics, Phase, ProblemCode, Sync, SyncAnswer,
        Transition, limits::MAX_SIGNED_BYTES,
    },
};
use rand::RngExt as _;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Identity, Report, Session, Wire, WireError,
    content::{FetchError, fetch},
    identity::{IdentityError, is_renewal_due},
    join::{Introduction, JoinError, Joining, register, renew},
    news::{News, Told},
    wire::{Asker, Question},
};
use crate::{
    accept::{self, Offer, Own},
    backoff::{Backoff, REMOTE},
    clock::Clock,
    desired::{Desired, written_time},
    enforce::causes,
    files::{FileError, read_file, read_file_if_there},
    follow::{ContentError, read_bundle},
    memory::{Accepted, MemoryError, State},
    observed::Observed,
    report::Syncing,
    telling::Telling,
};

/// A sample of figures is sent this often.
const METRICS_EVERY: Duration = Duration::from_mins(1);
/// Whether there is another token to join with is looked at this often.
const TOKEN_EVERY: Duration = Duration::from_mins(1);
/// After an error that only people can mend.
const LONG_WAIT: Duration = Duration::from_mins(5);

/// What is exchanged with a hub.
pub struct HubFollower {
    /// Its address.
    pub url: String,
    /// The authorities that it may be issued by (PEM).
    pub authorities: String,
    /// The keyring that was installed, if there was one.
    pub keyring: Option<Keyring>,
    /// The file with the token to join with.
    pub token: Option<PathBuf>,
    /// The cluster.
    pub cluster: Cluster,
    /// What the hub is told when the agent joins.
    pub introduction: Introduction,
    /// Who the cluster is.
    pub own: Own,
    /// The time.
    pub clock: Clock,
    /// Who enforces what is wanted.
    pub wanted: watch::Sender<Option<Arc<Desired>>>,
    /// A bundle that the cluster should keep and does not.
    pub missing: watch::Receiver<Option<Digest>>,
    /// What the agent does and has found.
    pub observed: Observed,
    /// How the cluster is, and figures.
    pub telling: Arc<Telling>,
    /// Everything is to be compared now.
    pub compare: Arc<Notify>,
}

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The hub.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Joining or renewing.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// What is remembered.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is nothing to join with.
    #[error("there is no token to join the hub with")]
    NoToken,
    /// The token was refused.
    #[error("the token to join with was refused: put another one into its Secret")]
    TokenRefused,
    /// What is in the token's file is none.
    #[error("the token to join with is malformed: {0}")]
    Token(#[from] cairn_spec::agent::JoinTokenError),
    /// Content does not come.
    #[error("the bundle cannot be brought")]
    Fetch(#[from] FetchError),
    /// The cluster does not keep it.
    #[error("the bundle cannot be kept in the cluster")]
    Keep(#[source] Box<RunError>),
}

/// Why a desired state is not accepted.
#[derive(Debug, thiserror::Error)]
enum NotAccepted {
    #[error(transparent)]
    Signed(#[from] keyring::Refusal),
    #[error(transparent)]
    Judged(#[from] accept::Refusal),
    #[error("its policy cannot be used: {0}")]
    Policy(#[from] WindowError),
    #[error(transparent)]
    Content(#[from] ContentError),
}

impl HubFollower {
    /// Exchanges until it is told to stop. The state is what was remembered.
    pub async fn run(mut self, mut state: State, stop: &CancellationToken) {
        if let Err(error) = self.take_up(&state) {
            tracing::error!(
                error = causes(&error),
                "what was accepted cannot be enforced"
            );
        }
        tokio::select! {
            () = self.exchange(&mut state) => {}
            () = stop.cancelled() => {}
        }
        self.spool(&mut state);
        if let Err(error) = state.write(&self.cluster).await {
            tracing::warn!(error = causes(&error), "what happened last is forgotten");
        }
    }

    /// Tells what was accepted before this process began. It was verified before it was written.
    fn take_up(&self, state: &State) -> Result<(), NotAccepted> {
        let accepted = state.accepted.as_ref();
        let Some((accepted, envelope)) = accepted.and_then(|it| Some((it, it.envelope.as_ref()?)))
        else {
            return Ok(());
        };
        let payload = unverified_payload(envelope, MAX_SIGNED_BYTES);
        let payload = payload.map_err(keyring::Refusal::from)?;
        let desired = DesiredState::read(&payload).map_err(keyring::Refusal::from)?;
        let bundle = accepted.bundle.clone();
        let desired = Desired::new(bundle, state.generation, accepted.since, desired.policy)?;
        self.wanted.send_replace(Some(Arc::new(desired)));
        Ok(())
    }

    async fn exchange(&mut self, state: &mut State) {
        let mut backoff = Backoff::new(REMOTE);
        let mut told = String::new();
        let mut session = Session::new(format!("{:032x}", rand::rng().random::<u128>()));
        loop {
            let how = (&mut backoff, &mut told);
            let error = match self.connect(state, &mut session, how).await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            let text = causes(&error);
            if text != told {
                tracing::warn!(error = text, "the hub cannot be followed");
                told = text;
            }
            // Nobody can be told now, so it is kept.
            if self.spool(state)
                && let Err(error) = state.write(&self.cluster).await
            {
                tracing::warn!(error = causes(&error), "what happened cannot be kept");
            }
            let wait = match &error {
                SyncError::NoToken | SyncError::TokenRefused | SyncError::Token(_) => TOKEN_EVERY,
                SyncError::Wire(error) if error.code() == Some(ProblemCode::Revoked) => LONG_WAIT,
                SyncError::Wire(error) => backoff.failed(rand::random(), error.after()),
                _ => backoff.failed(rand::random(), None),
            };
            sleep(wait).await;
        }
    }

    /// Joins if need be, and then exchanges until something fails.
    async fn connect(
        &mut self,
        state: &mut State,
        session: &mut Session,
        (backoff, told_text): (&mut Backoff, &mut String),
    ) -> Result<std::convert::Infallible, SyncError> {
        let mut identity = if let Some(identity) = Identity::read(&self.cluster).await? {
            identity
        } else {
            let identity = Identity::new()?;
            // The key is kept before it is shown, so that an answer may get lost.
            identity.write(&self.cluster).await?;
            identity
        };
        let mut wire = self.wire(&identity)?;
        if identity.joined().is_none() {
            self.join(&mut wire, &mut identity).await?;
            wire = self.wire(&identity)?;
        }
        let spread: f64 = rand::random();
        let mut figures = Figures {
            due: Instant::now(),
            latency_ms: None,
        };
        let mut news = News::new(self.telling.pressing());
        loop {
            let joined = identity.joined().ok_or(IdentityError::Certificate)?.clone();
            backoff.within_two(Duration::from_secs(joined.intervals.wait_s.into()));
            let now = written_time(self.clock.now());
            if is_renewal_due(joined.not_after, now, spread) {
                self.renew(&mut wire, &mut identity).await?;
                continue;
            }
            self.spool(state);
            news.begin();
            session.set_status(self.telling.status());
            let metrics = figures.due(&self.telling, &wire);
            let missing = self.missing.borrow_and_update().clone();
            if let Some(bundle) = missing {
                self.bring_again(&mut wire, &identity, &bundle).await?;
            }
            let observations = self.observed.now();
            let sync = session.request(Report {
                observations: &observations,
                generation: state.generation,
                keyring_generation: joined.keyring.generation,
                metrics,
                spool: &state.spool,
                wait_s: joined.intervals.wait_s,
            });
            let began = Instant::now();
            let told = Told::of(&observations);
            let answer = match self
                .sync(&mut wire, &identity, (&sync, told), &mut news)
                .await
            {
                Ok(Some(answer)) => answer,
                // There is something to report.
                Ok(None) => {
                    session.given_up(&sync);
                    continue;
                }
                Err(error) => {
                    self.failed(error, &mut wire, &mut identity).await?;
                    continue;
                }
            };
            figures.latency_ms = answer.held_ms.map(|held_ms| {
                let took = began
                    .elapsed()
                    .saturating_sub(Duration::from_millis(held_ms));
                u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
            });
            backoff.succeeded();
            if !told_text.is_empty() {
                tracing::info!("the hub is there again");
                told_text.clear();
            }
            self.take(session, state, (&mut wire, &mut identity), (&sync, answer))
                .await?;
        }
    }

    /// Does what an error asks for, if there is anything; otherwise it is given back.
    async fn failed(
        &self,
        error: WireError,
        wire: &mut Wire,
        identity: &mut Identity,
    ) -> Result<(), SyncError> {
        let token = identity.joined().map_or("", |joined| &joined.token_id);
        match error.code() {
            Some(ProblemCode::CertificateExpired) => self.renew(wire, identity).await,
            Some(ProblemCode::Revoked) if self.has_another_token(token) => {
                tracing::warn!("the agent was revoked, and joins again with another token");
                identity.leave()?;
                identity.write(&self.cluster).await?;
                Err(error.into())
            }
            _ => Err(error.into()),
        }
    }

    fn wire(&self, identity: &Identity) -> Result<Wire, SyncError> {
        let more = identity.joined().and_then(|joined| joined.ca.as_deref());
        let authorities: Vec<&str> = [Some(self.authorities.as_str()), more]
            .into_iter()
            .flatten()
            .collect();
        Ok(Wire::new(&self.url, &authorities, self.clock.clone())?)
    }

    async fn join(&self, wire: &mut Wire, identity: &mut Identity) -> Result<(), SyncError> {
        let path = self.token.as_ref().ok_or(SyncError::NoToken)?;
        loop {
            let text = read_file_if_there(path)?.ok_or(SyncError::NoToken)?;
            let token: cairn_spec::agent::JoinToken = text.trim().parse()?;
            let joining = register(wire, identity, &token, &self.introduction).await;
            let joining = joining.map_err(|error| match &error {
                JoinError::Wire(wire) if wire.code() == Some(ProblemCode::JoinTokenRefused) => {
                    SyncError::TokenRefused
                }
                _ => error.into(),
            })?;
            match joining {
                Joining::Registered(registered) => {
                    identity.join(*registered, self.keyring.clone(), &token.id)?;
                    identity.write(&self.cluster).await?;
                    let agent = identity.joined().map(|joined| joined.agent_id.as_str());
                    tracing::info!(agent, "joined");
                    return Ok(());
                }
                Joining::Pending(after) => {
                    tracing::info!("somebody must let this cluster join");
                    sleep(after.clamp(REMOTE.shortest, REMOTE.longest)).await;
                }
            }
        }
    }

    fn has_another_token(&self, used: &str) -> bool {
        let text = self.token.as_ref().and_then(|path| read_file(path).ok());
        let token = text.and_then(|text| text.trim().parse::<cairn_spec::agent::JoinToken>().ok());
        token.is_some_and(|token| token.id != used)
    }

    async fn renew(&self, wire: &mut Wire, identity: &mut Identity) -> Result<(), SyncError> {
        // The new key is kept before it is shown.
        identity.next_key()?;
        identity.write(&self.cluster).await?;
        let renewed = renew(wire, identity, &self.introduction.cluster_uid).await?;
        identity.renew(renewed)?;
        identity.write(&self.cluster).await?;
        *wire = self.wire(identity)?;
        tracing::info!("the certificate was renewed");
        Ok(())
    }

    /// Syncs once; none when there is something to report before the hub has answered.
    async fn sync(
        &self,
        wire: &mut Wire,
        identity: &Identity,
        (sync, told): (&Sync, Told),
        news: &mut News,
    ) -> Result<Option<SyncAnswer>, WireError> {
        let request = |error: IdentityError| WireError::Request(error.to_string());
        let key = identity.key().map_err(request)?;
        let certificate = identity.certificate().map_err(request)?;
        let id = identity.joined().map_or("", |joined| &joined.agent_id);
        let asker = Asker {
            id,
            key: &key,
            certificate: Some(&certificate),
        };
        let held = Duration::from_secs(sync.wait_s.into());
        let question = Question::post("/agent/v1/sync", sync, held)?;
        let news = news.wait(&self.observed, self.missing.clone(), &told);
        tokio::select! {
            answer = wire.ask(asker, &question) => Ok(Some(answer?.json()?)),
            () = news => Ok(None),
        }
    }

    /// Takes what the hub has answered.
    async fn take(
        &mut self,
        session: &mut Session,
        state: &mut State,
        (wire, identity): (&mut Wire, &mut Identity),
        (sync, answer): (&Sync, SyncAnswer),
    ) -> Result<(), SyncError> {
        for command in session.answered(sync, &answer) {
            tracing::info!(kind = ?command.kind, "the hub asks");
            match command.kind {
                CommandKind::Reconcile => self.compare.notify_one(),
                CommandKind::Renew => self.renew(wire, identity).await?,
                CommandKind::Report | CommandKind::Unknown => {}
            }
        }
        if let Some(up_to) = answer.transitions_up_to
            && state.spool.delivered(up_to)
            && state.spool.next().is_empty()
        {
            state.write(&self.cluster).await?;
        }
        if let Some(envelope) = &answer.keyring {
            match identity.trusted()?.successor(envelope) {
                Ok(next) => {
                    identity.set_keyring(next.keyring().clone());
                    identity.write(&self.cluster).await?;
                    tracing::info!(
                        generation = next.generation(),
                        "another keyring is in force"
                    );
                }
                Err(refusal) => {
                    tracing::warn!(error = causes(&refusal), "a keyring is not accepted");
                }
            }
        }
        if let Some(envelope) = answer.desired_state
            && session.refused() != Some(answer.generation)
        {
            self.offered(
                session,
                state,
                (wire, identity),
                (answer.generation, envelope),
            )
            .await?;
        }
        let next = answer.next;
        let (min, max) = (next.min_s, next.max_s.max(next.min_s));
        let spread = rand::random_range(f64::from(min)..=f64::from(max));
        let wait = Duration::from_secs_f64(spread).min(REMOTE.longest);
        if !wait.is_zero() {
            tokio::select! {
                () = sleep(wait) => {}
                _ = self.missing.changed() => {}
            }
        }
        Ok(())
    }

    /// A desired state is offered: it is verified, judged, brought and kept before it is wanted.
    async fn offered(
        &mut self,
        session: &mut Session,
        state: &mut State,
        (wire, identity): (&mut Wire, &Identity),
        (generation, envelope): (u64, Envelope),
    ) -> Result<(), SyncError> {
        let desired = match self.judge(state, identity, &envelope) {
            Ok(desired) => desired,
            Err(refusal) => {
                refuse(session, generation, &refusal);
                return Ok(());
            }
        };
        let bundle = desired.bundle.digest.clone();
        tracing::info!(%bundle, generation = desired.generation, "a desired state is accepted");
        let phase = self.observed.now().phase;
        self.observed.happened(Phase::Fetching, None, None);
        match self.bring(wire, identity, &bundle).await {
            Ok(Ok(())) => self.observed.happened(phase, None, None),
            Ok(Err(refusal)) => {
                self.observed.happened(phase, None, None);
                refuse(session, generation, &refusal.into());
                return Ok(());
            }
            Err(error) => {
                self.observed.happened(phase, None, None);
                return Err(error);
            }
        }
        let since = written_time(self.clock.now());
        let next = State {
            generation: desired.generation,
            accepted: Some(Accepted {
                repository: desired.bundle.repository.clone(),
                bundle: bundle.clone(),
                since,
                policy: None,
                envelope: Some(envelope),
            }),
            ..state.clone()
        };
        next.write(&self.cluster).await?;
        *state = next;
        match Desired::new(bundle, desired.generation, since, desired.policy) {
            Ok(wanted) => {
                self.wanted.send_replace(Some(Arc::new(wanted)));
            }
            Err(error) => tracing::error!(%error, "what was accepted cannot be enforced"),
        }
        Ok(())
    }

    fn judge(
        &self,
        state: &State,
        identity: &Identity,
        envelope: &Envelope,
    ) -> Result<DesiredState, NotAccepted> {
        let trusted = identity.trusted().map_err(|error| match error {
            IdentityError::Keyring(refusal) => refusal,
            other => keyring::Refusal::DesiredState(
                cairn_spec::agent::DesiredStateError::Malformed(other.to_string()),
            ),
        })?;
        let desired = trusted.desired_state(envelope)?;
        let offer = Offer {
            audience: Some(desired.audience.clone()),
            generation: Some(desired.generation),
            bundle: desired.bundle.digest.clone(),
            expires_at: desired.expires_at,
        };
        let now = written_time(self.clock.now());
        accept::judge(&offer, &state.last(), &self.own, true, now)?;
        // Windows that make no sense are found out before anything else is done.
        Desired::new(
            offer.bundle,
            desired.generation,
            now,
            desired.policy.clone(),
        )?;
        Ok(desired)
    }

    /// Brings a bundle, reads it and keeps it.
    async fn bring(
        &self,
        wire: &mut Wire,
        identity: &Identity,
        bundle: &Digest,
    ) -> Result<Result<(), ContentError>, SyncError> {
        let (key, certificate) = (identity.key()?, identity.certificate()?);
        let id = identity.joined().map_or("", |joined| &joined.agent_id);
        let asker = Asker {
            id,
            key: &key,
            certificate: Some(&certificate),
        };
        let artifact = fetch(wire, asker, bundle).await?;
        match read_bundle(&artifact) {
            Ok(read) => drop(read),
            Err(error) => return Ok(Err(error)),
        }
        let kept = store::keep(&self.cluster, &artifact).await;
        kept.map_err(|error| SyncError::Keep(Box::new(error)))?;
        Ok(Ok(()))
    }

    /// Brings a bundle that was verified before: its digest says that it is the same.
    async fn bring_again(
        &self,
        wire: &mut Wire,
        identity: &Identity,
        bundle: &Digest,
    ) -> Result<(), SyncError> {
        match self.bring(wire, identity, bundle).await? {
            Ok(()) => {
                tracing::info!(%bundle, "the bundle is kept again");
                self.wanted.send_modify(|_| {});
            }
            Err(error) => tracing::error!(error = causes(&error), "the bundle cannot be used"),
        }
        Ok(())
    }

    /// Puts what happened into the spool. True if anything has.
    fn spool(&self, state: &mut State) -> bool {
        let happenings = self.observed.take_happenings();
        let is_news = !happenings.is_empty();
        for happening in happenings {
            state.spool.add(Transition {
                number: 0,
                time: happening.time,
                phase: happening.phase,
                generation: (state.generation > 0).then_some(state.generation),
                bundle: happening.bundle,
                layer: happening.layer.map(|layer| layer.to_string()),
                message: happening.message,
            });
        }
        is_news
    }
}

/// Figures that go with a request now and then.
struct Figures {
    due: Instant,
    /// How long the last exchange took beside the time that it was held.
    latency_ms: Option<u64>,
}

impl Figures {
    fn due(&mut self, telling: &Telling, wire: &Wire) -> Option<Metrics> {
        let now = Instant::now();
        if now < self.due {
            return None;
        }
        self.due = now + METRICS_EVERY;
        Some(telling.metrics(Syncing {
            latency_ms: self.latency_ms,
            clock_skew_s: Some(-wire.ahead_s()),
        }))
    }
}

fn refuse(session: &mut Session, generation: u64, refusal: &NotAccepted) {
    let reason = causes(refusal);
    tracing::warn!(generation, reason, "a desired state is not accepted");
    session.refuse(generation, &reason);
}
