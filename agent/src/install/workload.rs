//! The agent's pod, and the connections that it needs.

use cairn_spec::Digest;
use serde_json::{Value as Json, json};

use super::{
    Install, NAME, Source, labels, metadata,
    settings::{
        JOIN, JOIN_FOLDER, PORT, REGISTRY, REGISTRY_FOLDER, SETTINGS_FOLDER, arguments, files,
    },
};

/// The user that the image runs as.
const USER: u32 = 10_001;

/// One pod, and never two at a time.
pub(super) fn deployment(install: &Install) -> Json {
    let mut pod_labels = labels();
    // Settings are read when the agent starts, so others start another one.
    let settings = Digest::sha256(json!(files(install)).to_string().as_bytes());
    pod_labels["cairn.dev/settings"] = json!(&settings.hex()[..16]);
    let mut volumes = Vec::new();
    let mut mounts = Vec::new();
    let mut mount = |name: &str, folder: &str, source: Json| {
        let mut volume = source;
        volume["name"] = json!(name);
        volumes.push(volume);
        mounts.push(json!({"name": name, "mountPath": folder, "readOnly": true}));
    };
    mount(
        "settings",
        SETTINGS_FOLDER,
        json!({"configMap": {"name": NAME}}),
    );
    if matches!(install.source, Source::Hub { .. }) {
        // The token is good for once; without it the agent goes on with the identity that it has.
        let source =
            json!({"secret": {"secretName": JOIN, "optional": true, "defaultMode": 0o440}});
        mount("join", JOIN_FOLDER, source);
    }
    let source = json!({"secret": {
        "secretName": REGISTRY, "optional": true, "defaultMode": 0o440,
        "items": [{"key": ".dockerconfigjson", "path": "config.json"}],
    }});
    mount("registry", REGISTRY_FOLDER, source);
    let container = json!({
        "name": "agent",
        "image": install.image,
        "args": arguments(),
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            // Little memory is worth more than threads that never wait for each other.
            {"name": "MALLOC_ARENA_MAX", "value": "1"},
            {"name": "MALLOC_TRIM_THRESHOLD_", "value": "131072"},
        ],
        "ports": [{"name": "probes", "containerPort": PORT, "protocol": "TCP"}],
        "livenessProbe": probe("/livez", 30, 3),
        "readinessProbe": probe("/readyz", 10, 3),
        "resources": {
            "requests": {"cpu": "5m", "memory": "16Mi"},
            "limits": {"memory": "64Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(NAME),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 3,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {"app.kubernetes.io/name": NAME}},
            "template": {
                "metadata": {"labels": pod_labels},
                "spec": {
                    "serviceAccountName": NAME,
                    "automountServiceAccountToken": true,
                    "enableServiceLinks": false,
                    "priorityClassName": "system-cluster-critical",
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}],
                    "securityContext": {
                        "runAsNonRoot": true, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container],
                    "volumes": volumes,
                },
            },
        },
    })
}

fn probe(path: &str, period_s: u32, failures: u32) -> Json {
    json!({
        "httpGet": {"path": path, "port": "probes"},
        "periodSeconds": period_s, "timeoutSeconds": 3, "failureThreshold": failures,
    })
}

/// In come the kubelet's probes alone, and out go names, the API server, and who is asked for bundles.
pub(super) fn network_policy(install: &Install) -> Json {
    let mut ports = vec![443, 6443];
    ports.extend(port_of(&install.source));
    ports.sort_unstable();
    ports.dedup();
    let tcp = ports
        .iter()
        .map(|port| json!({"protocol": "TCP", "port": port}));
    let names = ["TCP", "UDP"].map(|protocol| json!({"protocol": protocol, "port": 53}));
    let egress: Vec<Json> = names.into_iter().chain(tcp).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": metadata(NAME),
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": NAME}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": PORT}]}],
            "egress": [{"ports": egress}],
        },
    })
}

/// The port of the hub or the registry, when its address names one.
fn port_of(source: &Source) -> Option<u16> {
    let (Source::Hub { url: address, .. }
    | Source::Registry {
        bundle: address, ..
    }) = source;
    let address = address
        .split_once("://")
        .map_or(address.as_str(), |(_, rest)| rest);
    let host = address.split('/').next()?;
    host.rsplit_once(':')?.1.parse().ok()
}
