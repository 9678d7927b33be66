//! The install plan: which stage each object belongs to, and what a layer waits for (`spec/bundle.md` §4).

use cairn_spec::{
    ApiVersion, Digest, Gate, HealthRule, LayerKind, LayerName, LeftOut, ObjectId, Plan, PlanEdge,
    PlanHook, PlanKind, PlanLayer, PlanObject, PlanStage, Stage, is_built_in_group,
};

use crate::object::Object;

/// The stage of an object inside its layer.
pub(crate) fn stage_of(id: &ObjectId) -> Stage {
    match (id.group(), id.kind.as_str()) {
        ("", "Namespace") => Stage::Namespaces,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Stage::CustomResourceDefinitions,
        ("rbac.authorization.k8s.io", "ClusterRole" | "ClusterRoleBinding")
        | ("scheduling.k8s.io", "PriorityClass")
        | ("storage.k8s.io", "StorageClass" | "CSIDriver" | "VolumeAttributesClass")
        | ("node.k8s.io", "RuntimeClass")
        | ("networking.k8s.io", "IngressClass")
        | ("gateway.networking.k8s.io", "GatewayClass") => Stage::ClusterScope,
        ("", "ServiceAccount" | "ResourceQuota" | "LimitRange")
        | ("rbac.authorization.k8s.io", "Role" | "RoleBinding")
        | ("networking.k8s.io", "NetworkPolicy") => Stage::Access,
        ("", "ConfigMap" | "Secret" | "PersistentVolume" | "PersistentVolumeClaim") => {
            Stage::Configuration
        }
        ("apiregistration.k8s.io", "APIService") | ("admissionregistration.k8s.io", _) => {
            Stage::Admission
        }
        (group, _) if is_built_in_group(group) => Stage::Workloads,
        _ => Stage::CustomResources,
    }
}

/// The stage of a hook: that of the first event it runs at.
pub(crate) fn hook_stage(hook: &PlanHook) -> Stage {
    if hook.events.iter().any(|event| event.starts_with("pre-")) {
        Stage::PreHooks
    } else {
        Stage::PostHooks
    }
}

/// The stage of an object or a hook.
pub(crate) fn stage_in_plan(id: &ObjectId, hook: Option<&PlanHook>) -> Stage {
    hook.map_or_else(|| stage_of(id), hook_stage)
}

/// The next layer waits for objects of these kinds, since they can be said to be ready.
fn is_gate(id: &ObjectId) -> bool {
    matches!(
        (id.group(), id.kind.as_str()),
        ("apps", "Deployment" | "DaemonSet" | "StatefulSet")
            | ("batch", "Job")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("apiregistration.k8s.io", "APIService")
    )
}

/// A layer's objects with their files, sorted.
pub(crate) struct PlannedLayer {
    pub(crate) name: LayerName,
    pub(crate) kind: LayerKind,
    pub(crate) objects: Vec<PlanObject>,
    pub(crate) health: Vec<HealthRule>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// Sorts a layer's objects: by stage, hooks by weight, then kind, namespace and name.
pub(crate) fn sort_key(object: &Object) -> (Stage, i64, &str, &str, &str) {
    let (id, hook) = (&object.id, object.hook.as_ref());
    (
        stage_in_plan(id, hook),
        hook.map_or(0, |hook| hook.weight),
        &id.kind,
        id.namespace.as_deref().unwrap_or_default(),
        &id.name,
    )
}

/// The plan of layers in their order.
pub(crate) fn plan(layers: Vec<PlannedLayer>, edges: Vec<PlanEdge>) -> Plan {
    let layers = layers
        .into_iter()
        .map(|layer| {
            let gates = layer
                .objects
                .iter()
                // A hook is waited for where it runs, and may be gone afterwards.
                .filter(|object| object.hook.is_none() && is_gate(&object.id))
                .map(|object| Gate {
                    object: object.id.clone(),
                    digest: object.digest.clone(),
                })
                .collect();
            let mut stages: Vec<PlanStage> = Vec::new();
            for object in layer.objects {
                let stage = stage_in_plan(&object.id, object.hook.as_ref());
                match stages.last_mut() {
                    Some(last) if last.stage == stage => last.objects.push(object),
                    _ => stages.push(PlanStage {
                        stage,
                        objects: vec![object],
                    }),
                }
            }
            PlanLayer {
                name: layer.name,
                kind: layer.kind,
                stages,
                gates,
                health: layer.health,
                left_out: layer.left_out,
            }
        })
        .collect();
    Plan {
        api_version: ApiVersion,
        kind: PlanKind,
        layers,
        edges,
    }
}

/// The digest of an object's file.
pub(crate) fn content_digest(text: &str) -> Digest {
    Digest::sha256(text.as_bytes())
}
