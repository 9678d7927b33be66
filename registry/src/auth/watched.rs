//! Files that may change while the server runs: read again when they did, and kept as they were
//! when what they became cannot be used.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use zeroize::Zeroizing;

use super::Invalid;

/// The largest file of any kind read here, in bytes.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

type Read<T> = dyn Fn(&[Zeroizing<String>]) -> Result<T, Invalid> + Send + Sync;

/// What some files say, at most one interval ago.
pub(crate) struct Watched<T> {
    paths: Vec<PathBuf>,
    read: Box<Read<T>>,
    interval: Duration,
    /// Counts the changes that were taken over.
    generation: AtomicU64,
    state: Mutex<State<T>>,
}

struct State<T> {
    current: Arc<T>,
    stamps: Vec<Option<Stamp>>,
    checked: Instant,
}

/// What changes when a file does. Files that are replaced get another inode.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl<T> std::fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched")
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Reads the files; later they are looked at every `interval`, when somebody asks.
    pub(crate) fn open(
        paths: Vec<PathBuf>,
        interval: Duration,
        read: impl Fn(&[Zeroizing<String>]) -> Result<T, Invalid> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, Invalid> {
        let stamps = stamps(&paths);
        let current = Arc::new(read(&read_all(&paths)?)?);
        Ok(Arc::new(Self {
            paths,
            read: Box::new(read),
            interval,
            generation: AtomicU64::new(0),
            state: Mutex::new(State {
                current,
                stamps,
                checked: Instant::now(),
            }),
        }))
    }

    /// What the files say now, or, if that is unusable, what they said last.
    pub(crate) async fn current(self: &Arc<Self>) -> Arc<T> {
        if self.is_due() {
            let watched = Arc::clone(self);
            // Its failure would be a panic, after which the last state still stands.
            let _ = tokio::task::spawn_blocking(move || watched.refresh()).await;
        }
        self.last()
    }

    /// What was read last.
    pub(crate) fn last(&self) -> Arc<T> {
        Arc::clone(&self.lock().current)
    }

    /// Grows with every change that was taken over.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Only one of those who ask at the same time is told to look.
    fn is_due(&self) -> bool {
        let mut state = self.lock();
        let is_due = state.checked.elapsed() >= self.interval;
        if is_due {
            state.checked = Instant::now();
        }
        is_due
    }

    fn refresh(&self) {
        let stamps = stamps(&self.paths);
        if self.lock().stamps == stamps {
            return;
        }
        let read = read_all(&self.paths).and_then(|texts| (self.read)(&texts));
        let mut state = self.lock();
        // Remembered even when it is unusable: one warning a change is enough.
        state.stamps = stamps;
        match read {
            Ok(current) => {
                state.current = Arc::new(current);
                self.generation.fetch_add(1, Ordering::AcqRel);
                tracing::info!(files = ?self.paths, "read changed files");
            }
            Err(error) => {
                tracing::error!(%error, "a changed file is unusable: its last good content stays in force");
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<Zeroizing<String>>, Invalid> {
    paths.iter().map(|path| read_file(path)).collect()
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, Invalid> {
    let name = path.display().to_string();
    let failed = |error: io::Error| Invalid::new(&name, format!("failed to read it: {error}"));
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > MAX_FILE_BYTES {
        return Err(Invalid::new(
            &name,
            format!("it is larger than {MAX_FILE_BYTES} bytes"),
        ));
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(failed)
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    paths
        .iter()
        .map(|path| fs::metadata(path).ok().map(|metadata| stamp(&metadata)))
        .collect()
}

fn stamp(metadata: &fs::Metadata) -> Stamp {
    Stamp {
        modified: metadata.modified().ok(),
        length: metadata.len(),
        inode: inode(metadata),
    }
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_are_read_and_broken_ones_are_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        let replace = |text: &str| {
            let new = folder.path().join("new");
            fs::write(&new, text).unwrap();
            fs::rename(&new, &path).unwrap();
        };
        replace("1");
        let read = |texts: &[Zeroizing<String>]| {
            texts[0]
                .parse::<u32>()
                .map_err(|error| Invalid::new("number", error.to_string()))
        };
        let watched = Watched::open(vec![path.clone()], Duration::ZERO, read).unwrap();
        assert_eq!((*watched.current().await, watched.generation()), (1, 0));
        replace("22");
        assert_eq!((*watched.current().await, watched.generation()), (22, 1));
        replace("none");
        assert_eq!((*watched.current().await, watched.generation()), (22, 1));
        fs::remove_file(&path).unwrap();
        assert_eq!(*watched.current().await, 22);
        replace("333");
        assert_eq!((*watched.current().await, watched.generation()), (333, 2));
        assert!(Watched::open(vec![folder.path().join("none")], Duration::ZERO, read).is_err());
    }
}
