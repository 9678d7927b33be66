//! Every bound of this crate, with its unit and its reason. What lies beyond is an error with a
//! name, never a truncation.

use std::time::Duration;

pub use cairn_spec::{MAX_DESCRIPTORS, MAX_MANIFEST_BYTES};

/// The largest blob that is read into memory (1 GiB): packs and bundles are far smaller.
pub const MAX_BLOB_IN_MEMORY_BYTES: u64 = 1024 * 1024 * 1024;
/// The largest artifact that is read into memory (2 GiB), all blobs together.
pub const MAX_ARTIFACT_IN_MEMORY_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// The largest page of JSON that a registry may answer with (4 MiB), as for manifests.
pub const MAX_PAGE_BYTES: usize = MAX_MANIFEST_BYTES;
/// The largest error body that is read (64 KiB).
pub const MAX_ERROR_BYTES: usize = 64 * 1024;
/// The most pages of one referrers list.
pub const MAX_REFERRER_PAGES: usize = 64;
/// The most pages of one tag list.
pub const MAX_TAG_PAGES: usize = 1024;
/// The most tags a page is asked for.
pub const TAG_PAGE_SIZE: usize = 1000;
/// The most manifests of one graph that is copied, so that a hostile index ends.
pub const MAX_GRAPH_MANIFESTS: usize = 10_000;
/// The most signatures, and the most attestations, of one manifest that are looked at.
pub const MAX_SIGNATURES: usize = 256;
/// The largest signature payload or Sigstore bundle that holds a signature (1 MiB).
pub const MAX_SIGNATURE_BYTES: u64 = 1024 * 1024;
/// The largest attestation (64 MiB): bills of materials grow large.
pub const MAX_ATTESTATION_BYTES: u64 = 64 * 1024 * 1024;
/// The largest trust policy, key or credential file (1 MiB).
pub const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// The largest answer of a token service that is read (64 KiB).
pub const MAX_TOKEN_BYTES: usize = 64 * 1024;
/// The longest time that a token service may take.
pub const TOKEN_TIMEOUT: Duration = Duration::from_secs(30);
/// The most pages of one list of repositories.
pub const MAX_CATALOG_PAGES: usize = 1024;

/// The most tags that one run of a mirror copies.
pub const MAX_SYNC_TAGS: usize = 100_000;

/// The most redirects that one request follows.
pub const MAX_REDIRECTS: usize = 3;
/// The most attempts at one request.
pub const MAX_ATTEMPTS: u32 = 4;
/// The wait before the second attempt; it doubles with each further one, and is jittered.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(200);
/// The longest wait between attempts, also when the registry asks for more.
pub const MAX_BACKOFF: Duration = Duration::from_secs(20);
/// The longest time to open a connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest silence while an answer arrives.
pub const READ_TIMEOUT: Duration = Duration::from_mins(1);
/// The longest time that an index or an archive of a repository of charts may take: the largest of
/// 64 MiB comes in it at 110 KiB/s.
pub const DOCUMENT_TIMEOUT: Duration = Duration::from_mins(10);
/// The slowest upload that is waited for, in bytes a second (16 KiB/s), beside the read timeout.
pub const MIN_UPLOAD_BYTES_PER_S: u64 = 16 * 1024;
/// How many blobs of one artifact move at the same time.
pub const CONCURRENT_BLOBS: usize = 4;
/// The chunk of a chunked upload (16 MiB): above the 5 MiB that object stores ask of a part.
pub const UPLOAD_CHUNK_BYTES: usize = 16 * 1024 * 1024;
