//! Which API groups are Kubernetes' own: their kinds have no definitions that could be read.

/// Groups with a dot in their names; those without one are all Kubernetes' own.
const GROUPS: [&str; 17] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// True if a group's kinds come with Kubernetes.
pub(crate) fn is_built_in(group: &str) -> bool {
    !group.contains('.') || GROUPS.contains(&group)
}
