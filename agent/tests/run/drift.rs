//! What others do to objects, and what becomes of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_agent::{clock::Clock, observed::Observations};
use cairn_runner::drift::Verdict;
use jiff::SignedDuration;
use serde_json::json;

use crate::{
    bundles::shop,
    world::{World, eventually, runs, until},
};

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn edits_are_put_back_fights_are_named_and_what_is_not_cairns_is_left() -> Result<()> {
    World::with(async |world, _registry| {
        let bundle = world.publish(&shop("example.org/web:1", "a"), &[]).await?;
        world
            .agent(async |observed| {
                    until(&observed, "the bundle", runs(&bundle)).await?;
                    let edit = |value: &str| {
                        world.kubectl(&format!(
                            "patch configmap -n shop settings --field-manager=somebody --patch={{\"data\":{{\"value\":\"{value}\"}}}}"
                        ))
                    };
                    edit("theirs")?;
                    eventually(&"a".to_owned(), || world.value()).await?;
                    let now = until(&observed, "the report", |now| !now.corrected.is_empty()).await?;
                    let (identity, drifts) = now.corrected.first().context("nothing was put back")?;
                    assert_eq!(identity.name, "settings");
                    assert_eq!((drifts[0].field.as_str(), drifts[0].manager.as_str()), ("data.value", "somebody"));
                    assert!(!drifts[0].time.is_empty());

                    // An operator copies all labels to an object of its own.
                    let labels = world.kubectl("get configmap -n shop settings -o jsonpath={.metadata.labels}")?;
                    let copy = json!({
                        "apiVersion": "v1", "kind": "ConfigMap",
                        "metadata": {"name": "copy", "namespace": "shop", "labels": serde_json::from_str::<serde_json::Value>(&labels)?},
                    });
                    let path = world.path("copy.json");
                    std::fs::write(&path, copy.to_string())?;
                    world.kubectl(&format!("create -f {}", path.display()))?;

                    // Somebody else insists.
                    let contested = async {
                        for round in 0..20 {
                            edit(&format!("theirs-{round}"))?;
                            let wait = until(&observed, "an answer", |now| {
                                is_contested(now) || world.value().is_ok_and(|value| value == "a")
                            });
                            if is_contested(&wait.await?) {
                                return Ok(());
                            }
                        }
                        anyhow::bail!("it is not contested")
                    };
                    contested.await?;
                    let now = observed.now();
                    let (_, verdict) = now.drift.values().next().context("no drift")?;
                    let Verdict::Contested { field, manager, .. } = verdict else {
                        anyhow::bail!("{verdict:?}")
                    };
                    assert_eq!((field.as_str(), manager.as_str()), ("data.value", "somebody"));

                    // The next bundle prunes nothing of others.
                    let next = world.publish(&shop("example.org/web:2", "a"), &[]).await?;
                    until(&observed, "the next bundle", runs(&next)).await?;
                    world.kubectl("get configmap -n shop copy")?;
                    Ok(())

            })
            .await
    })
    .await
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn who_scales_is_left_alone_by_a_rule_and_fought_less_and_less_without_one() -> Result<()> {
    World::with(async |mut world, _registry| {
        // Time goes on by itself, and leaps.
        let leaps_s = Arc::new(AtomicI64::new(0));
        let (shown, base, since) = (Arc::clone(&leaps_s), Clock::system().now(), Instant::now());
        world.clock = Clock::new(move || {
            let elapsed = SignedDuration::try_from(since.elapsed()).unwrap_or_default();
            base + elapsed + SignedDuration::from_secs(shown.load(Ordering::SeqCst))
        });
        world.set_policy(&json!({"ignore": [
            {"target": {"group": "apps", "kind": "Deployment", "name": "web"}, "paths": ["/spec/replicas"]},
        ]}))?;
        let bundle = world.publish(&shop("example.org/web:1", "a"), &[]).await?;
        let world = &world;
        world
            .agent(async |observed| {
                until(&observed, "the bundle", runs(&bundle)).await?;
                // As a `HorizontalPodAutoscaler` does it.
                let scale = |replicas: u32| {
                    world.kubectl(&format!(
                        "patch deployment -n shop web --subresource=scale --field-manager=autoscaler --patch={{\"spec\":{{\"replicas\":{replicas}}}}}"
                    ))
                };
                let replicas = || world.kubectl("get deployment -n shop web -o jsonpath={.spec.replicas}");
                // Who has put back one thing has seen the other.
                let all_is_seen = async || {
                    world.kubectl("patch configmap -n shop settings --patch={\"data\":{\"value\":\"theirs\"}}")?;
                    eventually(&"a".to_owned(), || world.value()).await
                };
                let put_back = || {
                    let now = observed.now();
                    now.corrected.iter().filter(|(it, _)| it.name == "web").count()
                };
                for wanted in [3, 4] {
                    scale(wanted)?;
                    all_is_seen().await?;
                    ensure!(replicas()? == wanted.to_string());
                    let is_told = observed.now().drift.keys().any(|it| it.name == "web");
                    ensure!(put_back() == 0 && !is_told);
                }
                // Nor does another bundle change it.
                let next = world.publish(&shop("example.org/web:2", "a"), &[]).await?;
                until(&observed, "the next bundle", runs(&next)).await?;
                ensure!(replicas()? == "4");

                // Without the rule, what it did before counts too.
                std::fs::write(world.path("policy.json"), "{}")?;
                eventually(&"1".to_owned(), replicas).await?;
                let fight = async {
                    for _ in 0..20 {
                        scale(5)?;
                        let ends = |now: &Observations| {
                            is_contested(now) || replicas().is_ok_and(|now| now == "1")
                        };
                        if is_contested(&until(&observed, "an answer", ends).await?) {
                            return Ok(());
                        }
                    }
                    bail!("it is not contested")
                };
                fight.await?;
                ensure!(put_back() == 5, "put back {} times", put_back());
                let now = observed.now();
                let verdict = now.drift.values().find_map(|(_, verdict)| match verdict {
                    Verdict::Contested { field, manager, .. } => Some((field.as_str(), manager.as_str())),
                    _ => None,
                });
                assert_eq!(verdict, Some(("spec.replicas", "autoscaler")));
                // Once more after a minute, and then after two.
                for (times, waits_min) in [(6, 1), (7, 2)] {
                    leaps_s.fetch_add(waits_min * 60 - 30, Ordering::SeqCst);
                    all_is_seen().await?;
                    ensure!(replicas()? == "5" && put_back() == times - 1);
                    leaps_s.fetch_add(35, Ordering::SeqCst);
                    until(&observed, "one more time", |_| put_back() == times).await?;
                    eventually(&"1".to_owned(), replicas).await?;
                    scale(5)?;
                    until(&observed, "the next contest", is_contested).await?;
                }
                Ok(())
            })
            .await
    })
    .await
}

fn is_contested(now: &Observations) -> bool {
    let mut verdicts = now.drift.values();
    verdicts.any(|(_, verdict)| matches!(verdict, Verdict::Contested { .. }))
}
