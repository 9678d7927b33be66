//! Kubernetes objects: who they are, where they live, what makes a document one.

use cairn_spec::{
    Diagnostic, LayerName, Map, Node, ObjectId, PlanHook, Span, Value, is_built_in_group,
};

use crate::Session;

/// An object that a layer renders.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// The index of its layer in the order of the bundle.
    pub(crate) layer: usize,
    pub(crate) id: ObjectId,
    pub(crate) node: Node,
    /// When it runs, for a hook of a chart.
    pub(crate) hook: Option<PlanHook>,
}

/// Whether objects of a kind live in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Namespaced,
    Cluster,
    /// A custom resource whose definition is not at hand.
    Unknown,
}

/// Built-in kinds that belong to the cluster (Kubernetes API reference, 1.25 to 1.36).
const CLUSTER_KINDS: &[(&str, &str)] = &[
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    (
        "admissionregistration.k8s.io",
        "MutatingAdmissionPolicyBinding",
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
    ),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("certificates.k8s.io", "ClusterTrustBundle"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("networking.k8s.io", "IPAddress"),
    ("networking.k8s.io", "IngressClass"),
    ("networking.k8s.io", "ServiceCIDR"),
    ("node.k8s.io", "RuntimeClass"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("resource.k8s.io", "DeviceClass"),
    ("resource.k8s.io", "DeviceTaintRule"),
    ("resource.k8s.io", "ResourceSlice"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
    ("storage.k8s.io", "VolumeAttributesClass"),
    ("storagemigration.k8s.io", "StorageVersionMigration"),
];

/// Namespaces that every cluster has; Cairn neither creates nor deletes them.
pub(crate) const SYSTEM_NAMESPACES: &[&str] =
    &["default", "kube-system", "kube-public", "kube-node-lease"];

/// The scope of a built-in kind.
pub(crate) fn built_in_scope(group: &str, kind: &str) -> Scope {
    if CLUSTER_KINDS.contains(&(group, kind)) {
        Scope::Cluster
    } else if is_built_in_group(group) {
        Scope::Namespaced
    } else {
        Scope::Unknown
    }
}

/// The scopes of custom resources, from the definitions among `objects`.
#[derive(Debug, Default)]
pub(crate) struct CustomScopes {
    known: Vec<(String, String, Scope)>,
}

impl CustomScopes {
    pub(crate) fn learn(&mut self, object: &Node) {
        if object.get("kind").and_then(Node::as_str) != Some("CustomResourceDefinition") {
            return;
        }
        let text = |path: &[&str]| {
            object
                .at(path)
                .and_then(Node::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let scope = if text(&["spec", "scope"]) == "Cluster" {
            Scope::Cluster
        } else {
            Scope::Namespaced
        };
        self.known.push((
            text(&["spec", "group"]),
            text(&["spec", "names", "kind"]),
            scope,
        ));
    }

    pub(crate) fn scope(&self, group: &str, kind: &str) -> Scope {
        match built_in_scope(group, kind) {
            Scope::Unknown => self
                .known
                .iter()
                .find(|(known_group, known_kind, _)| known_group == group && known_kind == kind)
                .map_or(Scope::Unknown, |(_, _, scope)| *scope),
            scope => scope,
        }
    }
}

/// Takes the objects out of a document: itself, or the items when it is a `List`, which has no name.
pub(crate) fn expand(document: Node, session: &mut Session) -> Vec<Node> {
    let is_list = document
        .get("kind")
        .and_then(Node::as_str)
        .is_some_and(|kind| kind == "List" || kind.ends_with("List"))
        && document
            .get("items")
            .is_some_and(|items| items.as_list().is_some())
        && document.at(&["metadata", "name"]).is_none();
    if !is_list {
        return if check_shape(&document, session) {
            vec![document]
        } else {
            Vec::new()
        };
    }
    let items = document
        .get("items")
        .and_then(Node::as_list)
        .unwrap_or_default()
        .to_vec();
    items
        .into_iter()
        .filter(|item| check_shape(item, session))
        .collect()
}

/// A document is an object when it has `apiVersion`, `kind` and `metadata.name`.
pub(crate) fn check_shape(document: &Node, session: &mut Session) -> bool {
    let mut missing = Vec::new();
    if document.as_map().is_none() {
        session.report(
            Diagnostic::error(
                "object-shape",
                format!(
                    "expected a Kubernetes object, found a {}",
                    document.value.kind()
                ),
            )
            .at(session.span(document))
            .hint("write `apiVersion`, `kind` and `metadata.name`, or nothing at all"),
        );
        return false;
    }
    for path in [&["apiVersion"][..], &["kind"], &["metadata", "name"]] {
        if document
            .at(path)
            .and_then(Node::as_str)
            .is_none_or(str::is_empty)
        {
            missing.push(format!("`{}`", path.join(".")));
        }
    }
    if missing.is_empty() {
        return check_name(document, "name", session) & check_name(document, "namespace", session);
    }
    let hint = if document.at(&["metadata", "generateName"]).is_some() {
        "`generateName` makes a new object at every apply: give it a `name`"
    } else {
        "every Kubernetes object needs `apiVersion`, `kind` and `metadata.name`, each a non-empty text"
    };
    session.report(
        Diagnostic::error(
            "object-shape",
            format!("the object lacks {}", missing.join(" and ")),
        )
        .at(session.span(document))
        .hint(hint),
    );
    false
}

/// The longest name that Kubernetes takes, in bytes.
const MAX_NAME_BYTES: usize = 253;

/// Kubernetes refuses names that are no segment of a URL's path
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names>).
fn check_name(document: &Node, key: &str, session: &mut Session) -> bool {
    let Some(node) = document.at(&["metadata", key]) else {
        return true;
    };
    let name = node.as_str().unwrap_or_default();
    let wrong = if matches!(name, "." | "..") || name.contains(['/', '%', '\\']) {
        "it must not be `.` or `..`, nor hold `/`, `\\` or `%`"
    } else if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        "it must not hold blanks or control characters"
    } else if name.len() > MAX_NAME_BYTES {
        "it is longer than 253 bytes"
    } else {
        return true;
    };
    let shown: String = name.chars().take(80).collect();
    session.report(
        Diagnostic::error(
            "object-name",
            format!("`{}` cannot be a {key}: {wrong}", shown.escape_debug()),
        )
        .at(session.span(node))
        .hint("use lower-case letters, digits, `-` and `.`"),
    );
    false
}

/// Reports a namespace that Kubernetes would refuse, where a profile or a pack names it.
pub(crate) fn check_namespace(name: Option<&str>, place: Option<Span>, session: &mut Session) {
    // A namespace follows the rule of all our names, that of a DNS label.
    let Some(name) = name.filter(|name| name.parse::<LayerName>().is_err()) else {
        return;
    };
    session.report(
        Diagnostic::error(
            "object-name",
            format!("`{}` cannot be a namespace", name.escape_debug()),
        )
        .at(place)
        .hint("use 1 to 63 lower-case letters, digits and `-`, starting and ending with a letter or digit"),
    );
}

/// Who an object is, after its namespace was set.
pub(crate) fn identify(node: &Node) -> ObjectId {
    let text = |path: &[&str]| {
        node.at(path)
            .and_then(Node::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    ObjectId {
        api_version: text(&["apiVersion"]),
        kind: text(&["kind"]),
        namespace: node
            .at(&["metadata", "namespace"])
            .and_then(Node::as_str)
            .map(str::to_owned),
        name: text(&["metadata", "name"]),
    }
}

/// Sets the namespace of a namespaced object that has none; refuses one on an object of the cluster.
pub(crate) fn settle_namespace(
    node: &mut Node,
    scope: Scope,
    default: Option<&str>,
    session: &mut Session,
) {
    let given = node.at(&["metadata", "namespace"]).cloned();
    match (scope, given, default) {
        (Scope::Namespaced, None, Some(default)) => {
            if let Some(metadata) = node
                .as_map_mut()
                .and_then(|map| map.get_mut("metadata"))
                .and_then(Node::as_map_mut)
            {
                metadata.insert("namespace", Node::generated(default));
            }
        }
        (Scope::Namespaced, None, None) => {
            let kind = kind_of(node);
            session.report(
                Diagnostic::error(
                    "object-namespace",
                    format!("this {kind} has no namespace, and neither has its layer"),
                )
                .at(session.span(node))
                .hint("add `metadata.namespace`, or `namespace` to the layer or its pack"),
            );
        }
        (Scope::Cluster, Some(given), _) => {
            let kind = kind_of(node);
            session.report(
                Diagnostic::error(
                    "object-namespace",
                    format!("a {kind} belongs to the cluster and cannot have a namespace"),
                )
                .at(session.span(&given))
                .hint("remove `metadata.namespace`"),
            );
        }
        _ => {}
    }
}

fn kind_of(object: &Node) -> &str {
    object
        .get("kind")
        .and_then(Node::as_str)
        .unwrap_or_default()
}

/// A Namespace object that Cairn makes for a layer.
pub(crate) fn namespace_object(
    name: &str,
    labels: &std::collections::BTreeMap<String, String>,
) -> Node {
    let mut metadata = Map::new();
    metadata.insert("name", Node::generated(name));
    if !labels.is_empty() {
        let mut map = Map::new();
        for (key, value) in labels {
            map.insert(key.as_str(), Node::generated(value.as_str()));
        }
        metadata.insert("labels", Node::generated(map));
    }
    let mut object = Map::new();
    object.insert("apiVersion", Node::generated("v1"));
    object.insert("kind", Node::generated("Namespace"));
    object.insert("metadata", Node::generated(metadata));
    Node::generated(Value::Map(object))
}
