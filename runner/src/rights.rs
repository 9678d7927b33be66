//! Rights that a run needs, and whether rules grant them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

/// What may be done with the objects of a kind, in a namespace or in all of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Right {
    /// The namespace; none for what is in no namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind's name in paths.
    pub resource: String,
    /// Such as `patch`.
    pub verb: &'static str,
}

/// A right that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// The right.
    #[serde(flatten)]
    pub right: Right,
    /// The objects it is missing for; empty: all.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub names: BTreeSet<String>,
}

/// Rights, each with the names of the objects it is needed for; without names, it is needed for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs(pub BTreeMap<Right, BTreeSet<String>>);

/// Where objects are.
#[derive(Debug, Clone, Copy)]
pub struct Where<'a> {
    /// The API group.
    pub group: &'a str,
    /// The kind's name in paths.
    pub resource: &'a str,
    /// The namespace.
    pub namespace: Option<&'a str>,
}

/// A rule as a `SelfSubjectRulesReview` lists it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    verbs: Vec<String>,
    api_groups: Vec<String>,
    resources: Vec<String>,
    resource_names: Vec<String>,
}

impl Needs {
    /// Adds rights to all objects of a kind.
    pub fn of_kind(&mut self, place: Where<'_>, verbs: &[&'static str]) {
        for verb in verbs {
            self.0.entry(right(place, verb)).or_default().clear();
        }
    }

    /// Adds rights to one object.
    pub fn of_object(&mut self, place: Where<'_>, name: &str, verbs: &[&'static str]) {
        for verb in verbs {
            let names = self.0.entry(right(place, verb)).or_default();
            names.insert(name.to_owned());
        }
    }

    /// The namespaces in which anything is needed.
    pub fn namespaces(&self) -> BTreeSet<&str> {
        let namespaces = self.0.keys();
        namespaces
            .filter_map(|right| right.namespace.as_deref())
            .collect()
    }

    /// Takes out what rules grant in a namespace.
    pub fn grant(&mut self, namespace: &str, rules: &[Rule]) {
        self.0.retain(|right, names| {
            if right.namespace.as_deref() != Some(namespace) {
                return true;
            }
            let grants = |name: Option<&str>| rules.iter().any(|rule| rule.grants(right, name));
            if grants(None) {
                return false;
            }
            let is_about_names = !names.is_empty();
            names.retain(|name| !grants(Some(name)));
            !(is_about_names && names.is_empty())
        });
    }
}

fn right(place: Where<'_>, verb: &'static str) -> Right {
    Right {
        namespace: place.namespace.map(str::to_owned),
        group: place.group.to_owned(),
        resource: place.resource.to_owned(),
        verb,
    }
}

impl Rule {
    /// True if the rule is about a right to one object, or to all without a name.
    fn grants(&self, right: &Right, name: Option<&str>) -> bool {
        let holds = |all: &[String], one: &str| all.iter().any(|it| it == "*" || it == one);
        let is_named = self.resource_names.is_empty()
            || name.is_some_and(|name| self.resource_names.iter().any(|it| it == name));
        is_named
            && holds(&self.verbs, right.verb)
            && holds(&self.api_groups, &right.group)
            && holds(&self.resources, &right.resource)
    }
}

impl fmt::Display for Right {
    /// `patch deployments.apps in namespace shop`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.right)?;
        if self.names.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        write!(f, ": {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DEPLOYMENTS: Where<'static> = Where {
        group: "apps",
        resource: "deployments",
        namespace: Some("shop"),
    };

    fn needs() -> Needs {
        let mut needs = Needs::default();
        needs.of_kind(DEPLOYMENTS, &["list", "create"]);
        needs.of_object(DEPLOYMENTS, "web", &["patch"]);
        needs.of_object(DEPLOYMENTS, "api", &["patch"]);
        needs
    }

    fn left(rules: &serde_json::Value) -> Vec<String> {
        let rules: Vec<Rule> = serde_json::from_value(rules.clone()).unwrap();
        let mut needs = needs();
        needs.grant("shop", &rules);
        let missing = needs.0.into_iter();
        missing
            .map(|(right, names)| Missing { right, names }.to_string())
            .collect()
    }

    #[test]
    fn rules_grant_verbs_on_kinds_or_on_single_objects() {
        let nothing: [String; 0] = [];
        assert_eq!(
            left(&json!([])),
            [
                "create deployments.apps in namespace shop",
                "list deployments.apps in namespace shop",
                "patch deployments.apps in namespace shop: api, web",
            ]
        );
        assert_eq!(
            left(&json!([
                {"verbs": ["list", "create"], "apiGroups": ["apps"], "resources": ["deployments"]},
                {
                    "verbs": ["patch"], "apiGroups": ["apps"], "resources": ["deployments"],
                    "resourceNames": ["web"],
                },
            ])),
            ["patch deployments.apps in namespace shop: api"]
        );
        assert_eq!(
            left(&json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}])),
            nothing
        );
        assert_eq!(
            left(&json!([{"verbs": ["*"], "apiGroups": [""], "resources": ["*"]}])).len(),
            3
        );
    }

    #[test]
    fn rules_of_one_namespace_grant_nothing_in_another() {
        let rules = json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]);
        let rules: Vec<Rule> = serde_json::from_value(rules).unwrap();
        let mut needs = needs();
        needs.grant("other", &rules);
        assert_eq!(needs, self::needs());
    }

    #[test]
    fn what_is_needed_for_all_is_not_granted_by_names() {
        let mut needs = Needs::default();
        needs.of_object(DEPLOYMENTS, "web", &["list"]);
        needs.of_kind(DEPLOYMENTS, &["list"]);
        let rules = json!([{
            "verbs": ["list"], "apiGroups": ["apps"], "resources": ["deployments"],
            "resourceNames": ["web"],
        }]);
        let rules: Vec<Rule> = serde_json::from_value(rules).unwrap();
        needs.grant("shop", &rules);
        assert_eq!(needs.0.len(), 1);
    }
}
