//! The exposition, read by a strict parser of its format.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use insta::assert_snapshot;

use super::*;
use crate::storage::{
    Batch, Key, MemoryMetadata, MemoryPayloads, Metadata, PayloadKey, Payloads, Prefix, Version,
    Write, conformance,
};

/// Fails unless the text follows the rules of `OpenMetrics` that scrapers rely on: each family is
/// described before its samples and once, samples carry the suffixes of their type, no series
/// occurs twice, buckets do not fall, and the text ends with `# EOF`.
pub(crate) fn lint(text: &str) -> BTreeMap<String, f64> {
    let mut types = BTreeMap::new();
    let mut described = BTreeSet::new();
    let mut samples = BTreeMap::new();
    let body = text.strip_suffix("# EOF\n").expect("it ends with EOF");
    let mut bucket_before: Option<(String, f64)> = None;
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (family, kind) = rest.split_once(' ').unwrap();
            assert!(family.starts_with(PREFIX), "{family}");
            assert!(types.insert(family, kind).is_none(), "{family} comes twice");
            continue;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (family, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && described.insert(family));
            continue;
        }
        if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (family, unit) = rest.split_once(' ').unwrap();
            assert!(family.ends_with(unit), "{family} is not in {unit}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        let name = series.split('{').next().unwrap();
        let (family, kind) = types
            .iter()
            .filter(|(family, _)| name.starts_with(**family))
            .max_by_key(|(family, _)| family.len())
            .unwrap_or_else(|| panic!("{name} is not described"));
        let suffix = &name[family.len()..];
        let allowed: &[&str] = match *kind {
            "counter" => &["_total"],
            "gauge" => &[""],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_count", "_sum"],
            other => panic!("unexpected type {other}"),
        };
        assert!(allowed.contains(&suffix), "{name} is a {kind}");
        if suffix == "_bucket" {
            let (_, labels) = series.split_once(',').unwrap_or_default();
            if let Some((before, count)) = &bucket_before
                && before == labels
            {
                assert!(value >= *count, "{series} falls");
            }
            bucket_before = Some((labels.to_owned(), value));
        }
        assert!(
            value >= 0.0 && samples.insert(series.to_owned(), value).is_none(),
            "{series}"
        );
    }
    assert_eq!(described.len(), types.len());
    samples
}

#[test]
fn requests_are_counted_by_route_method_and_status() {
    let metrics = Arc::new(Metrics::default());
    for (status, duration_us) in [(200, 100), (200, 700), (404, 1_000_000), (299, 60_000_000)] {
        let duration = Duration::from_micros(duration_us);
        metrics
            .requests
            .ended(RouteClass::Manifest, MethodClass::Get, status, duration);
    }
    metrics.sent_bytes.add(7);
    let under_way = Counted::new(&metrics, |metrics| &metrics.requests.under_way);
    let text = metrics
        .exposition(State {
            uploads_under_way: 3,
            is_draining: false,
            maintenance: Progress::default(),
            quotas: vec![quota::Measure {
                name: "a".to_owned(),
                used_bytes: None,
                max_bytes: Some(7),
                refusals: 1,
            }],
        })
        .unwrap();
    drop(under_way);
    let samples = lint(&text);
    let shown = samples
        .iter()
        .filter(|(series, _)| !series.contains("process"));
    let shown: Vec<String> = shown
        .map(|(series, value)| format!("{series} {value}"))
        .collect();
    assert_snapshot!(shown.join("\n"));
}

/// Wrapping changes nothing of what a store does, and every call of it is seen.
#[tokio::test]
async fn measured_stores_are_stores() {
    let metrics = Arc::new(Metrics::default());
    let payloads = MeasuredPayloads {
        inner: Arc::new(MemoryPayloads::default()),
        metrics: Arc::clone(&metrics),
    };
    let records = MeasuredMetadata {
        inner: Arc::new(MemoryMetadata::default()),
        metrics: Arc::clone(&metrics),
    };
    conformance::payloads(&payloads).await;
    conformance::metadata(&records).await;
    payloads.uncommitted().await.unwrap();
    payloads
        .begin(PayloadKey(ulid::Ulid::nil()))
        .await
        .unwrap()
        .abort()
        .await
        .unwrap();
    records.list(&Prefix::Uploads, None, 1).await.unwrap();
    let key = Key::Upload(ulid::Ulid::nil());
    let version = Version("none".into());
    let write = Write::delete_if(key, version);
    assert!(records.write(Batch::durable([write])).await.is_err());
    let samples = lint(&metrics.exposition(State::default()).unwrap());
    for operation in [
        "record_get",
        "record_write",
        "record_list",
        "payload_begin",
        "payload_resume",
        "payload_read",
        "payload_write",
        "payload_park",
        "payload_commit",
        "payload_abort",
        "payload_delete",
        "payload_discard",
        "payload_uncommitted",
    ] {
        let series = format!(
            "{PREFIX}_storage_operation_duration_seconds_count{{operation=\"{operation}\",outcome=\"ok\"}}"
        );
        assert!(
            samples.get(&series).is_some_and(|count| *count >= 1.0),
            "{series}"
        );
    }
    let conflicts = format!(
        "{PREFIX}_storage_operation_duration_seconds_count{{operation=\"record_write\",outcome=\"conflict\"}}"
    );
    assert!(samples[&conflicts] >= 1.0);
}
