//! `cairn status` beside `kubectl rollout status` and `kubectl wait`: on the same objects they agree.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};

use crate::world::World;

/// An object, what kubectl is asked about it, and how it is.
struct Situation {
    object: Json,
    /// Without the object's namespace; succeeds when the object is as it should be.
    asked: &'static str,
    status: &'static str,
    /// What is waited for first, where the state that is meant comes only after a while.
    settled: &'static str,
}

fn situation(object: Json, asked: &'static str, status: &'static str) -> Situation {
    Situation {
        object,
        asked,
        status,
        settled: "",
    }
}

impl Situation {
    fn after(self, settled: &'static str) -> Self {
        Self { settled, ..self }
    }
}

fn pod(image: &str) -> Json {
    json!({"containers": [{"name": "main", "image": format!("example.org/app:{image}")}]})
}

fn once(image: &str) -> Json {
    let mut pod = pod(image);
    pod["restartPolicy"] = "Never".into();
    pod
}

fn object(api_version: &str, kind: &str, name: &str, spec: &Json) -> Json {
    json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "namespace": "verdicts"}, "spec": spec,
    })
}

/// An object that makes pods.
fn workload(kind: &str, name: &str, image: &str, more: &Json) -> Json {
    let mut spec = json!({
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod(image)},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    object("apps/v1", kind, name, &spec)
}

fn job(name: &str, image: &str) -> Json {
    let spec = json!({"backoffLimit": 0, "template": {"spec": once(image)}});
    object("batch/v1", "Job", name, &spec)
}

fn claim(name: &str, class: &str) -> Json {
    let spec = json!({
        "accessModes": ["ReadWriteOnce"], "storageClassName": class,
        "resources": {"requests": {"storage": "1Gi"}},
    });
    object("v1", "PersistentVolumeClaim", name, &spec)
}

fn definition() -> Json {
    let condition = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.dev"},
        "spec": {
            "group": "example.dev", "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    "status": {"type": "object", "properties": {
                        "conditions": {"type": "array", "items": condition},
                    }},
                }}},
            }],
        },
    })
}

fn workloads() -> Vec<Situation> {
    let plain = json!({});
    vec![
        situation(
            workload("Deployment", "good", "1", &plain),
            "rollout status deployment/good --timeout=60s",
            "Current",
        ),
        situation(
            workload("Deployment", "slow", "1-slow", &plain),
            "rollout status deployment/slow --timeout=60s",
            "Current",
        ),
        situation(
            workload("Deployment", "stuck", "1-never-ready", &plain),
            "rollout status deployment/stuck --timeout=1s",
            "InProgress",
        ),
        situation(
            workload("Deployment", "paused", "1", &json!({"paused": true})),
            "rollout status deployment/paused --timeout=1s",
            "InProgress",
        ),
        situation(
            workload("Deployment", "late", "1-never-ready", &json!({"progressDeadlineSeconds": 1})),
            "rollout status deployment/late --timeout=60s",
            "Failed",
        ),
        situation(
            workload("Deployment", "pulls", "1-pull-fails", &plain),
            "rollout status deployment/pulls --timeout=1s",
            "Failed",
        )
        .after("wait pod -l app=pulls --for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff --timeout=60s"),
        situation(
            workload("StatefulSet", "set", "1", &json!({"serviceName": "set", "replicas": 2})),
            "rollout status statefulset/set --timeout=60s",
            "Current",
        ),
        situation(
            workload("StatefulSet", "stuck-set", "1-never-ready", &json!({"serviceName": "set"})),
            "rollout status statefulset/stuck-set --timeout=1s",
            "InProgress",
        ),
        situation(
            workload("DaemonSet", "everywhere", "1", &plain),
            "rollout status daemonset/everywhere --timeout=60s",
            "Current",
        ),
        situation(
            workload("DaemonSet", "nowhere", "1-never-ready", &plain),
            "rollout status daemonset/nowhere --timeout=1s",
            "InProgress",
        ),
        situation(
            workload("ReplicaSet", "replicas", "1", &plain),
            "wait replicaset/replicas --for=jsonpath={.status.readyReplicas}=1 --timeout=60s",
            "Current",
        ),
        situation(
            object("v1", "Pod", "alone", &pod("1")),
            "wait pod/alone --for=condition=Ready --timeout=60s",
            "Current",
        ),
        situation(
            object("v1", "Pod", "broken", &pod("1-crashes")),
            "wait pod/broken --for=condition=Ready --timeout=1s",
            "Failed",
        )
        .after("wait pod/broken --for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=CrashLoopBackOff --timeout=60s"),
    ]
}

fn others() -> Vec<Situation> {
    let service =
        |kind: &str| json!({"type": kind, "ports": [{"port": 80}], "selector": {"app": "good"}});
    vec![
        situation(
            job("ends", "1"),
            "wait job/ends --for=condition=Complete --timeout=60s",
            "Current",
        ),
        situation(
            job("runs", "1-runs"),
            "wait job/runs --for=condition=Complete --timeout=1s",
            "InProgress",
        ),
        situation(
            job("fails", "1-crashes"),
            "wait job/fails --for=condition=Complete --timeout=1s",
            "Failed",
        )
        .after("wait job/fails --for=condition=Failed --timeout=60s"),
        situation(
            claim("bound", "standard"),
            "wait pvc/bound --for=jsonpath={.status.phase}=Bound --timeout=60s",
            "Current",
        ),
        situation(
            claim("pending", "no-such-class"),
            "wait pvc/pending --for=jsonpath={.status.phase}=Bound --timeout=1s",
            "InProgress",
        ),
        situation(
            object("v1", "Service", "inside", &service("ClusterIP")),
            "wait service/inside --for=jsonpath={.spec.clusterIP} --timeout=60s",
            "Current",
        ),
        situation(
            object("v1", "Service", "outside", &service("LoadBalancer")),
            "wait service/outside --for=jsonpath={.status.loadBalancer.ingress[0].ip} --timeout=60s",
            "Current",
        ),
        situation(
            definition(),
            "wait crd/things.example.dev --for=condition=Established --timeout=60s",
            "Current",
        ),
        situation(
            object("example.dev/v1", "Thing", "ready", &json!({})),
            "wait thing/ready --for=condition=Ready --timeout=60s",
            "Current",
        )
        .after("patch thing ready --subresource=status --type=merge -p {\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}"),
        situation(
            object("example.dev/v1", "Thing", "not-ready", &json!({})),
            "wait thing/not-ready --for=condition=Ready --timeout=1s",
            "InProgress",
        )
        .after("patch thing not-ready --subresource=status --type=merge -p {\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}}"),
    ]
}

fn manifests(situations: &[Situation]) -> String {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "verdicts"},
    });
    // JSON is YAML.
    let objects = situations
        .iter()
        .map(|situation| situation.object.to_string());
    let all: Vec<String> = [namespace.to_string()].into_iter().chain(objects).collect();
    all.join("\n---\n")
}

#[test]
#[ignore = "needs kube, kubectl"]
fn status_and_kubectl_agree() -> Result<()> {
    let world = World::new()?;
    let mut situations = workloads();
    situations.extend(others());
    let bundle = world.bundle("verdicts", &[("all", &manifests(&situations))])?;
    // Some of them fail, so the run does; all of them are there by then.
    let applied = world.run(&format!("apply {bundle} --timeout 60"))?;
    ensure!(applied.status.code() == Some(1), "{}", applied.stderr);

    let of_kubectl = |arguments: &str| world.kubectl(&format!("-n verdicts {arguments}"));
    for settled in situations
        .iter()
        .map(|it| it.settled)
        .filter(|it| !it.is_empty())
    {
        of_kubectl(settled)?;
    }
    let answers: Vec<bool> = situations
        .iter()
        .map(|situation| of_kubectl(situation.asked).is_ok())
        .collect();
    let status = world.json("status")?;
    let objects = status["layers"][0]["objects"].as_array();
    let verdicts: BTreeMap<(&str, &str), &str> = objects
        .context("no objects")?
        .iter()
        .filter_map(|it| {
            let key = (it["kind"].as_str()?, it["name"].as_str()?);
            Some((key, it["health"]["status"].as_str()?))
        })
        .collect();
    let mut disagreements = Vec::new();
    for (situation, is_ready) in situations.iter().zip(answers) {
        let text = |pointer| situation.object.pointer(pointer).and_then(Json::as_str);
        let key = (
            text("/kind").context("no kind")?,
            text("/metadata/name").context("no name")?,
        );
        let said = verdicts.get(&key).copied().unwrap_or("not there");
        if said != situation.status || (said == "Current") != is_ready {
            disagreements.push(format!(
                "{key:?}: status says {said}, kubectl {is_ready}, and it is {}",
                situation.status
            ));
        }
    }
    ensure!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    Ok(())
}
