//! Single grants, put together into as few rules as say the same.

use std::collections::{BTreeMap, BTreeSet};

use super::Rule;

/// A namespace, or the whole cluster.
type Place = Option<String>;
/// An API group and a kind as paths name it.
type Resource = (String, String);

/// A group, names, and what may be done with them.
type Granted<'a> = (&'a str, Vec<&'a str>, Vec<&'a str>);

/// Who may do what with what.
#[derive(Debug, Default)]
pub(super) struct Grants {
    grants: BTreeMap<(Place, Resource, Option<String>), BTreeSet<String>>,
}

impl Grants {
    /// Allows verbs on a kind in a place, for one object or for all.
    pub(super) fn add(
        &mut self,
        place: Option<&str>,
        (group, resource): (&str, &str),
        name: Option<&str>,
        verbs: &[&str],
    ) {
        let resource = (group.to_owned(), resource.to_owned());
        let key = (place.map(str::to_owned), resource, name.map(str::to_owned));
        let granted = self.grants.entry(key).or_default();
        granted.extend(verbs.iter().map(|verb| (*verb).to_owned()));
    }

    pub(super) fn places(&self) -> BTreeSet<Place> {
        self.grants
            .keys()
            .map(|(place, ..)| place.clone())
            .collect()
    }

    /// The rules of a place: names that allow the same together, then kinds of a group that do.
    pub(super) fn rules(&self, place: Option<&str>) -> Vec<Rule> {
        let mut by_verbs: BTreeMap<(&Resource, &BTreeSet<String>), BTreeSet<&str>> =
            BTreeMap::new();
        let mut for_all: BTreeMap<&Resource, &BTreeSet<String>> = BTreeMap::new();
        for ((_, resource, name), verbs) in self.here(place) {
            match name {
                None => {
                    for_all.insert(resource, verbs);
                }
                Some(name) => {
                    by_verbs.entry((resource, verbs)).or_default().insert(name);
                }
            }
        }
        let single = by_verbs
            .into_iter()
            .filter_map(|((resource, verbs), names)| {
                // What all may be done with need not be said of one.
                let of_all = for_all.get(resource);
                let verbs: BTreeSet<&str> = verbs
                    .iter()
                    .filter(|verb| !of_all.is_some_and(|all| all.contains(*verb)))
                    .map(String::as_str)
                    .collect();
                (!verbs.is_empty()).then_some((resource, verbs, names))
            });
        let whole = for_all.iter().map(|(resource, verbs)| {
            let verbs = verbs.iter().map(String::as_str).collect();
            (*resource, verbs, BTreeSet::new())
        });
        let mut rules: BTreeMap<Granted<'_>, BTreeSet<&str>> = BTreeMap::new();
        for ((group, resource), verbs, names) in whole.chain(single) {
            let verbs: Vec<&str> = BTreeSet::into_iter(verbs).collect();
            let names: Vec<&str> = BTreeSet::into_iter(names).collect();
            let key = (group.as_str(), names, verbs);
            rules.entry(key).or_default().insert(resource);
        }
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        rules
            .into_iter()
            .map(|((group, names, verbs), resources)| Rule {
                api_groups: vec![group.to_owned()],
                resources: owned(resources.into_iter().collect()),
                resource_names: owned(names),
                verbs: owned(verbs),
            })
            .collect()
    }

    fn here(
        &self,
        place: Option<&str>,
    ) -> impl Iterator<Item = (&(Place, Resource, Option<String>), &BTreeSet<String>)> {
        self.grants
            .iter()
            .filter(move |((of, ..), _)| of.as_deref() == place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_put_together() {
        let mut grants = Grants::default();
        let (list, patch) = (["list"], ["patch"]);
        for kind in ["services", "configmaps"] {
            grants.add(Some("a"), ("", kind), None, &list);
        }
        for name in ["y", "x"] {
            grants.add(None, ("x.io", "things"), Some(name), &patch);
        }
        // Allowed for all, so not once more for one.
        grants.add(Some("a"), ("", "services"), Some("web"), &list);
        let shown = |place: Option<&str>| {
            let rules = grants.rules(place).into_iter();
            let lines = rules.map(|rule| {
                format!(
                    "{} {} {}",
                    rule.resources.join(","),
                    rule.resource_names.join(","),
                    rule.verbs.join(",")
                )
            });
            lines.collect::<Vec<_>>()
        };
        assert_eq!(shown(Some("a")), ["configmaps,services  list"]);
        assert_eq!(shown(None), ["things x,y patch"]);
        assert_eq!(grants.places().len(), 2);
    }
}
