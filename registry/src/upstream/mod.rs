//! Pulling through: content of other registries, fetched when a client asks for it, and kept.
//!
//! It stands between HTTP and the service layer: what is here is served from here, what is not is
//! asked of upstreams, stored as a push is, and served from here as well. So the access policy and
//! the trust policy see nothing but local content. What clients pushed always wins.
//!
//! This part knows no HTTP; requests to upstreams are those of `cairn_oci`, with its limits.

mod blobs;
mod failure;
mod flight;
mod manifests;
mod mapping;
mod referrers;
mod remote;
mod signatures;
mod source;
mod tags;

use std::{sync::Arc, time::Duration};

use cairn_oci::Repository;
use cairn_spec::{Digest, RepositoryName, Tag};
use moka::future::Cache;

pub(crate) use blobs::Blob;
pub(crate) use failure::Failure;
pub(crate) use manifests::Pulled;
pub(crate) use mapping::Mapping;
pub(crate) use remote::{address, client};
pub(crate) use source::Upstream;

use crate::{
    Result,
    config::UpstreamConfig,
    operations::metrics::Metrics,
    service::{Descriptor, KeyedLocks, Registry},
};

/// Tags whose upstream was asked not long ago, remembered at a time.
const FRESH_TAGS: u64 = 100_000;
/// Lists of referrers and of tags of upstreams that are kept for a while.
const KEPT_LISTS: u64 = 1_000;

/// A registry with upstreams.
#[derive(Debug)]
pub(crate) struct PullThrough {
    registry: Arc<Registry>,
    upstreams: Vec<Arc<Upstream>>,
    metrics: Arc<Metrics>,
    flights: flight::Flights,
    /// One request at a time asks about one manifest; the others find what it brought.
    turns: KeyedLocks,
    /// Until when a tag need not be asked about, on the steady clock.
    fresh: Cache<(RepositoryName, Tag), u64>,
    referrers: Cache<(RepositoryName, Digest), Arc<Vec<Descriptor>>>,
    tags: Cache<RepositoryName, Arc<Vec<Tag>>>,
    /// Manifests whose signatures were sought not long ago.
    sought: Cache<(RepositoryName, Digest), ()>,
}

/// An upstream that has content for a repository, and its own repository for it.
#[derive(Debug, Clone)]
struct Source {
    upstream: Arc<Upstream>,
    remote: Repository,
}

impl Source {
    /// What a thing of it is called where failures are remembered.
    fn name_of(&self, thing: impl std::fmt::Display) -> String {
        format!("{}@{thing}", self.remote.name())
    }
}

impl PullThrough {
    /// Prepares the clients of all upstreams.
    pub(crate) fn open(
        configs: &[UpstreamConfig],
        registry: Arc<Registry>,
        metrics: Arc<Metrics>,
    ) -> Result<Self> {
        let open = |config| {
            let (clock, metrics) = (Arc::clone(&registry.clock), Arc::clone(&metrics));
            Upstream::open(config, clock, metrics).map(Arc::new)
        };
        let upstreams = configs.iter().map(open).collect::<Result<Vec<_>>>()?;
        let shortest_s = configs.iter().map(|config| config.tag_ttl_s).min();
        let ttl = Duration::from_secs(shortest_s.unwrap_or_default());
        Ok(Self {
            registry,
            upstreams,
            metrics,
            flights: flight::Flights::default(),
            turns: KeyedLocks::default(),
            fresh: Cache::new(FRESH_TAGS),
            referrers: lists(ttl),
            tags: lists(ttl),
            sought: Cache::builder()
                .max_capacity(FRESH_TAGS)
                .time_to_live(ttl)
                .build(),
        })
    }

    /// The repository that a mirror's client means when it names another registry.
    pub(crate) fn local_of(
        &self,
        namespace: &str,
        remote: &RepositoryName,
    ) -> Option<RepositoryName> {
        let mut upstreams = self.upstreams.iter();
        upstreams.find_map(|upstream| upstream.local_of(namespace, remote))
    }

    /// Who has content for a repository, in the order in which they are asked.
    fn sources(&self, repository: &RepositoryName) -> Vec<Source> {
        let upstreams = self.upstreams.iter();
        let source = |upstream: &Arc<Upstream>| {
            Some(Source {
                remote: upstream.remote_of(repository)?,
                upstream: Arc::clone(upstream),
            })
        };
        upstreams.filter_map(source).collect()
    }
}

fn lists<K, V>(ttl: Duration) -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder()
        .max_capacity(KEPT_LISTS)
        .time_to_live(ttl)
        .build()
}
