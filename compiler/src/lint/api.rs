//! API versions that Kubernetes has removed or will remove.

use cairn_spec::{Diagnostic, Diagnostics, Version};

use crate::{Session, object::Object, pack::Pack, pack_render::KUBERNETES_VERSIONS};

/// A kind of an API version, the minor version of Kubernetes without it, and what to use instead.
///
/// <https://kubernetes.io/docs/reference/using-api/deprecation-guide/>; 1.26 and later by comparing
/// the published schemas of the minors.
struct Removal(&'static str, &'static str, u64, &'static str);

const REMOVALS: &[Removal] = &[
    Removal("extensions/v1beta1", "Deployment", 16, "apps/v1"),
    Removal("extensions/v1beta1", "DaemonSet", 16, "apps/v1"),
    Removal("extensions/v1beta1", "ReplicaSet", 16, "apps/v1"),
    Removal(
        "extensions/v1beta1",
        "NetworkPolicy",
        16,
        "networking.k8s.io/v1",
    ),
    Removal("extensions/v1beta1", "Ingress", 22, "networking.k8s.io/v1"),
    Removal("apps/v1beta1", "Deployment", 16, "apps/v1"),
    Removal("apps/v1beta2", "Deployment", 16, "apps/v1"),
    Removal(
        "networking.k8s.io/v1beta1",
        "Ingress",
        22,
        "networking.k8s.io/v1",
    ),
    Removal(
        "networking.k8s.io/v1beta1",
        "IngressClass",
        22,
        "networking.k8s.io/v1",
    ),
    Removal(
        "rbac.authorization.k8s.io/v1beta1",
        "*",
        22,
        "rbac.authorization.k8s.io/v1",
    ),
    Removal(
        "admissionregistration.k8s.io/v1beta1",
        "MutatingWebhookConfiguration",
        22,
        "admissionregistration.k8s.io/v1",
    ),
    Removal(
        "admissionregistration.k8s.io/v1beta1",
        "ValidatingWebhookConfiguration",
        22,
        "admissionregistration.k8s.io/v1",
    ),
    Removal(
        "apiextensions.k8s.io/v1beta1",
        "CustomResourceDefinition",
        22,
        "apiextensions.k8s.io/v1",
    ),
    Removal(
        "apiregistration.k8s.io/v1beta1",
        "APIService",
        22,
        "apiregistration.k8s.io/v1",
    ),
    Removal(
        "scheduling.k8s.io/v1beta1",
        "PriorityClass",
        22,
        "scheduling.k8s.io/v1",
    ),
    Removal(
        "storage.k8s.io/v1beta1",
        "CSIDriver",
        22,
        "storage.k8s.io/v1",
    ),
    Removal(
        "storage.k8s.io/v1beta1",
        "StorageClass",
        22,
        "storage.k8s.io/v1",
    ),
    Removal(
        "coordination.k8s.io/v1beta1",
        "Lease",
        22,
        "coordination.k8s.io/v1",
    ),
    Removal("batch/v1beta1", "CronJob", 25, "batch/v1"),
    Removal("policy/v1beta1", "PodDisruptionBudget", 25, "policy/v1"),
    Removal(
        "policy/v1beta1",
        "PodSecurityPolicy",
        25,
        "Pod Security Admission",
    ),
    Removal(
        "discovery.k8s.io/v1beta1",
        "EndpointSlice",
        25,
        "discovery.k8s.io/v1",
    ),
    Removal("events.k8s.io/v1beta1", "Event", 25, "events.k8s.io/v1"),
    Removal("node.k8s.io/v1beta1", "RuntimeClass", 25, "node.k8s.io/v1"),
    Removal(
        "autoscaling/v2beta1",
        "HorizontalPodAutoscaler",
        25,
        "autoscaling/v2",
    ),
    Removal(
        "autoscaling/v2beta2",
        "HorizontalPodAutoscaler",
        26,
        "autoscaling/v2",
    ),
    Removal(
        "flowcontrol.apiserver.k8s.io/v1beta1",
        "*",
        26,
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    Removal(
        "storage.k8s.io/v1beta1",
        "CSIStorageCapacity",
        27,
        "storage.k8s.io/v1",
    ),
    Removal(
        "flowcontrol.apiserver.k8s.io/v1beta2",
        "*",
        29,
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    Removal(
        "flowcontrol.apiserver.k8s.io/v1beta3",
        "*",
        32,
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    Removal(
        "admissionregistration.k8s.io/v1alpha1",
        "ValidatingAdmissionPolicy",
        32,
        "admissionregistration.k8s.io/v1",
    ),
    Removal(
        "admissionregistration.k8s.io/v1alpha1",
        "ValidatingAdmissionPolicyBinding",
        32,
        "admissionregistration.k8s.io/v1",
    ),
    Removal(
        "admissionregistration.k8s.io/v1beta1",
        "ValidatingAdmissionPolicy",
        34,
        "admissionregistration.k8s.io/v1",
    ),
    Removal(
        "admissionregistration.k8s.io/v1beta1",
        "ValidatingAdmissionPolicyBinding",
        34,
        "admissionregistration.k8s.io/v1",
    ),
    Removal(
        "storage.k8s.io/v1alpha1",
        "VolumeAttributesClass",
        35,
        "storage.k8s.io/v1",
    ),
    Removal(
        "storage.k8s.io/v1beta1",
        "VolumeAttributesClass",
        37,
        "storage.k8s.io/v1",
    ),
    Removal(
        "networking.k8s.io/v1beta1",
        "IPAddress",
        37,
        "networking.k8s.io/v1",
    ),
    Removal(
        "networking.k8s.io/v1beta1",
        "ServiceCIDR",
        37,
        "networking.k8s.io/v1",
    ),
];

pub(super) fn check(pack: &Pack, object: &Object, session: &Session, found: &mut Diagnostics) {
    let removal = REMOVALS.iter().find(|Removal(api_version, kind, ..)| {
        *api_version == object.id.api_version && (*kind == "*" || *kind == object.id.kind)
    });
    let Some(Removal(api_version, _, minor, replacement)) = removal else {
        return;
    };
    let range = pack.manifest.spec.constraints.kubernetes.as_ref();
    let reached = (*minor..=*KUBERNETES_VERSIONS.end())
        .map(|minor| Version::new(1, minor, 0))
        .find(|version| range.is_none_or(|range| range.matches_platform(version)));
    let place = object
        .node
        .get("apiVersion")
        .and_then(|node| session.span(node));
    let message = format!(
        "{} is of `{api_version}`, which Kubernetes 1.{minor} no longer has",
        object.id
    );
    let hint = format!("use `{replacement}`");
    found.push(match reached {
        Some(version) => Diagnostic::error(
            "api-removed",
            format!("{message}, and the pack claims to work on {version}"),
        )
        .at(place)
        .hint(hint),
        None => Diagnostic::warning("api-deprecated", message)
            .at(place)
            .hint(hint),
    });
}
