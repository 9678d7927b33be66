//! What the agent's pod is given: files from a config map and from Secrets.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Install, NAME, Source, metadata};

/// The Secret with the token that is good for joining.
pub(super) const JOIN: &str = "cairn-agent-join";
/// The Secret with logins of registries.
pub(super) const REGISTRY: &str = "cairn-agent-registry";

/// Where the pod finds its files.
pub(super) const SETTINGS_FOLDER: &str = "/etc/cairn/agent";
pub(super) const JOIN_FOLDER: &str = "/etc/cairn/join";
pub(super) const REGISTRY_FOLDER: &str = "/etc/cairn/registry";

const CONFIG: &str = "config.json";
const HUB_CA: &str = "hub-ca.pem";
const KEYRING: &str = "keyring.json";
const REGISTRY_CA: &str = "registry-ca.pem";
const TRUST_POLICY: &str = "trust.yaml";
const POLICY: &str = "policy.json";

/// The port of the probes.
pub(super) const PORT: u16 = 8080;

/// The config map and the Secrets.
pub(super) fn objects(install: &Install) -> Vec<Json> {
    let mut objects = vec![json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(NAME),
        "data": files(install),
    })];
    if let Source::Hub {
        token: Some(token), ..
    } = &install.source
    {
        objects.push(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata(JOIN),
            "type": "Opaque", "stringData": {"token": token},
        }));
    }
    if let Some(logins) = &install.registry_logins {
        objects.push(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata(REGISTRY),
            "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": logins},
        }));
    }
    objects
}

/// The files of the config map.
pub(super) fn files(install: &Install) -> BTreeMap<&'static str, String> {
    let mut files = BTreeMap::from([(CONFIG, config(install))]);
    files.extend(install.registry_ca.clone().map(|ca| (REGISTRY_CA, ca)));
    match &install.source {
        Source::Hub { ca, keyring, .. } => {
            files.insert(HUB_CA, ca.clone());
            files.extend(keyring.clone().map(|keyring| (KEYRING, keyring)));
        }
        Source::Registry { trust, policy, .. } => {
            files.insert(TRUST_POLICY, trust.clone());
            files.extend(policy.clone().map(|policy| (POLICY, policy)));
        }
    }
    files
}

/// What the agent reads first.
fn config(install: &Install) -> String {
    let file = |name: &str| format!("{SETTINGS_FOLDER}/{name}");
    let mut config = json!({
        "listen": format!("0.0.0.0:{PORT}"),
        "registryLogin": format!("{REGISTRY_FOLDER}/config.json"),
    });
    if install.registry_ca.is_some() {
        config["registryCa"] = json!(file(REGISTRY_CA));
    }
    match &install.source {
        Source::Hub { url, keyring, .. } => {
            config["hub"] = json!({"url": url, "ca": file(HUB_CA)});
            if keyring.is_some() {
                config["hub"]["keyring"] = json!(file(KEYRING));
            }
            config["joinToken"] = json!(format!("{JOIN_FOLDER}/token"));
        }
        Source::Registry {
            bundle,
            interval_s,
            policy,
            require_generation,
            group,
            ..
        } => {
            config["bundle"] = json!(bundle);
            config["intervalS"] = json!(interval_s);
            config["requireGeneration"] = json!(require_generation);
            config["trust"] = json!(file(TRUST_POLICY));
            if policy.is_some() {
                config["policy"] = json!(file(POLICY));
            }
            if let Some(group) = group {
                config["group"] = json!(group);
            }
        }
    }
    format!("{config:#}\n")
}

/// The arguments of the agent.
pub(super) fn arguments() -> [String; 3] {
    let config = format!("{SETTINGS_FOLDER}/{CONFIG}");
    ["run".to_owned(), "--config".to_owned(), config]
}
