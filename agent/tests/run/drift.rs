//! What others do to objects, and what becomes of it.

use anyhow::{Context as _, Result};
use cairn_runner::drift::Verdict;
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

fn is_contested(now: &cairn_agent::observed::Observations) -> bool {
    let mut verdicts = now.drift.values();
    verdicts.any(|(_, verdict)| matches!(verdict, Verdict::Contested { .. }))
}
