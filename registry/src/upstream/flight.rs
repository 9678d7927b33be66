//! A blob on its way from an upstream: into the store, and to everybody who asked before it began.
//!
//! Clients see a chunk when the next one has come, and the last one when the blob is stored. So
//! nobody is ever given all bytes of a blob that turns out to be another.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use cairn_oci::VerifyReader;
use cairn_spec::{Digest, RepositoryName};
use futures_util::{StreamExt as _, stream};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout_at},
};
use tokio_util::io::ReaderStream;

use super::Failure;
use crate::{Error, Result, service::Registry, storage::Chunks};

/// How much is read at a time, in bytes, and how many of these a client may lag behind: 2 MiB.
const CHUNK_BYTES: usize = 64 * 1024;
const CHUNKS_BEHIND: usize = 32;
/// How long the others wait for a client that lags further behind, if nobody waits for the store.
/// Beyond that it is served from the store, once all of the blob is there.
const PATIENCE: Duration = Duration::from_secs(5);
/// The slowest download that is waited for, in bytes a second, beside the time to answer.
const MIN_BYTES_PER_S: u64 = 16 * 1024;

/// All blobs that are on their way to this registry.
#[derive(Debug, Default)]
pub(super) struct Flights {
    under_way: Mutex<HashMap<Digest, Arc<Flight>>>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Flight {
    /// The repository that it is stored in.
    pub(super) repository: RepositoryName,
    digest: Digest,
    stage: watch::Sender<Stage>,
    boarding: Mutex<Boarding>,
    /// Clients that wait for the blob to be stored.
    waiting: AtomicUsize,
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// An upstream is being asked.
    Asked,
    /// It answers with so many bytes.
    Arriving {
        size_bytes: u64,
    },
    Stored,
    Failed(Failure),
}

/// Who is given the bytes as they come.
#[derive(Debug)]
enum Boarding {
    Open(Vec<mpsc::Sender<Bytes>>),
    /// The first bytes are gone: who comes now waits for the store.
    Closed(Vec<mpsc::Sender<Bytes>>),
}

/// A place of somebody who wants the blob.
pub(super) struct Seat {
    pub(super) flight: Arc<Flight>,
    stage: watch::Receiver<Stage>,
    /// The bytes as they come, for whoever was there before the first.
    live: Option<mpsc::Receiver<Bytes>>,
}

impl Flights {
    /// The flight of a blob, and whether the caller has to start it.
    pub(super) fn board(&self, repository: &RepositoryName, digest: &Digest) -> (Seat, bool) {
        let mut under_way = lock(&self.under_way);
        if let Some(flight) = under_way.get(digest) {
            return (Flight::seat(flight), false);
        }
        let flight = Arc::new(Flight {
            repository: repository.clone(),
            digest: digest.clone(),
            stage: watch::Sender::new(Stage::Asked),
            boarding: Mutex::new(Boarding::Open(Vec::new())),
            waiting: AtomicUsize::new(0),
        });
        under_way.insert(digest.clone(), Arc::clone(&flight));
        (Flight::seat(&flight), true)
    }

    /// Ends a flight.
    pub(super) fn end(&self, flight: &Flight, outcome: Result<(), Failure>) {
        lock(&self.under_way).remove(&flight.digest);
        let stage = match outcome {
            Ok(()) => Stage::Stored,
            Err(failure) => Stage::Failed(failure),
        };
        flight.stage.send_replace(stage);
        *lock(&flight.boarding) = Boarding::Closed(Vec::new());
    }
}

impl Flight {
    fn seat(self: &Arc<Self>) -> Seat {
        let live = match &mut *lock(&self.boarding) {
            Boarding::Open(passengers) => {
                let (sender, receiver) = mpsc::channel(CHUNKS_BEHIND);
                passengers.push(sender);
                Some(receiver)
            }
            Boarding::Closed(_) => None,
        };
        Seat {
            stage: self.stage.subscribe(),
            flight: Arc::clone(self),
            live,
        }
    }

    /// The content as it is stored, passed on to everybody on the way; and what holds the last
    /// chunk back until it is known to be right.
    pub(super) fn content(
        self: &Arc<Self>,
        size_bytes: u64,
        content: VerifyReader,
        upstream: &str,
        answer_time: Duration,
    ) -> (Chunks, Arc<Mutex<Option<Bytes>>>) {
        self.stage.send_replace(Stage::Arriving { size_bytes });
        let transfer = Duration::from_secs(size_bytes / MIN_BYTES_PER_S);
        let deadline = Instant::now() + answer_time.saturating_add(transfer);
        let held = Arc::new(Mutex::new(None));
        let (flight, last) = (Arc::clone(self), Arc::clone(&held));
        let failed: Arc<str> = upstream.into();
        let reader = ReaderStream::with_capacity(content, CHUNK_BYTES);
        let chunks = stream::unfold(Some(reader), move |reader| {
            let (flight, last, upstream) =
                (Arc::clone(&flight), Arc::clone(&last), Arc::clone(&failed));
            async move {
                let mut reader = reader?;
                let error = |source: String| Error::Upstream {
                    upstream: upstream.to_string(),
                    source: source.into(),
                };
                match timeout_at(deadline, reader.next()).await {
                    Ok(None) => None,
                    Ok(Some(Ok(chunk))) => {
                        let before = lock(&last).replace(chunk.clone());
                        if let Some(before) = before {
                            flight.pass_on(before).await;
                        }
                        Some((Ok(chunk), Some(reader)))
                    }
                    Ok(Some(Err(source))) => Some((Err(error(source.to_string())), None)),
                    Err(_) => {
                        let reason = "its bytes come too slowly".to_owned();
                        Some((Err(error(reason)), None))
                    }
                }
            }
        });
        (chunks.boxed(), held)
    }

    /// Gives a chunk to everybody who is there. Who does not take it in time is left to the store.
    pub(super) async fn pass_on(&self, chunk: Bytes) {
        let passengers = {
            let mut boarding = lock(&self.boarding);
            let (Boarding::Open(passengers) | Boarding::Closed(passengers)) = &mut *boarding;
            let passengers = std::mem::take(passengers);
            *boarding = Boarding::Closed(Vec::new());
            passengers
        };
        let mut staying = Vec::with_capacity(passengers.len());
        let deadline = Instant::now() + PATIENCE;
        for passenger in passengers {
            let taken = match passenger.try_send(chunk.clone()) {
                Err(mpsc::error::TrySendError::Full(chunk)) if !self.is_awaited() => {
                    let sending = timeout_at(deadline, passenger.send(chunk)).await;
                    sending.is_ok_and(|sent| sent.is_ok())
                }
                taken => taken.is_ok(),
            };
            if taken {
                staying.push(passenger);
            }
        }
        *lock(&self.boarding) = Boarding::Closed(staying);
    }

    fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

impl Seat {
    /// Waits until an upstream has answered: the blob's size, or nothing if it is stored already.
    pub(super) async fn departed(&mut self) -> Result<Option<u64>, Failure> {
        let stage = self.stage.wait_for(|stage| *stage != Stage::Asked).await;
        match stage.map(|stage| stage.clone()) {
            Ok(Stage::Arriving { size_bytes }) => Ok(Some(size_bytes)),
            Ok(Stage::Failed(failure)) => Err(failure),
            Ok(Stage::Stored | Stage::Asked) | Err(_) => Ok(None),
        }
    }

    /// Waits until the blob is stored.
    pub(super) async fn stored(&mut self) -> Result<(), Failure> {
        self.live = None;
        let waiting = Waiting::new(&self.flight);
        let is_over = |stage: &Stage| matches!(stage, Stage::Stored | Stage::Failed(_));
        let stage = self
            .stage
            .wait_for(is_over)
            .await
            .map(|stage| stage.clone());
        drop(waiting);
        match stage {
            Ok(Stage::Failed(failure)) => Err(failure),
            _ => Ok(()),
        }
    }

    /// The bytes of the blob in `range` of `size_bytes`: all of it as it comes, a part of it from
    /// the store, for no part can be verified by itself.
    pub(super) fn stream(
        mut self,
        registry: Arc<Registry>,
        repository: RepositoryName,
        (range, size_bytes): (Range<u64>, u64),
    ) -> Chunks {
        if range != (0..size_bytes) {
            self.live = None;
        }
        let live = self.live.take();
        let start = Passage::Live(self, live, range.start);
        let chunks = stream::unfold(start, move |passage| {
            let (registry, repository) = (Arc::clone(&registry), repository.clone());
            let end = range.end;
            async move { passage.next(&registry, &repository, end).await }
        });
        chunks.boxed()
    }
}

/// How far a client has come.
enum Passage {
    Live(Seat, Option<mpsc::Receiver<Bytes>>, u64),
    FromStore(Chunks),
    Over,
}

impl Passage {
    async fn next(
        self,
        registry: &Registry,
        repository: &RepositoryName,
        end: u64,
    ) -> Option<(Result<Bytes>, Self)> {
        match self {
            Self::Over => None,
            Self::FromStore(mut chunks) => {
                let chunk = chunks.next().await?;
                Some((chunk, Self::FromStore(chunks)))
            }
            Self::Live(mut seat, mut live, mut at) => {
                if let Some(receiver) = &mut live
                    && let Some(chunk) = receiver.recv().await
                {
                    at += chunk.len() as u64;
                    return Some((Ok(chunk), Self::Live(seat, live, at)));
                }
                if at >= end {
                    return None;
                }
                let digest = seat.flight.digest.clone();
                let from_store = async {
                    let unknown = Error::BlobUnknown {
                        repository: repository.clone(),
                        digest: digest.clone(),
                    };
                    let stored = seat.stored().await;
                    stored.map_err(|failure| failure.into_error(unknown))?;
                    let blob = registry.blob(&seat.flight.repository, &digest).await?;
                    registry.read_range(&blob, at..end).await
                };
                match from_store.await {
                    Ok(mut chunks) => {
                        let chunk = chunks.next().await?;
                        Some((chunk, Self::FromStore(chunks)))
                    }
                    Err(error) => Some((Err(error), Self::Over)),
                }
            }
        }
    }
}

/// Counts one who waits for as long as it lives.
struct Waiting<'a>(&'a Flight);

impl<'a> Waiting<'a> {
    fn new(flight: &'a Flight) -> Self {
        flight.waiting.fetch_add(1, Ordering::Relaxed);
        Self(flight)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
