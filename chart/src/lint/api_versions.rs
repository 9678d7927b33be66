//! Versions of Kubernetes' own APIs that are deprecated or gone, and what replaces them
//! (<https://kubernetes.io/docs/reference/using-api/deprecation-guide/>).

use std::fmt::Write as _;

/// An API version that is deprecated for some kinds.
struct Retired {
    api_version: &'static str,
    kinds: &'static [&'static str],
    /// The minor version of Kubernetes 1 that deprecated it.
    deprecated: u64,
    /// The one that no longer has it.
    removed: u64,
    /// Where the kinds are now.
    replacement: Option<&'static str>,
}

const fn retired(
    api_version: &'static str,
    kinds: &'static [&'static str],
    (deprecated, removed): (u64, u64),
    replacement: &'static str,
) -> Retired {
    Retired {
        api_version,
        kinds,
        deprecated,
        removed,
        replacement: Some(replacement),
    }
}

const fn gone(
    api_version: &'static str,
    kinds: &'static [&'static str],
    (deprecated, removed): (u64, u64),
) -> Retired {
    Retired {
        api_version,
        kinds,
        deprecated,
        removed,
        replacement: None,
    }
}

const WEBHOOKS: &[&str] = &[
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];
const ADMISSION_POLICIES: &[&str] = &[
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];
const MUTATING_POLICIES: &[&str] = &["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"];
const FLOWS: &[&str] = &["FlowSchema", "PriorityLevelConfiguration"];
const RBAC: &[&str] = &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
const RESOURCES: &[&str] = &[
    "DeviceClass",
    "ResourceClaim",
    "ResourceClaimTemplate",
    "ResourceSlice",
];

const RETIRED: &[Retired] = &[
    retired(
        "admissionregistration.k8s.io/v1beta1",
        WEBHOOKS,
        (16, 22),
        "admissionregistration.k8s.io/v1",
    ),
    retired(
        "admissionregistration.k8s.io/v1alpha1",
        ADMISSION_POLICIES,
        (29, 32),
        "admissionregistration.k8s.io/v1",
    ),
    retired(
        "admissionregistration.k8s.io/v1beta1",
        ADMISSION_POLICIES,
        (31, 34),
        "admissionregistration.k8s.io/v1",
    ),
    retired(
        "admissionregistration.k8s.io/v1alpha1",
        MUTATING_POLICIES,
        (35, 38),
        "admissionregistration.k8s.io/v1",
    ),
    retired(
        "admissionregistration.k8s.io/v1beta1",
        MUTATING_POLICIES,
        (37, 40),
        "admissionregistration.k8s.io/v1",
    ),
    retired(
        "apiextensions.k8s.io/v1beta1",
        &["CustomResourceDefinition"],
        (16, 22),
        "apiextensions.k8s.io/v1",
    ),
    retired(
        "apiregistration.k8s.io/v1beta1",
        &["APIService"],
        (19, 22),
        "apiregistration.k8s.io/v1",
    ),
    retired(
        "apps/v1beta1",
        &["ControllerRevision", "Deployment", "StatefulSet"],
        (8, 16),
        "apps/v1",
    ),
    retired(
        "apps/v1beta2",
        &[
            "ControllerRevision",
            "DaemonSet",
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
        ],
        (9, 16),
        "apps/v1",
    ),
    retired(
        "autoscaling/v2beta1",
        &["HorizontalPodAutoscaler"],
        (22, 25),
        "autoscaling/v2",
    ),
    retired(
        "autoscaling/v2beta2",
        &["HorizontalPodAutoscaler"],
        (23, 26),
        "autoscaling/v2",
    ),
    retired("batch/v1beta1", &["CronJob"], (21, 25), "batch/v1"),
    gone("batch/v2alpha1", &["CronJob"], (8, 21)),
    gone(
        "certificates.k8s.io/v1alpha1",
        &["ClusterTrustBundle"],
        (34, 37),
    ),
    retired(
        "certificates.k8s.io/v1beta1",
        &["CertificateSigningRequest"],
        (19, 22),
        "certificates.k8s.io/v1",
    ),
    gone(
        "certificates.k8s.io/v1beta1",
        &["ClusterTrustBundle"],
        (37, 40),
    ),
    retired(
        "coordination.k8s.io/v1beta1",
        &["Lease"],
        (19, 22),
        "coordination.k8s.io/v1",
    ),
    retired(
        "discovery.k8s.io/v1beta1",
        &["EndpointSlice"],
        (21, 25),
        "discovery.k8s.io/v1",
    ),
    retired(
        "events.k8s.io/v1beta1",
        &["Event"],
        (22, 25),
        "events.k8s.io/v1",
    ),
    retired(
        "extensions/v1beta1",
        &["DaemonSet", "Deployment", "ReplicaSet"],
        (8, 16),
        "apps/v1",
    ),
    retired(
        "extensions/v1beta1",
        &["NetworkPolicy"],
        (9, 16),
        "networking.k8s.io/v1",
    ),
    retired(
        "extensions/v1beta1",
        &["Ingress"],
        (14, 22),
        "networking.k8s.io/v1",
    ),
    gone("extensions/v1beta1", &["PodSecurityPolicy"], (10, 16)),
    retired(
        "flowcontrol.apiserver.k8s.io/v1beta1",
        FLOWS,
        (23, 26),
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    retired(
        "flowcontrol.apiserver.k8s.io/v1beta2",
        FLOWS,
        (26, 29),
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    retired(
        "flowcontrol.apiserver.k8s.io/v1beta3",
        FLOWS,
        (29, 32),
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    retired(
        "networking.k8s.io/v1beta1",
        &["Ingress", "IngressClass"],
        (19, 22),
        "networking.k8s.io/v1",
    ),
    retired(
        "networking.k8s.io/v1beta1",
        &["IPAddress", "ServiceCIDR"],
        (34, 37),
        "networking.k8s.io/v1",
    ),
    retired(
        "node.k8s.io/v1beta1",
        &["RuntimeClass"],
        (22, 25),
        "node.k8s.io/v1",
    ),
    retired(
        "policy/v1beta1",
        &["PodDisruptionBudget"],
        (21, 25),
        "policy/v1",
    ),
    gone("policy/v1beta1", &["PodSecurityPolicy"], (21, 25)),
    retired(
        "rbac.authorization.k8s.io/v1alpha1",
        RBAC,
        (17, 22),
        "rbac.authorization.k8s.io/v1",
    ),
    retired(
        "rbac.authorization.k8s.io/v1beta1",
        RBAC,
        (17, 22),
        "rbac.authorization.k8s.io/v1",
    ),
    retired(
        "resource.k8s.io/v1beta1",
        RESOURCES,
        (35, 38),
        "resource.k8s.io/v1",
    ),
    retired(
        "resource.k8s.io/v1beta2",
        RESOURCES,
        (36, 39),
        "resource.k8s.io/v1",
    ),
    retired(
        "scheduling.k8s.io/v1alpha1",
        &["PriorityClass"],
        (14, 17),
        "scheduling.k8s.io/v1",
    ),
    retired(
        "scheduling.k8s.io/v1beta1",
        &["PriorityClass"],
        (14, 22),
        "scheduling.k8s.io/v1",
    ),
    retired(
        "storage.k8s.io/v1alpha1",
        &["CSIStorageCapacity"],
        (21, 24),
        "storage.k8s.io/v1",
    ),
    retired(
        "storage.k8s.io/v1beta1",
        &["CSIDriver", "StorageClass", "VolumeAttachment"],
        (19, 22),
        "storage.k8s.io/v1",
    ),
    retired(
        "storage.k8s.io/v1beta1",
        &["CSINode"],
        (17, 22),
        "storage.k8s.io/v1",
    ),
    retired(
        "storage.k8s.io/v1beta1",
        &["CSIStorageCapacity"],
        (24, 27),
        "storage.k8s.io/v1",
    ),
    retired(
        "storage.k8s.io/v1beta1",
        &["VolumeAttributesClass"],
        (34, 37),
        "storage.k8s.io/v1",
    ),
];

/// What there is to say of an API version in Kubernetes 1.`minor`: a message and a hint.
pub(super) fn retirement(api_version: &str, kind: &str, minor: u64) -> Option<(String, String)> {
    let retired = RETIRED.iter().find(|retired| {
        retired.api_version == api_version
            && retired.kinds.contains(&kind)
            && minor >= retired.deprecated
    })?;
    let mut message = format!(
        "`{api_version}` of {kind} is deprecated since Kubernetes 1.{}",
        retired.deprecated
    );
    if minor >= retired.removed {
        message = format!(
            "`{api_version}` of {kind} is not in Kubernetes 1.{} and later",
            retired.removed
        );
    } else {
        let _ = write!(message, ", and not in 1.{} and later", retired.removed);
    }
    let hint = match retired.replacement {
        Some(replacement) => {
            format!("use `{replacement}`, at least where `.Capabilities.APIVersions` has it")
        }
        None => "nothing replaces it: render it only where `.Capabilities.APIVersions` has it"
            .to_owned(),
    };
    Some((message, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_deprecated_before_they_are_gone() {
        for retired in RETIRED {
            assert!(
                retired.deprecated < retired.removed,
                "{}",
                retired.api_version
            );
        }
    }

    #[test]
    fn what_is_said_depends_on_the_version_of_kubernetes() {
        let said =
            |minor| retirement("batch/v1beta1", "CronJob", minor).map(|(message, _)| message);
        assert_eq!(said(20), None);
        assert_eq!(
            said(21).unwrap(),
            "`batch/v1beta1` of CronJob is deprecated since Kubernetes 1.21, and not in 1.25 and later"
        );
        assert_eq!(
            said(25).unwrap(),
            "`batch/v1beta1` of CronJob is not in Kubernetes 1.25 and later"
        );
        assert_eq!(retirement("batch/v1", "CronJob", 30), None);
        assert_eq!(retirement("extensions/v1beta1", "Elsewhere", 30), None);
    }
}
