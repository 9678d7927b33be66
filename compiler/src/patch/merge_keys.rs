//! How lists and maps of Kubernetes types merge: by which keys, by value, or not at all.
//!
//! Rules of built-in types come from Kubernetes' own definitions (`data/merge-keys.txt`, written
//! by `data/generate-merge-keys.py`, which describes the format); those of custom resources from
//! the `CustomResourceDefinition`s that a caller hands in.

use std::{collections::BTreeMap, sync::LazyLock};

use cairn_spec::Node;

use super::{custom_resource, target::split_api_version};

static BUILT_IN: LazyLock<Table> =
    LazyLock::new(|| Table::parse(include_str!("../../data/merge-keys.txt")));

/// The merge rules of all types that a run knows.
#[derive(Debug, Clone, Default)]
pub struct MergeKeys {
    custom: Table,
}

impl MergeKeys {
    /// The rules of Kubernetes' own types.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the types of a `CustomResourceDefinition`. Anything else, or what a definition does not
    /// say, adds no rules.
    pub fn learn(&mut self, definition: &Node) {
        custom_resource::learn(definition, &mut self.custom);
    }

    /// The rules of an object. A version without rules of its own has those of the same kind's
    /// other version; an unknown kind has rules for its `metadata` only.
    pub(super) fn of(&self, object: &Node) -> Rules<'_> {
        let text = |key| object.get(key).and_then(Node::as_str).unwrap_or_default();
        let (group, version) = split_api_version(text("apiVersion"));
        let kind = text("kind");
        self.custom
            .find(group, version, kind)
            .or_else(|| BUILT_IN.find(group, version, kind))
            // A ConfigMap has nothing with rules but its metadata.
            .or_else(|| BUILT_IN.find("", "v1", "ConfigMap"))
            .unwrap_or(Rules::NONE)
    }
}

/// Definitions that refer to each other by index, and the kinds that start with one.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    definitions: Vec<Definition>,
    /// Group and kind, then version.
    kinds: BTreeMap<(String, String), BTreeMap<String, usize>>,
}

/// The fields of a type that have rules, or have something with rules below them.
pub(super) type Definition = BTreeMap<String, FieldRule>;

/// The field name that stands for every key of a map.
pub(super) const ANY_FIELD: &str = "*";

#[derive(Debug, Clone, Default)]
pub(super) struct FieldRule {
    pub(super) merge: Merge,
    /// The definition of the value, or of a list's items.
    pub(super) below: Option<usize>,
}

/// How a field's old and new value become one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Merge {
    /// Maps merge, lists are replaced.
    #[default]
    Plain,
    /// Maps are replaced, too.
    Replace,
    /// A list of scalars in which each value stands once.
    Union,
    /// A list of maps that merge when these keys are equal.
    ByKey(Vec<Key>),
}

/// A part of what tells the items of a list apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: String,
    /// What Kubernetes fills in when an item lacks it.
    pub(super) default: Option<String>,
}

impl Table {
    /// Adds a definition and gives its index.
    pub(super) fn define(&mut self, definition: Definition) -> usize {
        self.definitions.push(definition);
        self.definitions.len() - 1
    }

    /// Says which definition a kind starts with.
    pub(super) fn add_kind(&mut self, group: &str, version: &str, kind: &str, index: usize) {
        self.kinds
            .entry((group.to_owned(), kind.to_owned()))
            .or_default()
            .insert(version.to_owned(), index);
    }

    fn find(&self, group: &str, version: &str, kind: &str) -> Option<Rules<'_>> {
        let versions = self.kinds.get(&(group.to_owned(), kind.to_owned()))?;
        let index = versions
            .get(version)
            .or_else(|| versions.values().next_back())?;
        Some(Rules {
            at: Some((self, *index)),
        })
    }

    /// Reads the embedded text; a test checks that it is whole.
    fn parse(text: &str) -> Self {
        let mut table = Self::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            match words.next() {
                Some("type") => {
                    if let (Some(api_version), Some(kind), Some(Ok(index))) =
                        (words.next(), words.next(), words.next().map(str::parse))
                    {
                        let (group, version) = split_api_version(api_version);
                        table.add_kind(group, version, kind, index);
                    }
                }
                Some("#" | "") | None => {}
                Some(_index) => {
                    table.define(words.filter_map(parse_field).collect());
                }
            }
        }
        table
    }
}

/// `ports>-:port,protocol=TCP` is the field `ports`, with nothing below and two keys.
fn parse_field(cell: &str) -> Option<(String, FieldRule)> {
    let (name, rest) = cell.split_once('>')?;
    let (below, rule) = rest.split_once(':').unwrap_or((rest, ""));
    let merge = match rule {
        "" => Merge::Plain,
        "!" => Merge::Replace,
        "*" => Merge::Union,
        keys => Merge::ByKey(keys.split(',').map(parse_key).collect()),
    };
    let below = below.parse().ok();
    Some((name.to_owned(), FieldRule { merge, below }))
}

fn parse_key(text: &str) -> Key {
    let (name, default) = match text.split_once('=') {
        Some((name, default)) => (name, Some(default.to_owned())),
        None => (text, None),
    };
    let name = name.to_owned();
    Key { name, default }
}

/// The rules of the fields of one map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    at: Option<(&'a Table, usize)>,
}

impl<'a> Rules<'a> {
    /// Maps merge, lists are replaced.
    pub(super) const NONE: Self = Self { at: None };

    /// How a field merges, and the rules of what is below it.
    pub(super) fn field(self, name: &str) -> (&'a Merge, Self) {
        self.find(name).unwrap_or((&Merge::Plain, Self::NONE))
    }

    fn find(self, name: &str) -> Option<(&'a Merge, Self)> {
        let (table, index) = self.at?;
        let definition = table.definitions.get(index)?;
        let rule = definition.get(name).or_else(|| definition.get(ANY_FIELD))?;
        let at = rule.below.map(|below| (table, below));
        Some((&rule.merge, Self { at }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(api_version: &str, kind: &str, path: &str) -> String {
        let object = serde_json::json!({"apiVersion": api_version, "kind": kind});
        let keys = MergeKeys::new();
        let mut rules = keys.of(&object.into());
        let mut merge = &Merge::Plain;
        for field in path.split('.') {
            (merge, rules) = rules.field(field);
        }
        match merge {
            Merge::ByKey(keys) => keys
                .iter()
                .map(|key| format!("{}={}", key.name, key.default.as_deref().unwrap_or("-")))
                .collect::<Vec<_>>()
                .join(" "),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn built_in_types() {
        let pod = "spec.template.spec";
        let cases = [
            (
                "apps/v1",
                "Deployment",
                "spec.template.spec.containers",
                "name=-",
            ),
            (
                "apps/v1",
                "Deployment",
                "spec.template.spec.containers.ports",
                "containerPort=- protocol=TCP",
            ),
            ("v1", "Service", "spec.ports", "port=- protocol=TCP"),
            ("v1", "Pod", "spec.tolerations", "Plain"),
            (
                "v1",
                "Pod",
                "spec.topologySpreadConstraints",
                "topologyKey=- whenUnsatisfiable=-",
            ),
            (
                "batch/v1",
                "CronJob",
                &format!("spec.jobTemplate.{pod}.volumes"),
                "name=-",
            ),
            (
                "policy/v1",
                "PodDisruptionBudget",
                "spec.selector",
                "Replace",
            ),
            ("example.com/v1", "Widget", "metadata.finalizers", "Union"),
            ("example.com/v1", "Widget", "spec.containers", "Plain"),
            // Removed from Kubernetes, but charts still carry them.
            (
                "batch/v1beta1",
                "CronJob",
                &format!("spec.jobTemplate.{pod}.containers"),
                "name=-",
            ),
            (
                "flowcontrol.apiserver.k8s.io/v1beta2",
                "FlowSchema",
                "status.conditions",
                "type=-",
            ),
        ];
        for (api_version, kind, path, expected) in cases {
            assert_eq!(rule(api_version, kind, path), expected, "{kind} {path}");
        }
    }

    #[test]
    fn the_embedded_table_is_whole() {
        let text = include_str!("../../data/merge-keys.txt");
        let count = |start: fn(&&str) -> bool| text.lines().filter(start).count();
        let kinds: usize = BUILT_IN.kinds.values().map(BTreeMap::len).sum();
        assert_eq!(kinds, count(|line| line.starts_with("type ")));
        let digits = count(|line| line.starts_with(|c: char| c.is_ascii_digit()));
        assert_eq!(BUILT_IN.definitions.len(), digits);
        let below = |definition: &Definition| -> Vec<usize> {
            definition.values().filter_map(|rule| rule.below).collect()
        };
        assert!(
            BUILT_IN
                .definitions
                .iter()
                .flat_map(below)
                .all(|index| index < digits)
        );
        assert!(
            BUILT_IN
                .kinds
                .values()
                .flat_map(BTreeMap::values)
                .all(|&index| index < digits)
        );
        for (number, line) in text
            .lines()
            .skip_while(|line| !line.starts_with("0 "))
            .enumerate()
        {
            assert!(line.starts_with(&format!("{number} ")), "{line}");
            assert_eq!(
                BUILT_IN.definitions[number].len(),
                line.split(' ').count() - 1
            );
        }
    }
}
