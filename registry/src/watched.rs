//! Files that may change while the server runs: read again when they did or when somebody asks, and
//! kept as they were when what they became cannot be used.

use std::{
    cell::RefCell,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::{
    auth::Invalid,
    operations::metrics::{Metrics, WatchedFile},
};

/// The largest file of any kind read here, in bytes.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// How often files are looked at though nobody asks what they say, at most.
const SHORTEST_ROUND: Duration = Duration::from_secs(1);

/// All files of a server that may change.
#[derive(Debug)]
pub(crate) struct Watch {
    /// For how long what a file says is taken for true.
    interval: Duration,
    metrics: Arc<Metrics>,
    all: Mutex<Vec<Weak<dyn Reread>>>,
    asked: Notify,
}

/// Has a server read all files again that may change, whether they did or not.
#[derive(Debug, Clone)]
pub struct Reload(Arc<Watch>);

impl Reload {
    /// Asks for it; the server does so as soon as it runs.
    pub fn request(&self) {
        self.0.asked.notify_one();
    }
}

impl Watch {
    pub(crate) fn new(interval: Duration, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            interval,
            metrics,
            all: Mutex::default(),
            asked: Notify::new(),
        })
    }

    /// Reads files for the first time. `read` may read different ones each time; all that it read
    /// are looked at from then on.
    pub(crate) fn open<T: Send + Sync + 'static>(
        &self,
        what: WatchedFile,
        read: impl Fn(&Files) -> Result<T, Invalid> + Send + Sync + 'static,
    ) -> Result<Arc<Watched<T>>, Invalid> {
        let files = Files::default();
        let current = Arc::new(read(&files)?);
        self.metrics.files.read(what);
        let watched = Arc::new(Watched {
            what,
            read: Box::new(read),
            interval: self.interval,
            metrics: Arc::clone(&self.metrics),
            generation: AtomicU64::new(0),
            state: Mutex::new(State {
                current,
                is_unusable: false,
                stamps: files.seen.into_inner(),
                checked: Instant::now(),
            }),
        });
        let weak = Arc::downgrade(&watched) as Weak<dyn Reread>;
        self.all().push(weak);
        Ok(watched)
    }

    /// How somebody asks for all files to be read again.
    pub(crate) fn reload(self: &Arc<Self>) -> Reload {
        Reload(Arc::clone(self))
    }

    /// Looks at the files until told to stop, so that a mistake shows before somebody needs them.
    pub(crate) async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let round = self.interval.max(SHORTEST_ROUND);
        loop {
            let has_files = !self.all().is_empty();
            let is_asked = tokio::select! {
                () = stop.cancelled() => return,
                () = self.asked.notified() => true,
                () = tokio::time::sleep(round), if has_files => false,
            };
            let watch = Arc::clone(&self);
            // Its failure would be a panic, after which the last state still stands.
            let _ = tokio::task::spawn_blocking(move || watch.reread(is_asked)).await;
        }
    }

    fn reread(&self, is_asked: bool) {
        self.all().retain(|watched| watched.strong_count() > 0);
        let all: Vec<_> = self.all().iter().filter_map(Weak::upgrade).collect();
        let unusable = all.iter().filter(|file| !file.reread(is_asked)).count();
        if is_asked {
            let count = all.len();
            tracing::info!(files.count = count, files.unusable = unusable, "reloaded");
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Weak<dyn Reread>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads files, and remembers which they were.
#[derive(Debug, Default)]
pub(crate) struct Files {
    seen: RefCell<Vec<(PathBuf, Option<Stamp>)>>,
}

impl Files {
    pub(crate) fn read(&self, path: &Path) -> Result<Zeroizing<String>, Invalid> {
        // Before it is read, so that a change meanwhile is seen.
        self.seen.borrow_mut().push((path.to_owned(), stamp(path)));
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
}

type Read<T> = dyn Fn(&Files) -> Result<T, Invalid> + Send + Sync;

/// What some files say, at most one interval ago.
pub(crate) struct Watched<T> {
    what: WatchedFile,
    read: Box<Read<T>>,
    interval: Duration,
    metrics: Arc<Metrics>,
    /// Counts the changes that were taken over.
    generation: AtomicU64,
    state: Mutex<State<T>>,
}

struct State<T> {
    current: Arc<T>,
    /// What the files say now cannot be used.
    is_unusable: bool,
    stamps: Vec<(PathBuf, Option<Stamp>)>,
    checked: Instant,
}

/// What changes when a file does. Files that are replaced get another inode.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("what", &self.what)
            .finish_non_exhaustive()
    }
}

trait Reread: fmt::Debug + Send + Sync {
    /// Reads changed files, or all if somebody asks for it; false if what they say is unusable.
    fn reread(&self, is_asked: bool) -> bool;
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// What the files say now, or, if that is unusable, what they said last.
    pub(crate) async fn current(self: &Arc<Self>) -> Arc<T> {
        if self.is_due() {
            let watched = Arc::clone(self);
            // Its failure would be a panic, after which the last state still stands.
            let _ = tokio::task::spawn_blocking(move || watched.reread(false)).await;
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

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + Sync + 'static> Reread for Watched<T> {
    fn reread(&self, is_asked: bool) -> bool {
        let known = self.lock().stamps.clone();
        if !is_asked && known.iter().all(|(path, old)| stamp(path) == *old) {
            return !self.lock().is_unusable;
        }
        let files = Files::default();
        let read = (self.read)(&files);
        let is_usable = read.is_ok();
        let mut stamps = files.seen.into_inner();
        if !is_usable {
            // What was not reached may be where it is mended.
            let is_new = |path: &Path| stamps.iter().all(|(seen, _)| seen != path);
            let others = known.into_iter().map(|(path, _)| path);
            let others: Vec<_> = others.filter(|path| is_new(path)).collect();
            stamps.extend(others.into_iter().map(|path| {
                let stamp = stamp(&path);
                (path, stamp)
            }));
        }
        let names: Vec<_> = stamps.iter().map(|(path, _)| path.clone()).collect();
        let mut state = self.lock();
        // Remembered even when it is unusable: one message a change is enough.
        state.stamps = stamps;
        let was_unusable = std::mem::replace(&mut state.is_unusable, !is_usable);
        match read {
            Ok(current) => {
                state.current = Arc::new(current);
                self.generation.fetch_add(1, Ordering::AcqRel);
                drop(state);
                self.metrics.files.read(self.what);
                tracing::info!(setting = self.what.as_str(), files = ?names, "read changed files");
            }
            Err(error) => {
                drop(state);
                self.metrics.files.refused(self.what);
                tracing::error!(
                    setting = self.what.as_str(), %error,
                    "a changed file is unusable: its last good content stays in force"
                );
            }
        }
        let change = i64::from(!is_usable) - i64::from(was_unusable);
        self.metrics.files.unusable(self.what, change);
        is_usable
    }
}

/// `None` for what is not there.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        modified: metadata.modified().ok(),
        length: metadata.len(),
        inode: inode(&metadata),
    })
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
    use crate::operations::metrics::State;

    /// A number in a file, and the name of a file with what to add.
    fn sum(files: &Files, folder: &Path) -> Result<u32, Invalid> {
        let number = |text: &str| {
            let number = text.parse::<u32>();
            number.map_err(|error| Invalid::new("number", error.to_string()))
        };
        let text = files.read(&folder.join("number"))?;
        match text.split_once('+') {
            Some((first, name)) => Ok(number(first)? + number(&files.read(&folder.join(name))?)?),
            None => number(&text),
        }
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn replace(&self, name: &str, text: &str) {
            let new = self.0.path().join("new");
            fs::write(&new, text).unwrap();
            fs::rename(&new, self.0.path().join(name)).unwrap();
        }

        fn watched(&self, watch: &Watch) -> Result<Arc<Watched<u32>>, Invalid> {
            let path = self.0.path().to_owned();
            watch.open(WatchedFile::Tokens, move |files| sum(files, &path))
        }
    }

    #[tokio::test]
    async fn changes_are_read_and_broken_ones_are_not_taken_over() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let watch = Watch::new(Duration::ZERO, Arc::default());
        assert!(folder.watched(&watch).is_err());
        folder.replace("number", "1");
        let watched = folder.watched(&watch).unwrap();
        assert_eq!((*watched.current().await, watched.generation()), (1, 0));
        folder.replace("number", "22");
        assert_eq!((*watched.current().await, watched.generation()), (22, 1));
        folder.replace("number", "none");
        assert_eq!((*watched.current().await, watched.generation()), (22, 1));
        fs::remove_file(folder.0.path().join("number")).unwrap();
        assert_eq!(*watched.current().await, 22);
        folder.replace("number", "333");
        assert_eq!((*watched.current().await, watched.generation()), (333, 2));
    }

    #[tokio::test]
    async fn files_that_files_name_count_as_well() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let watch = Watch::new(Duration::ZERO, Arc::default());
        folder.replace("number", "1+a");
        folder.replace("a", "10");
        let watched = folder.watched(&watch).unwrap();
        folder.replace("a", "20");
        assert_eq!(*watched.current().await, 21);
        // While the first is broken, the second is not forgotten.
        folder.replace("number", "x+a");
        assert_eq!(*watched.current().await, 21);
        folder.replace("number", "2+b");
        assert_eq!(*watched.current().await, 21);
        folder.replace("b", "5");
        assert_eq!(*watched.current().await, 7);
    }

    #[tokio::test]
    async fn whoever_asks_has_all_files_read() {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.replace("number", "1");
        let metrics = Arc::default();
        let watch = Watch::new(Duration::from_hours(1), Arc::clone(&metrics));
        let watched = folder.watched(&watch).unwrap();
        let stop = CancellationToken::new();
        let tasks = tokio_util::task::TaskTracker::new();
        tasks.spawn(Arc::clone(&watch).follow(stop.clone()));
        tasks.close();
        let counted = |line: &str| {
            let text = metrics.exposition(State::default()).unwrap();
            text.lines().any(|found| found.contains(line))
        };
        folder.replace("number", "two");
        watch.reload().request();
        while !counted(r#"file_unusable{setting="auth.tokens"} 1"#) {
            tokio::task::yield_now().await;
        }
        assert_eq!(*watched.current().await, 1);
        folder.replace("number", "2");
        watch.reload().request();
        while !counted(r#"file_unusable{setting="auth.tokens"} 0"#) {
            tokio::task::yield_now().await;
        }
        assert_eq!(*watched.current().await, 2);
        assert!(counted(
            r#"file_reads_total{setting="auth.tokens",outcome="ok"} 2"#
        ));
        assert!(counted(
            r#"file_reads_total{setting="auth.tokens",outcome="unusable"} 1"#
        ));
        stop.cancel();
        tasks.wait().await;
    }
}
