//! Finds out what a store makes of what replicas rely on, by trying it under keys of its own.

use bytes::Bytes;
use futures_util::future::join_all;
use ulid::Ulid;

use super::bucket::{Bucket, Condition, Joined};
use crate::{
    Result,
    storage::checks::{Answer, Check},
};

/// Writers that race for one key, and how often: a store that checks before it writes lets several
/// of them win.
const RACERS: usize = 8;
const RACES: usize = 2;

/// What a store makes of everything that the registry relies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Findings {
    /// A read sees the write before it.
    pub(super) read_after_write: Answer,
    /// A list sees the write before it.
    pub(super) list_after_write: Answer,
    /// `PutObject` with `If-None-Match: *` spares what is there.
    pub(super) put_if_none_match: Answer,
    /// `PutObject` with `If-Match` spares what has changed.
    pub(super) put_if_match: Answer,
    /// Of many concurrent creations of one object, one succeeds.
    pub(super) one_creator_wins: Answer,
    /// `DeleteObject` with `If-Match` spares what has changed.
    pub(super) delete_if_match: Answer,
    /// `CompleteMultipartUpload` with `If-None-Match: *` spares what is there.
    pub(super) complete_if_none_match: Answer,
    /// `ListMultipartUploads` finds uploads that were left over.
    pub(super) multipart_listing: Answer,
}

impl Findings {
    /// Several registries can share the bucket.
    pub(crate) fn is_safe_for_replicas(&self) -> bool {
        self.is_usable()
            && [
                self.put_if_none_match,
                self.put_if_match,
                self.one_creator_wins,
            ]
            .iter()
            .all(|answer| *answer == Answer::Yes)
    }

    /// One registry can use the bucket.
    pub(crate) fn is_usable(&self) -> bool {
        self.read_after_write == Answer::Yes && self.list_after_write == Answer::Yes
    }

    /// Why several registries, or even one, cannot use the bucket.
    pub(crate) fn why_unsafe(&self) -> String {
        if !self.is_usable() {
            return "the store does not show what was just written, so content would get lost: \
                    use another store"
                .to_owned();
        }
        let what = if self.put_if_none_match == Answer::No || self.put_if_match == Answer::No {
            "ignores the conditions of conditional writes"
        } else {
            "checks the conditions of conditional writes, but not in one step with the write"
        };
        format!(
            "the store {what}, so two registries would overwrite each other's changes: use another \
             store, or run a single registry and set `storage.s3.replicas` to `one`"
        )
    }

    /// The findings line by line.
    pub(crate) fn checks(&self) -> Vec<Check> {
        let check = |check: &str, answer, otherwise| Check {
            check: check.to_owned(),
            answer,
            otherwise,
        };
        vec![
            check(
                "a read sees the write before it",
                self.read_after_write,
                "the store cannot be used",
            ),
            check(
                "a list sees the write before it",
                self.list_after_write,
                "the store cannot be used",
            ),
            check(
                "PutObject minds If-None-Match",
                self.put_if_none_match,
                "only with `replicas: one`",
            ),
            check(
                "PutObject minds If-Match",
                self.put_if_match,
                "only with `replicas: one`",
            ),
            check(
                "one of many concurrent creators wins",
                self.one_creator_wins,
                "only with `replicas: one`",
            ),
            check(
                "DeleteObject minds If-Match",
                self.delete_if_match,
                "deleted records stay as empty objects",
            ),
            check(
                "CompleteMultipartUpload minds If-None-Match",
                self.complete_if_none_match,
                "one more request for each large blob",
            ),
            check(
                "ListMultipartUploads finds left-over uploads",
                self.multipart_listing,
                "add a lifecycle rule that aborts incomplete multipart uploads",
            ),
        ]
    }
}

/// Tries everything; what was written is removed again.
pub(super) async fn probe(bucket: &Bucket) -> Result<Findings> {
    let folder = format!("probe/{}/", Ulid::new());
    let findings = ask(bucket, &folder).await;
    let cleaned = clean_up(bucket, &folder).await;
    // What went wrong first explains the rest.
    let findings = findings?;
    cleaned.map(|()| findings)
}

async fn clean_up(bucket: &Bucket, folder: &str) -> Result<()> {
    let left_over = bucket.list(folder, "", RACES + 1).await?;
    for (key, _) in left_over.objects {
        bucket.delete(&key).await?;
    }
    Ok(())
}

async fn ask(bucket: &Bucket, folder: &str) -> Result<Findings> {
    let key = format!("{folder}object");
    let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
    bucket.put(&key, &first, Condition::Absent).await?;
    let read = bucket.read(&key).await?;
    let listed = bucket.list(folder, "", 1).await?.objects;
    let etag = read.as_ref().map_or("", |object| &object.etag);

    let again = bucket.put(&key, &second, Condition::Absent).await?;
    // What is there now may be the second object; the entity tag of neither is this one.
    let stale = format!("\"{:032x}\"", 1);
    let replaced = bucket.put(&key, &second, Condition::Is(&stale)).await?;
    let complete_if_none_match = completes_over(bucket, &key, folder).await?;
    let deleted = bucket.delete_if(&key, &stale).await?;
    Ok(Findings {
        read_after_write: Answer::from(
            read.as_ref().is_some_and(|object| object.bytes == first) && !etag.is_empty(),
        ),
        list_after_write: Answer::from(listed.iter().any(|(listed, _)| *listed == key)),
        put_if_none_match: Answer::from(again.is_none()),
        put_if_match: Answer::from(replaced.is_none()),
        one_creator_wins: Answer::from(one_wins(bucket, folder).await?),
        delete_if_match: Answer::from(!deleted && bucket.head(&key).await?.is_some()),
        complete_if_none_match: Answer::from(!complete_if_none_match.0),
        multipart_listing: Answer::from(complete_if_none_match.1),
    })
}

/// Whether an upload in parts replaces what is there, and whether it is listed before.
async fn completes_over(bucket: &Bucket, key: &str, folder: &str) -> Result<(bool, bool)> {
    let writer = Ulid::new().to_string();
    let upload = bucket.start_parts(key, &writer).await?;
    let part = Bytes::from_static(b"part");
    let etag = bucket.put_part(key, &upload, 1, &part).await?;
    let listed = bucket.list_parts_under_way(folder).await?;
    let is_listed = listed.is_some_and(|listed| listed.iter().any(|(_, id)| *id == upload));
    let parts: Vec<String> = etag.into_iter().collect();
    let joined = bucket.join_parts(key, &upload, &parts, &writer).await?;
    if joined == Joined::Never {
        bucket.abort_parts(key, &upload).await?;
    }
    Ok((joined != Joined::Never, is_listed))
}

async fn one_wins(bucket: &Bucket, folder: &str) -> Result<bool> {
    for race in 0..RACES {
        let key = format!("{folder}race-{race}");
        let contents: Vec<Bytes> = (0..RACERS).map(|n| n.to_string().into()).collect();
        let creators = contents
            .iter()
            .map(|content| bucket.put(&key, content, Condition::Absent));
        let mut winners = 0;
        for created in join_all(creators).await {
            winners += usize::from(created?.is_some());
        }
        if winners != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}
