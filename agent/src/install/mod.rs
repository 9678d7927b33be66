//! What installs the agent in a cluster: one manifest, whose bytes follow from its inputs alone.
//!
//! The agent may do what its own memory, its reports and its bundle need, and nothing else. Without a bundle
//! to derive that from, somebody must say that it may do everything.

mod access;
mod settings;
#[cfg(test)]
mod tests;
mod workload;

use cairn_runner::{
    inventory::{PART_OF, set_id},
    roles::Rights,
    run::NAMESPACE,
};
use cairn_spec::{Node, yaml::write_manifest};
use serde_json::{Value as Json, json};

/// The name of all that is the agent's.
pub const NAME: &str = "cairn-agent";

/// What is to be installed.
#[derive(Debug, Clone)]
pub struct Install {
    /// The agent's image.
    pub image: String,
    /// Who says what the cluster is to run.
    pub source: Source,
    /// What the agent may do.
    pub permissions: Permissions,
    /// Logins of registries, as `config.json` of Docker has them.
    pub registry_logins: Option<String>,
    /// A certificate authority that registries may be issued by, beside the system's, PEM.
    pub registry_ca: Option<String>,
    /// The pod's connections are limited to those that it needs.
    pub network_policy: bool,
}

/// Who says what the cluster is to run.
#[derive(Debug, Clone)]
pub enum Source {
    /// A hub.
    Hub {
        /// Its address, `https://…`.
        url: String,
        /// The only certificate authorities that it may be issued by, PEM.
        ca: String,
        /// The keys whose desired states count, JSON; those that the hub names when it is joined, if there are none.
        keyring: Option<String>,
        /// What the agent joins with, once: `ID.SECRET`.
        token: Option<String>,
    },
    /// A reference in a registry.
    Registry {
        /// The reference.
        bundle: String,
        /// How often it is resolved, in seconds.
        interval_s: u64,
        /// The trust policy, with its keys in it.
        trust: String,
        /// How the cluster is to be treated, JSON.
        policy: Option<String>,
        /// Bundles without a signed generation are refused.
        require_generation: bool,
        /// The group of clusters that this one is in.
        group: Option<String>,
    },
}

/// What the agent may do, besides what its memory and its reports need.
#[derive(Debug, Clone)]
pub enum Permissions {
    /// What its bundles need.
    Derived(Rights),
    /// Everything.
    ClusterAdmin,
}

/// All objects, in the order in which they can be made.
pub fn objects(install: &Install) -> Vec<Json> {
    let mut objects = vec![own_namespace()];
    if let Permissions::Derived(rights) = &install.permissions {
        objects.extend(brought_namespaces(rights));
    }
    objects.extend(access::objects(&install.permissions));
    objects.extend(settings::objects(install));
    if install.network_policy {
        objects.push(workload::network_policy(install));
    }
    objects.push(workload::deployment(install));
    objects
}

/// The manifest: the objects as YAML.
pub fn manifest(install: &Install) -> String {
    let mut text = String::from(HEAD);
    for object in objects(install) {
        text.push_str("---\n");
        text.push_str(&write_manifest(&Node::from(object).value));
    }
    text
}

const HEAD: &str = "# Cairn's agent. To remove it and leave what it has brought:
#   kubectl delete deployment,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding,networkpolicy -A -l app.kubernetes.io/name=cairn-agent
# `kubectl delete -f` of this file would delete the namespaces below too, with all that is in them.
";

/// What all objects of the agent carry.
fn labels() -> Json {
    json!({
        "app.kubernetes.io/name": NAME,
        "app.kubernetes.io/part-of": "cairn",
        "app.kubernetes.io/version": env!("CARGO_PKG_VERSION"),
    })
}

/// `metadata` of an object in the agent's own namespace.
fn metadata(name: &str) -> Json {
    json!({"name": name, "namespace": NAMESPACE, "labels": labels()})
}

fn own_namespace() -> Json {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {
            "app.kubernetes.io/part-of": "cairn",
            "pod-security.kubernetes.io/enforce": "restricted",
        }},
    })
}

/// Roles in a namespace need the namespace. That it is there for the bundle, and no stranger's, is what the
/// label of the layer's set says.
fn brought_namespaces(rights: &Rights) -> impl Iterator<Item = Json> {
    let brought = rights.brought.iter().filter(|(name, _)| *name != NAMESPACE);
    brought.map(|(name, layer)| {
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {PART_OF: set_id(layer, NAMESPACE)}},
        })
    })
}
