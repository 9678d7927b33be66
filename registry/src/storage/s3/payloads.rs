//! Payloads as objects, never copied: a small one in one request, a large one in parts.
//!
//! All parts but the last have one size, as some stores want. What does not fill a part waits in
//! memory; when an upload is parked it goes to an object of its own, the tail, and the next chunk
//! is added to it. Parked state names the parts and the tail, so that any replica goes on.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use bytes::BytesMut;
use futures_util::{FutureExt, TryStreamExt, future::BoxFuture};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::{bucket::Bucket, reading, signing::Signer, writer::S3Writer};
use crate::{
    Error, Result,
    storage::{Chunks, Parked, PayloadKey, PayloadWriter, Payloads},
};

/// Where committed payloads are, and those that come in parts.
const DATA: &str = "data/";
/// Where the tails of parked payloads are.
const TAILS: &str = "tail/";
/// Leftovers that are removed at a time.
const PARALLEL_REMOVALS: usize = 8;

/// Payloads in a bucket.
#[derive(Debug, Clone)]
pub struct S3Payloads {
    pub(super) bucket: Arc<Bucket>,
    pub(super) part_bytes: usize,
    pub(super) signer: Option<Signer>,
}

/// What is needed to go on with a payload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct State {
    /// The upload in parts, if there is a part already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parts: Option<Parts>,
    /// The object that holds what follows the parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tail: Option<Ulid>,
    /// The tail before it: nothing refers to it any more once this state is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) replaced_tail: Option<Ulid>,
}

/// An upload in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Parts {
    pub(super) upload_id: String,
    /// Tells this upload's object from one that another wrote under the same key.
    pub(super) writer: String,
    pub(super) etags: Vec<String>,
}

impl S3Payloads {
    pub(super) fn tail_key(key: PayloadKey, tail: Ulid) -> String {
        format!("{TAILS}{}/{tail}", key.0)
    }

    fn writer(&self, key: PayloadKey, state: State, buffer: BytesMut) -> Box<dyn PayloadWriter> {
        Box::new(S3Writer {
            payloads: self.clone(),
            key,
            state,
            buffer,
        })
    }

    async fn discard_all(&self, key: PayloadKey) -> Result<()> {
        let data_key = key.to_string();
        let uploads = self.bucket.list_parts_under_way(&data_key).await?;
        for (found, upload) in uploads.unwrap_or_default() {
            if found == data_key {
                self.bucket.abort_parts(&found, &upload).await?;
            }
        }
        self.bucket
            .list_all(format!("{TAILS}{}/", key.0))
            .try_for_each_concurrent(PARALLEL_REMOVALS, |(tail, _)| async move {
                self.bucket.delete(&tail).await
            })
            .await
    }

    async fn find_uncommitted(&self) -> Result<Vec<PayloadKey>> {
        let mut found = BTreeSet::new();
        // A store that cannot tell has a lifecycle rule to clean up.
        let uploads = self.bucket.list_parts_under_way(DATA).await?;
        let uploads = uploads.unwrap_or_default();
        let names = uploads.iter().filter_map(|(key, _)| key.rsplit('/').next());
        found.extend(names.filter_map(payload_key));
        let mut tails = self.bucket.list_all(TAILS.to_owned());
        while let Some((tail, _)) = tails.try_next().await? {
            let mut names = tail.split('/').skip(1);
            found.extend(names.next().and_then(payload_key));
        }
        Ok(found.into_iter().collect())
    }
}

fn payload_key(name: &str) -> Option<PayloadKey> {
    name.parse().ok().map(PayloadKey)
}

impl Payloads for S3Payloads {
    fn begin(&self, key: PayloadKey) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        let writer = self.writer(key, State::default(), BytesMut::new());
        std::future::ready(Ok(writer)).boxed()
    }

    fn resume(
        &self,
        key: PayloadKey,
        parked: Parked,
    ) -> BoxFuture<'_, Result<Box<dyn PayloadWriter>>> {
        async move {
            let missing = || Error::PayloadMissing { key };
            let state: State = serde_json::from_str(&parked.0).map_err(|_| missing())?;
            let mut buffer = BytesMut::new();
            if let Some(tail) = state.tail {
                let object = self.bucket.read(&Self::tail_key(key, tail)).await?;
                buffer.extend_from_slice(&object.ok_or_else(missing)?.bytes);
            }
            Ok(self.writer(key, state, buffer))
        }
        .boxed()
    }

    fn read(&self, key: PayloadKey, range: Range<u64>) -> BoxFuture<'_, Result<Chunks>> {
        let reading = reading::read(Arc::clone(&self.bucket), key.to_string(), range);
        async move { reading.await?.ok_or(Error::PayloadMissing { key }) }.boxed()
    }

    fn signed_url(&self, key: PayloadKey) -> BoxFuture<'_, Result<Option<String>>> {
        async move {
            match &self.signer {
                Some(signer) => signer.sign(&self.bucket, &key.to_string()).await.map(Some),
                None => Ok(None),
            }
        }
        .boxed()
    }

    fn delete(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        async move { self.bucket.delete(&key.to_string()).await }.boxed()
    }

    fn discard(&self, key: PayloadKey) -> BoxFuture<'_, Result<()>> {
        self.discard_all(key).boxed()
    }

    fn uncommitted(&self) -> BoxFuture<'_, Result<Vec<PayloadKey>>> {
        self.find_uncommitted().boxed()
    }
}
