//! The operations of the S3 API on the bucket.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use s3s::{
    S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput,
        DeleteObjectInput, DeleteObjectOutput, ETag, ETagCondition, GetObjectInput,
        GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
        ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsV2Input,
        ListObjectsV2Output, MultipartUpload, Object as ListedObject, PutObjectInput,
        PutObjectOutput, StreamingBlob, UploadPartInput, UploadPartOutput,
    },
    s3_error,
};

use crate::{
    BUCKET, Quirks,
    objects::{Condition, Objects},
};

/// How long a store that checks conditions first waits before it writes.
const RACE_WINDOW: Duration = Duration::from_millis(5);
/// The longest page of a list, as on AWS.
const PAGE_KEYS: usize = 1000;
/// How a body is sent: in pieces, so that one can be cut between them.
const BODY_PIECE_BYTES: usize = 16 * 1024;

pub(crate) struct Service {
    pub(crate) objects: Arc<Objects>,
    pub(crate) quirks: Quirks,
}

impl Service {
    /// The condition of a write, as far as this store minds it.
    async fn condition(
        &self,
        key: &str,
        if_match: Option<ETagCondition>,
        if_none_match: Option<ETagCondition>,
    ) -> S3Result<Option<Condition>> {
        let condition = match (if_match, if_none_match) {
            _ if self.quirks.ignores_conditions => None,
            (None, None) => None,
            (None, Some(ETagCondition::Any)) => Some(Condition::Absent),
            (Some(ETagCondition::ETag(etag)), None) => Some(Condition::Is(etag.into_value())),
            _ => return Err(s3_error!(NotImplemented)),
        };
        if self.quirks.checks_then_writes {
            self.objects.check(key, condition.as_ref())?;
            tokio::time::sleep(RACE_WINDOW).await;
            return Ok(None);
        }
        Ok(condition)
    }
}

#[async_trait::async_trait]
impl S3 for Service {
    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        in_bucket(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        in_bucket(&input.bucket)?;
        let bytes = collect(input.body).await?;
        let condition = self
            .condition(&input.key, input.if_match, input.if_none_match)
            .await?;
        if self.quirks.keeps_objects_in_folders && self.objects.is_in_the_way(&input.key) {
            return Err(s3_error!(InvalidRequest, "an object is in the way"));
        }
        let etag = self.objects.put(&input.key, bytes, condition.as_ref())?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..PutObjectOutput::default()
        }))
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        in_bucket(&input.bucket)?;
        let object = self.objects.get(&input.key).ok_or(s3_error!(NoSuchKey))?;
        let etag = ETag::Strong(object.etag);
        if input
            .if_none_match
            .and_then(ETagCondition::into_etag)
            .is_some_and(|known| known.weak_cmp(&etag))
        {
            return Err(S3ErrorCode::NotModified.into());
        }
        let size = object.bytes.len();
        let (bytes, content_range) = match input.range {
            None => (object.bytes, None),
            Some(range) => {
                let range = range
                    .check(size as u64)
                    .map_err(|_| S3Error::new(S3ErrorCode::InvalidRange))?;
                let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
                let index = |at: u64| usize::try_from(at).unwrap_or(size);
                let piece = object.bytes.slice(index(range.start)..index(range.end));
                (piece, Some(content_range))
            }
        };
        Ok(S3Response::new(GetObjectOutput {
            content_length: Some(length(bytes.len())),
            content_range,
            e_tag: Some(etag),
            last_modified: Some(object.modified.into()),
            body: Some(in_pieces(&bytes)),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        in_bucket(&input.bucket)?;
        let object = self.objects.get(&input.key).ok_or(s3_error!(NoSuchKey))?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(length(object.bytes.len())),
            e_tag: Some(ETag::Strong(object.etag)),
            last_modified: Some(object.modified.into()),
            metadata: object.metadata,
            ..HeadObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        in_bucket(&input.bucket)?;
        let ignores = self.quirks.ignores_conditions || self.quirks.ignores_delete_conditions;
        let condition = input
            .if_match
            .and_then(ETagCondition::into_etag)
            .map(|etag| Condition::Is(etag.into_value()))
            .filter(|_| !ignores);
        self.objects.delete(&input.key, condition.as_ref())?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        in_bucket(&input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.clone().or(input.start_after);
        let asked = input.max_keys.and_then(|keys| usize::try_from(keys).ok());
        let limit = asked.unwrap_or(PAGE_KEYS).min(PAGE_KEYS);
        let (page, has_more) =
            self.objects
                .list(&prefix, after.as_deref().unwrap_or_default(), limit);
        let last = page.last().map(|(key, _)| key.clone());
        let contents: Vec<ListedObject> = page
            .into_iter()
            .map(|(key, object)| ListedObject {
                key: Some(key),
                size: Some(length(object.bytes.len())),
                e_tag: Some(ETag::Strong(object.etag)),
                last_modified: Some(object.modified.into()),
                ..ListedObject::default()
            })
            .collect();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(prefix),
            key_count: i32::try_from(contents.len()).ok(),
            max_keys: i32::try_from(limit).ok(),
            is_truncated: Some(has_more),
            next_continuation_token: last.filter(|_| has_more),
            contents: Some(contents),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        in_bucket(&input.bucket)?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            upload_id: Some(self.objects.start_upload(&input.key, input.metadata)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let bytes = collect(input.body).await?;
        let etag = self
            .objects
            .put_part(&input.upload_id, input.part_number, bytes)?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..UploadPartOutput::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let condition = self
            .condition(&input.key, input.if_match, input.if_none_match)
            .await?;
        let parts = input.multipart_upload.and_then(|upload| upload.parts);
        let chosen: Vec<(i32, String)> = parts
            .unwrap_or_default()
            .into_iter()
            .filter_map(|part| Some((part.part_number?, part.e_tag?.into_value())))
            .collect();
        let etag = self.objects.complete_upload(
            &input.upload_id,
            &chosen,
            condition.as_ref(),
            self.quirks,
        )?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(etag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.objects.abort_upload(&request.input.upload_id)?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        if self.quirks.lacks_multipart_listing {
            return Err(s3_error!(NotImplemented));
        }
        let input = request.input;
        let marker = (
            input.key_marker.unwrap_or_default(),
            input.upload_id_marker.unwrap_or_default(),
        );
        let asked = input.max_uploads.and_then(|max| usize::try_from(max).ok());
        let limit = asked.unwrap_or(PAGE_KEYS).min(PAGE_KEYS);
        let mut uploads = self.objects.uploads(&input.prefix.unwrap_or_default());
        uploads.retain(|upload| *upload > marker);
        let has_more = uploads.len() > limit;
        uploads.truncate(limit);
        let last = uploads.last().cloned().filter(|_| has_more);
        let uploads = uploads.into_iter().map(|(key, id)| MultipartUpload {
            key: Some(key),
            upload_id: Some(id),
            ..MultipartUpload::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            is_truncated: Some(has_more),
            next_key_marker: last.as_ref().map(|(key, _)| key.clone()),
            next_upload_id_marker: last.map(|(_, id)| id),
            uploads: Some(uploads.collect()),
            ..ListMultipartUploadsOutput::default()
        }))
    }
}

fn in_bucket(bucket: &str) -> S3Result<()> {
    if bucket == BUCKET {
        Ok(())
    } else {
        Err(s3_error!(NoSuchBucket))
    }
}

async fn collect(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let mut collected = BytesMut::new();
    if let Some(mut body) = body {
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_| S3Error::new(S3ErrorCode::IncompleteBody))?;
            collected.extend_from_slice(&chunk);
        }
    }
    Ok(collected.freeze())
}

fn in_pieces(bytes: &Bytes) -> StreamingBlob {
    let pieces: Vec<Result<Bytes, std::io::Error>> = (0..bytes.len())
        .step_by(BODY_PIECE_BYTES)
        .map(|start| Ok(bytes.slice(start..bytes.len().min(start + BODY_PIECE_BYTES))))
        .collect();
    StreamingBlob::wrap(stream::iter(pieces))
}

fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
