//! What the files of a chart's folder hold: where they are many, another thread reads them while
//! this one still finds more. What loading a chart does not look into is opened, for whoever may
//! not read it is to hear of that, but not read.

use std::{
    fs,
    io::{self, Read as _},
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use cairn_chart::{Beside, ChartLimits, Error, Ignore, Queue, loads};
use rustix::{
    fs::{CWD, Mode, OFlags, fstat, openat},
    io::{read as read_some, retry_on_intr},
};

use super::{go_error, list::list};

/// What is read of a file at a time, in bytes: more than nearly all files of charts hold.
const READ_BYTES: usize = 64 << 10;
/// Fewer files than these are read sooner than a thread begins.
const PARALLEL_FILES: usize = 100;

/// What is known of a file.
pub(super) enum Content {
    /// What it holds.
    Text(Arc<str>),
    /// What it holds, up to a byte more than it may.
    Bytes(Vec<u8>),
    /// How long it is, in bytes: nobody may ever ask for more.
    Unread(u64),
}

impl Content {
    fn of(bytes: &[u8]) -> Self {
        str::from_utf8(bytes).map_or_else(
            |_| Self::Bytes(bytes.to_owned()),
            |text| Self::Text(text.into()),
        )
    }

    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Unread(length) => *length,
        }
    }
}

/// What there is in a folder, as far as it could be listed.
pub(super) struct Folder {
    /// Their paths and content, in their order. Nothing is read after more than all may hold together.
    pub(super) files: Vec<(String, io::Result<Content>)>,
    /// What went wrong after them.
    pub(super) listed: Result<(), Error>,
}

/// Finds the files and reads them.
pub(super) fn read(top: &Path, ignore: Ignore, limits: &ChartLimits) -> Result<Folder, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, top, flags, Mode::empty());
    let folder = folder.map_err(|error| go_error("open", top, &error.into()))?;
    let reader = Reader {
        folder: folder.as_fd(),
        limits,
        queue: Queue::default(),
        bytes: AtomicU64::new(0),
        read: Mutex::default(),
    };
    let listed = thread::scope(|scope| {
        let mut beside = None::<Beside<'_>>;
        // Dropped before the thread that waits for more.
        let filled = Filled(&reader.queue);
        let listed = list(top, ignore, limits, &mut |index, below| {
            filled.0.add((index, below));
            if index + 1 == PARALLEL_FILES {
                let thread = beside.insert(Beside::begin(scope));
                thread.give(|| reader.run());
            }
        });
        drop(filled);
        reader.run();
        listed
    });
    let mut read = reader
        .read
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    read.sort_unstable_by_key(|(index, ..)| *index);
    let files = read.into_iter().map(|(_, below, content)| (below, content));
    Ok(Folder {
        files: files.collect(),
        listed,
    })
}

/// A queue that is being filled: when that ends, however it does, nobody waits for more.
struct Filled<'q, T>(&'q Queue<T>);

impl<T> Drop for Filled<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Reader<'r> {
    folder: BorrowedFd<'r>,
    limits: &'r ChartLimits,
    /// The files that nobody has taken, with their numbers.
    queue: Queue<(usize, String)>,
    /// How long those are together that were read.
    bytes: AtomicU64,
    read: Mutex<Vec<(usize, String, io::Result<Content>)>>,
}

impl Reader<'_> {
    /// Reads files until all are read, or they hold too much.
    fn run(&self) {
        let mut buffer = vec![0; READ_BYTES];
        while self.bytes.load(Relaxed) <= self.limits.bytes
            && let Some((index, below)) = self.queue.wait_for_next()
        {
            let content = self.content(&below, &mut buffer);
            if let Ok(content) = &content {
                self.bytes.fetch_add(content.length(), Relaxed);
            }
            let read = self.read.lock();
            read.unwrap_or_else(PoisonError::into_inner)
                .push((index, below, content));
        }
    }

    fn content(&self, below: &str, buffer: &mut [u8]) -> io::Result<Content> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        // From the chart's folder: that spares the system the way there.
        let opened = openat(self.folder, below, flags, Mode::empty())?;
        if !loads(below) {
            return Ok(Content::Unread(length(&opened)?));
        }
        let mut count = 0;
        while count < buffer.len() {
            match retry_on_intr(|| read_some(&opened, &mut buffer[count..]))? {
                0 => return Ok(Content::of(&buffer[..count])),
                more => count += more,
            }
        }
        // There is more: now it pays to ask how much.
        read_on(opened.into(), buffer, self.limits).map(Content::Bytes)
    }
}

/// How long a file is, in bytes.
fn length(file: impl AsFd) -> io::Result<u64> {
    Ok(u64::try_from(fstat(file)?.st_size).unwrap_or_default())
}

/// What a file holds that was left unread, up to a byte more than it may.
pub(super) fn read_late(path: &Path, limits: &ChartLimits) -> io::Result<Vec<u8>> {
    read_on(fs::File::open(path)?, &[], limits)
}

/// What a file holds of which the beginning was read, up to a byte more than it may.
fn read_on(file: fs::File, begun: &[u8], limits: &ChartLimits) -> io::Result<Vec<u8>> {
    let most = limits.file_bytes.saturating_add(1);
    let length = length(&file)?.min(most);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    bytes.extend_from_slice(begun);
    let more = most.saturating_sub(begun.len() as u64);
    file.take(more).read_to_end(&mut bytes)?;
    Ok(bytes)
}
