//! Blobs: from the store, or from an upstream to the client and into the store at once.

use std::{ops::Range, sync::Arc};

use cairn_spec::{Digest, RepositoryName};

use super::{Failure, PullThrough, Source, flight::Flight, flight::Seat, flight::lock};
use crate::{
    Error, Result,
    auth::Actor,
    service::{BlobInfo, Registry},
    storage::Chunks,
};

/// A blob of a repository that has upstreams.
pub(crate) enum Blob {
    /// It is here.
    Stored(BlobInfo),
    /// It is on its way.
    Arriving(Arrival),
    /// An upstream has it; only its size was asked for.
    Remote { size_bytes: u64 },
}

/// A blob on its way.
pub(crate) struct Arrival {
    pub(crate) size_bytes: u64,
    seat: Seat,
    repository: RepositoryName,
}

impl Blob {
    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::Stored(blob) => blob.size_bytes,
            Self::Arriving(Arrival { size_bytes, .. }) | Self::Remote { size_bytes } => *size_bytes,
        }
    }

    /// The bytes of a range, verified as far as ranges can be.
    pub(crate) async fn read(self, registry: &Arc<Registry>, range: Range<u64>) -> Result<Chunks> {
        match self {
            Self::Stored(blob) => registry.read_range(&blob, range).await,
            Self::Arriving(arrival) => Ok(arrival.seat.stream(
                Arc::clone(registry),
                arrival.repository,
                (range, arrival.size_bytes),
            )),
            Self::Remote { .. } => Ok(Box::pin(futures_util::stream::empty())),
        }
    }
}

impl PullThrough {
    /// The blob, for a client that wants its bytes, or only its size.
    pub(crate) async fn blob(
        self: &Arc<Self>,
        repository: &RepositoryName,
        digest: &Digest,
        size_only: bool,
    ) -> Result<Blob> {
        let missing = match self.registry.blob(repository, digest).await {
            Err(missing @ Error::BlobUnknown { .. }) => missing,
            blob => return blob.map(Blob::Stored),
        };
        let sources = self.sources(repository);
        if sources.is_empty() {
            return Err(missing);
        }
        if size_only {
            let size_bytes = size_of(&sources, digest).await;
            let size_bytes = size_bytes.map_err(|failure| failure.into_error(missing))?;
            return Ok(Blob::Remote { size_bytes });
        }
        let failed = match self.arriving(repository, digest, sources).await {
            Ok(Some(blob)) => return Ok(blob),
            Ok(None) => {
                return self
                    .registry
                    .blob(repository, digest)
                    .await
                    .map(Blob::Stored);
            }
            Err(failure) => failure,
        };
        Err(failed.into_error(missing))
    }

    /// The blob on its way; `None` when it was stored meanwhile.
    async fn arriving(
        self: &Arc<Self>,
        repository: &RepositoryName,
        digest: &Digest,
        sources: Vec<Source>,
    ) -> Result<Option<Blob>, Failure> {
        let (mut seat, is_first) = self.flights.board(repository, digest);
        if is_first {
            self.depart(&seat.flight, digest, sources.clone());
        } else if seat.flight.repository != *repository {
            // Another repository gets it. That this one may have it too is for its upstream to say.
            size_of(&sources, digest).await?;
            seat.stored().await?;
            let mounted = self.registry.mount_stored(repository, digest).await;
            return match mounted {
                Ok(true) => Ok(None),
                Ok(false) => Err(Failure::Kept("it was removed again".to_owned())),
                Err(error) => Err(Failure::of_storage(&error)),
            };
        }
        match seat.departed().await? {
            None => Ok(None),
            // Of nothing there is no last byte to hold back.
            Some(0) => seat.stored().await.map(|()| None),
            Some(size_bytes) => Ok(Some(Blob::Arriving(Arrival {
                size_bytes,
                seat,
                repository: repository.clone(),
            }))),
        }
    }

    /// Starts to fetch a blob; it goes on when the client that wanted it leaves.
    fn depart(self: &Arc<Self>, flight: &Arc<Flight>, digest: &Digest, sources: Vec<Source>) {
        let (pull, flight, digest) = (Arc::clone(self), Arc::clone(flight), digest.clone());
        let fetching = async move {
            let landing = Landing(&pull, &flight, None);
            let outcome = pull.fetch_blob(&flight, &digest, &sources).await;
            landing.end(outcome);
        };
        let fetching = Actor::acting(Actor::current(), fetching);
        self.registry.tasks.spawn(fetching);
    }

    async fn fetch_blob(
        &self,
        flight: &Arc<Flight>,
        digest: &Digest,
        sources: &[Source],
    ) -> Result<(), Failure> {
        let repository = &flight.repository;
        let kept = |error: Error| Failure::of_storage(&error);
        if self.registry.is_stored(digest).await.map_err(kept)? {
            size_of(sources, digest).await?;
            let mounted = self.registry.mount_stored(repository, digest).await;
            if mounted.map_err(kept)? {
                return Ok(());
            }
        }
        let mut failed = Failure::Missing;
        for Source { upstream, remote } in sources {
            let (size_bytes, content) = match upstream.open_blob(remote, digest).await {
                Ok(opened) => opened,
                Err(failure) => {
                    failed = failed.or(failure);
                    continue;
                }
            };
            let limit_bytes = self.registry.limits.blob_bytes;
            if size_bytes > limit_bytes {
                let error = Error::BlobTooLarge { limit_bytes };
                return Err(Failure::of_keeping(&upstream.name, &error));
            }
            // Known before the first byte goes to a client.
            let room = self.registry.require_blob(repository, digest, size_bytes);
            room.await.map_err(kept)?;
            let name = Arc::clone(&upstream.name);
            let (mut content, last) =
                flight.content(size_bytes, content, &name, upstream.answer_time());
            let stored = self.registry.push_blob(repository, digest, &mut content);
            if let Err(error) = stored.await {
                self.metrics.upstreams.failed.add(1);
                tracing::warn!(
                    upstream = &*name, oci.repository = %repository, oci.digest = %digest,
                    error = &error as &dyn std::error::Error,
                    "a blob of an upstream was not stored",
                );
                return Err(Failure::of_keeping(&name, &error));
            }
            self.metrics.upstreams.fetched_bytes.add(size_bytes);
            let last = lock(&last).take();
            if let Some(last) = last {
                flight.pass_on(last).await;
            }
            return Ok(());
        }
        Err(failed)
    }

    /// Stores a blob of an upstream unless it is here.
    pub(super) async fn bring_blob(
        self: &Arc<Self>,
        repository: &RepositoryName,
        digest: &Digest,
        sources: &[Source],
    ) -> Result<(), Failure> {
        let held = self.registry.holds_blob(repository, digest).await;
        if held.map_err(|error| Failure::of_storage(&error))? {
            return Ok(());
        }
        match self.arriving(repository, digest, sources.to_vec()).await? {
            Some(Blob::Arriving(mut arrival)) => arrival.seat.stored().await,
            _ => Ok(()),
        }
    }
}

/// What the first upstream that has a blob says of its size.
async fn size_of(sources: &[Source], digest: &Digest) -> Result<u64, Failure> {
    let mut failed = Failure::Missing;
    for source in sources {
        let Source { upstream, remote } = source;
        let what = source.name_of(digest);
        match upstream.ask(&what, remote.blob_size(digest)).await {
            Ok(size_bytes) => return Ok(size_bytes),
            Err(failure) => failed = failed.or(failure),
        }
    }
    Err(failed)
}

/// Ends a flight, also one whose task was ended: nobody waits for ever.
struct Landing<'a>(&'a PullThrough, &'a Flight, Option<Result<(), Failure>>);

impl Landing<'_> {
    fn end(mut self, outcome: Result<(), Failure>) {
        self.2 = Some(outcome);
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let ended = || Err(Failure::Kept("the registry gave up".to_owned()));
        let outcome = self.2.take().unwrap_or_else(ended);
        self.0.flights.end(self.1, outcome);
    }
}
