//! Which values the templates of a chart name, in all of their branches.

use std::collections::BTreeSet;

use cairn_spec::{Node, Sources, Span, Value};
use cairn_template::go::{NamedPath, Names, Usage, names};

use crate::{Chart, ChartType};

const VALUES: &str = "Values";
const SUBCHARTS: &str = "Subcharts";
/// A method of `.Values` that gives them as they are.
const AS_MAP: &str = "AsMap";
/// How many keys of a path are looked at: more than any values nest.
pub(super) const MAX_KEYS: usize = 128;
/// How long a file may be that is looked at as a template.
const MAX_FILE_BYTES: usize = 1 << 20;

/// A path below `.Values`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) keys: Vec<String>,
    /// Where it stands; nothing in texts that become templates only through `tpl`.
    pub(super) place: Option<Span>,
    pub(super) usage: Usage,
    pub(super) is_in_definition: bool,
}

/// What the templates of a chart and of those in it name.
#[derive(Debug)]
pub(super) struct ChartReads<'c> {
    pub(super) chart: &'c Chart,
    pub(super) reads: Vec<Read>,
    pub(super) words: BTreeSet<String>,
    pub(super) below: Vec<Self>,
}

impl<'c> ChartReads<'c> {
    pub(super) fn of(chart: &'c Chart, sources: &Sources) -> Self {
        let mut found = Self {
            chart,
            reads: Vec::new(),
            words: BTreeSet::new(),
            below: Vec::new(),
        };
        for template in &chart.templates {
            let source = template.source;
            if let Some(names) = names(&sources.get(source).text) {
                found.add(names, |path| {
                    Some(Span {
                        source,
                        start: u32::try_from(path.range.start).ok()?,
                        end: u32::try_from(path.range.end).ok()?,
                    })
                });
            }
        }
        // What `tpl` may get: files and values.
        for file in &chart.files {
            let bytes = file.bytes_or_nothing();
            let bytes = bytes.get(..MAX_FILE_BYTES).unwrap_or(bytes);
            if let Ok(text) = str::from_utf8(bytes) {
                found.add_text(text);
            }
        }
        chart.values.walk(&mut |node| {
            if let Value::String(text) = &node.value {
                found.add_text(text);
            }
        });
        found.below = chart
            .dependencies
            .iter()
            .map(|below| Self::of(below, sources))
            .collect();
        found
    }

    /// Texts of values that are not the chart's own.
    pub(super) fn add_values(&mut self, values: &Node) {
        values.walk(&mut |node| {
            if let Value::String(text) = &node.value {
                self.add_text(text);
            }
        });
    }

    fn add_text(&mut self, text: &str) {
        if text.contains("{{")
            && let Some(names) = names(text)
        {
            self.add(names, |_| None);
        }
    }

    fn add(&mut self, names: Names, place: impl Fn(&NamedPath) -> Option<Span>) {
        self.words.extend(names.words);
        for path in names.paths {
            if let Some(mut keys) = below_values(&path.names) {
                let mut usage = path.usage;
                usage.is_whole |= keys.len() > MAX_KEYS;
                keys.truncate(MAX_KEYS);
                self.reads.push(Read {
                    keys,
                    place: place(&path),
                    usage,
                    is_in_definition: path.is_in_definition,
                });
            }
        }
        for text in names.texts {
            self.add_text(&text);
        }
    }

    /// This chart and all in it.
    pub(super) fn all<'r>(&'r self, visit: &mut impl FnMut(&'r Self)) {
        visit(self);
        for below in &self.below {
            below.all(visit);
        }
    }

    pub(super) fn is_library(&self) -> bool {
        self.chart.metadata.chart_type == ChartType::Library
    }
}

/// The keys of a path that leads through `.Values`.
fn below_values(names: &[String]) -> Option<Vec<String>> {
    let at = names.iter().rposition(|name| name == VALUES)?;
    let (before, keys) = (names.get(..at)?, names.get(at + 1..)?);
    let mut keys = keys.to_vec();
    if keys.last().is_some_and(|key| key == AS_MAP) {
        keys.pop();
    }
    if let [.., subcharts, name] = before
        && subcharts == SUBCHARTS
    {
        keys.insert(0, name.clone());
    }
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_behind_values() {
        let keys = |path: &str| {
            let names: Vec<String> = path.split('.').map(str::to_owned).collect();
            below_values(&names).map(|keys| keys.join("."))
        };
        assert_eq!(keys("Values.a.b").as_deref(), Some("a.b"));
        assert_eq!(keys("?.context.Values.a").as_deref(), Some("a"));
        assert_eq!(keys("Subcharts.db.Values.a").as_deref(), Some("db.a"));
        assert_eq!(keys("Values.a.AsMap").as_deref(), Some("a"));
        assert_eq!(keys("Values").as_deref(), Some(""));
        assert_eq!(keys("Release.Name"), None);
    }
}
