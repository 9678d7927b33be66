//! Sorts rendered files into documents and hooks.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::{
    document::{Document, Hook, HookEvent, RenderedFile},
    head::{FullHead, HeadError},
    order::by_kind,
    reader::{Heads, Misread},
};
use crate::Dialect;

const HOOK: &str = "helm.sh/hook";
const HOOK_WEIGHT: &str = "helm.sh/hook-weight";
const HOOK_DELETE_POLICY: &str = "helm.sh/hook-delete-policy";
const HOOK_OUTPUT_LOG_POLICY: &str = "helm.sh/hook-output-log-policy";

/// Documents and hooks, each in the order of installation.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    pub(crate) documents: Vec<Document>,
    pub(crate) hooks: Vec<Hook>,
    /// What they are made of, in the order of the paths.
    pub(crate) files: Vec<Arc<RenderedFile>>,
}

/// A document that is not valid.
#[derive(Debug)]
pub(crate) struct Unsorted {
    pub(crate) file: Arc<RenderedFile>,
    pub(crate) range: Range<usize>,
    pub(crate) error: HeadError,
}

/// Sorts files, which come in the order of their paths, each with what was read of it.
pub(crate) fn sort(
    files: Vec<(RenderedFile, Heads)>,
    dialect: Dialect,
) -> Result<Sorted, Unsorted> {
    let mut sorted = Sorted::default();
    for (file, heads) in files {
        let file = Arc::new(file);
        match heads {
            Ok(heads) => add(&file, heads, &mut sorted),
            Err(Misread { range, error }) => return Err(Unsorted { file, range, error }),
        }
        sorted.files.push(file);
    }
    let Sorted {
        documents, hooks, ..
    } = &mut sorted;
    documents.sort_by(|left, right| by_kind(left.kind(), right.kind(), dialect));
    hooks.sort_by(|left, right| by_kind(left.document.kind(), right.document.kind(), dialect));
    Ok(sorted)
}

/// Adds the documents and hooks of a file.
fn add(file: &Arc<RenderedFile>, heads: Vec<(Range<usize>, FullHead)>, sorted: &mut Sorted) {
    for (range, FullHead { head, annotations }) in heads {
        let document = Document::new(Arc::clone(file), range, head);
        match annotations.get(HOOK) {
            None => sorted.documents.push(document),
            // Helm passes over hooks of events that it does not know.
            Some(events) => sorted.hooks.extend(hook(document, events, &annotations)),
        }
    }
}

fn hook(document: Document, events: &str, annotations: &BTreeMap<String, String>) -> Option<Hook> {
    let events: Option<Vec<HookEvent>> = words(events)
        .iter()
        .map(|event| HookEvent::parse(event))
        .collect();
    let policies = |name: &str| annotations.get(name).map(|text| words(text));
    let weight = annotations.get(HOOK_WEIGHT).and_then(|text| number(text));
    Some(Hook {
        document,
        events: events?,
        weight: weight.unwrap_or(0),
        delete_policies: policies(HOOK_DELETE_POLICY).unwrap_or_default(),
        output_log_policies: policies(HOOK_OUTPUT_LOG_POLICY).unwrap_or_default(),
    })
}

/// What stands between commas.
fn words(text: &str) -> Vec<String> {
    let words = text.split(',');
    words.map(|word| word.trim().to_lowercase()).collect()
}

/// Go's `strconv.Atoi`, which takes a `+` too.
fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use cairn_spec::{Map, Node, Origins, Sources};

    use super::super::reader::PARALLEL_BYTES;
    use crate::{ChartFile, Error, Release, RenderOptions, load, render};

    /// What comes of two templates that are so long that two threads read what they rendered.
    fn rendered(first: &str, second: &str) -> Result<Release, Error> {
        let long = |text: &str| format!("{text}# {}\n", "x".repeat(PARALLEL_BYTES / 2));
        let files = vec![
            ChartFile::new("Chart.yaml", "{apiVersion: v2, name: web, version: 1.2.3}"),
            ChartFile::new("templates/a.yaml", long(first)),
            ChartFile::new("templates/b.yaml", long(second)),
        ];
        let (mut sources, mut origins) = (Sources::new(), Origins::new());
        let chart = load(files, "web", &mut sources, &mut origins)?;
        let values = Node::generated(Map::new());
        let options = RenderOptions::new("demo");
        render(chart, &values, &options, &mut sources, &mut origins)
    }

    #[test]
    fn long_files_are_sorted_as_if_they_were_one() {
        let object = |kind: &str, name: &str, annotations: &str| {
            format!("---\nkind: {kind}\nmetadata:\n  name: {name}\n{annotations}")
        };
        let hook = "  annotations:\n    helm.sh/hook: test\n";
        let first = object("Service", "a", "") + &object("Pod", "b", hook);
        let second =
            object("Secret", "c", "") + &object("Service", "d", "") + &object("Pod", "e", hook);
        let release = rendered(&first, &second).unwrap();
        let names: Vec<_> = release
            .documents
            .iter()
            .map(super::Document::name)
            .collect();
        assert_eq!(names, ["c", "a", "d"]);
        let hooks: Vec<_> = release
            .hooks
            .iter()
            .map(|hook| hook.document.name())
            .collect();
        assert_eq!(hooks, ["b", "e"]);
    }

    #[test]
    fn the_first_mistake_of_long_files_is_told() {
        let told = |first, second| rendered(first, second).unwrap_err().to_string();
        assert!(told("a: b: c\n", "d: e: f\n").contains("templates/a.yaml"));
        assert!(told("a: b\n", "d: e: f\n").contains("templates/b.yaml"));
    }
}
