//! What a run asks of an API server, as RBAC rules: the least that applying a bundle needs.
//!
//! Objects in namespaces are allowed by kind, so that another version of the bundle may have more of them;
//! objects of the cluster are allowed by name, for a right over all of them is one over the cluster.
//! Whoever may write roles without having what they grant must be allowed to `escalate`, and to `bind`
//! them (<https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping>):
//! that is allowed for the roles of the bundle alone.

mod plural;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{LayerName, ObjectId};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    bundle::{Bundle, BundleError, Secrets},
    cluster::{is_built_in, is_workload},
};
use rules::Grants;

pub use plural::{Kind, Plurals};

/// The group of roles and bindings.
const RBAC: &str = "rbac.authorization.k8s.io";
const DEFINITIONS: &str = "apiextensions.k8s.io";

/// What an object that is applied needs: it is read, watched, made, changed, and deleted when
/// nobody wants it any more.
const OF_ONE: [&str; 4] = ["create", "delete", "get", "patch"];
const OF_ALL: [&str; 2] = ["list", "watch"];

/// A rule of a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// API groups.
    pub api_groups: Vec<String>,
    /// Kinds as paths name them.
    pub resources: Vec<String>,
    /// Only these objects; all, when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// What may be done.
    pub verbs: Vec<String>,
}

/// The rights that applying bundles needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rights {
    /// In all of the cluster.
    pub cluster: Vec<Rule>,
    /// In single namespaces.
    pub namespaces: BTreeMap<String, Vec<Rule>>,
    /// Namespaces that the bundles bring themselves, and the layers that have them.
    pub brought: BTreeMap<String, LayerName>,
    /// Kinds whose name in paths is not known for sure, with the name that is taken for it.
    pub guessed: BTreeMap<String, String>,
}

impl Rights {
    /// The rights that any of these bundles needs. What one of them has and another has not may be deleted, so the
    /// bundle that is there and the one that comes belong together.
    pub fn of(bundles: &[Bundle], known: &Plurals) -> Result<Self, BundleError> {
        let mut plurals = known.clone();
        let mut deriving = Deriving::default();
        for bundle in bundles {
            each_object(bundle, &mut |_, _, object| {
                if object["kind"] == "CustomResourceDefinition" {
                    plurals.learn_from(object);
                }
            })?;
        }
        for bundle in bundles {
            deriving.secrets(bundle);
            each_object(bundle, &mut |layer, id, object| {
                deriving.object(layer, id, object, &plurals);
            })?;
        }
        Ok(deriving.rights())
    }
}

/// Goes through all objects of a bundle, hooks included.
fn each_object(
    bundle: &Bundle,
    each: &mut dyn FnMut(&LayerName, &ObjectId, &Json),
) -> Result<(), BundleError> {
    // Rights follow from names and kinds; no secret is needed to know them.
    let values = bundle.manifest.secrets.keys();
    let values = values.map(|variable| (variable.clone(), String::new()));
    let secrets = Secrets::new(&bundle.manifest, &values.collect());
    for layer in &bundle.layers {
        for stage in &layer.stages {
            for batch in stage.batches(&secrets) {
                for manifest in batch? {
                    if let Some(planned) = stage.planned.get(manifest.index) {
                        each(&layer.name, &planned.id, &manifest.object);
                    }
                }
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Deriving {
    grants: Grants,
    brought: BTreeMap<String, LayerName>,
    guessed: BTreeMap<String, String>,
}

impl Deriving {
    /// Secrets that the bundle refers to are read where they are.
    fn secrets(&mut self, bundle: &Bundle) {
        let references = bundle.manifest.secrets.values();
        for reference in references.filter_map(|secret| secret.secret_ref.as_ref()) {
            let place = Some(reference.namespace.as_str());
            let name = Some(reference.name.as_str());
            self.grants.add(place, ("", "secrets"), name, &["get"]);
        }
    }

    fn object(&mut self, layer: &LayerName, id: &ObjectId, object: &Json, plurals: &Plurals) {
        let kind = Kind {
            group: id.group().to_owned(),
            kind: id.kind.clone(),
        };
        let (plural, is_sure) = plurals.of(&kind);
        if !is_sure {
            let name = format!("{}.{}", kind.kind, kind.group);
            self.guessed.insert(name, plural.clone());
        }
        let place = id.namespace.as_deref();
        let of = (kind.group.as_str(), plural.as_str());
        let name = match place {
            Some(_) => None,
            None => Some(id.name.as_str()),
        };
        self.grants.add(place, of, name, &OF_ONE);
        self.grants.add(place, of, None, &OF_ALL);
        if kind.kind == "Namespace" && kind.group.is_empty() {
            self.brought.insert(id.name.clone(), layer.clone());
        }
        if kind.group.contains('.') {
            // Before anything of such a group is deleted, it is asked which definitions are on their way out.
            let definitions = (DEFINITIONS, "customresourcedefinitions");
            self.grants.add(None, definitions, None, &["list"]);
        }
        self.waiting(id, of);
        self.roles(id, object);
    }

    /// What says whether the object is healthy.
    fn waiting(&mut self, id: &ObjectId, (group, plural): (&str, &str)) {
        let place = id.namespace.as_deref();
        if is_workload(id) {
            self.grants.add(place, ("", "pods"), None, &OF_ALL);
            self.grants.add(place, ("", "pods/log"), None, &["get"]);
            self.grants
                .add(place, ("apps", "replicasets"), None, &OF_ALL);
            self.grants
                .add(place, ("apps", "controllerrevisions"), None, &OF_ALL);
        }
        if !is_built_in(group) {
            // Whether the kind's controller will write conditions.
            let name = format!("{plural}.{group}");
            let of = (DEFINITIONS, "customresourcedefinitions");
            self.grants.add(None, of, Some(&name), &["get"]);
        }
        if id.kind == "PersistentVolumeClaim" && group.is_empty() {
            let of = ("storage.k8s.io", "storageclasses");
            self.grants.add(None, of, None, &["get", "list"]);
        }
    }

    /// Roles may grant more than their author has, and bindings may refer to roles of others.
    fn roles(&mut self, id: &ObjectId, object: &Json) {
        if id.group() != RBAC {
            return;
        }
        let place = id.namespace.as_deref();
        match id.kind.as_str() {
            "Role" => self
                .grants
                .add(place, (RBAC, "roles"), Some(&id.name), &["escalate"]),
            "ClusterRole" => {
                self.grants
                    .add(None, (RBAC, "clusterroles"), Some(&id.name), &["escalate"]);
            }
            "RoleBinding" | "ClusterRoleBinding" => {
                let of = match object["roleRef"]["kind"].as_str() {
                    Some("Role") => "roles",
                    _ => "clusterroles",
                };
                let role = object["roleRef"]["name"].as_str();
                self.grants.add(place, (RBAC, of), role, &["bind"]);
            }
            _ => {}
        }
    }

    fn rights(self) -> Rights {
        let places: BTreeSet<Option<String>> = self.grants.places();
        let mut rights = Rights {
            brought: self.brought,
            guessed: self.guessed,
            ..Rights::default()
        };
        for place in places {
            let rules = self.grants.rules(place.as_deref());
            match place {
                None => rights.cluster = rules,
                Some(namespace) => {
                    rights.namespaces.insert(namespace, rules);
                }
            }
        }
        rights
    }
}
