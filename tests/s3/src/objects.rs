//! The bucket: objects in a sorted map, and multipart uploads beside them.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::{Bytes, BytesMut};
use s3s::{S3ErrorCode, S3Result, dto::Metadata, s3_error};
use sha2::{Digest, Sha256};

use crate::Quirks;

/// One object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    /// Follows from the content alone, as on AWS: equal content has equal tags.
    pub(crate) etag: String,
    pub(crate) modified: SystemTime,
    pub(crate) metadata: Option<Metadata>,
}

impl Object {
    fn new(bytes: Bytes, etag: String) -> Self {
        Self {
            bytes,
            etag,
            modified: SystemTime::now(),
            metadata: None,
        }
    }
}

/// A condition on a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    Absent,
    Is(String),
}

impl Condition {
    fn check(&self, present: Option<&Object>) -> S3Result<()> {
        match (self, present) {
            (Self::Absent, None) => Ok(()),
            (Self::Is(_), None) => Err(s3_error!(NoSuchKey)),
            (Self::Is(etag), Some(object)) if object.etag == *etag => Ok(()),
            _ => Err(S3ErrorCode::PreconditionFailed.into()),
        }
    }
}

/// A multipart upload under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Upload {
    pub(crate) key: String,
    metadata: Option<Metadata>,
    parts: BTreeMap<i32, Object>,
}

/// Everything in the bucket.
#[derive(Debug, Default)]
pub(crate) struct Objects(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    started: u64,
}

impl Objects {
    pub(crate) fn get(&self, key: &str) -> Option<Object> {
        self.content().objects.get(key).cloned()
    }

    /// Every key with its size.
    pub(crate) fn keys(&self) -> Vec<(String, usize)> {
        let content = self.content();
        let objects = content.objects.iter();
        objects
            .map(|(key, object)| (key.clone(), object.bytes.len()))
            .collect()
    }

    /// Checks a condition by itself, for stores that do not check and write in one step.
    pub(crate) fn check(&self, key: &str, condition: Option<&Condition>) -> S3Result<()> {
        let content = self.content();
        condition.map_or(Ok(()), |condition| {
            condition.check(content.objects.get(key))
        })
    }

    /// The name is the path to an object, or that of an object is the path to it.
    pub(crate) fn is_in_the_way(&self, key: &str) -> bool {
        let content = self.content();
        let below = format!("{key}/");
        let from = (Bound::Included(&*below), Bound::Unbounded);
        let leads_on = content.objects.range::<str, _>(from).next();
        let mut ancestors = key.match_indices('/').map(|(end, _)| &key[..end]);
        leads_on.is_some_and(|(found, _)| found.starts_with(&below))
            || ancestors.any(|path| content.objects.contains_key(path))
    }

    /// Writes an object if the condition holds; its entity tag.
    pub(crate) fn put(
        &self,
        key: &str,
        bytes: Bytes,
        condition: Option<&Condition>,
    ) -> S3Result<String> {
        let etag = etag(&bytes);
        let mut content = self.content();
        if let Some(condition) = condition {
            condition.check(content.objects.get(key))?;
        }
        let object = Object::new(bytes, etag.clone());
        content.objects.insert(key.to_owned(), object);
        Ok(etag)
    }

    /// Removes an object if the condition holds. What is not there is removed, too, as on AWS.
    pub(crate) fn delete(&self, key: &str, condition: Option<&Condition>) -> S3Result<()> {
        let mut content = self.content();
        let present = content.objects.get(key);
        if let (Some(condition), Some(_)) = (condition, present) {
            condition.check(present)?;
        }
        content.objects.remove(key);
        Ok(())
    }

    /// Up to `limit` objects below a prefix after a key, and whether more follow.
    pub(crate) fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> (Vec<(String, Object)>, bool) {
        let content = self.content();
        let start = match after.max(prefix) {
            start if start == after && !after.is_empty() => Bound::Excluded(start),
            start => Bound::Included(start),
        };
        let mut below = content
            .objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, object)| (key.clone(), object.clone()));
        let page: Vec<_> = below.by_ref().take(limit).collect();
        let has_more = below.next().is_some();
        (page, has_more)
    }

    pub(crate) fn start_upload(&self, key: &str, metadata: Option<Metadata>) -> String {
        let mut content = self.content();
        content.started += 1;
        let id = format!("upload-{:08}", content.started);
        let upload = Upload {
            key: key.to_owned(),
            metadata,
            parts: BTreeMap::new(),
        };
        content.uploads.insert(id.clone(), upload);
        id
    }

    pub(crate) fn put_part(&self, id: &str, number: i32, bytes: Bytes) -> S3Result<String> {
        let etag = etag(&bytes);
        let mut content = self.content();
        let upload = content.uploads.get_mut(id).ok_or(s3_error!(NoSuchUpload))?;
        let part = Object::new(bytes, etag.clone());
        upload.parts.insert(number, part);
        Ok(etag)
    }

    pub(crate) fn complete_upload(
        &self,
        id: &str,
        chosen: &[(i32, String)],
        condition: Option<&Condition>,
        quirks: Quirks,
    ) -> S3Result<String> {
        let mut content = self.content();
        let upload = content.uploads.get(id).ok_or(s3_error!(NoSuchUpload))?;
        let (key, metadata) = (upload.key.clone(), upload.metadata.clone());
        let mut bytes = BytesMut::new();
        let mut sizes = Vec::new();
        for (number, etag) in chosen {
            let part = upload.parts.get(number);
            let part = part.filter(|part| part.etag == *etag);
            let part = part.ok_or(s3_error!(InvalidPart))?;
            sizes.push(part.bytes.len());
            bytes.extend_from_slice(&part.bytes);
        }
        let Some((last, full)) = sizes.split_last() else {
            return Err(s3_error!(MalformedXML));
        };
        if full.iter().any(|size| *size < quirks.smallest_part_bytes) {
            return Err(s3_error!(EntityTooSmall));
        }
        let is_equal = full.iter().all(|size| *size == full[0] && last <= size);
        if quirks.wants_equal_parts && !is_equal {
            return Err(s3_error!(
                InvalidPart,
                "all parts but the last must be equal"
            ));
        }
        if let Some(condition) = condition {
            condition.check(content.objects.get(&key))?;
        }
        let etag = format!("{}-{}", etag(&bytes), sizes.len());
        let mut object = Object::new(bytes.freeze(), etag.clone());
        object.metadata = metadata;
        content.objects.insert(key, object);
        content.uploads.remove(id);
        Ok(etag)
    }

    pub(crate) fn abort_upload(&self, id: &str) -> S3Result<()> {
        let removed = self.content().uploads.remove(id);
        removed.map(drop).ok_or(s3_error!(NoSuchUpload))
    }

    /// All multipart uploads below a prefix: key and identifier.
    pub(crate) fn uploads(&self, prefix: &str) -> Vec<(String, String)> {
        let content = self.content();
        let mut uploads: Vec<(String, String)> = content
            .uploads
            .iter()
            .filter(|(_, upload)| upload.key.starts_with(prefix))
            .map(|(id, upload)| (upload.key.clone(), id.clone()))
            .collect();
        uploads.sort();
        uploads
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn etag(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..16])
}
