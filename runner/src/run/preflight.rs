//! Which rights a run needs, all of them, asked for before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{ObjectId, Stage};

use super::{Memory, NAMESPACE, Options, RunError};
use crate::{
    bundle::{Bundle, Layer},
    cluster::{Cluster, ClusterError, Kinds},
    inventory::Identity,
    rights::{Missing, Needs, Where},
};

/// What is done with each kind that a bundle has.
const OF_KIND: [&str; 2] = ["list", "watch"];
/// What is done with each object. One that an apply makes has a name already, which a role may name.
const OF_OBJECT: [&str; 3] = ["get", "patch", "create"];
/// Where Cairn keeps its memory: journal and inventories, bundles, and who is at work.
const OWN: [(&str, &str, &[&str]); 3] = [
    (
        "",
        "configmaps",
        &["get", "list", "create", "patch", "update", "delete"],
    ),
    ("", "secrets", &["get", "list", "create", "patch", "delete"]),
    (
        "coordination.k8s.io",
        "leases",
        &["get", "create", "update", "delete"],
    ),
];
/// Before anything of a custom kind is deleted, it is asked which definitions are on their way out.
const DEFINITIONS: Where<'static> = Where {
    group: "apiextensions.k8s.io",
    resource: "customresourcedefinitions",
    namespace: None,
};
/// What says how workloads are.
const OF_WORKLOADS: [(&str, &str); 3] = [
    ("", "pods"),
    ("apps", "replicasets"),
    ("apps", "controllerrevisions"),
];

/// Plurals by group and kind, of kinds that a bundle defines.
type Defined = BTreeMap<(String, String), String>;

/// Fails if whoever applies a bundle lacks a right for it. Nothing is written, so it can be asked before
/// anything else is done.
pub async fn check_rights(
    cluster: &Cluster,
    bundle: &Bundle,
    options: &Options<'_>,
) -> Result<(), RunError> {
    refuse_without(missing_rights(cluster, bundle, options).await?)
}

/// Fails if whoever applies or uninstalls may not delete what is remembered and not wanted.
pub(super) async fn check_deletions(
    cluster: &Cluster,
    memory: &Memory,
    wanted: &BTreeSet<Identity>,
) -> Result<(), RunError> {
    refuse_without(missing_for_deletions(cluster, memory, wanted).await?)
}

/// Better nothing is begun than half of it done.
fn refuse_without(missing: Vec<Missing>) -> Result<(), RunError> {
    if missing.is_empty() {
        return Ok(());
    }
    Err(RunError::RightsMissing { missing })
}

/// The rights that are missing for applying a bundle.
pub(super) async fn missing_rights(
    cluster: &Cluster,
    bundle: &Bundle,
    options: &Options<'_>,
) -> Result<Vec<Missing>, RunError> {
    let defined = defined(bundle, options)?;
    let kinds = cluster.kinds().await.map_err(asking)?;
    let mut needs = own();
    for layer in &bundle.layers {
        add_layer(&mut needs, layer, &kinds, &defined);
    }
    cluster.missing_rights(needs).await.map_err(asking)
}

/// The rights that are missing for deleting what is remembered and not wanted.
pub(super) async fn missing_for_deletions(
    cluster: &Cluster,
    memory: &Memory,
    wanted: &BTreeSet<Identity>,
) -> Result<Vec<Missing>, RunError> {
    let entries = memory.inventories.iter().flat_map(|it| it.entries.keys());
    let mut unwanted = entries.filter(|it| !wanted.contains(it)).peekable();
    if unwanted.peek().is_none() {
        return Ok(Vec::new());
    }
    let kinds = cluster.kinds().await.map_err(asking)?;
    let mut needs = Needs::default();
    for identity in unwanted {
        if identity.group.contains('.') {
            needs.of_kind(DEFINITIONS, &["list"]);
        }
        if let Some(resource) = kinds.preferred(&identity.group, &identity.kind) {
            let place = Where {
                group: &identity.group,
                resource: &resource.plural,
                namespace: identity.namespace.as_deref(),
            };
            needs.of_object(place, &identity.name, &["get", "delete"]);
        }
    }
    cluster.missing_rights(needs).await.map_err(asking)
}

/// What Cairn needs for its own memory.
fn own() -> Needs {
    let mut needs = Needs::default();
    let of_cluster = Where {
        group: "",
        resource: "namespaces",
        namespace: None,
    };
    needs.of_object(of_cluster, "kube-system", &["get"]);
    needs.of_object(of_cluster, NAMESPACE, &["patch", "create"]);
    for (group, resource, verbs) in OWN {
        let place = Where {
            group,
            resource,
            namespace: Some(NAMESPACE),
        };
        needs.of_kind(place, verbs);
    }
    needs
}

fn add_layer(needs: &mut Needs, layer: &Layer, kinds: &Kinds, defined: &Defined) {
    for planned in layer.stages.iter().flat_map(|stage| &stage.planned) {
        let id = &planned.id;
        let Some(resource) = plural(id, kinds, defined) else {
            continue;
        };
        let place = Where {
            group: id.group(),
            resource,
            namespace: id.namespace.as_deref(),
        };
        needs.of_kind(place, &OF_KIND);
        needs.of_object(place, &id.name, &OF_OBJECT);
        // Hooks and Jobs are deleted and made anew.
        if planned.hook.is_some() || (id.group(), id.kind.as_str()) == ("batch", "Job") {
            needs.of_object(place, &id.name, &["delete"]);
        }
        add_around(needs, id);
    }
}

/// What waiting for an object looks at besides.
fn add_around(needs: &mut Needs, id: &ObjectId) {
    match (id.group(), id.kind.as_str()) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job") => {
            for (group, resource) in OF_WORKLOADS {
                let place = Where {
                    group,
                    resource,
                    namespace: id.namespace.as_deref(),
                };
                needs.of_kind(place, &["list", "watch"]);
            }
        }
        ("", "PersistentVolumeClaim") => {
            let place = Where {
                group: "storage.k8s.io",
                resource: "storageclasses",
                namespace: None,
            };
            needs.of_kind(place, &["get", "list"]);
        }
        _ => {}
    }
}

fn plural<'a>(id: &ObjectId, kinds: &'a Kinds, defined: &'a Defined) -> Option<&'a str> {
    let known = kinds.preferred(id.group(), &id.kind);
    let known = known.map(|resource| resource.plural.as_str());
    known.or_else(|| {
        let key = (id.group().to_owned(), id.kind.clone());
        defined.get(&key).map(String::as_str)
    })
}

/// The kinds that a bundle brings.
fn defined(bundle: &Bundle, options: &Options<'_>) -> Result<Defined, RunError> {
    let stages = bundle.layers.iter().flat_map(|layer| &layer.stages);
    let mut defined = Defined::new();
    for stage in stages.filter(|it| it.stage == Stage::CustomResourceDefinitions) {
        for batch in stage.batches(options.secrets) {
            for manifest in batch? {
                let spec = &manifest.object["spec"];
                let text = |pointer| spec.pointer(pointer).and_then(serde_json::Value::as_str);
                if let (Some(group), Some(kind), Some(plural)) =
                    (text("/group"), text("/names/kind"), text("/names/plural"))
                {
                    defined.insert((group.to_owned(), kind.to_owned()), plural.to_owned());
                }
            }
        }
    }
    Ok(defined)
}

fn asking(source: ClusterError) -> RunError {
    RunError::Cluster {
        doing: "ask which rights there are".to_owned(),
        source,
    }
}
