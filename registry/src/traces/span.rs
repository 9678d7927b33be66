//! One measured piece of work.

use std::{
    borrow::Cow,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::TraceContext;

/// The longest text of an attribute, in bytes: what clients send may be long.
const TEXT_BYTES: usize = 1024;

/// One measured piece of work.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(super) name: Cow<'static, str>,
    pub(super) kind: Kind,
    pub(super) context: TraceContext,
    pub(super) parent: Option<[u8; 8]>,
    pub(super) started_unix_ns: u64,
    pub(super) ended_unix_ns: u64,
    pub(super) attributes: Vec<(&'static str, Value)>,
    /// Why it failed, if it did.
    pub(super) failure: Option<String>,
    /// A clock that nobody sets.
    began: Instant,
}

/// Which side of which conversation it is. The numbers are OTLP's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
}

impl Span {
    pub(super) fn new(
        name: Cow<'static, str>,
        kind: Kind,
        context: &TraceContext,
        parent: Option<[u8; 8]>,
    ) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let started_unix_ns = nanoseconds(since.unwrap_or_default());
        Self {
            name,
            kind,
            context: *context,
            parent,
            started_unix_ns,
            ended_unix_ns: started_unix_ns,
            attributes: Vec::new(),
            failure: None,
            began: Instant::now(),
        }
    }

    pub(super) fn end(&mut self) {
        self.ended_unix_ns = self.started_unix_ns + nanoseconds(self.began.elapsed());
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        let end = text.floor_char_boundary(TEXT_BYTES);
        Self::Text(text[..end].to_owned())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}
