//! Going back to a bundle that was good.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Result;
use cairn_runner::{
    bundle::Secrets,
    health::Status,
    run::{OnFailure, Progress, RunError, apply, status, store},
};
use cairn_spec::Digest;
use insta::assert_snapshot;
use serde_json::json;

use crate::world::{Layers, World, config_map, definition, deployment, namespace, thing};

fn shop(image: &str, value: &str) -> Layers {
    Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with("base", "configuration", config_map("settings", value))
        .with(
            "web",
            "configuration",
            config_map(&format!("only-{value}"), "x"),
        )
        .with("web", "workloads", deployment("web", image))
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_bundle_that_fails_is_undone_at_once_and_not_tried_again() -> Result<()> {
    let world = World::new().await?;
    let good = shop("example.org/web:1", "a");
    world.apply(&good).await?;
    let bad = shop("example.org/web:2-pull-fails", "b").with(
        "after",
        "configuration",
        config_map("after", "never applied"),
    );
    store::keep(&world.cluster, &bad.artifact()?).await?;
    let (bundle, digest) = bad.bundle()?;
    let (mut verdict, mut undoing, mut undone) = (None, None, None);
    let mut tell = |progress: Progress<'_>| match progress {
        Progress::Health { verdict: it, .. } if it.status == Status::Failed => {
            verdict = Some(Instant::now());
        }
        Progress::RollingBack { .. } => undoing = Some(Instant::now()),
        Progress::Healthy { layer } if layer.as_str() == "web" => undone = Some(Instant::now()),
        _ => {}
    };
    let secrets = Secrets::default();
    let options = world.options(&secrets);
    let applied = apply(
        &world.cluster,
        &bundle,
        (&digest, false),
        &options,
        &mut tell,
    );
    let error = applied.await.unwrap_err();
    let text = error.to_string();
    let RunError::RolledBack { to, failure } = error else {
        panic!("{text}");
    };
    assert!(matches!(*failure, RunError::Unhealthy { .. }), "{failure}");
    assert!(text.contains("ImagePullBackOff"), "{text}");
    assert_eq!(to, *good.artifact()?.digest());
    let took = undoing.zip(verdict).map(|(to, from)| to - from);
    assert!(
        took.is_some_and(|took| took < Duration::from_secs(20)),
        "{took:?}"
    );
    let whole = undone.zip(verdict).map(|(to, from)| to - from);
    println!("back began {took:?} after the verdict, and was healthy after {whole:?}");

    let get = "get -n shop -o jsonpath={.data.value}{.spec.template.spec.containers[0].image} ";
    assert_eq!(world.kubectl(&format!("{get} configmap/settings"))?, "a");
    assert_eq!(
        world.kubectl(&format!("{get} deployment/web"))?,
        "example.org/web:1"
    );
    assert!(world.kubectl("get configmap -n shop only-a").is_ok());
    assert!(world.kubectl("get configmap -n shop only-b").is_err());
    assert!(world.kubectl("get configmap -n shop after").is_err());
    let now = status(&world.cluster).await?;
    assert!(now.is_healthy());
    assert_eq!(
        (&now.journal.good, now.journal.rejected.len()),
        (&Some(to), 1)
    );
    assert!(now.journal.rejected[0].reason.contains("ImagePullBackOff"));
    let again = world.apply(&bad).await.unwrap_err();
    assert!(again.to_string().contains("failed here before"), "{again}");
    // The same again when somebody wants it.
    let again = world.try_apply(&bad, true).await.unwrap_err();
    assert!(matches!(again, RunError::RolledBack { .. }), "{again}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_first_bundle_that_fails_is_not_undone() -> Result<()> {
    let world = World::new().await?;
    let bad = shop("example.org/web:1-pull-fails", "a");
    let error = world.apply(&bad).await.unwrap_err();
    assert!(matches!(error, RunError::Unhealthy { .. }), "{error}");
    let error = world.roll_back(None).await.unwrap_err();
    assert_snapshot!(error, @"no bundle was healthy here before");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn somebody_goes_back_and_forth() -> Result<()> {
    let mut world = World::new().await?;
    let (first, second) = (
        shop("example.org/web:1", "a"),
        shop("example.org/web:2", "b"),
    );
    world.apply(&first).await?;
    world.apply(&second).await?;
    let (first_digest, second_digest) = (first.bundle()?.1, second.bundle()?.1);
    let (to, changes) = world.roll_back(None).await?;
    assert_eq!(to, first_digest);
    assert_snapshot!(changes, @"
    Configured ConfigMap shop/settings
    Created ConfigMap shop/only-a
    Configured Deployment shop/web
    ConfigMap shop/only-b: deleted
    ");
    let again = world.apply(&second).await.unwrap_err();
    assert!(again.to_string().contains("it was left for"), "{again}");
    assert_snapshot!(world.roll_back(None).await.unwrap_err(), @"no bundle was healthy here before");
    let (to, _) = world.roll_back(Some(&second_digest)).await?;
    assert_eq!(to, second_digest);
    assert!(world.kubectl("get configmap -n shop only-b").is_ok());
    let unknown = Digest::sha256(b"unknown");
    let error = world.roll_back(Some(&unknown)).await.unwrap_err();
    assert!(
        matches!(error, RunError::Store(store::StoreError::NotKept(_))),
        "{error}"
    );
    // A bundle that failed is left where it is when that is wanted, and gone back from by hand.
    world.on_failure = OnFailure::Halt;
    let bad = shop("example.org/web:3-pull-fails", "c");
    let error = world.apply(&bad).await.unwrap_err();
    assert!(matches!(error, RunError::Unhealthy { .. }), "{error}");
    assert_eq!(world.roll_back(None).await?.0, second_digest);
    assert!(status(&world.cluster).await?.is_healthy());
    // Only what a run may still come from or go to is kept.
    let kept = store::kept(&world.cluster).await?;
    assert_eq!(kept, [second_digest, bad.bundle()?.1].into());
    world.uninstall().await?;
    assert!(store::kept(&world.cluster).await?.is_empty());
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn what_holds_data_or_says_so_does_not_go_back() -> Result<()> {
    let mut world = World::new().await?;
    let never = |name: &str, value: &str| {
        let mut object = config_map(name, value);
        object["metadata"]["annotations"] = json!({"cairn.dev/rollback": "never"});
        object
    };
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "shop"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    });
    let bundle = |versions: &[&str], value: &str| {
        Layers::default()
            .with("base", "namespaces", namespace("shop"))
            .with(
                "base",
                "custom-resource-definitions",
                definition("Thing", versions),
            )
            .with("base", "configuration", never("state", value))
            .with("base", "configuration", config_map("settings", value))
    };
    world.apply(&bundle(&["v1"], "a")).await?;
    let second = bundle(&["v1", "v2"], "b")
        .with("base", "configuration", claim)
        .with("base", "configuration", never("brought", "b"))
        .with("base", "custom-resources", thing("one", 1));
    world.apply(&second).await?;
    // Even what may be deleted stays when it holds data.
    let claims = Layers::default().with(
        "base",
        "configuration",
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": "shop"},
        }),
    );
    let claims = claims.bundle()?.0;
    let planned = claims.layers.iter().flat_map(|layer| &layer.stages);
    let ids = planned.flat_map(|stage| &stage.planned);
    world.approved = ids.map(|planned| (&planned.id).into()).collect();
    let (_, changes) = world.roll_back(None).await?;
    assert_snapshot!(changes, @"
    Kept CustomResourceDefinition things.example.dev
    Kept ConfigMap shop/state
    Configured ConfigMap shop/settings
    Thing shop/one: deleted
    PersistentVolumeClaim shop/data: kept: it does not go back: it holds data
    ConfigMap shop/brought: kept: it does not go back: its annotation `cairn.dev/rollback: never`
    ");
    let values: BTreeMap<&str, String> = ["state", "settings"]
        .into_iter()
        .map(|name| {
            let get = format!("get configmap -n shop {name} -o jsonpath={{.data.value}}");
            Ok((name, world.kubectl(&get)?))
        })
        .collect::<Result<_>>()?;
    assert_eq!(
        (values["state"].as_str(), values["settings"].as_str()),
        ("b", "a")
    );
    let versions = "get crd things.example.dev -o jsonpath={.spec.versions[*].name}";
    assert_eq!(world.kubectl(versions)?, "v1 v2");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn hooks_for_rollbacks_run_in_the_place_of_those_for_upgrades() -> Result<()> {
    let world = World::new().await?;
    let bundle = |value: &str| {
        let before = ("base", "pre-hooks");
        Layers::default()
            .with("base", "namespaces", namespace("shop"))
            .with_hook("pre-rollback", before, config_map("before", value))
            .with_hook("pre-upgrade", before, config_map("upgraded", value))
            .with("base", "configuration", config_map("settings", value))
            .with_hook(
                "post-rollback",
                ("base", "post-hooks"),
                config_map("after", value),
            )
    };
    let value = |name: &str| {
        world.kubectl(&format!(
            "get configmap -n shop {name} -o jsonpath={{.data.value}}"
        ))
    };
    world.apply(&bundle("a")).await?;
    world.apply(&bundle("b")).await?;
    assert!(value("before").is_err() && value("after").is_err());
    world.roll_back(None).await?;
    assert_eq!(
        (value("before")?, value("after")?),
        ("a".to_owned(), "a".to_owned())
    );
    assert_eq!(value("upgraded")?, "b");
    Ok(())
}
