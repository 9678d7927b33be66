//! Runs that must wait until the cluster may be changed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::Result;
use cairn_runner::{
    bundle::Secrets,
    journal::{Gate, Phase},
    run::{Closed, Finish, Options, apply, status},
};
use jiff::Timestamp;

use crate::world::{Layers, World, config_map, namespace};

fn closed() -> Closed {
    Closed {
        gate: Gate::Pause,
        reason: "the fair is on".to_owned(),
        until: None,
    }
}

fn layers() -> Layers {
    Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with("web", "configuration", config_map("settings", "a"))
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_run_waits_before_it_begins_and_goes_on_when_it_may() -> Result<()> {
    let world = World::new().await?;
    let is_open = AtomicBool::new(false);
    let may_change = |_: Timestamp| {
        if is_open.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(closed())
        }
    };
    let (bundle, digest) = layers().bundle()?;
    let secrets = Secrets::default();
    let options = Options {
        may_change: &may_change,
        ..world.options(&secrets)
    };
    let run = async || {
        apply(
            &world.cluster,
            &bundle,
            (&digest, false),
            &options,
            &mut |_| {},
        )
        .await
    };
    assert_eq!(run().await?, Finish::Waiting(closed()));
    assert!(world.kubectl("get namespace shop").is_err());
    let version =
        "get configmap -n cairn-system cairn-journal -o jsonpath={.metadata.resourceVersion}";
    let before = world.kubectl(version)?;
    let phase = status(&world.cluster)
        .await?
        .journal
        .run
        .map(|run| run.phase);
    assert_eq!(phase, Some(Phase::Waiting { gate: Gate::Pause }));
    // Waiting on is nothing to write down.
    assert_eq!(run().await?, Finish::Waiting(closed()));
    assert_eq!(world.kubectl(version)?, before);
    is_open.store(true, Ordering::Relaxed);
    assert_eq!(run().await?, Finish::Done);
    assert!(world.kubectl("get configmap -n shop settings").is_ok());
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_window_that_closes_lets_a_layer_finish() -> Result<()> {
    let world = World::new().await?;
    let asked = AtomicUsize::new(0);
    // Asked when it is called, before the first layer, and before the second one.
    let may_change = |_: Timestamp| match asked.fetch_add(1, Ordering::Relaxed) {
        2 => Err(closed()),
        _ => Ok(()),
    };
    let (bundle, digest) = layers().bundle()?;
    let secrets = Secrets::default();
    let options = Options {
        may_change: &may_change,
        ..world.options(&secrets)
    };
    let run = async || {
        apply(
            &world.cluster,
            &bundle,
            (&digest, false),
            &options,
            &mut |_| {},
        )
        .await
    };
    assert_eq!(run().await?, Finish::Waiting(closed()));
    assert!(world.kubectl("get namespace shop").is_ok());
    assert!(world.kubectl("get configmap -n shop settings").is_err());
    assert_eq!(run().await?, Finish::Done);
    assert!(world.kubectl("get configmap -n shop settings").is_ok());
    Ok(())
}
