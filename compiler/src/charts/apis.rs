//! Which APIs charts are told the cluster has: those that Helm assumes, and those that definitions
//! of the profile add.

use std::collections::BTreeSet;

use cairn_spec::Node;

/// The APIs of definitions so far, such as `monitoring.coreos.com/v1` and
/// `monitoring.coreos.com/v1/ServiceMonitor`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServedApis(BTreeSet<String>);

impl ServedApis {
    /// Learns from the definitions among objects.
    pub(crate) fn learn<'n>(&mut self, objects: impl IntoIterator<Item = &'n Node>) {
        for object in objects {
            self.learn_one(object);
        }
    }

    fn learn_one(&mut self, object: &Node) {
        if object.get("kind").and_then(Node::as_str) != Some("CustomResourceDefinition") {
            return;
        }
        let text = |path: &[&str]| object.at(path).and_then(Node::as_str);
        let (Some(group), Some(kind)) =
            (text(&["spec", "group"]), text(&["spec", "names", "kind"]))
        else {
            return;
        };
        let versions = object.at(&["spec", "versions"]).and_then(Node::as_list);
        for version in versions.unwrap_or_default() {
            let is_served = version
                .get("served")
                .and_then(|served| served.value.as_bool());
            let name = version.get("name").and_then(Node::as_str);
            if let (Some(name), Some(true) | None) = (name, is_served) {
                self.0.insert(format!("{group}/{name}"));
                self.0.insert(format!("{group}/{name}/{kind}"));
            }
        }
    }

    /// The APIs, sorted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &String> {
        self.0.iter()
    }
}
