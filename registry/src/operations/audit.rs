//! The audit log: who did what to which content, and what came of it, as lines of JSON in a file.
//!
//! Requests hand their record to one thread that writes them in the order they came. Its queue is
//! bounded: when the disk does not keep up, requests wait rather than go unrecorded.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    thread,
};

use serde::Serialize;
use tokio::sync::mpsc;

use crate::{Error, Result};

/// Records that may wait for the disk.
const QUEUE_LENGTH: usize = 4096;
/// Records in one write.
const BATCH_RECORDS: usize = 256;

/// One line of the audit log. Fields that do not apply are left out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditRecord {
    /// RFC 3339, UTC.
    pub(crate) time: String,
    pub(crate) action: AuditAction,
    pub(crate) outcome: AuditOutcome,
    /// The status of the response; none if nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repository: Option<String>,
    /// The tag or digest that the request named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    /// The digest of what was pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) actor: String,
    /// The trace that the request belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remote_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_agent: Option<String>,
}

/// What was done or asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AuditAction {
    PushManifest,
    PushBlob,
    DeleteManifest,
    DeleteTag,
    DeleteBlob,
    Login,
    /// Anything else; recorded only when it was denied.
    Read,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AuditOutcome {
    Done,
    /// Not allowed: by authorization, or by a rule such as an immutable tag.
    Denied,
    /// For any other reason.
    Failed,
}

/// The log, open for writing.
#[derive(Debug)]
pub(crate) struct AuditLog {
    /// Taken on drop: closing it is what ends the writer.
    queue: Option<mpsc::Sender<AuditRecord>>,
    writer: Option<thread::JoinHandle<()>>,
}

impl AuditLog {
    /// Opens the file, so that a registry that cannot write its log does not start.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed =
            |source| Error::storage(format!("open the audit log `{}`", path.display()), source);
        let log = Destination::open(path).map_err(failed)?;
        let (queue, records) = mpsc::channel(QUEUE_LENGTH);
        let writer = thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn(move || write_records(log, records))
            .map_err(|source| Error::storage("start the audit log".to_owned(), source))?;
        Ok(Self {
            queue: Some(queue),
            writer: Some(writer),
        })
    }

    /// Hands a record to the writer; waits while it has too many.
    pub(crate) async fn record(&self, record: AuditRecord) {
        if let Some(queue) = &self.queue {
            // The writer ends only after the last sender.
            let _ = queue.send(record).await;
        }
    }
}

impl Drop for AuditLog {
    /// Waits until everything is written.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write_records(mut log: Destination, mut records: mpsc::Receiver<AuditRecord>) {
    let mut batch = Vec::with_capacity(BATCH_RECORDS);
    let mut lines = Vec::new();
    while records.blocking_recv_many(&mut batch, BATCH_RECORDS) > 0 {
        lines.clear();
        for record in batch.drain(..) {
            // Records are plain texts and numbers: writing them into memory cannot fail.
            if serde_json::to_writer(&mut lines, &record).is_ok() {
                lines.push(b'\n');
            }
        }
        if let Err(error) = log.append(&lines) {
            let lost = String::from_utf8_lossy(&lines);
            tracing::error!(%error, "failed to write to the audit log: {lost}");
        }
    }
}

/// Where the log goes.
#[derive(Debug)]
enum Destination {
    File(LogFile),
    StandardError,
    StandardOutput,
}

impl Destination {
    /// The names of standard streams mean the streams themselves: they may be sockets, as under
    /// systemd, and those cannot be opened by path.
    fn open(path: &Path) -> io::Result<Self> {
        match path.to_str() {
            Some("/dev/stderr") => Ok(Self::StandardError),
            Some("/dev/stdout") => Ok(Self::StandardOutput),
            _ => Ok(Self::File(LogFile::open(path.to_owned())?)),
        }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.append(lines),
            Self::StandardError => io::stderr().lock().write_all(lines),
            Self::StandardOutput => {
                let mut output = io::stdout().lock();
                output.write_all(lines)?;
                output.flush()
            }
        }
    }
}

/// A file that notices when it was renamed or removed.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(Self { path, file })
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if !self.is_in_place() {
            *self = Self::open(self.path.clone())?;
        }
        self.file.write_all(lines)
    }

    /// The path still leads to the file that is open.
    #[cfg(unix)]
    fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let identity = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        match (self.path.metadata(), self.file.metadata()) {
            (Ok(path), Ok(file)) => identity(path) == identity(file),
            _ => false,
        }
    }

    #[cfg(not(unix))]
    fn is_in_place(&self) -> bool {
        self.path.exists()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn record(request_id: &str) -> AuditRecord {
        AuditRecord {
            time: "2026-01-02T03:04:05Z".to_owned(),
            action: AuditAction::DeleteTag,
            outcome: AuditOutcome::Denied,
            status: Some(403),
            repository: Some("a/b".to_owned()),
            reference: Some("v1".to_owned()),
            digest: None,
            reason: Some("two\nlines".to_owned()),
            actor: "anonymous".to_owned(),
            trace_id: None,
            remote_address: Some("127.0.0.1".to_owned()),
            request_id: Some(request_id.to_owned()),
            user_agent: None,
        }
    }

    #[tokio::test]
    async fn records_are_lines_that_end_up_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        fs::write(&path, "before\n").unwrap();
        let log = AuditLog::open(&path).unwrap();
        log.record(record("1")).await;
        drop(log);
        insta::assert_snapshot!(fs::read_to_string(&path).unwrap(), @r#"
        before
        {"time":"2026-01-02T03:04:05Z","action":"delete-tag","outcome":"denied","status":403,"repository":"a/b","reference":"v1","reason":"two\nlines","actor":"anonymous","remoteAddress":"127.0.0.1","requestId":"1"}
        "#);
        assert!(AuditLog::open(folder.path()).is_err());
    }

    #[test]
    fn standard_streams_are_not_opened_by_path() {
        let opened = |path: &str| Destination::open(Path::new(path)).unwrap();
        assert!(matches!(opened("/dev/stderr"), Destination::StandardError));
        assert!(matches!(opened("/dev/stdout"), Destination::StandardOutput));
    }

    #[test]
    fn rotation_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let rotated = folder.path().join("audit.log.1");
        let mut log = LogFile::open(path.clone()).unwrap();
        log.append(b"1\n").unwrap();
        fs::rename(&path, &rotated).unwrap();
        log.append(b"2\n").unwrap();
        // Some rotations create the new file themselves.
        fs::rename(&path, folder.path().join("audit.log.2")).unwrap();
        fs::write(&path, "").unwrap();
        log.append(b"3\n").unwrap();
        assert_eq!(fs::read_to_string(&rotated).unwrap(), "1\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
    }
}
