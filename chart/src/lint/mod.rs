//! What looks like a mistake in values and in the templates that read them: findings for people,
//! none of which keeps a chart from rendering.

mod known;
mod reads;

use std::collections::BTreeSet;

use cairn_spec::{Diagnostic, Map, Node, Origins, Sources, Span, Value, nearest};

use self::{known::Known, reads::reads};
use crate::{Chart, ChartType};

/// How many findings of a kind are collected.
const MAX_FINDINGS: usize = 1_000;

/// Values of the user that the chart does not know, and those that are of another kind than by
/// default.
///
/// A chart knows what its `values.yaml` and its schema say and its templates name; an empty map
/// and what is handed on as a whole may hold anything.
pub fn user_values(
    chart: &Chart,
    values: &Node,
    sources: &Sources,
    origins: &Origins,
) -> Vec<Diagnostic> {
    let mut linter = Linter {
        origins,
        path: Vec::new(),
        findings: Vec::new(),
    };
    linter.compare(values, &Known::by(chart, sources));
    linter.findings
}

struct Linter<'a> {
    origins: &'a Origins,
    path: Vec<String>,
    findings: Vec<Diagnostic>,
}

impl Linter<'_> {
    fn compare(&mut self, node: &Node, known: &Known<'_>) {
        if let Some(default) = known.default
            && self.is_mistyped(node, default)
        {
            return;
        }
        let Value::Map(map) = &node.value else {
            return;
        };
        for (key, field) in map.fields() {
            self.path.push(key.to_string());
            if self.findings.len() >= MAX_FINDINGS {
                return;
            }
            if let Some(below) = known.below.get(key) {
                self.compare(&field.node, below);
            } else if !known.is_open {
                let path = self.path.join(".");
                let candidates = known.below.keys().map(|key| &**key);
                let hint = nearest(key, candidates).map(|near| format!("did you mean `{near}`?"));
                let finding = Diagnostic::warning(
                    "chart-value-unknown",
                    format!("nothing in the chart knows the value `{path}`"),
                );
                let place = self.origins.span(field.key_origin);
                self.findings.push(finding.at(place).maybe_hint(hint));
            }
            self.path.pop();
        }
    }

    fn is_mistyped(&mut self, node: &Node, default: &Node) -> bool {
        let (kind, usual) = (node.value.kind(), default.value.kind());
        let is_either_null = [node, default].iter().any(|node| node.value == Value::Null);
        if kind == usual || is_either_null {
            return false;
        }
        let path = self.path.join(".");
        let finding = Diagnostic::warning(
            "chart-value-kind",
            format!("`{path}` is a {kind} here and a {usual} by default"),
        )
        .label(self.origins.span(node.origin), format!("a {kind}"))
        .label(self.origins.span(default.origin), format!("a {usual}"))
        .hint(format!("write a {usual}, unless the templates take both"));
        self.findings.push(finding);
        true
    }
}

/// Paths such as `.Values.foo.bar` that templates of a chart or of the charts in it name, and
/// that have no default: each once, at the first place.
pub fn undefined_values(chart: &Chart, sources: &Sources) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    undefined_in(chart, &Map::new(), sources, &mut findings);
    findings
}

fn undefined_in(chart: &Chart, globals: &Map, sources: &Sources, findings: &mut Vec<Diagnostic>) {
    let own = chart
        .values
        .get("global")
        .and_then(|node| node.value.as_map());
    let globals = own.unwrap_or(globals);
    for below in &chart.dependencies {
        undefined_in(below, globals, sources, findings);
    }
    // What a library names is a value of whoever includes it.
    if chart.metadata.chart_type == ChartType::Library {
        return;
    }
    let mut named = BTreeSet::new();
    for template in &chart.templates {
        for read in reads(&sources.get(template.source).text) {
            let missing = match read.keys.split_first() {
                Some((&"global", rest)) => missing(rest, globals)
                    .filter(|_| missing_at(&read.keys, &chart.values).is_some()),
                _ => missing_at(&read.keys, &chart.values),
            };
            let Some((key, hint)) = missing else { continue };
            if findings.len() >= MAX_FINDINGS {
                return;
            }
            let path = read.keys.join(".");
            if !named.insert(path.clone()) {
                continue;
            }
            let place = Span {
                source: template.source,
                start: u32::try_from(read.range.start).unwrap_or(u32::MAX),
                end: u32::try_from(read.range.end).unwrap_or(u32::MAX),
            };
            let finding = Diagnostic::warning(
                "chart-value-undefined",
                format!("`.Values.{path}` is read, but no default has `{key}`"),
            );
            findings.push(finding.at(place).maybe_hint(hint));
        }
    }
}

/// The first key of a path that is not there, with the nearest that is. What is empty or null by
/// default may get anything.
fn missing(keys: &[&str], map: &Map) -> Option<(String, Option<String>)> {
    let (key, rest) = keys.split_first()?;
    let Some(node) = map.get(key) else {
        if map.is_empty() {
            return None;
        }
        let near = nearest(key, map.keys().map(|key| &**key));
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        return Some(((*key).to_owned(), hint));
    };
    missing_at(rest, node)
}

fn missing_at(keys: &[&str], node: &Node) -> Option<(String, Option<String>)> {
    missing(keys, node.value.as_map()?)
}

/// Values that no template has read: the highest of each that is nowhere read below.
///
/// `values` are those of a render, and `read` the JSON Pointers to what it read of them.
pub fn unused_values(values: &Node, read: &BTreeSet<String>, origins: &Origins) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let globals: BTreeSet<&str> = read
        .iter()
        .filter_map(|pointer| Some(&pointer[pointer.find(GLOBAL)?..]))
        .collect();
    let reading = Reading { read, globals };
    reading.unused(values, &mut String::new(), origins, &mut findings);
    findings
}

/// Each chart has a copy of the globals: what one reads is used.
const GLOBAL: &str = "/global/";

struct Reading<'r> {
    read: &'r BTreeSet<String>,
    globals: BTreeSet<&'r str>,
}

impl Reading<'_> {
    fn is_read(&self, pointer: &str) -> bool {
        let global = pointer.find(GLOBAL).and_then(|at| pointer.get(at..));
        self.read.contains(pointer) || global.is_some_and(|global| self.globals.contains(global))
    }

    fn is_read_below(&self, pointer: &str) -> bool {
        let below = format!("{pointer}/");
        let next = self.read.range(below.clone()..).next();
        next.is_some_and(|next| next.starts_with(&below))
    }

    fn unused(
        &self,
        node: &Node,
        pointer: &mut String,
        origins: &Origins,
        findings: &mut Vec<Diagnostic>,
    ) {
        let Value::Map(map) = &node.value else { return };
        let length = pointer.len();
        for (key, field) in map.fields() {
            pointer.push('/');
            pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            let is_global = pointer.ends_with("/global");
            if !self.is_read(pointer) && pointer != "/tags" {
                if is_global
                    || self.is_read_below(pointer)
                    || pointer.contains(GLOBAL) && field.node.value.as_map().is_some()
                {
                    self.unused(&field.node, pointer, origins, findings);
                } else if let Some(place) = origins.span(field.key_origin) {
                    let path = pointer.trim_start_matches('/').replace('/', ".");
                    let message = format!("no template reads the value `{path}`");
                    let finding = Diagnostic::warning("chart-value-unused", message).at(place);
                    if findings.len() < MAX_FINDINGS && !findings.contains(&finding) {
                        findings.push(finding);
                    }
                }
            }
            pointer.truncate(length);
        }
    }
}
