//! Installing, changing, failing, removing.

use std::time::Duration;

use anyhow::Result;
use cairn_runner::{
    bundle::Secrets,
    run::{OnFailure, RunError, Verb, plan, status},
};
use insta::assert_snapshot;

use crate::world::{Layers, World, config_map, definition, deployment, namespace, thing};

fn shop(image: &str, value: &str) -> Layers {
    Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with("base", "configuration", config_map("settings", value))
        .with("web", "workloads", deployment("web", image))
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_bundle_comes_changes_and_goes() -> Result<()> {
    let world = World::new().await?;
    let first = shop("example.org/web:1", "a").with("web", "workloads", config_map("extra", "x"));
    assert_snapshot!(world.apply(&first).await?, @"
    Created Namespace shop
    Created ConfigMap shop/settings
    Created Deployment shop/web
    Created ConfigMap shop/extra
    ");
    assert_eq!(world.apply(&first).await?, "");

    let (bundle, _) = first.bundle()?;
    let secrets = Secrets::default();
    let planned = plan(&world.cluster, &bundle, &world.options(&secrets)).await?;
    let objects = planned.layers.iter().flat_map(|layer| &layer.objects);
    assert!(
        objects
            .into_iter()
            .all(|it| it.step.verb() == Verb::Unchanged)
    );
    assert!(status(&world.cluster).await?.is_healthy());

    let second = shop("example.org/web:2", "b");
    assert_snapshot!(world.apply(&second).await?, @"
    Configured ConfigMap shop/settings
    Configured Deployment shop/web
    ConfigMap shop/extra: deleted
    ");
    assert!(world.kubectl("get configmap -n shop extra").is_err());

    world.kubectl("create configmap -n shop foreign --from-literal=a=b")?;
    assert_snapshot!(world.uninstall().await?, @"
    Deployment shop/web: deleted
    ConfigMap shop/settings: deleted
    Namespace shop: kept until approved: R4: deleting a Namespace deletes more than itself
    ");
    assert!(world.kubectl("get configmap -n shop foreign").is_ok());
    assert!(world.kubectl("get deployment -n shop web").is_err());
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn an_image_that_cannot_be_had_fails_at_once_and_is_not_tried_again() -> Result<()> {
    let mut world = World::new().await?;
    world.on_failure = OnFailure::Halt;
    world.apply(&shop("example.org/web:1", "a")).await?;
    let bad = shop("example.org/web:2-pull-fails", "a");
    let Err(RunError::Unhealthy {
        layer,
        timed_out,
        unhealthy,
    }) = world.apply(&bad).await
    else {
        panic!("it was applied");
    };
    assert_eq!(
        (layer.as_str(), timed_out, unhealthy.len()),
        ("web", false, 1)
    );
    assert!(
        unhealthy[0].verdict.message.contains("ImagePullBackOff"),
        "{unhealthy:?}"
    );
    let again = world.apply(&bad).await.unwrap_err();
    assert!(again.to_string().contains("failed here before"), "{again}");
    // What was good is applied again.
    world.apply(&shop("example.org/web:1", "a")).await?;
    Ok(())
}

/// Whose pack says how its objects are judged.
fn thing_by_rule(phase: &str) -> Layers {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.dev"},
        "spec": {
            "group": "example.dev", "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    });
    let thing = json!({
        "apiVersion": "example.dev/v1", "kind": "Thing",
        "metadata": {"name": "one", "namespace": "shop"}, "spec": {"phase": phase},
    });
    let rule = json!({
        "group": "example.dev", "kind": "Thing",
        "failed": "spec.phase == 'Broken'", "current": "status.phase == spec.phase",
    });
    Layers::default()
        .judged_by(rule)
        .with("base", "namespaces", namespace("shop"))
        .with("base", "custom-resource-definitions", definition)
        .with("things", "custom-resources", thing)
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn rules_of_packs_say_when_an_object_is_healthy() -> Result<()> {
    let mut world = World::new().await?;
    let broken = world.apply(&thing_by_rule("Broken")).await.unwrap_err();
    let RunError::Unhealthy {
        timed_out: false,
        unhealthy,
        ..
    } = broken
    else {
        panic!("{broken:?}");
    };
    assert_snapshot!(unhealthy[0].verdict.message, @"`spec.phase == 'Broken'` holds");

    // Nothing serves the kind, so nothing writes the status that is waited for.
    world.timeout = Duration::from_secs(2);
    let late = world.apply(&thing_by_rule("Ready")).await.unwrap_err();
    let RunError::Unhealthy {
        timed_out: true,
        unhealthy,
        ..
    } = late
    else {
        panic!("{late:?}");
    };
    assert_snapshot!(unhealthy[0].verdict.message, @"Waiting for `status.phase == spec.phase`: no such field: `status`");
    world.kubectl(
        r#"patch things.example.dev -n shop one --type=merge --patch={"status":{"phase":"Ready"}}"#,
    )?;
    let layers = thing_by_rule("Ready").with("things", "custom-resources", config_map("more", "x"));
    world.apply(&layers).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn definitions_come_before_their_resources() -> Result<()> {
    let world = World::new().await?;
    let layers = Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with(
            "base",
            "custom-resource-definitions",
            definition("Thing", &["v1"]),
        )
        .with("base", "custom-resources", thing("one", 1));
    let (bundle, _) = layers.bundle()?;
    let secrets = Secrets::default();
    let planned = plan(&world.cluster, &bundle, &world.options(&secrets)).await?;
    let verbs: Vec<Verb> = planned.layers[0]
        .objects
        .iter()
        .map(|it| it.step.verb())
        .collect();
    assert_eq!(verbs, [Verb::Create, Verb::Create, Verb::Later]);
    assert_snapshot!(world.apply(&layers).await?, @"
    Created Namespace shop
    Created CustomResourceDefinition things.example.dev
    Created Thing shop/one
    ");
    Ok(())
}
