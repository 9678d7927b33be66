//! Values of the user that a chart does not know, and those of another kind than by default.

use std::collections::BTreeSet;

use cairn_spec::{Diagnostic, Node, Origins, Sources, Value};

use cairn_template::go::show;

use super::{Findings, known::Known, near, reads::ChartReads};

/// Compares the user's values with what the chart knows.
pub(super) fn check(
    values: &Node,
    known: &Known<'_>,
    reads: &ChartReads<'_>,
    (sources, origins): (&Sources, &Origins),
    findings: &mut Findings,
) {
    let mut words = BTreeSet::new();
    reads.all(&mut |chart| words.extend(chart.words.iter().map(String::as_str)));
    let mut comparison = Comparison {
        sources,
        origins,
        root: known,
        words,
        path: Vec::new(),
        findings,
    };
    comparison.compare(values, known, false);
}

struct Comparison<'a> {
    sources: &'a Sources,
    origins: &'a Origins,
    root: &'a Known<'a>,
    /// What the templates name in any way.
    words: BTreeSet<&'a str>,
    path: Vec<String>,
    findings: &'a mut Findings,
}

impl Comparison<'_> {
    /// Below what is used as a whole anything may be.
    fn compare(&mut self, node: &Node, known: &Known<'_>, is_below_whole: bool) {
        let is_root = self.path.is_empty();
        let is_below_whole = is_below_whole || known.is_whole && !is_root;
        if let Some(default) = known.default
            && self.is_mistyped(node, default)
        {
            return;
        }
        let Value::Map(map) = &node.value else {
            return;
        };
        for (key, field) in map.fields() {
            if self.findings.is_full() {
                return;
            }
            self.path.push(key.to_string());
            if let Some(below) = known.below.get(key) {
                self.compare(&field.node, below, is_below_whole);
            } else if !is_below_whole && !self.may_hold(key, known) {
                let finding = Diagnostic::warning(
                    "chart-value-unknown",
                    format!(
                        "nothing in the chart knows the value `{}`",
                        self.path.join(".")
                    ),
                );
                let place = self.origins.span(field.key_origin);
                let hint = self.hint(key, known);
                self.findings.push(finding.at(place).maybe_hint(hint));
            }
            self.path.pop();
        }
    }

    /// What is handed on as a whole may hold anything. All values are handed on by many charts
    /// that still name what they take.
    fn may_hold(&self, key: &str, known: &Known<'_>) -> bool {
        let is_root = self.path.len() == 1;
        if is_root && known.is_whole {
            return self.words.contains(key);
        }
        known.is_open
    }

    fn hint(&self, key: &str, known: &Known<'_>) -> Option<String> {
        let candidates = known.below.keys().map(|key| &**key);
        if let Some(near) = near(key, candidates) {
            return Some(format!("did you mean `{near}`?"));
        }
        let [_] = self.path.as_slice() else {
            return None;
        };
        let mut below = self.root.below.iter();
        let (chart, _) =
            below.find(|(_, below)| below.default.is_some() && below.below.contains_key(key))?;
        Some(format!("did you mean `{chart}.{key}`?"))
    }

    fn is_mistyped(&mut self, node: &Node, default: &Node) -> bool {
        let (kind, usual) = (node.value.kind(), default.value.kind());
        let Some(trouble) = trouble(node, default, self.text(node)) else {
            return false;
        };
        let path = self.path.join(".");
        let finding = Diagnostic::warning(
            "chart-value-kind",
            format!("`{path}` is a {kind} here and a {usual} by default"),
        )
        .label(self.origins.span(node.origin), format!("a {kind}"))
        .label(self.origins.span(default.origin), format!("a {usual}"))
        .hint(trouble);
        self.findings.push(finding);
        true
    }

    /// How a value is written.
    fn text(&self, node: &Node) -> &str {
        let place = self.origins.span(node.origin);
        let text = place.and_then(|place| {
            let text = &self.sources.get(place.source).text;
            text.get(place.start as usize..place.end as usize)
        });
        text.unwrap_or_default()
    }
}

/// What comes of a value that is of another kind than by default, if anything does.
fn trouble(node: &Node, default: &Node, written: &str) -> Option<String> {
    let usual = default.value.kind();
    match (&node.value, &default.value) {
        (Value::String(text), Value::Bool(_)) if matches!(&**text, "true" | "false") => Some(
            format!("write `{text}` without quotes: to templates every text is true"),
        ),
        // Templates print texts and numbers alike.
        (Value::String(_), Value::Int(_) | Value::Float(_))
        | (Value::Int(_) | Value::Float(_), Value::String(_)) => {
            let Value::Float(number) = node.value else {
                return None;
            };
            let printed = show(&Value::Float(number), 'v');
            let is_changed = !written.is_empty() && written != printed;
            is_changed.then(|| format!("write it in quotes: templates see the number {printed}"))
        }
        // What is switched off or empty may stand for anything.
        (Value::Null | Value::Bool(false), _) | (_, Value::Null | Value::Bool(false)) => None,
        (Value::String(text), _) | (_, Value::String(text)) if text.is_empty() => None,
        (Value::Map(map), _) | (_, Value::Map(map)) if map.is_empty() => None,
        (Value::List(items), _) | (_, Value::List(items)) if items.is_empty() => None,
        (node, default) if node.kind() == default.kind() => None,
        _ => Some(format!("write a {usual}, unless the templates take both")),
    }
}
