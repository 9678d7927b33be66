//! Finds a rendered object by what people call it: `Deployment/web`, `deploy/web`, `web`,
//! `ConfigMap/kube-system/settings`, or the path of its template.

use cairn_spec::nearest;

use super::NoField;
use crate::{Document, Release};

/// Names that kubectl knows and that are no beginning of the kind.
const SHORT_KINDS: &[(&str, &str)] = &[
    ("cj", "CronJob"),
    ("cm", "ConfigMap"),
    ("crd", "CustomResourceDefinition"),
    ("ds", "DaemonSet"),
    ("hpa", "HorizontalPodAutoscaler"),
    ("ing", "Ingress"),
    ("netpol", "NetworkPolicy"),
    ("ns", "Namespace"),
    ("pdb", "PodDisruptionBudget"),
    ("po", "Pod"),
    ("pvc", "PersistentVolumeClaim"),
    ("sa", "ServiceAccount"),
    ("sts", "StatefulSet"),
    ("svc", "Service"),
];
/// How many objects an error lists.
const MAX_LISTED: usize = 20;

impl Release {
    /// All rendered documents, those of hooks last.
    pub fn all_documents(&self) -> impl Iterator<Item = &Document> {
        let hooks = self.hooks.iter().map(|hook| &hook.document);
        self.documents.iter().chain(hooks)
    }

    /// The one object that is meant.
    ///
    /// # Errors
    ///
    /// There is none, or more than one; which there are is in the hint.
    pub fn find_object(&self, wanted: &str) -> Result<&Document, NoField> {
        let wanted = Wanted::parse(wanted);
        let mut best: Vec<&Document> = Vec::new();
        let mut rank = Rank::None;
        for document in self.all_documents() {
            let this = wanted.rank(document);
            if this == Rank::None || this < rank {
                continue;
            }
            if this > rank {
                best.clear();
                rank = this;
            }
            best.push(document);
        }
        match best.as_slice() {
            &[only] => Ok(only),
            [] => Err(self.no_object(&wanted)),
            several => Err(NoField {
                message: format!("`{}` may be any of {} objects", wanted.text, several.len()),
                hint: Some(format!("name one: {}", listed(several.iter().copied()))),
            }),
        }
    }

    fn no_object(&self, wanted: &Wanted<'_>) -> NoField {
        let names: Vec<String> = self
            .all_documents()
            .map(Document::name_for_people)
            .collect();
        let near = nearest(wanted.text, names.iter().map(String::as_str)).or_else(|| {
            let by_name = nearest(wanted.name, self.all_documents().map(Document::name))?;
            let index = self.all_documents().position(|it| it.name() == by_name)?;
            names.get(index).map(String::as_str)
        });
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "the chart renders nothing with these values".to_owned(),
            None => format!("there are {}", listed(self.all_documents())),
        };
        NoField {
            message: format!("the chart renders no object `{}`", wanted.text),
            hint: Some(hint),
        }
    }
}

fn listed<'d>(documents: impl Iterator<Item = &'d Document>) -> String {
    let mut names: Vec<String> = documents
        .map(|it| format!("`{}` ({})", it.name_for_people(), it.path()))
        .collect();
    names.sort();
    let left = names.len().saturating_sub(MAX_LISTED);
    names.truncate(MAX_LISTED);
    let listed = names.join(", ");
    match left {
        0 => listed,
        left => format!("{listed} and {left} more"),
    }
}

struct Wanted<'w> {
    text: &'w str,
    kind: Option<&'w str>,
    namespace: Option<&'w str>,
    name: &'w str,
}

/// How well an object fits, the best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    None,
    /// Only its kind.
    Kind,
    /// Its name alone.
    Name,
    /// The beginning of its kind, or a short name of it.
    Short,
    Whole,
}

impl<'w> Wanted<'w> {
    fn parse(text: &'w str) -> Self {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts.as_slice() {
            [kind, namespace, name] => (Some(*kind), Some(*namespace), *name),
            [kind, name] => (Some(*kind), None, *name),
            _ => (None, None, text),
        };
        Self {
            text,
            kind,
            namespace,
            name,
        }
    }

    fn rank(&self, document: &Document) -> Rank {
        if &**document.path() == self.text {
            return Rank::Whole;
        }
        let Some(kind) = self.kind else {
            return if document.name() == self.text {
                Rank::Name
            } else if is_kind(self.text, document.kind()) != Rank::None {
                Rank::Kind
            } else {
                Rank::None
            };
        };
        let fits = document.name() == self.name
            && self
                .namespace
                .is_none_or(|namespace| document.namespace() == namespace);
        if fits {
            is_kind(kind, document.kind())
        } else {
            Rank::None
        }
    }
}

fn is_kind(wanted: &str, kind: &str) -> Rank {
    if wanted.eq_ignore_ascii_case(kind) {
        return Rank::Whole;
    }
    let is_short = SHORT_KINDS
        .iter()
        .any(|(short, long)| short.eq_ignore_ascii_case(wanted) && *long == kind);
    let plural = wanted.strip_suffix('s').unwrap_or(wanted);
    let begins = kind
        .get(..wanted.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(wanted));
    if is_short || begins && !wanted.is_empty() || plural.eq_ignore_ascii_case(kind) {
        return Rank::Short;
    }
    Rank::None
}
