//! Identifiers of uploads that prove themselves, so that starting an upload writes nothing.
//!
//! An identifier without a record is an upload without content, if it was given out by this
//! registry (or a replica over the same storage) for this repository, and not long ago.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use cairn_spec::{DigestAlgorithm, RepositoryName};
use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use sha2::Sha256;
use ulid::Ulid;

use super::Registry;
use crate::{
    Error, Result,
    storage::{Key, MetadataExt},
};

/// How long after its start an upload must have received its first byte, in seconds.
pub(crate) const FIRST_BYTE_S: u64 = 60 * 60;
/// Half of the hash: nobody guesses that many bits in an hour.
const MAC_BYTES: usize = 16;
const SECRET_BYTES: usize = 32;
/// The record that holds the secret.
const SECRET: Key = Key::System("upload-secret");

/// Names an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadId {
    /// The upload's record, and its payload.
    pub(crate) ulid: Ulid,
    /// What the client announced.
    algorithm: DigestAlgorithm,
    mac: [u8; MAC_BYTES],
}

impl UploadId {
    pub(crate) fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mac = hex::encode(self.mac);
        write!(f, "{}-{}-{mac}", self.ulid, self.algorithm.as_str())
    }
}

impl FromStr for UploadId {
    type Err = Error;

    /// Reads what `Display` wrote.
    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (ulid, rest) = text.split_once('-')?;
            let (algorithm, mac) = rest.split_once('-')?;
            let mut id = Self {
                ulid: ulid.parse().ok()?,
                algorithm: match algorithm {
                    "sha256" => DigestAlgorithm::Sha256,
                    "sha512" => DigestAlgorithm::Sha512,
                    _ => return None,
                },
                mac: [0; MAC_BYTES],
            };
            hex::decode_to_slice(mac, &mut id.mac).ok()?;
            Some(id)
        };
        parse().ok_or_else(|| Error::UploadUnknown(text.to_owned()))
    }
}

impl Registry {
    /// A new identifier for an upload to a repository.
    pub(super) async fn issue_upload_id(
        &self,
        repository: &RepositoryName,
        algorithm: DigestAlgorithm,
    ) -> Result<UploadId> {
        let mut id = UploadId {
            ulid: self.new_id(),
            algorithm,
            mac: [0; MAC_BYTES],
        };
        let mac = self.upload_mac(repository, &id).await?;
        id.mac
            .copy_from_slice(&mac.finalize().into_bytes()[..MAC_BYTES]);
        Ok(id)
    }

    /// Fails unless the identifier was given out for the repository.
    pub(super) async fn check_upload_id(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
    ) -> Result<()> {
        let mac = self.upload_mac(repository, id).await?;
        mac.verify_truncated_left(&id.mac)
            .map_err(|_| Error::UploadUnknown(id.to_string()))
    }

    /// The upload may have been started and not have received anything yet.
    pub(super) fn may_be_empty(&self, id: &UploadId) -> bool {
        let started_unix_s = id.ulid.timestamp_ms() / 1000;
        self.now_unix_s().abs_diff(started_unix_s) <= FIRST_BYTE_S
    }

    async fn upload_mac(&self, repository: &RepositoryName, id: &UploadId) -> Result<Hmac<Sha256>> {
        let secret = self.upload_secret.get_or_try_init(|| self.read_secret());
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.await?)
            .map_err(|_| Error::corrupt(&SECRET, "it is no key"))?;
        mac.update(&id.ulid.to_bytes());
        mac.update(id.algorithm.as_str().as_bytes());
        mac.update(b" ");
        mac.update(repository.as_str().as_bytes());
        Ok(mac)
    }

    /// A key for one purpose, the same on all replicas.
    pub(super) async fn derived_key(&self, purpose: &str) -> Result<[u8; 32]> {
        let secret = self.upload_secret.get_or_try_init(|| self.read_secret());
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.await?)
            .map_err(|_| Error::corrupt(&SECRET, "it is no key"))?;
        mac.update(purpose.as_bytes());
        Ok(mac.finalize().into_bytes().into())
    }

    /// The secret that all replicas share; the first one makes it.
    async fn read_secret(&self) -> Result<Bytes> {
        loop {
            if let Some(entry) = self.metadata.get(&SECRET).await? {
                if entry.value.len() != SECRET_BYTES {
                    return Err(Error::corrupt(&SECRET, "it has the wrong length"));
                }
                return Ok(entry.value);
            }
            let secret = Bytes::copy_from_slice(&rand::rng().random::<[u8; SECRET_BYTES]>());
            match self.metadata.put_new(SECRET, secret.clone()).await {
                Err(Error::Conflict { .. }) => {}
                created => return created.map(|_| secret),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        Config,
        storage::{MemoryMetadata, MemoryPayloads, Metadata},
    };

    fn registry(metadata: &Arc<MemoryMetadata>) -> Registry {
        let metadata = Arc::clone(metadata) as Arc<dyn Metadata>;
        let payloads = Arc::new(MemoryPayloads::default());
        Registry::new(payloads, metadata, &Config::default()).unwrap()
    }

    #[tokio::test]
    async fn identifiers_prove_themselves_to_every_replica() {
        let metadata = Arc::new(MemoryMetadata::default());
        let (one, other) = (registry(&metadata), registry(&metadata));
        let repository = "a/b".parse().unwrap();
        let id = one.issue_upload_id(&repository, DigestAlgorithm::Sha512);
        let id = id.await.unwrap();
        assert_eq!(id.to_string().parse::<UploadId>().unwrap(), id);
        other.check_upload_id(&repository, &id).await.unwrap();

        let elsewhere = "a/c".parse().unwrap();
        assert!(other.check_upload_id(&elsewhere, &id).await.is_err());
        let sha256 = UploadId {
            algorithm: DigestAlgorithm::Sha256,
            ..id.clone()
        };
        assert!(other.check_upload_id(&repository, &sha256).await.is_err());
        let foreign = registry(&Arc::default());
        assert!(foreign.check_upload_id(&repository, &id).await.is_err());
        for malformed in [
            "",
            "0",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV-md5-00",
        ] {
            assert!(malformed.parse::<UploadId>().is_err());
        }
    }
}
