//! What a file of a chart holds: at hand, or read when somebody first asks for it.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::{Buf as _, Bytes};

use crate::Error;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads the file at a path below the chart's folder.
pub type ReadLate = dyn Fn(&str) -> Result<Vec<u8>, Error> + Send + Sync;

/// The content of a file; copies share it.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Bytes(Bytes),
    /// What is a text can be a source text without a copy.
    Text(Arc<str>),
    Late(Arc<Late>),
}

/// A file that nobody may ever ask for.
pub(crate) struct Late {
    /// Where it is, which stays as it is when charts in the chart call it otherwise.
    path: Arc<str>,
    length: u64,
    read: Arc<ReadLate>,
    outcome: OnceLock<Result<Bytes, Error>>,
}

impl Content {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self::Bytes(without_mark(bytes))
    }

    pub(crate) fn text(text: Arc<str>) -> Self {
        match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => Self::Text(rest.into()),
            None => Self::Text(text),
        }
    }

    pub(crate) fn late(path: Arc<str>, length: u64, read: Arc<ReadLate>) -> Self {
        Self::Late(Arc::new(Late {
            path,
            length,
            read,
            outcome: OnceLock::new(),
        }))
    }

    /// In bytes; of a file that was not read what its folder says.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Text(text) => text.len() as u64,
            Self::Late(late) => late.length,
        }
    }

    pub(crate) fn get(&self) -> Result<&[u8], Error> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Text(text) => Ok(text.as_bytes()),
            Self::Late(late) => late.outcome().as_deref().map_err(Clone::clone),
        }
    }

    /// As [`Self::get`], for whoever keeps it.
    pub(crate) fn to_bytes(&self) -> Result<Bytes, Error> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            _ => self.get().map(Bytes::copy_from_slice),
        }
    }

    /// As a text, in which bytes that are none are replaced.
    pub(crate) fn to_text(&self) -> Result<Arc<str>, Error> {
        if let Self::Text(text) = self {
            return Ok(Arc::clone(text));
        }
        let bytes = self.get()?;
        Ok(match str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => String::from_utf8_lossy(bytes).into(),
        })
    }

    /// Nothing where it could not be read: [`Self::failure`] tells.
    pub(crate) fn get_or_nothing(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
            Self::Late(late) => late.outcome().as_deref().unwrap_or_default(),
        }
    }

    /// Why it could not be read, if anybody tried.
    pub(crate) fn failure(&self) -> Option<&Error> {
        match self {
            Self::Bytes(_) | Self::Text(_) => None,
            Self::Late(late) => late.outcome.get()?.as_ref().err(),
        }
    }
}

impl Late {
    fn outcome(&self) -> &Result<Bytes, Error> {
        self.outcome.get_or_init(|| {
            let bytes = (self.read)(&self.path)?;
            Ok(without_mark(bytes.into()))
        })
    }
}

impl fmt::Debug for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Late")
            .field("path", &self.path)
            .field("length", &self.length)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

fn without_mark(mut bytes: Bytes) -> Bytes {
    let mut mark = [0; BYTE_ORDER_MARK.len_utf8()];
    if bytes.starts_with(BYTE_ORDER_MARK.encode_utf8(&mut mark).as_bytes()) {
        bytes.advance(mark.len());
    }
    bytes
}
