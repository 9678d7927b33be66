//! Warning events: what is the same is counted, and the latest are kept.

use std::collections::BTreeMap;

use cairn_runner::cluster::{Event, Listed, Resource, View};
use cairn_spec::agent::{Cut, MAX_WARNINGS, Warning};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{
    cut::{heaviest, short},
    metadata::{Key, Metadata},
    observed::reported,
};

/// What is older is no news.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Events whose counts are remembered; when there are more, all are forgotten, and what comes again of
/// them is counted again.
const MAX_COUNTED: usize = 4_096;

/// What is kept of an event.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(from = "ClusterEvent")]
pub(super) struct EventView {
    key: Key,
    version: String,
    object: String,
    reason: String,
    message: String,
    count: u64,
    last: Option<Timestamp>,
}

impl View for EventView {
    const LISTED: Listed = Listed::Whole;
    const FIELDS: &'static str = "type=Warning";

    fn is_of(&mut self, _: &Resource) {}

    fn place(&self) -> (Option<&str>, &str) {
        self.key.place()
    }

    fn version(&self) -> &str {
        &self.version
    }
}

/// The latest warnings.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    latest: BTreeMap<String, Warning>,
    /// How often each event said that it happened.
    counted: BTreeMap<Key, u64>,
}

impl Warnings {
    /// Takes what a watch tells. That an event is gone does not undo it: API servers forget them after an hour.
    pub(super) fn take(&mut self, event: Event<EventView>) {
        match event {
            Event::All(all) => {
                let mut before = std::mem::take(&mut self.counted);
                for view in all {
                    if let Some(count) = before.remove(&view.key) {
                        self.counted.insert(view.key.clone(), count);
                    }
                    self.count(view);
                }
            }
            Event::Changed(view) => self.count(view),
            Event::Removed(view) => {
                self.counted.remove(&view.key);
            }
        }
    }

    fn count(&mut self, view: EventView) {
        let Some(last) = view.last else { return };
        if self.counted.len() >= MAX_COUNTED {
            self.counted.clear();
        }
        let before = self.counted.insert(view.key, view.count).unwrap_or(0);
        let more = view.count.saturating_sub(before);
        let key = format!("{} {}", view.reason, view.object);
        let last = reported(last);
        let warning = self.latest.entry(key).or_insert_with(|| Warning {
            object: view.object,
            reason: view.reason,
            message: String::new(),
            count: 0,
            last,
        });
        warning.count = warning.count.saturating_add(more);
        if last >= warning.last {
            warning.last = last;
            warning.message = view.message;
        }
        if self.latest.len() > MAX_WARNINGS {
            let oldest = self.latest.iter().min_by_key(|(_, warning)| warning.last);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.latest.remove(&key);
            }
        }
    }

    pub(super) fn describe(&self, now: Timestamp) -> Cut<Warning> {
        let oldest = now.checked_sub(FORGOTTEN_AFTER).map(reported);
        let latest = self
            .latest
            .iter()
            .filter(|(_, warning)| oldest.as_ref().is_ok_and(|oldest| warning.last >= *oldest));
        let latest = latest.map(|(key, warning)| (key.clone(), warning.clone()));
        heaviest(latest, MAX_WARNINGS, |warning| warning.last)
    }
}

/// `Event` of `events.k8s.io/v1`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClusterEvent {
    metadata: Metadata,
    regarding: Regarding,
    reason: String,
    note: String,
    r#type: String,
    event_time: Option<Timestamp>,
    series: Option<Series>,
    deprecated_count: u64,
    deprecated_last_timestamp: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Regarding {
    kind: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Series {
    count: u64,
    last_observed_time: Option<Timestamp>,
}

impl From<ClusterEvent> for EventView {
    fn from(event: ClusterEvent) -> Self {
        let Regarding {
            kind,
            namespace,
            name,
        } = event.regarding;
        let object = if namespace.is_empty() {
            format!("{kind} {name}")
        } else {
            format!("{kind} {namespace}/{name}")
        };
        let series = event.series.unwrap_or_default();
        let last = [
            series.last_observed_time,
            event.deprecated_last_timestamp,
            event.event_time,
            event.metadata.creation_timestamp,
        ];
        Self {
            key: event.metadata.key(),
            version: event.metadata.resource_version,
            object: short(&object),
            reason: short(&event.reason),
            message: short(&event.note),
            count: series.count.max(event.deprecated_count).max(1),
            // Anything else is no warning, and not counted.
            last: last
                .into_iter()
                .flatten()
                .max()
                .filter(|_| event.r#type == "Warning"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(name: &str, object: &str, count: u64, last: &str) -> EventView {
        let event = json!({
            "metadata": {"namespace": "n", "name": name, "resourceVersion": "1"},
            "regarding": {"kind": "Pod", "namespace": "n", "name": object},
            "reason": "BackOff", "note": format!("said by {name}"), "type": "Warning",
            "eventTime": null, "deprecatedCount": count, "deprecatedLastTimestamp": last,
        });
        serde_json::from_str(&event.to_string()).unwrap()
    }

    fn shown(warnings: &Warnings, now: &str) -> Vec<String> {
        let described = warnings.describe(now.parse().unwrap());
        let lines = described.items.iter().map(|(key, warning)| {
            format!(
                "{key} ×{} at {}: {}",
                warning.count, warning.last, warning.message
            )
        });
        lines.collect()
    }

    #[test]
    fn the_same_again_is_counted() {
        let mut warnings = Warnings::default();
        let noon = "2026-01-01T12:00:00Z";
        warnings.take(Event::All(vec![
            event("e1", "p", 2, noon),
            event("e2", "p", 1, "2026-01-01T11:00:00Z"),
        ]));
        warnings.take(Event::Changed(event("e1", "p", 5, "2026-01-01T12:01:00Z")));
        // A list that is read anew counts nothing twice, and what is gone stays told.
        warnings.take(Event::All(vec![event(
            "e1",
            "p",
            5,
            "2026-01-01T12:01:00Z",
        )]));
        warnings.take(Event::Removed(event("e1", "p", 5, noon)));
        let line = "BackOff Pod n/p ×6 at 2026-01-01T12:01:00Z: said by e1";
        assert_eq!(shown(&warnings, "2026-01-01T13:00:00Z"), [line]);
        assert!(shown(&warnings, "2026-01-02T12:01:01Z").is_empty());
    }

    #[test]
    fn the_latest_stay() {
        let mut warnings = Warnings::default();
        for number in 0..MAX_WARNINGS + 10 {
            let last = format!("2026-01-01T{:02}:{:02}:00Z", number / 60, number % 60);
            let name = number.to_string();
            warnings.take(Event::Changed(event(&name, &name, 1, &last)));
        }
        let shown = shown(&warnings, "2026-01-01T12:00:00Z");
        assert_eq!(shown.len(), MAX_WARNINGS);
        assert!(!shown.iter().any(|line| line.contains("n/9 ")));
    }
}
