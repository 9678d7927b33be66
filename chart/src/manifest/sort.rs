//! Sorts rendered files into documents and hooks.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::{
    document::{Document, Head, Hook, HookEvent, RenderedFile},
    head::{self, FullHead, HeadError},
    order::by_kind,
    scan::scan,
    split::split,
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

/// Splits and sorts files, which come in the order of their paths.
pub(crate) fn sort(
    files: impl IntoIterator<Item = RenderedFile>,
    dialect: Dialect,
) -> Result<Sorted, Unsorted> {
    let mut sorted = Sorted::default();
    for file in files {
        let file = Arc::new(file);
        sorted.files.push(Arc::clone(&file));
        for range in split(&file.bytes, dialect) {
            let text = &file.bytes[range.clone()];
            let document = |head: Head| Document::new(Arc::clone(&file), range.clone(), head);
            if let Some(head) = scan(text) {
                sorted.documents.push(document(head));
                continue;
            }
            match head::read(text, dialect) {
                Ok(FullHead { head, annotations }) => match annotations.get(HOOK) {
                    None => sorted.documents.push(document(head)),
                    // Helm passes over hooks of events that it does not know.
                    Some(events) => {
                        let hook = hook(document(head), events, &annotations);
                        sorted.hooks.extend(hook);
                    }
                },
                Err(error) => return Err(Unsorted { file, range, error }),
            }
        }
    }
    let documents = &mut sorted.documents;
    documents.sort_by(|left, right| by_kind(left.kind(), right.kind(), dialect));
    let hooks = &mut sorted.hooks;
    hooks.sort_by(|left, right| by_kind(left.document.kind(), right.document.kind(), dialect));
    Ok(sorted)
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
