//! The order in which Helm installs objects: by their kinds.

use std::cmp::Ordering;

use crate::Dialect;

const INSTALL_ORDER: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];
/// The kinds at the end that have no place in Helm 3's order.
const KINDS_OF_HELM_4: usize = 2;

/// Which of two kinds comes first. Those without a place come last, in the order of the alphabet.
pub(super) fn by_kind(left: &str, right: &str, dialect: Dialect) -> Ordering {
    match (place(left, dialect), place(right, dialect)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => left.cmp(right),
    }
}

fn place(kind: &str, dialect: Dialect) -> Option<usize> {
    let known = match dialect {
        Dialect::Helm4 => INSTALL_ORDER.len(),
        Dialect::Helm3 => INSTALL_ORDER.len() - KINDS_OF_HELM_4,
    };
    INSTALL_ORDER[..known]
        .iter()
        .position(|&known| known == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_without_a_place_come_last() {
        let sorted = |dialect| {
            let mut kinds = [
                "Widget",
                "ValidatingWebhookConfiguration",
                "Service",
                "",
                "Namespace",
                "Gadget",
            ];
            kinds.sort_by(|left, right| by_kind(left, right, dialect));
            kinds
        };
        assert_eq!(
            sorted(Dialect::Helm4),
            [
                "Namespace",
                "Service",
                "ValidatingWebhookConfiguration",
                "",
                "Gadget",
                "Widget"
            ]
        );
        assert_eq!(
            sorted(Dialect::Helm3),
            [
                "Namespace",
                "Service",
                "",
                "Gadget",
                "ValidatingWebhookConfiguration",
                "Widget"
            ]
        );
    }
}
