//! Watches, and what comes with them: definitions that make new kinds known.

use anyhow::Result;
use cairn_runner::cluster::{Follow, id_of};
use cairn_test_kube::{Program, unique};
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_kind_is_known_as_soon_as_its_definition_is_established() -> Result<()> {
    let world = World::shared().await?;
    let group = format!("{}.test", unique("g"));
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("things.{group}"), "labels": {"test": group}},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
            }],
        },
    });
    let thing = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Thing",
        "metadata": {"name": "one", "namespace": world.namespace},
    });
    let mut follow = world
        .cluster
        .follow(&[id_of(&definition)], &format!("test={group}"))
        .await?;
    world.apply(&definition).await?;
    until(&mut follow, |object| {
        let conditions = object["status"]["conditions"].as_array();
        conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Established" && condition["status"] == "True")
    })
    .await?;
    world.apply(&thing).await?;
    assert!(world.cluster.get(&id_of(&thing)).await?.is_some());
    world.kubectl(&format!("delete crd things.{group}"))?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn following_survives_the_end_of_the_api_server() -> Result<()> {
    let world = World::private().await?;
    let first = world.config_map("first", &json!({"a": "1"}));
    world.apply(&first).await?;
    let mut follow = world.cluster.follow(&[id_of(&first)], "test=yes").await?;
    until(&mut follow, |object| object["data"]["a"] == "1").await?;

    world.server.kill(Program::ApiServer)?;
    world.server.start(Program::ApiServer)?;
    let second = world.config_map("second", &json!({"a": "2"}));
    world.apply(&second).await?;
    until(&mut follow, |object| object["data"]["a"] == "2").await?;
    world.kubectl("delete configmap first")?;
    loop {
        let seen = follow.next().await?;
        if seen
            .iter()
            .any(|seen| seen.id == id_of(&first) && seen.object.is_none())
        {
            return Ok(());
        }
    }
}

/// Waits for an object.
async fn until(follow: &mut Follow, is_it: impl Fn(&Value) -> bool) -> Result<()> {
    loop {
        let seen = follow.next().await?;
        if seen
            .iter()
            .filter_map(|seen| seen.object.as_ref())
            .any(&is_it)
        {
            return Ok(());
        }
    }
}
