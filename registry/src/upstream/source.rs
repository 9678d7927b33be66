//! One upstream: who asks it, what it is asked, and when it is left alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cairn_oci::{Client, Repository, VerifyReader};
use cairn_spec::{Digest, RegistryHost, RepositoryName};
use moka::future::Cache;
use tokio::time::timeout;

use super::{Failure, Mapping, remote};
use crate::{Error, Result, clock::Clock, config::UpstreamConfig, operations::metrics::Metrics};

/// Things that an upstream does not have, remembered at a time.
const MISSING_ENTRIES: u64 = 10_000;
/// How long an upstream that did not answer in time is left alone, in seconds.
const PAUSE_AFTER_SILENCE_S: u64 = 10;

/// A registry to pull through from.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(super) name: Arc<str>,
    pub(super) tag_ttl_s: u64,
    host: RegistryHost,
    mappings: Vec<Mapping>,
    namespaces: Vec<String>,
    client: Client,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    missing: Cache<String, ()>,
    /// The time of the steady clock until which it is left alone, and whether that is its wish.
    pause_until_s: AtomicU64,
}

impl Upstream {
    /// Reads the password and prepares the client.
    pub(super) fn open(
        config: &UpstreamConfig,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        // Clients try again by themselves, and there may be other upstreams.
        let (client, host) = remote::client("upstreams", &config.registry, 1)?;
        let mappings = config.repositories.iter().map(Mapping::new);
        let mappings = mappings.collect::<Result<_, _>>();
        Ok(Self {
            name: config.name.as_str().into(),
            tag_ttl_s: config.tag_ttl_s,
            mappings: mappings.map_err(|reason| Error::Config {
                setting: "upstreams",
                value: config.name.clone(),
                source: reason.into(),
            })?,
            namespaces: config.namespaces.clone(),
            client,
            timeout: Duration::from_secs(config.registry.timeout_s),
            clock,
            metrics,
            missing: Cache::builder()
                .max_capacity(MISSING_ENTRIES)
                .time_to_live(Duration::from_secs(config.missing_ttl_s))
                .build(),
            pause_until_s: AtomicU64::new(0),
            host,
        })
    }

    /// The upstream's own repository for a local one, if it has content for it.
    pub(super) fn remote_of(&self, local: &RepositoryName) -> Option<Repository> {
        let mut names = self.mappings.iter();
        let remote = names.find_map(|mapping| mapping.remote_of(local))?;
        Some(self.client.repository(&self.host, &remote))
    }

    /// The local repository that a mirror's client means, if it means this upstream.
    pub(super) fn local_of(
        &self,
        namespace: &str,
        remote: &RepositoryName,
    ) -> Option<RepositoryName> {
        if !self.namespaces.iter().any(|known| known == namespace) {
            return None;
        }
        let mut names = self.mappings.iter();
        names.find_map(|mapping| mapping.local_of(remote))
    }

    /// Asks the upstream, unless it wants to be left alone or is known not to have it. `what` names
    /// what is asked for.
    pub(super) async fn ask<T>(
        &self,
        what: &str,
        request: impl Future<Output = Result<T, cairn_oci::Error>>,
    ) -> Result<T, Failure> {
        let now_s = self.clock.steady_s();
        let pause_s = self.pause_until_s.load(Ordering::Relaxed);
        if let Some(retry_after_s) = pause_s.checked_sub(now_s).filter(|left| *left > 0) {
            return Err(Failure::Busy {
                upstream: self.name.to_string(),
                retry_after_s,
            });
        }
        if self.missing.contains_key(what) {
            return Err(Failure::Missing);
        }
        self.metrics.upstreams.asked.add(1);
        let failure = match timeout(self.timeout, request).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if !is_silence(&error) => Failure::of(&self.name, &error),
            Ok(Err(_)) | Err(_) => {
                self.pause(now_s + PAUSE_AFTER_SILENCE_S);
                let reason = format!("it did not answer within {} s", self.timeout.as_secs());
                Failure::useless(&self.name, reason)
            }
        };
        match &failure {
            Failure::Missing => self.missing.insert(what.to_owned(), ()).await,
            Failure::Busy { retry_after_s, .. } => self.pause(now_s + retry_after_s),
            _ => {}
        }
        if failure != Failure::Missing {
            self.metrics.upstreams.failed.add(1);
            tracing::warn!(
                upstream = &*self.name,
                oci.subject = what,
                reason = ?failure,
                "an upstream gave nothing"
            );
        }
        Err(failure)
    }

    /// How long it may take to answer.
    pub(super) fn answer_time(&self) -> Duration {
        self.timeout
    }

    fn pause(&self, until_s: u64) {
        self.pause_until_s.fetch_max(until_s, Ordering::Relaxed);
    }

    /// Opens a blob: its size and its content, which is verified as it is read.
    pub(super) async fn open_blob(
        &self,
        remote: &Repository,
        digest: &Digest,
    ) -> Result<(u64, VerifyReader), Failure> {
        let what = format!("{}@{digest}", remote.name());
        self.ask(&what, remote.open_blob(digest)).await
    }
}

/// Nothing came in time.
fn is_silence(error: &cairn_oci::Error) -> bool {
    matches!(error, cairn_oci::Error::Request { source, .. } if source.is_timeout())
}
