//! Waiting for objects to be healthy.

use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use cairn_runner::{
    cluster::{Awaited, Ended, Waiting, id_of},
    health::Status,
};
use cairn_test_kube::unique;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
#[ignore = "needs kube"]
async fn a_layer_is_waited_for_until_all_of_it_is_healthy() -> Result<()> {
    let world = World::shared().await?;
    let metadata = |name: &str| json!({"name": name, "namespace": world.namespace});
    let containers = json!([{"name": "main", "image": "example.org/app:1"}]);
    let claim = |name: &str, class: &str| {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(name),
            "spec": {
                "storageClassName": class, "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        })
    };
    let workload = |kind: &str, spec: Value| {
        let mut object = json!({
            "apiVersion": "apps/v1", "kind": kind, "metadata": metadata("app"), "spec": spec,
        });
        object["spec"]["selector"] = json!({"matchLabels": {"app": kind}});
        object["spec"]["template"] = json!({
            "metadata": {"labels": {"app": kind}}, "spec": {"containers": containers},
        });
        object
    };
    let objects = [
        world.config_map("settings", &json!({})),
        claim("at-once", "standard"),
        claim("on-use", "waits"),
        workload("Deployment", json!({"replicas": 3})),
        workload("StatefulSet", json!({"replicas": 2, "serviceName": "app"})),
        workload("DaemonSet", json!({})),
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata("once"),
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": containers}}},
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata("web"),
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        }),
    ];
    let (ended, told) = waited(&world, &objects, Duration::from_mins(1)).await?;
    assert_eq!(ended, Ended::Healthy, "{told:#?}");
    let waited_for = |kind: &str| {
        let mut of_kind = told.iter().filter(|(of, _)| of == kind);
        of_kind.any(|(_, status)| *status == Status::InProgress)
    };
    for kind in ["Deployment", "StatefulSet", "DaemonSet", "Job", "Service"] {
        assert!(waited_for(kind), "{kind}: {told:#?}");
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube"]
async fn a_bad_image_fails_at_once_and_says_why() -> Result<()> {
    for (image, reason, last_words) in [
        ("example.org/app:2-pull-fails", "ImagePullBackOff", None),
        (
            "example.org/app:2-crashes",
            "CrashLoopBackOff",
            Some("fatal: the configuration has no key `endpoint`"),
        ),
    ] {
        let world = World::shared().await?;
        let deployment = |image: &str| {
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "app", "namespace": world.namespace},
                "spec": {
                    "replicas": 2,
                    "selector": {"matchLabels": {"app": "app"}},
                    "template": {
                        "metadata": {"labels": {"app": "app"}},
                        "spec": {"containers": [{"name": "main", "image": image}]},
                    },
                },
            })
        };
        let patience = Duration::from_mins(1);
        let good = deployment("example.org/app:1");
        let (ended, _) = waited(&world, std::slice::from_ref(&good), patience).await?;
        assert_eq!(ended, Ended::Healthy);
        // The first version's pods are there still, and well.
        let bad = deployment(image);
        let (ended, told) = waited(&world, std::slice::from_ref(&bad), patience).await?;
        let Ended::Failed(failed) = ended else {
            bail!("{ended:?}, {told:#?}");
        };
        let [failed] = failed.as_slice() else {
            bail!("{failed:?}");
        };
        assert_eq!(failed.verdict.reason, reason);
        let last = failed
            .last_words
            .as_deref()
            .and_then(|text| text.lines().last());
        assert_eq!(last, last_words);
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube"]
async fn what_does_not_get_ready_in_time_is_named() -> Result<()> {
    let world = World::shared().await?;
    let objects = [
        world.config_map("settings", &json!({})),
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "app", "namespace": world.namespace},
            "spec": {"containers": [{"name": "main", "image": "example.org/app:never-ready"}]},
        }),
    ];
    let (ended, _) = waited(&world, &objects, Duration::from_secs(2)).await?;
    let Ended::TimedOut(late) = ended else {
        bail!("{ended:?}");
    };
    let names: Vec<&str> = late.iter().map(|one| one.id.name.as_str()).collect();
    assert_eq!(names, ["app"]);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_custom_resource_is_waited_for_until_its_controller_has_said_something() -> Result<()> {
    let world = World::shared().await?;
    let group = format!("{}.test", unique("g"));
    let condition = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("things.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"status": {
                    "type": "object",
                    "properties": {"conditions": {"type": "array", "items": condition}},
                }}}},
            }],
        },
    });
    let thing = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Thing",
        "metadata": {"name": "one", "namespace": world.namespace},
    });
    let minute = Duration::from_mins(1);
    let (ended, _) = waited(&world, std::slice::from_ref(&definition), minute).await?;
    assert_eq!(ended, Ended::Healthy);
    world.cluster.discover().await?;
    let one = std::slice::from_ref(&thing);
    let (ended, _) = waited(&world, one, Duration::from_secs(1)).await?;
    let Ended::TimedOut(late) = ended else {
        bail!("{ended:?}");
    };
    assert_eq!(late[0].verdict.reason, "NoStatus");
    let ready = r#"{"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#;
    world.kubectl(&format!(
        "patch things.{group} one --subresource=status --type=merge --patch={ready}"
    ))?;
    let (ended, _) = waited(&world, one, minute).await?;
    assert_eq!(ended, Ended::Healthy);
    world.kubectl(&format!("delete crd things.{group}"))?;
    Ok(())
}

/// Applies objects and waits for them; how it ended, and each verdict with its kind.
async fn waited(
    world: &World,
    objects: &[Value],
    timeout: Duration,
) -> Result<(Ended, Vec<(String, Status)>)> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let applied = Timestamp::from_second(now.as_secs().try_into()?)?;
    let mut awaited = Vec::new();
    for object in objects {
        let live = world.apply(object).await?;
        awaited.push(Awaited::new(id_of(object), object, live, applied));
    }
    let how = Waiting {
        label: "",
        timeout,
        load_balancer_address: true,
        health: &[],
    };
    let mut told = Vec::new();
    let ended = world
        .cluster
        .wait(awaited, &how, |id, verdict| {
            told.push((id.kind.clone(), verdict.status));
        })
        .await?;
    Ok((ended, told))
}
