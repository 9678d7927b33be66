//! What a kind is called in paths and in rights.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::cluster::is_built_in;

/// A kind of objects, whatever the version of its API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
}

/// Kinds of custom resources, by what their definitions say or somebody has said.
#[derive(Debug, Clone, Default)]
pub struct Plurals(BTreeMap<Kind, String>);

impl Plurals {
    /// Notes how a kind is called.
    pub fn learn(&mut self, kind: Kind, plural: impl Into<String>) {
        self.0.insert(kind, plural.into());
    }

    /// Notes what a definition of custom resources says.
    pub(super) fn learn_from(&mut self, definition: &Json) {
        let spec = &definition["spec"];
        let text = |value: &Json| value.as_str().map(str::to_owned);
        if let (Some(group), Some(kind), Some(plural)) = (
            text(&spec["group"]),
            text(&spec["names"]["kind"]),
            text(&spec["names"]["plural"]),
        ) {
            self.learn(Kind { group, kind }, plural);
        }
    }

    /// How a kind is called; false if that is only taken to be so.
    pub(super) fn of(&self, kind: &Kind) -> (String, bool) {
        match self.0.get(kind) {
            Some(plural) => (plural.clone(), true),
            None => (usual_plural(&kind.kind), is_built_in(&kind.group)),
        }
    }
}

/// As English has it, and all kinds of Kubernetes itself but one.
fn usual_plural(kind: &str) -> String {
    let name = kind.to_ascii_lowercase();
    let is_after_vowel = |name: &str| name.ends_with(['a', 'e', 'i', 'o', 'u']);
    if name == "endpoints" {
        return name;
    }
    match name.strip_suffix('y') {
        Some(stem) if !is_after_vowel(stem) => format!("{stem}ies"),
        _ if name.ends_with(['s', 'x']) || name.ends_with("ch") => format!("{name}es"),
        _ => format!("{name}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_kubernetes_are_known() {
        for (group, kind, plural) in [
            ("", "Endpoints", "endpoints"),
            ("", "ConfigMap", "configmaps"),
            ("networking.k8s.io", "Ingress", "ingresses"),
            ("networking.k8s.io", "NetworkPolicy", "networkpolicies"),
            ("storage.k8s.io", "StorageClass", "storageclasses"),
            (
                "storage.k8s.io",
                "CSIStorageCapacity",
                "csistoragecapacities",
            ),
            ("scheduling.k8s.io", "PriorityClass", "priorityclasses"),
        ] {
            let kind = Kind {
                group: group.to_owned(),
                kind: kind.to_owned(),
            };
            let found = Plurals::default().of(&kind);
            assert_eq!(found, (plural.to_owned(), true));
        }
    }

    #[test]
    fn definitions_say_more_than_english() {
        let kind = Kind {
            group: "x.example.com".to_owned(),
            kind: "Gateway".to_owned(),
        };
        let mut plurals = Plurals::default();
        assert_eq!(plurals.of(&kind), ("gateways".to_owned(), false));
        plurals.learn_from(&serde_json::json!({"spec": {
            "group": "x.example.com", "names": {"kind": "Gateway", "plural": "gates"},
        }}));
        assert_eq!(plurals.of(&kind), ("gates".to_owned(), true));
    }
}
