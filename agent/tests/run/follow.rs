//! A tag is followed: what is there is applied, what fails is undone, and nobody need be there for it.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use anyhow::Result;
use cairn_agent::clock::Clock;
use cairn_runner::cluster::Access;
use cairn_spec::agent::Phase;
use cairn_test_kube::{Fault, Program};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    bundles::{config_map, shop},
    world::{World, eventually, runs, until},
};

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_bundle_that_fails_is_undone_without_the_registry_and_not_tried_again() -> Result<()> {
    World::with(async |world, registry| {
        let good = world.publish(&shop("example.org/web:1", "a"), &[]).await?;
        world
            .agent(async |observed| {
                until(&observed, "the first bundle", runs(&good)).await?;
                Ok(())
            })
            .await?;
        let bad = world
            .publish(&shop("example.org/web:2-pull-fails", "b"), &[])
            .await?;
        let good = world
            .agent(async |observed| {
                let is_bad = |now: &cairn_agent::observed::Observations| {
                    now.bundle.as_ref() == Some(&bad) && now.phase == Phase::Checking
                };
                until(&observed, "the second bundle", is_bad).await?;
                registry.take_away();
                let failed = Instant::now();
                let gone_back = until(&observed, "the way back", |now| {
                    now.journal.rejection(&bad).is_some() && now.phase == Phase::RolledBack
                })
                .await?;
                assert!(failed.elapsed().as_secs() < 20, "{:?}", failed.elapsed());
                assert_eq!(
                    (world.value()?, world.image()?),
                    ("a".to_owned(), "example.org/web:1".to_owned())
                );
                let reason = &gone_back
                    .journal
                    .rejection(&bad)
                    .expect("it is rejected")
                    .reason;
                assert!(reason.contains("ImagePullBackOff"), "{reason}");
                Ok(gone_back.journal.good.expect("one was good"))
            })
            .await?;
        // Started anew, without a registry: what was good is kept, and what failed stays away.
        world.kubectl("delete configmap -n shop settings")?;
        let before = world.journal()?;
        world
            .agent(async |observed| {
                until(&observed, "the good bundle", runs(&good)).await?;
                eventually(&"a".to_owned(), || world.value()).await?;
                until(&observed, "a look at the registry", |now| {
                    now.refusal.is_some()
                })
                .await?;
                assert_eq!(world.journal()?, before);
                Ok(())
            })
            .await
    })
    .await
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn an_agent_that_is_killed_again_and_again_gets_there() -> Result<()> {
    World::with(async |world, _registry| {
        let first = shop("example.org/web:1", "a");
        let first = world.publish(&first, &[]).await?;
        world
            .agent(async |observed| {
                until(&observed, "the first bundle", runs(&first)).await?;
                Ok(())
            })
            .await?;
        world.kubectl("create configmap -n shop foreign --from-literal=a=b")?;
        let second =
            shop("example.org/web:2", "b").with("web", "workloads", config_map("extra", "x"));
        let second = world.publish(&second, &[]).await?;
        // One step further each time.
        for steps in 1_usize.. {
            let is_there = world
                .agent(async |observed| {
                    let mut seen = 0;
                    let now = until(&observed, "a step", |now| {
                        seen += observed.take_happenings().len();
                        seen >= steps || runs(&second)(now)
                    })
                    .await?;
                    Ok(runs(&second)(&now))
                })
                .await?;
            if is_there {
                break;
            }
        }
        assert_eq!(
            (world.value()?, world.image()?),
            ("b".to_owned(), "example.org/web:2".to_owned())
        );
        world.kubectl("get configmap -n shop foreign extra")?;
        Ok(())
    })
    .await
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_cluster_is_left_alone_until_its_window_opens_and_policies_count_at_once() -> Result<()> {
    World::with(async |mut world, _registry| {
        // A clock that goes on from where it is set.
        let time = Arc::new(Mutex::new((
            "2026-03-29T00:10:00Z".parse::<Timestamp>()?,
            Instant::now(),
        )));
        let shown = Arc::clone(&time);
        world.clock = Clock::new(move || {
            let (set, since): (Timestamp, Instant) = *shown.lock().expect("nobody panics");
            set + SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::ZERO)
        });
        let set = |text: &str| -> Result<()> {
            *time.lock().expect("nobody panics") = (text.parse()?, Instant::now());
            Ok(())
        };
        // On that day the clock goes from 02:00 to 03:00.
        world.set_policy(&json!({"windows": {"allow": [
            {"name": "nights", "start": "02:30", "end": "04:00", "timezone": "Europe/Berlin"},
        ]}}))?;
        let bundle = world.publish(&shop("example.org/web:1", "a"), &[]).await?;
        world
            .agent(async |observed| {
                let waiting =
                    until(&observed, "the wait", |now| now.phase == Phase::Waiting).await?;
                assert!(waiting.message.is_some_and(|it| it.contains("nights")));
                set("2026-03-29T01:30:00Z")?;
                until(&observed, "the bundle", runs(&bundle)).await?;
                // Outside of the window, what others change is told and not put back.
                set("2026-03-29T05:00:00Z")
            })
            .await?;
        world.kubectl(
            "patch configmap -n shop settings --patch={\"data\":{\"value\":\"theirs\"}}",
        )?;
        let open = json!({});
        world
            .agent(async |observed| {
                until(&observed, "the drift", |now| !now.drift.is_empty()).await?;
                assert_eq!(world.value()?, "theirs");
                // The policy is read while the agent runs.
                std::fs::write(world.path("policy.json"), open.to_string())?;
                eventually(&"a".to_owned(), || world.value()).await
            })
            .await
    })
    .await
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn an_api_server_that_fails_for_a_while_changes_nothing_in_the_end() -> Result<()> {
    World::with(async |world, _registry| {
        let first = world.publish(&shop("example.org/web:1", "a"), &[]).await?;
        let access = Access {
            kubeconfigs: vec![world.server.faulty_kubeconfig()],
            ..Access::default()
        };
        world
            .agent_with(access, async |observed| {
                until(&observed, "the first bundle", runs(&first)).await?;
                for fault in [Fault::Status(429), Fault::Status(500), Fault::Reset] {
                    world.server.fault(fault, 3)?;
                    let value = format!("{fault:?}");
                    let next = shop("example.org/web:1", &value);
                    let next = world.publish(&next, &[]).await?;
                    until(&observed, "the next bundle", runs(&next)).await?;
                    eventually(&value, || world.value()).await?;
                }
                world.server.kill(Program::ApiServer)?;
                let next = world.publish(&shop("example.org/web:2", "z"), &[]).await?;
                world.server.start(Program::ApiServer)?;
                until(&observed, "the last bundle", runs(&next)).await?;
                // The watches are back, too.
                world.kubectl("delete configmap -n shop settings")?;
                eventually(&"z".to_owned(), || world.value()).await
            })
            .await
    })
    .await
}
