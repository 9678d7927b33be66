//! One bucket of one store: its operations with retries, and writes whose outcome is certain.
//!
//! A request that is tried again may find that its first attempt did have an effect. So where a
//! condition fails on a repeated write, the object is read: is it what this write wrote?

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    operation::get_object::GetObjectOutput,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use bytes::{Bytes, BytesMut};
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use tokio::time::timeout;

use super::{
    attempts::{Failure, Kind, Tried, tried},
    conditions::{Conditions, Enforcement},
};
use crate::{Error, Result};

/// The longest page of a list that stores return.
const PAGE_KEYS: usize = 1000;
/// The user metadata of a payload written in parts: who wrote it.
const WRITER: &str = "cairn-writer";

/// A bucket, or what lies below a prefix of one.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
    /// Ends in `/` unless it is empty.
    pub(super) prefix: String,
    pub(super) attempts: u32,
    pub(super) timeout: Duration,
    pub(super) conditions: Conditions,
}

/// An object as it was read.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    pub(super) etag: String,
}

/// A page of a list.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Keys without the bucket's prefix, and sizes in bytes.
    pub(super) objects: Vec<(String, u64)>,
    pub(super) has_more: bool,
}

/// What became of an upload in parts that was to be an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    /// The object, made of the parts that were named.
    Now,
    /// The object, when somebody asked for it before; perhaps of other parts.
    Before,
    /// Nothing, and it never will: it is gone, the object is another, or its parts are not those
    /// that were named.
    Never,
}

/// What must hold for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    None,
    Absent,
    Is(&'a str),
}

impl Bucket {
    pub(super) fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// An object, unless it is the one with the entity tag that is known.
    ///
    /// `Err` with [`Kind::NotModified`] if it is.
    pub(super) async fn get(&self, key: &str, known: Option<&str>) -> Tried<Option<Object>> {
        let tried = tried("GetObject", self.attempts, || {
            let request = self
                .client
                .get_object()
                .bucket(&self.name)
                .key(self.full(key))
                .set_if_none_match(known.map(str::to_owned));
            async move {
                let output = request.send().await.map_err(Failure::of)?;
                self.collect(output).await
            }
        })
        .await;
        Tried {
            outcome: absent_as_none(tried.outcome),
            is_repeated: tried.is_repeated,
        }
    }

    /// An object.
    pub(super) async fn read(&self, key: &str) -> Result<Option<Object>> {
        let outcome = self.get(key, None).await.outcome;
        outcome.map_err(|failure| failed("read", key, failure))
    }

    async fn collect(&self, output: GetObjectOutput) -> Result<Object, Failure> {
        let expected = output
            .content_length()
            .and_then(|length| usize::try_from(length).ok());
        let etag = output.e_tag().unwrap_or_default().to_owned();
        let mut body = output.body;
        let mut bytes = BytesMut::with_capacity(expected.unwrap_or_default());
        loop {
            let next = timeout(self.timeout, body.next()).await;
            let next = next.map_err(|_| Failure::new(Kind::Transient, "the body stalled"))?;
            match next {
                None => break,
                Some(Ok(chunk)) => bytes.extend_from_slice(&chunk),
                Some(Err(error)) => {
                    return Err(Failure::new(Kind::Transient, error.to_string()));
                }
            }
        }
        if expected.is_some_and(|expected| expected != bytes.len()) {
            return Err(Failure::new(Kind::Transient, "the body ended too early"));
        }
        let bytes = bytes.freeze();
        Ok(Object { bytes, etag })
    }

    /// Starts to read a range of an object.
    pub(super) async fn open(
        &self,
        key: &str,
        first: u64,
        last: u64,
    ) -> Result<GetObjectOutput, Failure> {
        let tried = tried("GetObject", self.attempts, || {
            let request = self
                .client
                .get_object()
                .bucket(&self.name)
                .key(self.full(key))
                .range(format!("bytes={first}-{last}"));
            async move { request.send().await.map_err(Failure::of) }
        });
        tried.await.outcome
    }

    /// Writes an object if the condition holds; its entity tag, or `None` if it does not.
    pub(super) async fn put(
        &self,
        key: &str,
        bytes: &Bytes,
        condition: Condition<'_>,
    ) -> Result<Option<String>> {
        if let (Condition::Absent | Condition::Is(_), Enforcement::InProcess(locks)) =
            (condition, &self.conditions.puts)
        {
            let _lock = locks.lock(key).await;
            if !self.holds(key, condition).await? {
                return Ok(None);
            }
            return self.put_once(key, bytes, Condition::None).await;
        }
        self.put_once(key, bytes, condition).await
    }

    async fn put_once(
        &self,
        key: &str,
        bytes: &Bytes,
        condition: Condition<'_>,
    ) -> Result<Option<String>> {
        let (if_match, if_none_match) = headers(condition);
        let tried = tried("PutObject", self.attempts, || {
            let request = self
                .client
                .put_object()
                .bucket(&self.name)
                .key(self.full(key))
                .set_if_match(if_match.clone())
                .set_if_none_match(if_none_match.clone())
                .body(ByteStream::from(bytes.clone()));
            async move { request.send().await.map_err(Failure::of) }
        })
        .await;
        match tried.outcome {
            Ok(output) => match output.e_tag {
                Some(etag) => Ok(Some(etag)),
                None => Err(failed(
                    "write",
                    key,
                    Failure::new(Kind::Final, "the store gives no entity tags"),
                )),
            },
            Err(failure) if did_not_hold(&failure, condition) => {
                if !tried.is_repeated {
                    return Ok(None);
                }
                let present = self.read(key).await?;
                let ours = present.filter(|object| object.bytes == *bytes);
                Ok(ours.map(|object| object.etag))
            }
            Err(failure) => Err(failed("write", key, failure)),
        }
    }

    /// Removes an object whatever it is. Removing what is not there succeeds.
    pub(super) async fn delete(&self, key: &str) -> Result<()> {
        let deleted = self.delete_once(key, Condition::None).await;
        deleted.map(drop)
    }

    /// Removes an object if it has the entity tag; false if it has another.
    ///
    /// One that is gone already may count as removed: stores differ.
    pub(super) async fn delete_if(&self, key: &str, etag: &str) -> Result<bool> {
        let condition = Condition::Is(etag);
        match &self.conditions.deletes {
            Enforcement::InProcess(locks) => {
                let _lock = locks.lock(key).await;
                if !self.holds(key, condition).await? {
                    return Ok(false);
                }
                self.delete_once(key, Condition::None).await
            }
            Enforcement::Store => self.delete_once(key, condition).await,
            // An empty object stands for none: lists leave it out by its size.
            Enforcement::Tombstones => {
                let buried = self.put(key, &Bytes::new(), condition).await?;
                Ok(buried.is_some())
            }
        }
    }

    async fn delete_once(&self, key: &str, condition: Condition<'_>) -> Result<bool> {
        let (if_match, _) = headers(condition);
        let tried = tried("DeleteObject", self.attempts, || {
            let request = self
                .client
                .delete_object()
                .bucket(&self.name)
                .key(self.full(key))
                .set_if_match(if_match.clone());
            async move { request.send().await.map_err(Failure::of) }
        })
        .await;
        match tried.outcome {
            Ok(_) => Ok(true),
            Err(failure) if failure.kind == Kind::NotFound => Ok(true),
            Err(failure) if did_not_hold(&failure, condition) => Ok(false),
            Err(failure) => Err(failed("delete", key, failure)),
        }
    }

    async fn holds(&self, key: &str, condition: Condition<'_>) -> Result<bool> {
        let present = self.head(key).await?;
        Ok(match condition {
            Condition::None => true,
            Condition::Absent => present.is_none(),
            Condition::Is(etag) => present.is_some_and(|head| head.etag == etag),
        })
    }

    pub(super) async fn head(&self, key: &str) -> Result<Option<Head>> {
        let tried = tried("HeadObject", self.attempts, || {
            let request = self
                .client
                .head_object()
                .bucket(&self.name)
                .key(self.full(key));
            async move { request.send().await.map_err(Failure::of) }
        });
        let outcome = tried.await.outcome.map(|output| Head {
            etag: output.e_tag().unwrap_or_default().to_owned(),
            size_bytes: output
                .content_length()
                .and_then(|length| u64::try_from(length).ok())
                .unwrap_or_default(),
            writer: output
                .metadata()
                .and_then(|metadata| metadata.get(WRITER))
                .cloned(),
        });
        absent_as_none(outcome).map_err(|failure| failed("look at", key, failure))
    }

    /// A page of the objects below a prefix that follow a key, at most as long as stores allow.
    pub(super) async fn list(
        &self,
        prefix: &str,
        start_after: &str,
        limit: usize,
    ) -> Result<Listing> {
        let max_keys = i32::try_from(limit.min(PAGE_KEYS)).unwrap_or(i32::MAX);
        let start_after = (!start_after.is_empty()).then(|| self.full(start_after));
        let tried = tried("ListObjectsV2", self.attempts, || {
            let request = self
                .client
                .list_objects_v2()
                .bucket(&self.name)
                .prefix(self.full(prefix))
                .set_start_after(start_after.clone())
                .max_keys(max_keys);
            async move { request.send().await.map_err(Failure::of) }
        });
        let output = tried.await.outcome;
        let output = output.map_err(|failure| failed("list", prefix, failure))?;
        let objects = output.contents().iter().filter_map(|object| {
            let key = object.key()?.strip_prefix(&self.prefix)?;
            let size_bytes = u64::try_from(object.size().unwrap_or_default()).unwrap_or(0);
            Some((key.to_owned(), size_bytes))
        });
        Ok(Listing {
            objects: objects.collect(),
            has_more: output.is_truncated().unwrap_or(false),
        })
    }

    /// All objects below a prefix, with their sizes in bytes, in order.
    pub(super) fn list_all(&self, prefix: String) -> BoxStream<'_, Result<(String, u64)>> {
        let first = Some(String::new());
        stream::try_unfold(first, move |after| {
            let prefix = prefix.clone();
            async move {
                let Some(after) = after else {
                    return Ok::<_, Error>(None);
                };
                let page = self.list(&prefix, &after, PAGE_KEYS).await?;
                let last = page.objects.last().map(|(key, _)| key.clone());
                let objects = page.objects.into_iter().map(Ok);
                Ok(Some((
                    stream::iter(objects),
                    last.filter(|_| page.has_more),
                )))
            }
        })
        .try_flatten()
        .boxed()
    }

    /// Starts an object that comes in parts; the upload's identifier.
    pub(super) async fn start_parts(&self, key: &str, writer: &str) -> Result<String> {
        let tried = tried("CreateMultipartUpload", self.attempts, || {
            let request = self
                .client
                .create_multipart_upload()
                .bucket(&self.name)
                .key(self.full(key))
                .metadata(WRITER, writer);
            async move { request.send().await.map_err(Failure::of) }
        });
        let output = tried.await.outcome;
        let output = output.map_err(|failure| failed("start to write", key, failure))?;
        output.upload_id.ok_or_else(|| {
            let failure = Failure::new(Kind::Final, "the store gave no upload identifier");
            failed("start to write", key, failure)
        })
    }

    /// Writes one part; its entity tag, or `None` if there is no such upload any more.
    pub(super) async fn put_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        bytes: &Bytes,
    ) -> Result<Option<String>> {
        let tried = tried("UploadPart", self.attempts, || {
            let request = self
                .client
                .upload_part()
                .bucket(&self.name)
                .key(self.full(key))
                .upload_id(upload)
                .part_number(number)
                .body(ByteStream::from(bytes.clone()));
            async move { request.send().await.map_err(Failure::of) }
        });
        let outcome = absent_as_none(tried.await.outcome);
        let output = outcome.map_err(|failure| failed("write a part of", key, failure))?;
        Ok(output.map(|output| output.e_tag.unwrap_or_default()))
    }

    /// Makes an object of its parts, unless there is one.
    pub(super) async fn join_parts(
        &self,
        key: &str,
        upload: &str,
        parts: &[String],
        writer: &str,
    ) -> Result<Joined> {
        let numbered = (1..).zip(parts).map(|(number, etag)| {
            CompletedPart::builder()
                .part_number(number)
                .e_tag(etag)
                .build()
        });
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(numbered.collect()))
            .build();
        let spared = Condition::Absent;
        if !self.conditions.completes && !self.holds(key, spared).await? {
            return self.joined_before(key, writer).await;
        }
        let (_, if_none_match) = headers(spared);
        let if_none_match = if_none_match.filter(|_| self.conditions.completes);
        let tried = tried("CompleteMultipartUpload", self.attempts, || {
            let request = self
                .client
                .complete_multipart_upload()
                .bucket(&self.name)
                .key(self.full(key))
                .upload_id(upload)
                .set_if_none_match(if_none_match.clone())
                .multipart_upload(parts.clone());
            async move { request.send().await.map_err(Failure::of) }
        })
        .await;
        match tried.outcome {
            Ok(_) => Ok(Joined::Now),
            Err(failure) if matches!(failure.kind, Kind::NotFound | Kind::ConditionFailed) => {
                self.joined_before(key, writer).await
            }
            Err(failure) if failure.kind == Kind::PartInvalid => {
                tracing::warn!(s3.key = key, error = %failure, "an upload in parts is lost");
                Ok(Joined::Never)
            }
            Err(failure) => Err(failed("complete", key, failure)),
        }
    }

    /// What became of an upload in parts that is there no more.
    pub(super) async fn joined_before(&self, key: &str, writer: &str) -> Result<Joined> {
        let present = self.head(key).await?;
        let is_ours = present.is_some_and(|head| head.writer.as_deref() == Some(writer));
        Ok(if is_ours {
            Joined::Before
        } else {
            Joined::Never
        })
    }

    /// Gives up an upload with its parts. Giving up what is gone succeeds.
    pub(super) async fn abort_parts(&self, key: &str, upload: &str) -> Result<()> {
        let tried = tried("AbortMultipartUpload", self.attempts, || {
            let request = self
                .client
                .abort_multipart_upload()
                .bucket(&self.name)
                .key(self.full(key))
                .upload_id(upload);
            async move { request.send().await.map_err(Failure::of) }
        });
        absent_as_none(tried.await.outcome)
            .map(drop)
            .map_err(|failure| failed("give up", key, failure))
    }

    /// The uploads in parts below a prefix: key and identifier; `None` if the store cannot tell.
    pub(super) async fn list_parts_under_way(
        &self,
        prefix: &str,
    ) -> Result<Option<Vec<(String, String)>>> {
        let mut found = Vec::new();
        let mut markers: (Option<String>, Option<String>) = (None, None);
        loop {
            let tried = tried("ListMultipartUploads", self.attempts, || {
                let request = self
                    .client
                    .list_multipart_uploads()
                    .bucket(&self.name)
                    .prefix(self.full(prefix))
                    .set_key_marker(markers.0.clone())
                    .set_upload_id_marker(markers.1.clone());
                async move { request.send().await.map_err(Failure::of) }
            });
            let output = match tried.await.outcome {
                Ok(output) => output,
                Err(failure) if failure.kind == Kind::NotImplemented => return Ok(None),
                Err(failure) => return Err(failed("list the uploads of", prefix, failure)),
            };
            found.extend(output.uploads().iter().filter_map(|upload| {
                let key = upload.key()?.strip_prefix(&self.prefix)?;
                Some((key.to_owned(), upload.upload_id()?.to_owned()))
            }));
            if !output.is_truncated().unwrap_or(false) {
                return Ok(Some(found));
            }
            markers = (output.next_key_marker, output.next_upload_id_marker);
        }
    }
}

/// An object's headers.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) etag: String,
    pub(super) size_bytes: u64,
    writer: Option<String>,
}

fn headers(condition: Condition<'_>) -> (Option<String>, Option<String>) {
    match condition {
        Condition::None => (None, None),
        Condition::Absent => (None, Some("*".to_owned())),
        Condition::Is(etag) => (Some(etag.to_owned()), None),
    }
}

/// A condition on an object that is gone fails with 404 on some stores.
fn did_not_hold(failure: &Failure, condition: Condition<'_>) -> bool {
    match condition {
        Condition::None => false,
        Condition::Absent => failure.kind == Kind::ConditionFailed,
        Condition::Is(_) => matches!(failure.kind, Kind::ConditionFailed | Kind::NotFound),
    }
}

fn absent_as_none<T>(outcome: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.kind == Kind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

pub(super) fn failed(action: &str, key: &str, failure: Failure) -> Error {
    let action = format!("{action} `{key}`");
    match failure.kind {
        Kind::Transient => Error::unavailable(action, failure),
        Kind::Full => Error::StorageFull {
            action,
            source: failure.into(),
        },
        _ => Error::storage(action, failure),
    }
}
