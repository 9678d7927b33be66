//! Two runs at once in one cluster.

use std::{process::Command, time::Duration};

use anyhow::Result;
use cairn_runner::{
    bundle::Secrets,
    run::{Finish, Options, Progress, RunError, apply},
};
use cairn_test_kube::peer;
use tokio::sync::mpsc;

use crate::world::{Layers, World, config_map, deployment, namespace};

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_second_run_is_refused_and_names_the_first() -> Result<()> {
    let world = World::new().await?;
    let stuck = Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with(
            "web",
            "workloads",
            deployment("web", "example.org/web:1-never-ready"),
        );
    let other = Layers::default().with("base", "namespaces", namespace("shop"));
    let (stuck, stuck_digest) = stuck.bundle()?;
    let (other, other_digest) = other.bundle()?;
    let secrets = Secrets::default();
    let held_by = |holder: &'static str| Options {
        holder,
        ..world.options(&secrets)
    };
    let (first_holds, second_holds) = (held_by("the first"), held_by("the second"));
    let (is_checking, mut checking) = mpsc::unbounded_channel();
    {
        let mut tell = |progress: Progress<'_>| {
            if let Progress::Health { .. } = progress {
                let _ = is_checking.send(());
            }
        };
        let first = apply(
            &world.cluster,
            &stuck,
            (&stuck_digest, false),
            &first_holds,
            &mut tell,
        );
        let second = async {
            checking.recv().await;
            let digest = (&other_digest, false);
            apply(&world.cluster, &other, digest, &second_holds, &mut |_| {}).await
        };
        let error = tokio::select! {
            ended = first => panic!("the first ended: {ended:?}"),
            refused = second => refused.unwrap_err(),
        };
        let text = error.to_string();
        assert!(matches!(error, RunError::Busy { .. }), "{text}");
        for part in [
            "`the first`",
            "installation",
            stuck_digest.as_str(),
            "checking web",
        ] {
            assert!(text.contains(part), "{text}");
        }
        // The first is dropped here in the middle, as if it was killed.
    }
    let digest = (&other_digest, false);
    let mut tell = |_: Progress<'_>| {};
    let taken_over = apply(&world.cluster, &other, digest, &second_holds, &mut tell);
    let taken_over = tokio::time::timeout(Duration::from_mins(1), taken_over);
    assert_eq!(taken_over.await??, Finish::Done);
    assert!(
        world
            .kubectl("get lease -n cairn-system cairn-run")
            .is_err()
    );
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_run_whose_journal_somebody_else_wrote_ends() -> Result<()> {
    let world = World::new().await?;
    let layers = Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with("web", "configuration", config_map("settings", "a"));
    let (bundle, digest) = layers.bundle()?;
    let kubeconfig = world.server.kubeconfig().to_owned();
    let mut is_first = true;
    let mut tell = |progress: Progress<'_>| {
        let is_healthy = matches!(progress, Progress::Healthy { .. });
        if is_healthy && std::mem::take(&mut is_first) {
            let mut kubectl = Command::new(peer("kubectl"));
            let command = "annotate configmap -n cairn-system cairn-journal somebody=else";
            let status = kubectl
                .args(command.split(' '))
                .env("KUBECONFIG", &kubeconfig)
                .status();
            assert!(status.is_ok_and(|status| status.success()));
        }
    };
    let secrets = Secrets::default();
    let options = world.options(&secrets);
    let ended = apply(
        &world.cluster,
        &bundle,
        (&digest, false),
        &options,
        &mut tell,
    )
    .await;
    let error = ended.unwrap_err();
    assert!(matches!(error, RunError::TakenOver { .. }), "{error}");
    assert!(world.kubectl("get configmap -n shop settings").is_err());
    // The next one takes it up.
    world.apply(&layers).await?;
    Ok(())
}
