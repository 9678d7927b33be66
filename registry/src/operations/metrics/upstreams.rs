//! What was pulled through from other registries.

use std::fmt;

use super::{Counter, Writer};

/// Requests to upstreams, and what came of them.
#[derive(Debug, Default)]
pub(crate) struct Upstreams {
    pub(crate) asked: Counter,
    pub(crate) failed: Counter,
    pub(crate) stale: Counter,
    pub(crate) fetched_bytes: Counter,
}

impl Upstreams {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        for (name, help, counter) in [
            (
                "upstream_requests",
                "Things that upstreams were asked for",
                &self.asked,
            ),
            (
                "upstream_failures",
                "Requests to upstreams without a usable answer",
                &self.failed,
            ),
            (
                "upstream_stale_answers",
                "Tags served although their upstream did not answer",
                &self.stale,
            ),
        ] {
            writer.counter(name, help, counter.get())?;
        }
        writer.bytes(
            "upstream_fetched",
            "Bytes of blobs and manifests that came from upstreams",
            self.fetched_bytes.get(),
        )
    }
}
