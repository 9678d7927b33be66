//! What the registry remembers: one type a kind of record, and how a record is laid out.
//!
//! A record is its fields as one line of JSON, a newline, and a body of raw bytes: readable by
//! people, extensible by fields with defaults, and without any encoding of the bytes it carries.

use std::{
    collections::BTreeMap,
    ops::{AddAssign, Sub},
};

use bytes::{BufMut, Bytes, BytesMut};
use cairn_spec::{Digest, RepositoryName};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use ulid::Ulid;

use crate::{
    Error, Result,
    storage::{Entry, Key, Parked, PayloadKey},
};

/// Lays a record out.
pub(crate) fn encode<T: Serialize>(fields: &T, body: &[u8]) -> Result<Bytes> {
    let mut record = BytesMut::with_capacity(256 + body.len()).writer();
    serde_json::to_writer(&mut record, fields)
        .map_err(|source| Error::storage("encode a record".to_owned(), source))?;
    let mut record = record.into_inner();
    record.put_u8(b'\n');
    record.put_slice(body);
    Ok(record.freeze())
}

/// Reads a record's fields and its body.
pub(crate) fn decode<T: DeserializeOwned>(key: &Key, entry: &Entry) -> Result<(T, Bytes)> {
    decode_value(key, &entry.value)
}

/// The same for one that is about to be written.
pub(crate) fn decode_value<T: DeserializeOwned>(key: &Key, value: &Bytes) -> Result<(T, Bytes)> {
    let end = value
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or_else(|| Error::corrupt(key, "it has no body"))?;
    let fields = serde_json::from_slice(&value[..end])
        .map_err(|error| Error::corrupt(key, error.to_string()))?;
    Ok((fields, value.slice(end + 1..)))
}

/// A blob, or its membership in a repository; the body is the content when it is inline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Blob {
    pub(crate) size_bytes: u64,
    pub(crate) location: Location,
    /// When a client last was told that it may rely on this.
    pub(crate) touched_unix_s: u64,
    pub(crate) state: State,
}

/// Where a blob's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Location {
    /// In the record's body.
    Inline,
    /// In a payload.
    Payload(PayloadKey),
}

/// Whether readers see a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum State {
    Live,
    /// Garbage collection is about to delete the payload, or did. Whoever moves a blob out of this
    /// state has made sure that the payload is gone, for no other record knows of it.
    Deleting,
}

/// A manifest; the body is its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Digest>,
    /// Everything the manifest keeps alive, except its subject.
    pub(crate) children: Vec<Digest>,
    pub(crate) pushed_unix_s: u64,
    pub(crate) touched_unix_s: u64,
    /// The upstream that it came from. Its children need not be here, for they come when they are
    /// asked for, and it may leave when nobody asks for it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upstream: Option<String>,
}

/// A tag; no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tag {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) size_bytes: u64,
    pub(crate) moved_unix_s: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<Digest>,
    /// The upstream that said what it names; none if a client did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upstream: Option<String>,
}

/// A hint that a tag may point to a manifest; no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TagHint {
    pub(crate) written_unix_s: u64,
    /// Makes each writing of the hint a state of its own, so that nobody removes a newer one than
    /// was read.
    pub(crate) nonce: Ulid,
}

/// One page of a subject's referrers; the body is a JSON array of descriptors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Referrers {
    /// On page 0, how many further pages there are.
    pub(crate) full_pages: u32,
}

/// A repository; no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Repository {
    pub(crate) created_unix_s: u64,
}

/// When manifests were pulled, to a few hours; no body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PullTimes {
    pub(crate) pulled_unix_s: BTreeMap<Digest, u64>,
}

/// How much a repository holds; no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    pub(crate) bytes: i64,
    pub(crate) blobs: i64,
    pub(crate) manifests: i64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.blobs += other.blobs;
        self.manifests += other.manifests;
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            bytes: self.bytes - other.bytes,
            blobs: self.blobs - other.blobs,
            manifests: self.manifests - other.manifests,
        }
    }
}

/// How much the repositories of a quota hold together; no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuotaUsage {
    /// Which repositories were counted: those of another glob say nothing about the quota.
    pub(crate) repositories: String,
    pub(crate) bytes: i64,
}

/// What the trust policy says of a manifest; no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    /// The policy that was asked.
    pub(crate) policy: Digest,
    pub(crate) decided_unix_s: u64,
    /// The names of the trusted keys that have signed.
    pub(crate) signers: Vec<String>,
    /// Why the policy refuses; if it does not, it trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<Refusal>,
    /// Indexes that list the manifest and were trusted at some time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) listed_by: Vec<Digest>,
}

/// Why a policy refuses, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    pub(crate) reason: String,
    pub(crate) hint: String,
}

/// An upload under way; the body is what was received as long as that is little.
///
/// The upload's identifier is also its payload's key, so a payload that never became a blob can
/// always be found from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Upload {
    pub(crate) repository: RepositoryName,
    pub(crate) started_unix_s: u64,
    pub(crate) updated_unix_s: u64,
    pub(crate) received_bytes: u64,
    /// The states of the hashes over the bytes received.
    pub(crate) hashes: HashStates,
    /// The payload with all bytes received; without it they are in the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<Parked>,
    /// The blob that a closing request announced: if the repository holds it, the upload is over.
    /// Garbage collection looks at that blob when it removes this record, so that there need not
    /// be a candidate besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finishing: Option<Digest>,
    /// The upload has ended without a blob. The record stays for as long as its identifier alone
    /// would stand for an empty upload.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) ended: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// An event on its way to a webhook; the body is the event as it is posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    pub(crate) attempts: u32,
    pub(crate) due_unix_s: u64,
    /// The trace of the change, as a `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceparent: Option<String>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_failure: Option<String>,
}

/// Serialized states of hashers, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HashStates {
    pub(crate) sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha512: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::storage::Version;

    #[test]
    fn records_are_a_line_of_json_and_a_body() {
        let key = Key::Repository("a".parse().unwrap());
        let fields = Repository { created_unix_s: 7 };
        let value = encode(&fields, b"\n\0").unwrap();
        assert_eq!(&value[..], b"{\"createdUnixS\":7}\n\n\0");
        let version = Version(Arc::from("1"));
        let entry = Entry { value, version };
        let decoded: (Repository, Bytes) = decode(&key, &entry).unwrap();
        assert_eq!(decoded, (fields, Bytes::from_static(b"\n\0")));
    }
}
