//! What every implementation of the two stores must do; each runs these.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{TryStreamExt, future::join_all};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use ulid::Ulid;

use super::{
    Batch, Chunks, Entry, Key, Metadata, MetadataExt, Parked, PayloadKey, Payloads, Prefix,
    Version, Write,
};
use crate::{Error, Result};

/// Runs everything that holds for payloads.
pub(crate) async fn payloads(payloads: &dyn Payloads) {
    a_payload_is_invisible_until_committed(payloads).await;
    a_parked_payload_resumes_where_it_was_parked(payloads).await;
    ranges_are_read(payloads).await;
    what_is_removed_is_gone(payloads).await;
}

/// Runs everything that holds for records.
pub(crate) async fn metadata(metadata: &dyn Metadata) {
    conditions_guard_records(metadata).await;
    one_of_many_writers_wins(metadata).await;
    batches_stop_at_a_conflict(metadata).await;
    lists_are_ordered_pages(metadata).await;
    it_behaves_like_a_sorted_map(metadata).await;
}

fn new_key() -> PayloadKey {
    PayloadKey(Ulid::new())
}

async fn read(chunks: Result<Chunks>) -> Result<Vec<u8>> {
    let chunks: Vec<Bytes> = chunks?.try_collect().await?;
    Ok(chunks.concat())
}

async fn a_payload_is_invisible_until_committed(payloads: &dyn Payloads) {
    let key = new_key();
    let mut writer = payloads.begin(key).await.unwrap();
    writer.write(vec!["ab".into(), "c".into()]).await.unwrap();
    let parked = writer.park().await.unwrap();
    assert!(payloads.uncommitted().await.unwrap().contains(&key));
    let mut writer = payloads.resume(key, parked).await.unwrap();
    let missing = payloads.read(key, 0..3).await;
    assert!(matches!(missing, Err(Error::PayloadMissing { .. })));
    writer.write(vec!["d".into()]).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(payloads.read(key, 0..4).await).await.unwrap(), b"abcd");
    assert!(!payloads.uncommitted().await.unwrap().contains(&key));

    let aborted = new_key();
    let mut writer = payloads.begin(aborted).await.unwrap();
    writer.write(vec!["x".into()]).await.unwrap();
    writer.abort().await.unwrap();
    let missing = payloads.resume(aborted, Parked("1".into())).await;
    assert!(matches!(missing, Err(Error::PayloadMissing { .. })));
    assert!(!payloads.uncommitted().await.unwrap().contains(&aborted));
}

async fn a_parked_payload_resumes_where_it_was_parked(payloads: &dyn Payloads) {
    let key = new_key();
    let mut writer = payloads.begin(key).await.unwrap();
    writer.write(vec!["abc".into()]).await.unwrap();
    let parked = writer.park().await.unwrap();

    // What a request wrote that then vanished does not count.
    let mut lost = payloads.resume(key, parked.clone()).await.unwrap();
    lost.write(vec!["lost".into()]).await.unwrap();
    drop(lost);

    let mut writer = payloads.resume(key, parked).await.unwrap();
    writer.write(vec!["def".into()]).await.unwrap();
    let parked = writer.park().await.unwrap();
    let writer = payloads.resume(key, parked).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(
        read(payloads.read(key, 0..6).await).await.unwrap(),
        b"abcdef"
    );

    // Starting anew discards what was there.
    let key = new_key();
    let mut lost = payloads.begin(key).await.unwrap();
    lost.write(vec!["lost".into()]).await.unwrap();
    drop(lost);
    let mut writer = payloads.begin(key).await.unwrap();
    writer.write(vec!["new".into()]).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(payloads.read(key, 0..3).await).await.unwrap(), b"new");
}

async fn ranges_are_read(payloads: &dyn Payloads) {
    let key = new_key();
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let mut writer = payloads.begin(key).await.unwrap();
    writer.write(vec![content.clone().into()]).await.unwrap();
    writer.commit().await.unwrap();
    for range in [0..0, 0..1, 5..2_000_000, 0..3_000_000, 2_999_999..3_000_000] {
        let expected = &content[usize::try_from(range.start).unwrap()..];
        let expected = &expected[..usize::try_from(range.end - range.start).unwrap()];
        let got = read(payloads.read(key, range.clone()).await).await.unwrap();
        assert!(got == expected, "{range:?}");
    }
    let beyond = read(payloads.read(key, 0..3_000_001).await).await;
    assert!(
        beyond.is_err(),
        "a short payload must not pass for a whole one"
    );
}

async fn what_is_removed_is_gone(payloads: &dyn Payloads) {
    let key = new_key();
    let mut writer = payloads.begin(key).await.unwrap();
    writer.write(vec!["x".into()]).await.unwrap();
    writer.commit().await.unwrap();
    payloads.delete(key).await.unwrap();
    payloads.delete(key).await.unwrap();
    let missing = payloads.read(key, 0..1).await;
    assert!(matches!(missing, Err(Error::PayloadMissing { .. })));

    let mut writer = payloads.begin(key).await.unwrap();
    writer.write(vec!["x".into()]).await.unwrap();
    let parked = writer.park().await.unwrap();
    payloads.discard(key).await.unwrap();
    payloads.discard(key).await.unwrap();
    let missing = payloads.resume(key, parked).await;
    assert!(matches!(missing, Err(Error::PayloadMissing { .. })));
}

fn upload(number: u128) -> Key {
    Key::Upload(Ulid::from(number))
}

fn is_conflict<T>(outcome: &Result<T>, key: &Key) -> bool {
    matches!(outcome, Err(Error::Conflict { key: lost }) if *lost == key.to_string())
}

async fn conditions_guard_records(metadata: &dyn Metadata) {
    let key = upload(1 << 100);
    assert!(metadata.get(&key).await.unwrap().is_none());
    let first = metadata.put_new(key.clone(), "1".into()).await.unwrap();
    let again = metadata.put_new(key.clone(), "x".into()).await;
    assert!(is_conflict(&again, &key));

    let value = Bytes::from_static(b"2");
    let second = metadata.put_if(key.clone(), first.clone(), value).await;
    let second = second.unwrap();
    let stale = metadata
        .put_if(key.clone(), first.clone(), "x".into())
        .await;
    assert!(is_conflict(&stale, &key));
    let stale = metadata.delete_if(key.clone(), first.clone()).await;
    assert!(is_conflict(&stale, &key));
    let entry = metadata.get(&key).await.unwrap().unwrap();
    assert_eq!((&entry.value[..], &entry.version), (&b"2"[..], &second));

    metadata
        .delete_if(key.clone(), second.clone())
        .await
        .unwrap();
    assert!(metadata.get(&key).await.unwrap().is_none());
    let gone = metadata
        .put_if(key.clone(), second.clone(), "x".into())
        .await;
    assert!(is_conflict(&gone, &key));
    let third = metadata.put_new(key.clone(), "3".into()).await.unwrap();
    assert!(third != first && third != second);
    metadata.delete_if(key, third).await.unwrap();
}

async fn one_of_many_writers_wins(metadata: &dyn Metadata) {
    let key = upload(2 << 100);
    let writers = (0..64).map(|n: u32| metadata.put_new(key.clone(), n.to_string().into()));
    let outcomes = join_all(writers).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let winner = outcomes.iter().position(Result::is_ok).unwrap();
    let entry = metadata.get(&key).await.unwrap().unwrap();
    assert_eq!(entry.value, winner.to_string());
    metadata.delete_if(key, entry.version).await.unwrap();
}

async fn batches_stop_at_a_conflict(metadata: &dyn Metadata) {
    let [taken, after] = [upload(3 << 100), upload(4 << 100)];
    let version = metadata.put_new(taken.clone(), "1".into()).await.unwrap();
    let lost = metadata
        .write(Batch::durable([
            Write::put_new(taken.clone(), "2".into()),
            Write::put_new(after.clone(), "2".into()),
        ]))
        .await;
    assert!(is_conflict(&lost, &taken));
    assert!(metadata.get(&after).await.unwrap().is_none());

    let versions = metadata
        .write(Batch::eventual([
            Write::delete_if(taken.clone(), version),
            Write::put(after.clone(), "3".into()),
        ]))
        .await
        .unwrap();
    assert!(versions[0].is_none() && metadata.get(&taken).await.unwrap().is_none());
    let entry = metadata.get(&after).await.unwrap().unwrap();
    assert_eq!(versions[1].as_ref(), Some(&entry.version));
    metadata.delete_if(after, entry.version).await.unwrap();
}

async fn lists_are_ordered_pages(metadata: &dyn Metadata) {
    let names = ["a", "a-b", "a.b", "a/b", "a0", "b"];
    for name in names {
        let key = Key::Repository(name.parse().unwrap());
        metadata.put_new(key, Bytes::new()).await.unwrap();
    }
    let list = |after, limit| metadata.list(&Prefix::Repositories, after, limit);
    assert_eq!(list(None, 100).await.unwrap(), names);
    assert_eq!(list(None, 2).await.unwrap(), ["a", "a-b"]);
    assert_eq!(list(Some("a-b"), 2).await.unwrap(), ["a.b", "a/b"]);
    // The name to start after need not exist.
    assert_eq!(list(Some("a-c"), 1).await.unwrap(), ["a.b"]);
    assert!(list(Some("b"), 1).await.unwrap().is_empty());
    assert!(list(None, 0).await.unwrap().is_empty());
    // Other prefixes are not in between.
    assert!(
        metadata
            .list(&Prefix::Candidates, None, 1)
            .await
            .unwrap()
            .is_empty()
    );
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8),
    PutNew(u8, u8),
    /// The version read last under the key, or one of another key.
    PutIf(u8, u8),
    DeleteIf(u8),
    List(u8, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..6_u8;
    let step = prop_oneof![
        (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
        (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::PutNew(key, value)),
        (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::PutIf(key, value)),
        key.clone().prop_map(Step::DeleteIf),
        (key, 0..8_usize).prop_map(|(key, limit)| Step::List(key, limit)),
    ];
    proptest::collection::vec(step, 0..40)
}

/// Runs random steps on the store and on a sorted map, and compares what they say.
async fn it_behaves_like_a_sorted_map(metadata: &dyn Metadata) {
    let mut runner = TestRunner::deterministic();
    for _ in 0..24 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let mut model: BTreeMap<u8, Entry> = BTreeMap::new();
        let mut last_read: BTreeMap<u8, Version> = BTreeMap::new();
        for step in steps {
            compare(metadata, &mut model, &mut last_read, step).await;
        }
        for (number, entry) in model {
            metadata
                .delete_if(model_key(number), entry.version)
                .await
                .unwrap();
        }
    }
}

fn model_key(number: u8) -> Key {
    upload((9 << 100) + u128::from(number))
}

async fn compare(
    metadata: &dyn Metadata,
    model: &mut BTreeMap<u8, Entry>,
    last_read: &mut BTreeMap<u8, Version>,
    step: Step,
) {
    let (number, write) = match step {
        Step::List(number, limit) => {
            let after = Ulid::from((9 << 100) + u128::from(number)).to_string();
            let expected: Vec<String> = model
                .range(number + 1..)
                .map(|(number, _)| Ulid::from((9 << 100) + u128::from(*number)).to_string())
                .take(limit)
                .collect();
            let listed = metadata.list(&Prefix::Uploads, Some(&after), limit).await;
            assert_eq!(listed.unwrap(), expected);
            return;
        }
        Step::Put(number, value) => (number, Write::put(model_key(number), vec![value].into())),
        Step::PutNew(number, value) => {
            let write = Write::put_new(model_key(number), vec![value].into());
            (number, write)
        }
        Step::PutIf(number, value) => {
            let Some(version) = last_read.get(&number).cloned() else {
                return;
            };
            let write = Write::put_if(model_key(number), version, vec![value].into());
            (number, write)
        }
        Step::DeleteIf(number) => {
            let Some(version) = last_read.get(&number).cloned() else {
                return;
            };
            (number, Write::delete_if(model_key(number), version))
        }
    };
    let present = model.get(&number).map(|entry| &*entry.version.0);
    let applies = write.change.applies_to(present);
    let written = metadata.write(Batch::durable([write])).await;
    let deletes_nothing = matches!(step, Step::DeleteIf(_)) && present.is_none();
    assert!(deletes_nothing || written.is_ok() == applies, "{step:?}");
    let read = metadata.get(&model_key(number)).await.unwrap();
    if applies {
        match (&step, &read) {
            (Step::DeleteIf(_), None) => drop(model.remove(&number)),
            (Step::Put(_, value) | Step::PutNew(_, value) | Step::PutIf(_, value), Some(entry)) => {
                assert_eq!(entry.value[..], [*value]);
                model.insert(number, entry.clone());
                // Only sometimes, so that later steps also use stale versions.
                if value % 2 == 0 {
                    last_read.insert(number, entry.version.clone());
                }
            }
            other => panic!("unexpected outcome: {other:?}"),
        }
    } else {
        let expected = model
            .get(&number)
            .map(|entry| (&entry.value, &entry.version));
        let got = read.as_ref().map(|entry| (&entry.value, &entry.version));
        assert_eq!(got, expected, "{step:?}");
    }
}
