//! Without a hub: follows a tag, or holds on to a digest, in a registry.
//!
//! A bundle is resolved, its signatures are verified, it is judged, brought and read, kept in the
//! cluster, and written down as accepted, in this order; only then it is wanted. Whatever fails on the
//! way leaves what was wanted before.

mod content;

use std::{path::PathBuf, sync::Arc, time::Duration};

use cairn_oci::{
    Client,
    trust::{TrustPolicy, verify_claims},
};
use cairn_runner::{
    cluster::Cluster,
    run::{RunError, store},
    window::WindowError,
};
use cairn_spec::{
    Annotations, Digest, Reference,
    agent::{Audience, Policy},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    accept::{self, Last, Offer, Own},
    backoff::{Backoff, REMOTE},
    clock::Clock,
    desired::{Desired, written_time},
    enforce::causes,
    files::{FileError, read_file},
    memory::{Accepted, MemoryError, State},
    observed::Observed,
};

pub use content::{ContentError, fetch, read_bundle};

/// Whom a signature's bundle is for: `cluster:UID` or `group:NAME`.
pub const AUDIENCE: &str = "dev.cairn.audience";
/// Which generation it is.
pub const GENERATION: &str = "dev.cairn.generation";

/// What is followed.
#[derive(Debug)]
pub struct Follower {
    /// The registries.
    pub client: Client,
    /// The bundle.
    pub reference: Reference,
    /// Whose signatures it needs.
    pub trust: PathBuf,
    /// How the cluster is to be treated; the defaults when there is no file.
    pub policy: Option<PathBuf>,
    /// How often it is looked at.
    pub interval: Duration,
    /// Bundles without a generation are refused.
    pub needs_generation: bool,
    /// The cluster.
    pub cluster: Cluster,
    /// Who the cluster is.
    pub own: Own,
    /// The time.
    pub clock: Clock,
    /// Who enforces it.
    pub wanted: watch::Sender<Option<Arc<Desired>>>,
    /// A bundle that the cluster should keep and does not.
    pub missing: watch::Receiver<Option<Digest>>,
    /// Who is told.
    pub observed: Observed,
}

/// Why a look led to nothing new.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The registry is away, or what it has is not trusted.
    #[error("`{reference}` cannot be used")]
    Registry {
        /// What was looked at.
        reference: String,
        /// Why.
        #[source]
        source: Box<cairn_oci::Error>,
    },
    /// It is not for this cluster now.
    #[error("`{bundle}` is not accepted: {refusal}")]
    Refused {
        /// The bundle.
        bundle: Digest,
        /// Why.
        refusal: accept::Refusal,
    },
    /// What was signed along with it is not written as it should be.
    #[error("`{bundle}` is not accepted: its signed `{name}` is `{value}`, expected {expected}")]
    Annotation {
        /// The bundle.
        bundle: Digest,
        /// The annotation.
        name: &'static str,
        /// What it says.
        value: String,
        /// What it should.
        expected: &'static str,
    },
    /// It cannot be brought, or is no bundle.
    #[error("`{bundle}` cannot be brought")]
    Content {
        /// The bundle.
        bundle: Digest,
        /// Why.
        #[source]
        source: Box<ContentError>,
    },
    /// The cluster does not keep it.
    #[error("`{bundle}` cannot be kept in the cluster")]
    Keep {
        /// The bundle.
        bundle: Digest,
        /// Why.
        #[source]
        source: Box<RunError>,
    },
    /// Nothing can be remembered.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The policy's windows make no sense.
    #[error("the policy cannot be used: {0}")]
    Policy(#[from] WindowError),
}

impl FollowError {
    /// How long the registry wants to be left alone.
    fn after(&self) -> Option<Duration> {
        let source = match self {
            Self::Registry { source, .. } => source,
            Self::Content { source, .. } => match &**source {
                ContentError::Pull(source) => source,
                ContentError::Bundle(_) => return None,
            },
            _ => return None,
        };
        match &**source {
            cairn_oci::Error::TooManyRequests { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Follower {
    /// Follows until it is told to stop. The state is what was remembered.
    pub async fn run(mut self, mut state: State, stop: &CancellationToken) {
        // What was accepted before is enforced whether the registry is there or not.
        if let Err(error) = self.take_up(&mut state).await {
            tracing::error!(
                error = causes(&error),
                "what was accepted cannot be enforced"
            );
        }
        let mut backoff = Backoff::new(REMOTE);
        backoff.within_two(self.interval);
        let mut told = String::new();
        loop {
            let wait = match self.look(&mut state).await {
                Ok(()) => {
                    backoff.succeeded();
                    if !told.is_empty() {
                        told.clear();
                        self.observed.note(|known| known.refusal = None);
                    }
                    self.interval
                }
                Err(error) => {
                    let text = causes(&error);
                    if text != told {
                        tracing::warn!(error = text, "the desired state stays as it was");
                        self.observed
                            .note(|known| known.refusal = Some(text.clone()));
                        told = text;
                    }
                    match error {
                        // The registry is there: somebody may mend what it has.
                        FollowError::Refused { .. }
                        | FollowError::Annotation { .. }
                        | FollowError::File(_)
                        | FollowError::Policy(_) => self.interval,
                        _ => backoff
                            .failed(rand::random(), error.after())
                            .max(self.interval),
                    }
                }
            };
            // Not all clusters at the same moment, and never before the registry wants it.
            let wait = wait.mul_f64(rand::random_range(1.0..1.1));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                changed = self.missing.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = stop.cancelled() => return,
            }
        }
    }

    /// Tells what was accepted before this process began.
    async fn take_up(&self, state: &mut State) -> Result<(), FollowError> {
        if state.accepted.is_none() {
            return Ok(());
        }
        let policy = self.read_policy()?;
        self.accept_policy(state, policy).await
    }

    /// Looks at the registry once.
    async fn look(&mut self, state: &mut State) -> Result<(), FollowError> {
        let policy = self.read_policy()?;
        let missing = self.missing.borrow_and_update().clone();
        if let Some(bundle) = missing {
            self.bring_again(&bundle).await?;
        }
        let known = state.accepted.as_ref().map(|it| it.bundle.clone());
        let found = if let Some(digest) = &self.reference.digest {
            digest.clone()
        } else {
            let resolved = self.client.resolve(&self.reference).await;
            resolved.map_err(|source| self.unusable(source))?.digest
        };
        if known.as_ref() == Some(&found) {
            return self.accept_policy(state, policy).await;
        }
        let trust = self.read_trust()?;
        let reference = self.reference.with_digest(found);
        let claimed = verify_claims(&self.client, &reference, &trust, &[AUDIENCE, GENERATION]);
        let claimed = claimed.await.map_err(|source| self.unusable(source))?;
        let bundle = claimed.digest;
        let now = written_time(self.clock.now());
        let last = state.last();
        let generation = self.choose(&claimed.claims, &bundle, &last, now)?;
        tracing::info!(%bundle, generation, "a bundle is accepted");
        self.bring(&bundle).await?;
        let desired = Desired::new(bundle.clone(), generation.unwrap_or(0), now, policy.0)?;
        let next = State {
            generation: generation.unwrap_or(0).max(state.generation),
            accepted: Some(Accepted {
                repository: repository(&reference),
                bundle,
                since: now,
                policy: Some(policy.1),
                envelope: None,
            }),
            ..state.clone()
        };
        next.write(&self.cluster).await?;
        *state = next;
        self.wanted.send_replace(Some(Arc::new(desired)));
        Ok(())
    }

    /// The generation of the first combination of claims that is accepted; of several refusals the last.
    fn choose(
        &self,
        claims: &[Annotations],
        bundle: &Digest,
        last: &Last,
        now: cairn_spec::Timestamp,
    ) -> Result<Option<u64>, FollowError> {
        let mut refused = None;
        // Those with a generation first, the highest before the others.
        let mut offers = Vec::new();
        for claims in claims {
            offers.push(offer(claims, bundle)?);
        }
        offers.sort_by_key(|offer| std::cmp::Reverse(offer.generation));
        for offer in &offers {
            match accept::judge(offer, last, &self.own, self.needs_generation, now) {
                Ok(()) => return Ok(offer.generation),
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        let bundle = bundle.clone();
        let refusal = refused.unwrap_or(accept::Refusal::NoGeneration);
        Err(FollowError::Refused { bundle, refusal })
    }

    async fn bring(&self, bundle: &Digest) -> Result<(), FollowError> {
        let reference = self.reference.with_digest(bundle.clone());
        let content = |source| FollowError::Content {
            bundle: bundle.clone(),
            source: Box::new(source),
        };
        let artifact = fetch(&self.client, &reference).await.map_err(content)?;
        // What is no bundle is not wanted. What is read is let go: it is read again from the cluster.
        drop(read_bundle(&artifact).map_err(content)?);
        let kept = store::keep(&self.cluster, &artifact).await;
        kept.map_err(|source| FollowError::Keep {
            bundle: bundle.clone(),
            source: Box::new(source),
        })
    }

    /// Brings a bundle that was verified before: its digest says that it is the same.
    async fn bring_again(&self, bundle: &Digest) -> Result<(), FollowError> {
        self.bring(bundle).await?;
        tracing::info!(%bundle, "the bundle is kept again");
        // Wakes up who enforces it.
        self.wanted.send_modify(|_| {});
        Ok(())
    }

    /// Tells what is wanted, if nobody knows yet, or if the policy is another one.
    async fn accept_policy(
        &self,
        state: &mut State,
        (policy, digest): (Policy, Digest),
    ) -> Result<(), FollowError> {
        let Some(accepted) = &state.accepted else {
            return Ok(());
        };
        let is_same = accepted.policy.as_ref() == Some(&digest);
        if is_same && self.wanted.borrow().is_some() {
            return Ok(());
        }
        let mut accepted = accepted.clone();
        if !is_same {
            accepted.since = written_time(self.clock.now());
            accepted.policy = Some(digest);
        }
        let bundle = accepted.bundle.clone();
        let desired = Desired::new(bundle, state.generation, accepted.since, policy)?;
        if !is_same {
            let next = State {
                accepted: Some(accepted),
                ..state.clone()
            };
            next.write(&self.cluster).await?;
            *state = next;
            tracing::info!("the policy is another one");
        }
        self.wanted.send_replace(Some(Arc::new(desired)));
        Ok(())
    }

    fn read_policy(&self) -> Result<(Policy, Digest), FollowError> {
        let text = match &self.policy {
            Some(path) => read_file(path)?,
            None => "{}".to_owned(),
        };
        let policy: Policy = serde_json::from_str(&text).map_err(|error| {
            let path = self.policy.clone().unwrap_or_default();
            FileError::malformed(&path, error.to_string())
        })?;
        Ok((policy, Digest::sha256(text.as_bytes())))
    }

    fn read_trust(&self) -> Result<TrustPolicy, FollowError> {
        TrustPolicy::load(&self.trust).map_err(|source| self.unusable(source))
    }

    fn unusable(&self, source: cairn_oci::Error) -> FollowError {
        FollowError::Registry {
            reference: self.reference.to_string(),
            source: Box::new(source),
        }
    }
}

fn repository(reference: &Reference) -> String {
    format!("{}/{}", reference.registry, reference.repository)
}

/// What a signature offers.
fn offer(claims: &Annotations, bundle: &Digest) -> Result<Offer, FollowError> {
    let refuse = |name, expected| {
        move |value: &String| FollowError::Annotation {
            bundle: bundle.clone(),
            name,
            value: value.chars().take(100).collect(),
            expected,
        }
    };
    let generation = claims.get(GENERATION);
    let malformed = refuse(GENERATION, "a number of 1 or more");
    let generation = generation
        .map(|text| match text.parse() {
            Ok(number) if number > 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(number)
            }
            _ => Err(malformed(text)),
        })
        .transpose()?;
    let audience = claims.get(AUDIENCE);
    let malformed = refuse(AUDIENCE, "`cluster:UID` or `group:NAME`");
    let audience = audience
        .map(|text| audience_of(text).ok_or_else(|| malformed(text)))
        .transpose()?;
    Ok(Offer {
        audience,
        generation,
        bundle: bundle.clone(),
        expires_at: None,
    })
}

fn audience_of(text: &str) -> Option<Audience> {
    match text.split_once(':')? {
        ("cluster", uid) if !uid.is_empty() => Some(Audience::Cluster(uid.to_owned())),
        ("group", name) => name.parse().ok().map(Audience::Group),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn read(audience: Option<&str>, generation: Option<&str>) -> Result<Offer, String> {
        let claims = [(AUDIENCE, audience), (GENERATION, generation)];
        let claims = claims
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        offer(&claims.collect(), &Digest::sha256(b"")).map_err(|error| error.to_string())
    }

    #[test]
    fn annotations_say_whom_a_bundle_is_for() {
        let read_ok = |audience, generation| read(audience, generation).unwrap();
        assert_eq!(read_ok(None, None).audience, None);
        let cluster = read_ok(Some("cluster:5f0c"), Some("12"));
        assert_eq!(cluster.audience, Some(Audience::Cluster("5f0c".to_owned())));
        assert_eq!(cluster.generation, Some(12));
        let group = read_ok(Some("group:edge-eu"), None);
        assert_eq!(
            group.audience,
            Some(Audience::Group("edge-eu".parse().unwrap()))
        );
    }

    #[test]
    fn annotations_that_cannot_be_read_are_no_licence() {
        for generation in ["0", "-1", "+1", "1.0", "", "12a", "99999999999999999999"] {
            assert!(read(None, Some(generation)).is_err(), "{generation}");
        }
        for audience in ["", "cluster:", "all", "group:Edge", "group:", "tenant:a"] {
            assert!(read(Some(audience), None).is_err(), "{audience}");
        }
        assert_snapshot!(read(Some("all"), None).unwrap_err(), @"`sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855` is not accepted: its signed `dev.cairn.audience` is `all`, expected `cluster:UID` or `group:NAME`");
    }
}
