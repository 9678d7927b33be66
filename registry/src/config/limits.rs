//! Bounds on everything that comes from outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;
/// Records are read and written as a whole.
const INLINE_BLOB_BYTES_MAX: u64 = MIB;

/// Bounds on what clients may ask for. The unit is in each name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// The largest manifest; the specification asks for at least 4 MB.
    pub manifest_bytes: u64,
    /// The largest blob.
    pub blob_bytes: u64,
    /// The largest body of one upload request.
    pub upload_chunk_bytes: u64,
    /// The largest blob that is kept inside of its record, where it costs no file: configurations
    /// and signatures.
    pub inline_blob_bytes: u64,
    /// All headers of a request together.
    pub header_bytes: usize,
    /// The target of a request.
    pub target_bytes: usize,
    /// Connections at a time; further ones wait to be accepted.
    pub connections: usize,
    /// Requests that upload content, at a time. Each holds a few MiB of buffers.
    pub concurrent_uploads: usize,
    /// How long a request waits for one of the `concurrent_uploads`, or for the upload it names.
    pub upload_wait_s: u64,
    /// How long a client may take to send its headers, also between two requests.
    pub header_timeout_s: u64,
    /// How long a connection may neither send nor take a byte while a request is served.
    pub idle_timeout_s: u64,
    /// How long requests may go on after the server was told to stop.
    pub drain_s: u64,
    /// `tag` parameters of one manifest push.
    pub tag_parameters: usize,
    /// Entries on a page of tags or repositories, whatever `n` asks for.
    pub page_entries: usize,
    /// The largest page of referrers. Clients refuse pages above 4 MiB, and some read only the
    /// first, so it is as large as it may be.
    pub referrers_page_bytes: usize,
    /// How long content that nothing references is kept.
    pub grace_s: u64,
    /// How long a TLS handshake may take.
    pub handshake_timeout_s: u64,
    /// Passwords that are verified at a time. Each takes the memory and time its hash asks for.
    pub password_checks: usize,
    /// Wrong passwords that an address may send at once, and how many more in each minute.
    pub failed_logins_per_minute: u32,
    /// How often files of users, tokens, policies and certificates are looked at for changes.
    pub file_interval_ms: u64,
    /// The shortest time between two requests for an OIDC issuer's keys.
    pub jwks_interval_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest_bytes: 4 * MIB,
            blob_bytes: 1024 * GIB,
            upload_chunk_bytes: 1024 * GIB,
            inline_blob_bytes: 4 * KIB,
            header_bytes: 16 * 1024,
            target_bytes: 8 * 1024,
            connections: 4096,
            concurrent_uploads: 64,
            upload_wait_s: 30,
            header_timeout_s: 60,
            idle_timeout_s: 60,
            drain_s: 30,
            tag_parameters: 32,
            page_entries: 10_000,
            referrers_page_bytes: 4 * 1024 * 1024 - 64 * 1024,
            grace_s: 24 * 60 * 60,
            handshake_timeout_s: 10,
            password_checks: 2,
            failed_logins_per_minute: 20,
            file_interval_ms: 1000,
            jwks_interval_ms: 10_000,
        }
    }
}

impl Limits {
    /// Limits that leave nothing to serve with, or contradict each other.
    pub(super) fn check(&self, problems: &mut Problems<'_>) {
        for (key, limit) in [
            ("connections", self.connections),
            ("concurrentUploads", self.concurrent_uploads),
            ("pageEntries", self.page_entries),
            ("headerBytes", self.header_bytes),
            ("targetBytes", self.target_bytes),
        ] {
            if limit == 0 {
                problems.add(
                    key,
                    "0 refuses every request",
                    "leave the key out for its default",
                );
            }
        }
        for (key, limit_s) in [
            ("headerTimeoutS", self.header_timeout_s),
            ("idleTimeoutS", self.idle_timeout_s),
        ] {
            if limit_s == 0 {
                problems.add(
                    key,
                    "0 seconds end every connection at once",
                    "leave the key out for its default",
                );
            }
        }
        if self.inline_blob_bytes > INLINE_BLOB_BYTES_MAX {
            let message = format!(
                "records of more than {INLINE_BLOB_BYTES_MAX} bytes are slow to read and to change"
            );
            problems.add("inlineBlobBytes", message, "keep it at a few KiB");
        }
        if self.upload_chunk_bytes > self.blob_bytes {
            let message = format!(
                "a chunk of `uploadChunkBytes` ({}) would not fit into a blob of `blobBytes` ({})",
                self.upload_chunk_bytes, self.blob_bytes
            );
            problems.add(
                "uploadChunkBytes",
                message,
                "make `blobBytes` at least as large",
            );
        }
    }
}
