//! What others change is noticed, told and put back, and nothing else.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_runner::{
    bundle::Secrets,
    cluster::{Access, Cluster, Pace},
    inventory::Identity,
    run::{
        Corrected, DriftWatch, Finding, IgnoreRule, Noticed, RunError, Verb, correct, look, plan,
    },
};
use cairn_test_kube::{Fault, Program};
use insta::assert_snapshot;
use serde_json::json;
use tokio::time::timeout;

use crate::world::{Layers, World, config_map, deployment, namespace};

/// Long enough for a busy machine; a test that waits for so long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

fn shop() -> Layers {
    Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with("base", "configuration", config_map("settings", "ours"))
        .with("base", "configuration", config_map("other", "ours"))
        .with("web", "workloads", deployment("web", "example.org/web:1"))
}

/// The names of those that a watch suspects, when it suspects some.
async fn suspects(watch: &mut DriftWatch) -> Result<BTreeSet<Identity>> {
    loop {
        let noticed = timeout(PATIENCE, watch.next()).await;
        if let Noticed::Suspects(suspects) = noticed.context("nothing is noticed")? {
            return Ok(suspects);
        }
    }
}

/// Until all of these were suspected.
async fn all_suspects(watch: &mut DriftWatch, names: &[&str]) -> Result<BTreeSet<Identity>> {
    let mut all = BTreeSet::new();
    while !names
        .iter()
        .all(|name| all.iter().any(|it: &Identity| it.name == *name))
    {
        all.extend(suspects(watch).await?);
    }
    ensure!(all.len() == names.len(), "{all:?}");
    Ok(all)
}

async fn put_back(
    world: &World,
    layers: &Layers,
    which: &BTreeSet<Identity>,
) -> Result<Vec<Corrected>> {
    let (bundle, digest) = layers.bundle()?;
    let secrets = Secrets::default();
    let options = world.options(&secrets);
    let bundle = (&bundle, &digest);
    Ok(correct(&world.cluster, bundle, which, &options, &mut |_| {}).await?)
}

fn lines(corrected: &[Corrected]) -> String {
    let lines = corrected.iter().map(|one| {
        let found = match &one.looked.finding {
            Finding::Changed(changes) => {
                let changes = changes.iter().map(ToString::to_string);
                changes.collect::<Vec<_>>().join(", ")
            }
            other => format!("{other:?}"),
        };
        format!("{}: {found}: {:?}", one.looked.id, one.outcome)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn what_others_change_is_put_back_and_nothing_else() -> Result<()> {
    let world = World::new().await?;
    world.apply(&shop()).await?;
    let version = |name: &str| {
        world.kubectl(&format!(
            "get configmap -n shop {name} -o jsonpath={{.metadata.resourceVersion}}"
        ))
    };
    let other = version("other")?;
    let mut watch = DriftWatch::start(&world.cluster).await?;
    assert_eq!(watch.identities().count(), 4);

    // Not ours, so nobody minds: only what comes afterwards is noticed.
    world.kubectl("annotate configmap -n shop other note=theirs")?;
    let other_annotated = version("other")?;
    assert_ne!(other, other_annotated);
    world.kubectl(
        r#"patch configmap -n shop settings --field-manager=theirs --patch={"data":{"value":"theirs"}}"#,
    )?;
    world.kubectl("scale deployment -n shop web --replicas=3")?;
    let which = all_suspects(&mut watch, &["settings", "web"]).await?;

    let corrected = put_back(&world, &shop(), &which).await?;
    assert_snapshot!(lines(&corrected), @r#"
    ConfigMap shop/settings: data.value: "theirs" → "ours" (set by theirs): Ok(Configured)
    Deployment shop/web: spec.replicas: 3 → 1 (set by kubectl): Ok(Configured)
    "#);
    for one in &corrected {
        watch.corrected(one);
    }
    assert_eq!(version("other")?, other_annotated);

    world.kubectl("delete configmap -n shop settings")?;
    let which = all_suspects(&mut watch, &["settings"]).await?;
    let corrected = put_back(&world, &shop(), &which).await?;
    assert_snapshot!(lines(&corrected), @"ConfigMap shop/settings: Gone: Ok(Created)");
    // The inventory knows the new one: nothing is left to do.
    assert_eq!(world.apply(&shop()).await?, "");
    assert_eq!(put_back(&world, &shop(), &which).await?.len(), 0);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn only_what_was_applied_from_end_to_end_is_put_back() -> Result<()> {
    let world = World::new().await?;
    world.apply(&shop()).await?;
    let which: BTreeSet<Identity> = DriftWatch::start(&world.cluster)
        .await?
        .identities()
        .cloned()
        .collect();
    let another = shop().with("web", "workloads", config_map("more", "x"));
    let refused = put_back(&world, &another, &which).await.unwrap_err();
    assert!(matches!(
        refused.downcast_ref(),
        Some(RunError::NotApplied(_))
    ));

    // Somebody else has taken the place of an object.
    world.kubectl("delete configmap -n shop other")?;
    world.kubectl("create configmap -n shop other --from-literal=value=theirs")?;
    let corrected = put_back(&world, &shop(), &which).await?;
    assert_snapshot!(lines(&corrected), @r#"ConfigMap shop/other: Unclear("it is somebody else's by now"): Err("it is somebody else's by now")"#);
    let (bundle, _) = shop().bundle()?;
    let secrets = Secrets::default();
    let looked = look(&world.cluster, &bundle, &which, &world.options(&secrets)).await?;
    let clear = looked
        .iter()
        .filter(|it| matches!(it.finding, Finding::AsApplied));
    assert_eq!((looked.len(), clear.count()), (4, 3));
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn what_belongs_to_others_is_neither_told_nor_taken_back() -> Result<()> {
    let mut world = World::new().await?;
    world.ignore = vec![IgnoreRule {
        target: serde_json::from_value(json!({"group": "apps", "kind": "Deployment"}))?,
        paths: vec!["/spec/replicas".to_owned()],
    }];
    let image = |tag: &str| {
        let mut deployment = deployment("web", &format!("example.org/web:{tag}"));
        deployment["spec"]["replicas"] = json!(2);
        Layers::default()
            .with("base", "namespaces", namespace("shop"))
            .with("web", "workloads", deployment)
    };
    let replicas =
        |world: &World| world.kubectl("get deployment -n shop web -o jsonpath={.spec.replicas}");
    world.apply(&image("0")).await?;
    // It is ours still: nobody has changed it, and it does not fall back to its default.
    world.apply(&image("1")).await?;
    assert_eq!(replicas(&world)?, "2");
    world.kubectl("scale deployment -n shop web --replicas=3")?;
    let mut watch = DriftWatch::start(&world.cluster).await?;
    let which = all_suspects(&mut watch, &["web"]).await?;
    assert_eq!(put_back(&world, &image("1"), &which).await?.len(), 0);
    let (bundle, _) = image("1").bundle()?;
    let secrets = Secrets::default();
    let planned = plan(&world.cluster, &bundle, &world.options(&secrets)).await?;
    let mut objects = planned.layers.iter().flat_map(|layer| &layer.objects);
    assert!(objects.all(|it| it.step.verb() == Verb::Unchanged));
    assert_snapshot!(world.apply(&image("2")).await?, @"Configured Deployment shop/web");
    assert_eq!(replicas(&world)?, "3");
    world.kubectl("scale deployment -n shop web --replicas=1")?;
    assert_snapshot!(world.apply(&image("3")).await?, @"Configured Deployment shop/web");
    assert_eq!(replicas(&world)?, "1");

    world.ignore.clear();
    assert_snapshot!(world.apply(&image("3")).await?, @"Configured Deployment shop/web");
    assert_eq!(replicas(&world)?, "2");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_watch_outlives_faults_and_the_end_of_the_api_server() -> Result<()> {
    let world = World::new().await?;
    world.apply(&shop()).await?;
    let access = Access {
        kubeconfigs: vec![world.server.faulty_kubeconfig()],
        ..Access::default()
    };
    let pace = Pace {
        request_timeout: Duration::from_secs(2),
        patience: Duration::from_secs(4),
        ..Pace::default()
    };
    let cluster = Cluster::connect(&access, pace).await?;
    let mut watch = DriftWatch::start(&cluster).await?;
    // Lists and watches of three kinds meet these.
    for (round, fault) in [
        Fault::Status(410),
        Fault::Status(429),
        Fault::Status(500),
        Fault::Reset,
    ]
    .into_iter()
    .enumerate()
    {
        world.server.fault(fault, 4)?;
        world.kubectl(&format!(
            r#"patch configmap -n shop settings --patch={{"data":{{"value":"{round}"}}}}"#
        ))?;
        let which = all_suspects(&mut watch, &["settings"]).await?;
        for one in put_back(&world, &shop(), &which).await? {
            watch.corrected(&one);
        }
    }
    world.server.kill(Program::ApiServer)?;
    let noticed = timeout(PATIENCE, watch.next()).await?;
    ensure!(matches!(noticed, Noticed::Blind { .. }), "{noticed:?}");
    world.server.start(Program::ApiServer)?;
    world.kubectl("delete configmap -n shop settings")?;
    all_suspects(&mut watch, &["settings"]).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn kinds_that_go_or_do_not_answer_are_told_apart() -> Result<()> {
    let world = World::new().await?;
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
        "metadata": {"name": "one", "namespace": "shop"}, "spec": {"size": 1},
    });
    let layers = Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with("base", "custom-resource-definitions", definition)
        .with("base", "custom-resources", thing);
    world.apply(&layers).await?;
    let mut watch = DriftWatch::start(&world.cluster).await?;
    world.kubectl("delete crd things.example.dev")?;
    all_suspects(&mut watch, &["things.example.dev", "one"]).await?;

    // An API that nobody serves: of its objects nothing is known.
    let service = world.server.kubeconfig().with_extension("service");
    let api = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1.example.dev"},
        "spec": {
            "group": "example.dev", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15,
            "insecureSkipTLSVerify": true, "service": {"namespace": "shop", "name": "nobody"},
        },
    });
    std::fs::write(&service, api.to_string())?;
    world.kubectl(&format!("create -f {}", service.display()))?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut watch = DriftWatch::start(&world.cluster).await?;
        let mut noticed = Vec::new();
        while let Ok(one) = timeout(Duration::from_millis(500), watch.next()).await {
            noticed.push(one);
        }
        let blind = Noticed::Blind {
            kind: "Thing.example.dev".to_owned(),
            reason: "the API `example.dev` does not answer".to_owned(),
        };
        if noticed.contains(&blind) {
            let of_thing = |it: &Noticed| matches!(it, Noticed::Suspects(all) if all.iter().any(|it| it.kind == "Thing"));
            ensure!(!noticed.iter().any(of_thing), "{noticed:?}");
            return Ok(());
        }
        if tokio::time::Instant::now() > deadline {
            bail!("{noticed:?}");
        }
    }
}
