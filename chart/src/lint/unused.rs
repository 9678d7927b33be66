//! Values that no template reads, in the renders that were tried and in no branch that was not
//! taken.

use std::collections::BTreeSet;

use cairn_spec::{Diagnostic, Node, Origins, Sources, Value};

use super::{Findings, known::Known, near, reads::ChartReads};
use crate::ChartType;

/// How far before a value its anchor is looked for.
const MAX_ANCHOR_BYTES: usize = 256;
/// Each chart has a copy of the globals: what one reads is used.
const GLOBAL: &str = "/global/";

/// What of the values in the chart's own `values.yaml` nothing reads.
///
/// `read` are the JSON Pointers to what renders read of their values.
pub(super) fn check(
    reads: &ChartReads<'_>,
    known: &Known<'_>,
    read: &BTreeSet<String>,
    (sources, origins): (&Sources, &Origins),
    findings: &mut Findings,
) {
    // The values of a library are those of whoever includes it.
    if reads.chart.metadata.chart_type == ChartType::Library {
        return;
    }
    let mut words = BTreeSet::new();
    reads.all(&mut |chart| words.extend(chart.words.iter().map(String::as_str)));
    let globals = read
        .iter()
        .filter_map(|pointer| pointer.get(pointer.find(GLOBAL)?..));
    let mut search = Search {
        read,
        globals: globals.collect(),
        words,
        hands_all_on: known.is_whole,
        sources,
        origins,
        findings,
    };
    search.unused(&reads.chart.values, Some(known), &mut String::new());
}

struct Search<'a> {
    read: &'a BTreeSet<String>,
    globals: BTreeSet<&'a str>,
    words: BTreeSet<&'a str>,
    /// `.Values` is given to something as it is.
    hands_all_on: bool,
    sources: &'a Sources,
    origins: &'a Origins,
    findings: &'a mut Findings,
}

impl Search<'_> {
    fn is_read(&self, pointer: &str) -> bool {
        let global = pointer.find(GLOBAL).and_then(|at| pointer.get(at..));
        self.read.contains(pointer) || global.is_some_and(|global| self.globals.contains(global))
    }

    fn is_read_below(&self, pointer: &str) -> bool {
        let below = format!("{pointer}/");
        let next = self.read.range(below.clone()..).next();
        let global = below.find(GLOBAL).and_then(|at| below.get(at..));
        next.is_some_and(|next| next.starts_with(&below))
            || global.is_some_and(|below| {
                let next = self.globals.range(below..).next();
                next.is_some_and(|next| next.starts_with(below))
            })
    }

    fn unused(&mut self, node: &Node, known: Option<&Known<'_>>, pointer: &mut String) {
        let Value::Map(map) = &node.value else { return };
        let length = pointer.len();
        for (key, field) in map.fields() {
            if self.findings.is_full() {
                return;
            }
            pointer.push('/');
            pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            let below = known.and_then(|known| known.below.get(key));
            let is_whole = below.is_some_and(|below| below.is_whole) || self.is_read(pointer);
            if !is_whole && !self.is_anchored(&field.node, key) {
                let is_below = self.is_read_below(pointer)
                    || below.is_some_and(Known::is_named_below)
                    || pointer == "/global";
                if is_below {
                    self.unused(&field.node, below, pointer);
                } else if !below.is_some_and(|below| below.is_named) {
                    self.report(key, field.key_origin, known, pointer);
                }
            }
            pointer.truncate(length);
        }
    }

    fn report(
        &mut self,
        key: &str,
        origin: cairn_spec::OriginId,
        known: Option<&Known<'_>>,
        pointer: &str,
    ) {
        let Some(place) = self.origins.span(origin) else {
            return;
        };
        if self.hands_all_on && self.words.contains(key) {
            return;
        }
        let path = pointer.trim_start_matches('/').replace('/', ".");
        // Helpers that look values up are given paths as texts.
        let texts = self.words.range(path.as_str()..);
        let mut texts = texts.take_while(|text| text.starts_with(&path));
        if texts.any(|text| matches!(text.as_bytes().get(path.len()), None | Some(b'.'))) {
            return;
        }
        let read = known.into_iter().flat_map(|known| &known.below);
        let read = read.filter(|(_, below)| below.default.is_none() && below.is_named);
        let near = near(key, read.map(|(key, _)| &**key));
        let hint = match near {
            Some(near) => format!("the templates read `{near}`: is that what is meant?"),
            None => "remove it, or read it in a template".to_owned(),
        };
        let message = format!("no template reads the value `{path}`");
        let finding = Diagnostic::warning("chart-value-unused", message);
        self.findings.push(finding.at(place).hint(hint));
    }

    /// Whether the value is there for YAML itself: others refer to it.
    fn is_anchored(&self, node: &Node, key: &str) -> bool {
        let Some(place) = self.origins.span(node.origin) else {
            return false;
        };
        let text = &self.sources.get(place.source).text;
        let end = place.start as usize;
        let start = end.saturating_sub(key.len().saturating_add(MAX_ANCHOR_BYTES));
        // What is no character's start is a few bytes from one.
        let before = (start..=end).take(4).find_map(|start| text.get(start..end));
        let before = before.unwrap_or_default();
        let between = before.rsplit(key).next().unwrap_or_default();
        let value = text.get(place.start as usize..).unwrap_or_default();
        value.starts_with('&')
            || between
                .trim_start_matches(['"', '\''])
                .trim_start_matches([':', ' '])
                .starts_with('&')
    }
}
