//! Files that an agent is given: small ones, of text.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::settings::MAX_FILE_BYTES;

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("failed to read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is larger than it may be.
    #[error("`{}` is larger than {} KiB", path.display(), MAX_FILE_BYTES >> 10)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It says something that it may not.
    #[error("`{}` is malformed: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl FileError {
    /// It is malformed.
    pub fn malformed(path: &Path, reason: String) -> Self {
        Self::Malformed {
            path: path.to_owned(),
            reason,
        }
    }
}

/// Reads a file of text.
pub fn read_file(path: &Path) -> Result<String, FileError> {
    let failed = |source| FileError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    let read = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
    if read.map_err(failed)? as u64 > MAX_FILE_BYTES {
        let path = path.to_owned();
        return Err(FileError::TooLarge { path });
    }
    Ok(text)
}

/// The same of one that need not be there.
pub fn read_file_if_there(path: &Path) -> Result<Option<String>, FileError> {
    match read_file(path) {
        Ok(text) => Ok(Some(text)),
        Err(FileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
