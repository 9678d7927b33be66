//! Objects of a cluster that stand in for the cluster when templates look something up.

use cairn_spec::{Diagnostic, Diagnostics, Map, Node, Origins, SourceId, Sources, yaml};
use cairn_template::LookupQuery;

/// Objects that `lookup` finds. Of two with the same identity the later one counts.
#[derive(Debug, Clone, Default)]
pub struct ClusterObjects {
    all: Vec<Node>,
}

impl ClusterObjects {
    /// No objects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the objects of a YAML or JSON text, as `kubectl get -o yaml` prints them. Those of a
    /// list are added one by one. What is not an object is reported.
    pub fn read(
        &mut self,
        sources: &Sources,
        source: SourceId,
        origins: &mut Origins,
        diagnostics: &mut Diagnostics,
    ) {
        let reading = yaml::read(sources, source, origins);
        diagnostics.append(reading.diagnostics);
        for document in reading.documents {
            self.add(document.root, origins, diagnostics);
        }
    }

    /// Adds an object, or those of a list. What is neither is reported.
    pub fn add(&mut self, object: Node, origins: &Origins, diagnostics: &mut Diagnostics) {
        let is_list = text(&object, &["kind"]).ends_with("List");
        if is_list && let Some(items) = object.get("items").and_then(Node::as_list) {
            for item in items {
                self.add_one(item.clone(), origins, diagnostics);
            }
        } else {
            self.add_one(object, origins, diagnostics);
        }
    }

    fn add_one(&mut self, object: Node, origins: &Origins, diagnostics: &mut Diagnostics) {
        let identity: [&[&str]; 3] = [&["apiVersion"], &["kind"], &["metadata", "name"]];
        match identity.iter().find(|path| text(&object, path).is_empty()) {
            None => self.all.push(object),
            Some(path) => {
                let message = format!("an object has no `{}`", path.join("."));
                diagnostics.push(
                    Diagnostic::error("object-shape", message)
                        .at(origins.get(object.origin))
                        .hint("give objects as `kubectl get -o yaml` prints them"),
                );
            }
        }
    }

    /// What a cluster with these objects answers: the object or, when no name is given, the list
    /// of all that fit; nothing where there is none. An object without a namespace is one of the
    /// cluster.
    pub fn find(&self, query: &LookupQuery<'_>) -> Option<Node> {
        let of_kind = self.all.iter().rev().filter(|object| {
            text(object, &["apiVersion"]) == query.api_version
                && text(object, &["kind"]) == query.kind
        });
        if !query.name.is_empty() {
            let mut found = of_kind.filter(|object| {
                let namespace = text(object, &["metadata", "namespace"]);
                text(object, &["metadata", "name"]) == query.name
                    && (namespace.is_empty() || namespace == query.namespace)
            });
            return found.next().cloned();
        }
        let mut items: Vec<&Node> = Vec::new();
        for object in of_kind {
            let namespace = text(object, &["metadata", "namespace"]);
            let fits =
                query.namespace.is_empty() || namespace.is_empty() || namespace == query.namespace;
            if fits && !items.iter().any(|item| identity(item) == identity(object)) {
                items.push(object);
            }
        }
        if items.is_empty() {
            return None;
        }
        items.sort_by_key(|item| identity(item));
        Some(list(query, items))
    }
}

/// Namespace and name, by which an API server sorts.
fn identity(object: &Node) -> (&str, &str) {
    (
        text(object, &["metadata", "namespace"]),
        text(object, &["metadata", "name"]),
    )
}

/// The text at a path; empty where there is none.
fn text<'n>(object: &'n Node, path: &[&str]) -> &'n str {
    object.at(path).and_then(Node::as_str).unwrap_or_default()
}

/// A list as an API server gives it.
fn list(query: &LookupQuery<'_>, items: Vec<&Node>) -> Node {
    let mut metadata = Map::new();
    metadata.insert("resourceVersion", Node::generated(""));
    let mut list = Map::new();
    list.insert("apiVersion", Node::generated(query.api_version));
    list.insert("kind", Node::generated(format!("{}List", query.kind)));
    list.insert("metadata", Node::generated(metadata));
    let items: Vec<Node> = items.into_iter().cloned().collect();
    list.insert("items", Node::generated(items));
    Node::generated(list)
}
