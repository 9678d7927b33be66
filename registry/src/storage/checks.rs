//! What is asked of a storage before a registry relies on it, and the answers of a directory.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{Error, Result};

/// Less free space than this is too little for a registry, in bytes.
const ENOUGH_FREE_BYTES: u64 = 1024 * 1024 * 1024;

/// The answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// It is as it should be.
    Yes,
    /// It is not.
    No,
}

impl Answer {
    pub(crate) fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What should hold.
    pub check: String,
    /// Whether it does.
    pub answer: Answer,
    /// What follows if it does not.
    pub otherwise: &'static str,
}

/// Tries what a directory must be able to do; what was written is removed again.
pub(crate) async fn examine_directory(directory: PathBuf) -> Result<Vec<Check>> {
    let examined = tokio::task::spawn_blocking(move || {
        let failed = |source| {
            Error::storage(
                format!("examine the directory `{}`", directory.display()),
                source,
            )
        };
        examine(&directory).map_err(failed)
    });
    examined.await.map_err(|_| Error::Closed)?
}

fn examine(directory: &Path) -> io::Result<Vec<Check>> {
    fs::create_dir_all(directory)?;
    let before = directory.join(format!(".probe-{}", ulid::Ulid::new()));
    let after = before.with_extension("renamed");
    let synced = File::create(&before).and_then(|mut file| {
        file.write_all(b"probe")?;
        file.sync_all()?;
        File::open(directory)?.sync_all()
    });
    let read_back = fs::read(&before).is_ok_and(|bytes| bytes == b"probe");
    let renamed = fs::rename(&before, &after).is_ok() && after.exists() && !before.exists();
    for left_over in [&before, &after] {
        if left_over.exists() {
            fs::remove_file(left_over)?;
        }
    }
    let space = rustix::fs::statvfs(directory)?;
    let free_bytes = space.f_bavail.saturating_mul(space.f_frsize);
    #[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
    let free_gib = free_bytes as f64 / ENOUGH_FREE_BYTES as f64;
    let check = |check: String, holds, otherwise| Check {
        check,
        answer: Answer::from(holds),
        otherwise,
    };
    Ok(vec![
        check(
            "a file is made durable and read back".to_owned(),
            synced.is_ok() && read_back,
            "content would be lost with the power: use another file system",
        ),
        check(
            "a file is renamed".to_owned(),
            renamed,
            "the storage cannot be used",
        ),
        check(
            format!("there is free space: {free_gib:.1} GiB"),
            free_bytes >= ENOUGH_FREE_BYTES,
            "pushes will soon fail: make room, or use another disk",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_directory_is_examined_and_left_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let checks = examine_directory(directory.path().to_owned())
            .await
            .unwrap();
        let names: Vec<&str> = checks.iter().map(|check| check.check.as_str()).collect();
        assert_eq!(
            names[..2],
            ["a file is made durable and read back", "a file is renamed"]
        );
        assert!(checks[..2].iter().all(|check| check.answer == Answer::Yes));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);

        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(examine_directory(file).await.is_err());
    }
}
