//! Paths such as `.Values.foo.bar` that templates read although nothing sets them, and that
//! nobody seems to have thought of as missing.

use std::collections::BTreeSet;

use cairn_spec::{Diagnostic, Map, Node, Sources};

use super::{
    Findings, near,
    reads::{ChartReads, Read},
};

/// Looks at the templates of the chart itself. `values` are those of a render, and `examples`
/// others that the chart's authors wrote.
pub(super) fn check(
    reads: &ChartReads<'_>,
    values: &Node,
    examples: &[Node],
    sources: &Sources,
    findings: &mut Findings,
) {
    // What a library names is a value of whoever includes it.
    if reads.is_library() || makes_its_values(reads, sources) {
        return;
    }
    let guards = Guards::of(reads, sources);
    let mut named = BTreeSet::new();
    for read in &reads.reads {
        let Some(place) = read.place.filter(|_| !read.usage.is_guarded) else {
            continue;
        };
        let keys: Vec<&str> = read.keys.iter().map(String::as_str).collect();
        let Some(missing) = missing(&keys, values) else {
            continue;
        };
        let path = read.keys.join(".");
        if named.len() == MAX_PATHS {
            return;
        }
        let is_known = !named.insert(path.clone())
            || guards.allow(&keys, missing.index)
            || examples.iter().any(|example| example.at(&keys).is_some());
        if is_known {
            continue;
        }
        let key = keys.get(missing.index).copied().unwrap_or_default();
        let is_last = missing.index + 1 == keys.len();
        let what = if is_last {
            format!("`.Values.{path}` is read, but nothing sets `{key}`")
        } else {
            format!("`.Values.{path}` fails, for nothing sets `{key}`")
        };
        let hint = match near(key, missing.beside.keys().map(|key| &**key)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("set `{key}` in `values.yaml`, or read it with `default` or `if`"),
        };
        let finding = Diagnostic::warning("chart-value-undefined", what);
        findings.push(finding.at(place).hint(hint));
    }
}

/// Whether a template puts other values in the place of those that were merged.
fn makes_its_values(reads: &ChartReads<'_>, sources: &Sources) -> bool {
    reads.chart.templates.iter().any(|template| {
        let text = &sources.get(template.source).text;
        REPLACEMENTS.iter().any(|call| text.contains(call))
    })
}

/// How a template replaces all values for those that come after it.
const REPLACEMENTS: [&str; 2] = ["set $ \"Values\"", "set . \"Values\""];
/// How many paths without a value are looked at.
const MAX_PATHS: usize = 2_000;
/// How much is read of comments, and of what a chart says of itself, in bytes.
const MAX_TEXT_BYTES: usize = 256 << 10;
/// Where charts list their values.
const README: &str = "README.md";

struct Missing<'v> {
    /// Which of the keys is not there.
    index: usize,
    beside: &'v Map,
}

/// The first key of a path that is not there. What is empty or null by default may get anything.
fn missing<'v>(keys: &[&str], values: &'v Node) -> Option<Missing<'v>> {
    let mut node = values;
    for (index, key) in keys.iter().enumerate() {
        let beside = node
            .value
            .as_map()
            .filter(|map| !map.is_empty() || index == 0)?;
        match beside.get(key) {
            Some(below) => node = below,
            None if beside.tombstone(key).is_some() => return None,
            None => return Some(Missing { index, beside }),
        }
    }
    None
}

/// Where a chart shows that it knows a value to be missing.
struct Guards<'r> {
    /// Paths that are tested somewhere, or have something that stands in for them.
    tested: BTreeSet<Vec<&'r str>>,
    /// The comments in `values.yaml`.
    comments: String,
    schemas: Vec<Node>,
    readme: String,
}

impl<'r> Guards<'r> {
    fn of(reads: &'r ChartReads<'_>, sources: &Sources) -> Self {
        let mut tested = BTreeSet::new();
        reads.all(&mut |chart| {
            let guarded = chart.reads.iter().filter(|read| is_guard(read));
            tested.extend(guarded.map(|read| read.keys.iter().map(String::as_str).collect()));
        });
        let values = reads.chart.values_source.map(|source| sources.get(source));
        let lines = values.iter().flat_map(|source| source.text.lines());
        let comments = lines.filter_map(|line| line.split_once('#'));
        let mut text = String::new();
        for (_, comment) in comments {
            if text.len() + comment.len() > MAX_TEXT_BYTES {
                break;
            }
            text.push_str(comment);
            text.push('\n');
        }
        let schema = reads.chart.schema.as_ref();
        let mut files = reads.chart.files.iter();
        let readme = files.find(|file| file.path.eq_ignore_ascii_case(README));
        Self {
            readme: readme.map_or_else(String::new, |file| {
                let bytes = file.bytes_or_nothing();
                let bytes = bytes.get(..MAX_TEXT_BYTES).unwrap_or(bytes);
                String::from_utf8_lossy(bytes).into_owned()
            }),
            tested,
            comments: text,
            schemas: schema
                .and_then(|schema| cairn_template::go_json::read(schema).ok())
                .into_iter()
                .collect(),
        }
    }

    /// Whether the chart knows that the key at `index` may be missing.
    fn allow(&self, keys: &[&str], index: usize) -> bool {
        let tested = (index + 1..=keys.len())
            .filter_map(|length| keys.get(..length))
            .any(|path| self.tested.contains(path));
        let key = keys.get(index).copied().unwrap_or_default();
        let last = keys.last().copied().unwrap_or_default();
        tested
            || names_key(&self.comments, key)
            || names_key(&self.comments, last)
            || self.readme.contains(&format!("`{}`", keys.join(".")))
            || self.schemas.iter().any(|schema| has_property(schema, keys))
    }
}

fn is_guard(read: &Read) -> bool {
    read.usage.is_guarded
}

/// Whether a text has `key:` or `….key`, as comments that show values and tables of them have.
fn names_key(text: &str, key: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find(key)) {
        let (start, end) = (from + found, from + found + key.len());
        let before = text.get(..start).and_then(|text| text.chars().next_back());
        let after = text.get(end..).and_then(|text| text.chars().next());
        let starts = !before.is_some_and(is_word);
        let ends = !after.is_some_and(is_word);
        if starts && ends && (after == Some(':') || before == Some('.')) {
            return true;
        }
        from = end.max(start + 1);
    }
    false
}

fn has_property(schema: &Node, keys: &[&str]) -> bool {
    let mut schema = schema;
    for key in keys {
        match schema.at(&["properties", key]) {
            Some(below) => schema = below,
            // What is not described may be anything.
            None => return schema.get("properties").is_none(),
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_name_keys() {
        let comments = " tag: v1\n @param image.pullPolicy how\n the name of it\n étag\n";
        assert!(names_key(comments, "tag"));
        assert!(names_key(comments, "pullPolicy"));
        assert!(!names_key(comments, "name"));
        assert!(!names_key(comments, "pull"));
        assert!(!names_key(comments, ""));
    }
}
