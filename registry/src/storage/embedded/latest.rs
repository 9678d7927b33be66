//! The records as the last commit left them, for all readers.

use std::{fmt, sync::Arc, time::Duration};

use redb::ReadOnlyTable;
use tokio::{sync::watch, time::timeout};

use crate::{Error, Result};

/// How long a reader waits until the database is opened anew after its file failed.
const REOPEN_WAIT: Duration = Duration::from_secs(10);

pub(super) type Records = Arc<ReadOnlyTable<&'static str, &'static [u8]>>;

/// The records as the last commit left them.
///
/// Beginning a transaction and opening its table costs more than a lookup, so all readers between
/// two commits share one.
#[derive(Clone)]
pub(super) struct Latest(watch::Sender<Snapshot>);

struct Snapshot {
    /// How often the database had been opened.
    opening: u64,
    /// How often it could not be opened anew.
    failures: u64,
    records: Records,
}

impl Latest {
    pub(super) fn of(records: ReadOnlyTable<&'static str, &'static [u8]>) -> Self {
        let records = Arc::new(records);
        Self(watch::Sender::new(Snapshot {
            opening: 1,
            failures: 0,
            records,
        }))
    }

    /// The database could not be opened anew.
    pub(super) fn failed(&self) {
        self.0.send_modify(|snapshot| snapshot.failures += 1);
    }

    /// The records, and how often the database had been opened.
    pub(super) fn records(&self) -> (u64, Records) {
        let snapshot = self.0.borrow();
        (snapshot.opening, Arc::clone(&snapshot.records))
    }

    pub(super) fn opening(&self) -> u64 {
        self.0.borrow().opening
    }

    /// A commit was made.
    pub(super) fn follow(&self, records: ReadOnlyTable<&'static str, &'static [u8]>) {
        self.0
            .send_modify(|snapshot| snapshot.records = Arc::new(records));
    }

    /// The database was opened anew.
    pub(super) fn reopened(&self, records: ReadOnlyTable<&'static str, &'static [u8]>) {
        self.0.send_modify(|snapshot| {
            snapshot.opening += 1;
            snapshot.records = Arc::new(records);
        });
    }

    /// The records of a later opening than the one that failed; `ask` has the writer try.
    pub(super) async fn after(&self, opening: u64, ask: impl FnOnce()) -> Result<Records> {
        let mut changes = self.0.subscribe();
        let failures = changes.borrow().failures;
        ask();
        let is_settled =
            |snapshot: &Snapshot| snapshot.opening > opening || snapshot.failures > failures;
        let settled = timeout(REOPEN_WAIT, changes.wait_for(is_settled)).await;
        match settled {
            Ok(Ok(snapshot)) if snapshot.opening > opening => Ok(Arc::clone(&snapshot.records)),
            Ok(Err(_)) => Err(Error::Closed),
            _ => Err(Error::unavailable(
                "read metadata".to_owned(),
                "its file failed and cannot be opened anew yet",
            )),
        }
    }
}

impl fmt::Debug for Latest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latest").finish_non_exhaustive()
    }
}
