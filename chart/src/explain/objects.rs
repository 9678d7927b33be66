//! Finds a rendered object by what people call it: `Deployment/web`, `deploy/web`, `web`,
//! `ConfigMap/kube-system/settings`, or the path of its template.

use std::fmt;

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
        let documents: Vec<&Document> = self.all_documents().collect();
        let names: Vec<ObjectName<'_>> = documents.iter().map(|it| ObjectName::of(it)).collect();
        let found = find_object(wanted, &names, "the chart")?;
        Ok(documents[found])
    }
}

/// What an object is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectName<'n> {
    /// Such as `Deployment`.
    pub kind: &'n str,
    /// Empty where it names none.
    pub namespace: &'n str,
    /// Its name.
    pub name: &'n str,
    /// The template that renders it, or what else brings it.
    pub source: &'n str,
}

impl<'n> ObjectName<'n> {
    fn of(document: &'n Document) -> Self {
        Self {
            kind: document.kind(),
            namespace: document.namespace(),
            name: document.name(),
            source: document.path(),
        }
    }
}

impl fmt::Display for ObjectName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name,
            ..
        } = self;
        if namespace.is_empty() {
            write!(f, "{kind}/{name}")
        } else {
            write!(f, "{kind}/{namespace}/{name}")
        }
    }
}

/// The index of the one object that is meant, of those that `renderer`, such as `the chart`, renders.
///
/// # Errors
///
/// There is none, or more than one; which there are is in the hint.
pub fn find_object(
    wanted: &str,
    names: &[ObjectName<'_>],
    renderer: &str,
) -> Result<usize, NoField> {
    let wanted = Wanted::parse(wanted);
    let mut best: Vec<usize> = Vec::new();
    let mut rank = Rank::None;
    for (index, name) in names.iter().enumerate() {
        let this = wanted.rank(name);
        if this == Rank::None || this < rank {
            continue;
        }
        if this > rank {
            best.clear();
            rank = this;
        }
        best.push(index);
    }
    match best.as_slice() {
        &[only] => Ok(only),
        [] => Err(no_object(&wanted, names, renderer)),
        several => {
            let meant = several.iter().filter_map(|&index| names.get(index));
            Err(NoField {
                message: format!("`{}` may be any of {} objects", wanted.text, several.len()),
                hint: Some(format!("name one: {}", listed(meant))),
            })
        }
    }
}

fn no_object(wanted: &Wanted<'_>, names: &[ObjectName<'_>], renderer: &str) -> NoField {
    let shown: Vec<String> = names.iter().map(ToString::to_string).collect();
    let near = nearest(wanted.text, shown.iter().map(String::as_str)).or_else(|| {
        let by_name = nearest(wanted.name, names.iter().map(|it| it.name))?;
        let index = names.iter().position(|it| it.name == by_name)?;
        shown.get(index).map(String::as_str)
    });
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("{renderer} renders nothing with these values"),
        None => format!("there are {}", listed(names.iter())),
    };
    NoField {
        message: format!("{renderer} renders no object `{}`", wanted.text),
        hint: Some(hint),
    }
}

fn listed<'n>(names: impl Iterator<Item = &'n ObjectName<'n>>) -> String {
    let mut names: Vec<String> = names.map(|it| format!("`{it}` ({})", it.source)).collect();
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

    fn rank(&self, object: &ObjectName<'_>) -> Rank {
        if object.source == self.text {
            return Rank::Whole;
        }
        let Some(kind) = self.kind else {
            return if object.name == self.text {
                Rank::Name
            } else if is_kind(self.text, object.kind) != Rank::None {
                Rank::Kind
            } else {
                Rank::None
            };
        };
        let fits = object.name == self.name
            && self
                .namespace
                .is_none_or(|namespace| object.namespace == namespace);
        if fits {
            is_kind(kind, object.kind)
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
