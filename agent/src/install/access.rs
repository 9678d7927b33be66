//! Who the agent is, and what it may do.

use cairn_runner::{roles::Rule, run::NAMESPACE};
use serde_json::{Value as Json, json};

use super::{NAME, Permissions, labels, metadata};

/// What is allowed for the sake of the bundle.
const BUNDLE: &str = "cairn-agent-bundle";
const RBAC: &str = "rbac.authorization.k8s.io";
const RBAC_VERSION: &str = "rbac.authorization.k8s.io/v1";

/// The service account, its roles and their bindings.
pub(super) fn objects(permissions: &Permissions) -> Vec<Json> {
    let mut objects = vec![json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(NAME),
        "automountServiceAccountToken": false,
    })];
    let mut own = role("Role", NAME, &memory());
    own["metadata"]["namespace"] = json!(NAMESPACE);
    objects.push(own);
    objects.push(binding(Some(NAMESPACE), NAME, ("Role", NAME)));
    objects.push(role("ClusterRole", NAME, &reports()));
    objects.push(binding(None, NAME, ("ClusterRole", NAME)));
    match permissions {
        Permissions::ClusterAdmin => {
            objects.push(binding(None, BUNDLE, ("ClusterRole", "cluster-admin")));
        }
        Permissions::Derived(rights) => {
            if !rights.cluster.is_empty() {
                objects.push(role("ClusterRole", BUNDLE, &json!(rights.cluster)));
                objects.push(binding(None, BUNDLE, ("ClusterRole", BUNDLE)));
            }
            for (namespace, rules) in &rights.namespaces {
                objects.extend(in_namespace(namespace, rules));
            }
        }
    }
    objects
}

fn in_namespace(namespace: &str, rules: &[Rule]) -> [Json; 2] {
    let mut role = role("Role", BUNDLE, &json!(rules));
    role["metadata"]["namespace"] = json!(namespace);
    let binding = binding(Some(namespace), BUNDLE, ("Role", BUNDLE));
    [role, binding]
}

/// Journal, inventories, bundles, identity, and the lease.
fn memory() -> Json {
    const ALL: [&str; 7] = [
        "create", "delete", "get", "list", "patch", "update", "watch",
    ];
    json!([
        {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ALL},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ALL},
    ])
}

/// Which cluster it is, what it reports of it, and its own namespace, which a run makes sure of.
fn reports() -> Json {
    const READ: [&str; 2] = ["list", "watch"];
    json!([
        {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": [NAMESPACE], "verbs": ["create", "get", "patch"]},
        {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": READ},
        {"apiGroups": ["apps"], "resources": ["daemonsets", "deployments", "statefulsets"], "verbs": READ},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": READ},
        {"apiGroups": ["metrics.k8s.io"], "resources": ["nodes"], "verbs": ["list"]},
    ])
}

fn role(kind: &str, name: &str, rules: &Json) -> Json {
    json!({
        "apiVersion": RBAC_VERSION, "kind": kind,
        "metadata": {"name": name, "labels": labels()},
        "rules": rules,
    })
}

/// Binds the agent to a role, in one namespace or in all of the cluster.
fn binding(namespace: Option<&str>, name: &str, (kind, role): (&str, &str)) -> Json {
    let mut binding = json!({
        "apiVersion": RBAC_VERSION,
        "kind": if namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" },
        "metadata": {"name": name, "labels": labels()},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    });
    if let Some(namespace) = namespace {
        binding["metadata"]["namespace"] = json!(namespace);
    }
    binding
}
