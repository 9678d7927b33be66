//! Kinds that hold data and do nothing: what is there is as it should be.

use cairn_spec::ObjectId;

/// True if objects of this kind are as they should be as soon as they are there, so that nobody waits for them.
pub fn holds_only_data(id: &ObjectId) -> bool {
    matches!(
        (id.group(), id.kind.as_str()),
        (
            "",
            "ConfigMap" | "Secret" | "ServiceAccount" | "LimitRange" | "PodTemplate"
        ) | (
            "rbac.authorization.k8s.io",
            "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding"
        ) | ("storage.k8s.io", "StorageClass" | "CSIDriver")
            | ("scheduling.k8s.io", "PriorityClass")
            | ("node.k8s.io", "RuntimeClass")
            | ("networking.k8s.io", "IngressClass" | "NetworkPolicy")
            | (
                "admissionregistration.k8s.io",
                "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration"
            )
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::{
        cluster::id_of,
        health::{Status, kstatus},
    };

    #[test]
    fn kstatus_calls_them_current_whatever_they_are() {
        let mut count = 0;
        for (group, kinds) in [
            (
                "v1",
                "ConfigMap Secret ServiceAccount LimitRange Pod Service Namespace",
            ),
            ("rbac.authorization.k8s.io/v1", "Role ClusterRoleBinding"),
            ("storage.k8s.io/v1", "StorageClass"),
            ("networking.k8s.io/v1", "IngressClass NetworkPolicy Ingress"),
            ("apps/v1", "Deployment"),
            ("example.dev/v1", "ConfigMap"),
        ] {
            for kind in kinds.split(' ') {
                let object = json!({"apiVersion": group, "kind": kind, "metadata": {"name": "a"}});
                if holds_only_data(&id_of(&object)) {
                    count += 1;
                    let verdict = kstatus(&object, Timestamp::UNIX_EPOCH);
                    assert_eq!(verdict.status, Status::Current, "{kind}");
                }
            }
        }
        assert_eq!(count, 9);
    }
}
