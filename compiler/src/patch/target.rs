//! Which objects a patch changes, and what to say when it changes none.

use cairn_spec::{Node, PatchTarget, suggest};

use super::{
    ObjectRef,
    selector::{Selector, SelectorError},
};

/// What a target can ask about an object.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    group: &'a str,
    version: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    layer: &'a str,
    pack: &'a str,
    labels: Option<&'a Node>,
}

impl<'a> Candidate<'a> {
    pub(super) fn of(object: &'a ObjectRef<'_>) -> Self {
        Self {
            layer: object.layer,
            pack: object.pack.unwrap_or_default(),
            ..Self::of_node(object.node)
        }
    }

    fn of_node(node: &'a Node) -> Self {
        let text = |path: &[&str]| node.at(path).and_then(Node::as_str).unwrap_or_default();
        let (group, version) = split_api_version(text(&["apiVersion"]));
        Self {
            group,
            version,
            kind: text(&["kind"]),
            namespace: text(&["metadata", "namespace"]),
            name: text(&["metadata", "name"]),
            layer: "",
            pack: "",
            labels: node.at(&["metadata", "labels"]),
        }
    }

    fn describe(&self) -> String {
        if self.namespace.is_empty() {
            format!("{} `{}`", self.kind, self.name)
        } else {
            format!("{} `{}/{}`", self.kind, self.namespace, self.name)
        }
    }
}

/// `apps/v1` is group `apps` and version `v1`; `v1` is the core group.
pub(super) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// The object in words: ``Deployment `shop/web` ``.
pub(super) fn describe(object: &Node) -> String {
    Candidate::of_node(object).describe()
}

/// How many objects, in words.
pub(super) fn count(objects: usize) -> String {
    match objects {
        0 => "no object".to_owned(),
        1 => "1 object".to_owned(),
        many => format!("{many} objects"),
    }
}

/// A few objects in words.
pub(super) fn listing<'c>(candidates: impl Iterator<Item = &'c Candidate<'c>>) -> String {
    /// More than so many objects are only counted.
    const SHOWN: usize = 5;
    let all: Vec<_> = candidates.map(Candidate::describe).collect();
    match all.split_at_checked(SHOWN) {
        Some((shown, more)) if !more.is_empty() => {
            format!("{} and {} more", shown.join(", "), more.len())
        }
        _ => all.join(", "),
    }
}

/// A glob of a target and the text it is compared with, outermost first, so that a hint can say
/// which of them first excludes everything.
struct Criterion {
    field: &'static str,
    glob: fn(&PatchTarget) -> Option<&String>,
    text: for<'a> fn(&Candidate<'a>) -> &'a str,
}

const CRITERIA: [Criterion; 7] = [
    Criterion {
        field: "layer",
        glob: |t| t.layer.as_ref(),
        text: |c| c.layer,
    },
    Criterion {
        field: "pack",
        glob: |t| t.pack.as_ref(),
        text: |c| c.pack,
    },
    Criterion {
        field: "kind",
        glob: |t| t.kind.as_ref(),
        text: |c| c.kind,
    },
    Criterion {
        field: "group",
        glob: |t| t.group.as_ref(),
        text: |c| c.group,
    },
    Criterion {
        field: "version",
        glob: |t| t.version.as_ref(),
        text: |c| c.version,
    },
    Criterion {
        field: "namespace",
        glob: |t| t.namespace.as_ref(),
        text: |c| c.namespace,
    },
    Criterion {
        field: "name",
        glob: |t| t.name.as_ref(),
        text: |c| c.name,
    },
];

/// The indices of the candidates that a target matches.
pub(super) fn select(
    target: &PatchTarget,
    candidates: &[Candidate<'_>],
) -> Result<Vec<usize>, SelectorError> {
    let selector = selector_of(target)?;
    let matches = |candidate: &Candidate<'_>| {
        CRITERIA.iter().all(|criterion| {
            (criterion.glob)(target)
                .is_none_or(|glob| glob_matches(glob, (criterion.text)(candidate)))
        }) && selector.matches(candidate.labels)
    };
    Ok(candidates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| matches(candidate))
        .map(|(index, _)| index)
        .collect())
}

fn selector_of(target: &PatchTarget) -> Result<Selector, SelectorError> {
    target.label_selector.as_deref().unwrap_or_default().parse()
}

/// Why a target matches nothing: the first field that excludes everything, and what is near it.
pub(super) fn hint(target: &PatchTarget, candidates: &[Candidate<'_>]) -> Option<String> {
    let mut left: Vec<&Candidate<'_>> = candidates.iter().collect();
    if left.is_empty() {
        return Some("there are no objects to patch".to_owned());
    }
    let mut previous = None;
    for Criterion { field, glob, text } in &CRITERIA {
        let Some(glob) = glob(target) else {
            continue;
        };
        let before = left.clone();
        left.retain(|candidate| glob_matches(glob, text(candidate)));
        if left.is_empty() {
            let missed = match previous {
                None => format!("no object has `{field}: {glob}`"),
                Some((field_before, glob_before)) => format!(
                    "of the {} with `{field_before}: {glob_before}`, none has `{field}: {glob}`",
                    count(before.len())
                ),
            };
            let there = before.iter().map(|candidate| text(candidate));
            let there = suggest(glob, there.filter(|text| !text.is_empty()));
            return Some(
                [Some(missed), there]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join("; "),
            );
        }
        previous = Some((field, glob));
    }
    let selector = target.label_selector.as_deref()?;
    Some(format!(
        "{} would match without `labelSelector: {selector}`",
        listing(left.into_iter())
    ))
}

/// `*` is any text, `?` is one character; everything else is itself.
fn glob_matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut g, mut t) = (0, 0);
    // Where to go on when a match fails: after the last star, one character further in the text.
    let mut retry = None;
    while t < text.len() {
        match glob.get(g) {
            Some('*') => {
                retry = Some((g + 1, t + 1));
                g += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                g += 1;
                t += 1;
            }
            _ => match retry {
                Some((glob_index, text_index)) => {
                    (g, t) = (glob_index, text_index);
                    retry = Some((glob_index, text_index + 1));
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        let cases = [
            ("", "", true),
            ("*", "", true),
            ("*", "web", true),
            ("web", "web", true),
            ("web", "webs", false),
            ("web-*", "web-1", true),
            ("*-web", "a-web-web", true),
            ("*a*b", "xaxxb", true),
            ("*a*b", "xaxxbc", false),
            ("w?b", "wéb", true),
            ("w?b", "wb", false),
            ("[w]eb", "web", false),
        ];
        for (glob, text, expected) in cases {
            assert_eq!(glob_matches(glob, text), expected, "{glob} {text}");
        }
    }
}
