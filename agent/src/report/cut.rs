//! How much is told: lists by what matters most, texts by their length, documents by their size.

use std::{cmp::Reverse, collections::BTreeMap};

use cairn_spec::{
    LayerName,
    agent::{Cut, LayerReport, MAX_LISTED, MAX_STATUS_BYTES, MAX_TEXT_BYTES, Status},
};
use serde_json::Value as Json;

/// The beginning of somebody else's text.
pub(super) fn short(text: &str) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    let mut end = MAX_TEXT_BYTES;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// Those that weigh most, by key; among equals the first keys.
pub(super) fn heaviest<T, W: Ord>(
    all: impl Iterator<Item = (String, T)>,
    limit: usize,
    weight: impl Fn(&T) -> W,
) -> Cut<T> {
    let mut all: Vec<(String, T)> = all.collect();
    let count = all.len();
    if count > limit {
        all.sort_by(|(a_key, a), (b_key, b)| {
            let (a, b) = (Reverse(weight(a)), Reverse(weight(b)));
            a.cmp(&b).then_with(|| a_key.cmp(b_key))
        });
        all.truncate(limit);
    }
    Cut {
        left_out: count - all.len(),
        items: all.into_iter().collect(),
    }
}

/// The first ones, by key.
pub(super) fn first<T>(all: impl Iterator<Item = (String, T)>) -> Cut<T> {
    heaviest(all, MAX_LISTED, |_| 0)
}

/// A status that is not larger than may be sent: the longest lists are halved until it is not.
pub fn fitted(mut status: Status) -> (Status, Json) {
    loop {
        let json = serde_json::to_value(&status).unwrap_or_default();
        if json.to_string().len() <= MAX_STATUS_BYTES || !halve(&mut status) {
            return (status, json);
        }
    }
}

/// Halves the longest list; false if there is none.
fn halve(status: &mut Status) -> bool {
    let workloads = &mut status.workloads;
    let mut lists: [(&mut dyn Halved, usize); 9] = [
        (&mut status.drift, 4),
        (&mut status.certificates, 1),
        (&mut status.warnings, 3),
        (&mut status.rejected, 2),
        (&mut workloads.not_ready, 1),
        (&mut workloads.restarts, 1),
        (&mut workloads.pending, 2),
        (&mut workloads.out_of_memory, 1),
        (&mut status.layers, 2),
    ];
    // About how long an entry of each is, in hundreds of bytes.
    let longest = lists
        .iter_mut()
        .map(|(list, size)| list.count() * *size)
        .max()
        .unwrap_or_default();
    let nodes = status.nodes.items.len() * 5;
    if nodes > 0 && nodes >= longest {
        let kept = status.nodes.items.len() / 2;
        status.nodes.left_out += status.nodes.items.len() - kept;
        keep_first(&mut status.nodes.items, kept);
        return true;
    }
    let longest = lists
        .iter_mut()
        .filter(|(list, _)| list.count() > 0)
        .max_by_key(|(list, size)| list.count() * *size);
    let Some((list, _)) = longest else {
        return false;
    };
    list.halve();
    true
}

trait Halved {
    fn count(&self) -> usize;
    fn halve(&mut self);
}

impl<T> Halved for Cut<T> {
    fn count(&self) -> usize {
        self.items.len()
    }

    fn halve(&mut self) {
        let kept = self.items.len() / 2;
        self.left_out += self.items.len() - kept;
        keep_first(&mut self.items, kept);
    }
}

/// Of layers it is what is not healthy in them.
impl Halved for BTreeMap<LayerName, LayerReport> {
    fn count(&self) -> usize {
        self.values().map(|layer| layer.unhealthy.count()).sum()
    }

    fn halve(&mut self) {
        for layer in self.values_mut() {
            layer.unhealthy.halve();
        }
    }
}

fn keep_first<T>(items: &mut BTreeMap<String, T>, count: usize) {
    if let Some(key) = items.keys().nth(count).cloned() {
        items.split_off(&key);
    }
}

#[cfg(test)]
mod tests {
    use cairn_spec::agent::Warning;

    use super::*;

    #[test]
    fn what_weighs_most_is_told() {
        let all = [("a", 1), ("b", 5), ("c", 5), ("d", 9)];
        let all = all.into_iter().map(|(key, it)| (key.to_owned(), it));
        let cut = heaviest(all, 2, |it| *it);
        let keys: Vec<&str> = cut.items.keys().map(String::as_str).collect();
        assert_eq!((keys, cut.left_out), (vec!["b", "d"], 2));
    }

    #[test]
    fn texts_are_cut_between_letters() {
        let text = "ä".repeat(MAX_TEXT_BYTES);
        let cut = short(&text);
        assert!(cut.len() <= MAX_TEXT_BYTES + "…".len());
        assert!(cut.ends_with("ä…"));
        assert_eq!(short("as it is"), "as it is");
    }

    #[test]
    fn a_status_of_any_size_is_made_to_fit() {
        let mut status = Status::default();
        for number in 0..5_000 {
            let warning = Warning {
                object: format!("Pod n/{number}"),
                reason: "Failed".to_owned(),
                message: "x".repeat(400),
                count: 1,
                last: cairn_spec::Timestamp::from_unix_s(number),
            };
            status.warnings.items.insert(number.to_string(), warning);
        }
        let (status, json) = fitted(status);
        assert!(json.to_string().len() <= MAX_STATUS_BYTES);
        assert!(status.warnings.items.len() > 500);
        assert_eq!(
            status.warnings.items.len() + status.warnings.left_out,
            5_000
        );
    }

    #[test]
    fn layers_are_told_though_their_objects_are_not() {
        let mut status = Status::default();
        for layer in 0..200 {
            let name = format!("layer-{layer}").parse().unwrap();
            let unhealthy = &mut status.layers.entry(name).or_default().unhealthy;
            for object in 0..MAX_LISTED {
                unhealthy.items.insert(object.to_string(), "x".repeat(400));
            }
        }
        let (status, json) = fitted(status);
        assert!(json.to_string().len() <= MAX_STATUS_BYTES);
        assert_eq!(status.layers.len(), 200);
    }
}
