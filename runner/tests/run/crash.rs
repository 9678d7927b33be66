//! Runs that are killed (`kill -9`) after each write of the journal and of an inventory, and after each
//! object: the next run ends where the killed one wanted to, and what is somebody else's stays.

use std::{
    collections::BTreeSet,
    env,
    path::PathBuf,
    process::{self, Command},
};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_runner::{
    bundle::Secrets,
    cluster::{Access, Cluster, Listed, Pace},
    health::Status,
    run::{Options, Progress, RunError, apply, roll_back, status, uninstall},
};
use cairn_spec::ObjectId;
use serde::{Deserialize, Serialize};

use crate::world::{Layers, World, config_map, deployment, namespace};

/// The variable that makes this program the one that is killed.
const ORDER: &str = "CAIRN_TEST_CRASH";
/// More points than any run has.
const MANY: usize = 200;

/// What the killed process does, and when it is killed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    kubeconfig: PathBuf,
    run: Run,
    /// How many events it lives to see.
    lives_for: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Run {
    Apply(Version),
    /// Somebody goes back to a version.
    RollBack(Version),
    Uninstall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Version {
    First,
    Second,
    Bad,
}

/// Two layers; an object that moves from one to the other, and one that only this version has.
fn layers(version: Version) -> Layers {
    let (name, image) = match version {
        Version::First => ("first", "example.org/web:1"),
        Version::Second => ("second", "example.org/web:2"),
        Version::Bad => ("bad", "example.org/web:3-pull-fails"),
    };
    let base = Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with("base", "configuration", config_map("settings", name));
    let moving = config_map("moving", "x");
    let base = match version {
        Version::First => base.with("base", "configuration", moving.clone()),
        _ => base,
    };
    let web = base.with(
        "web",
        "configuration",
        config_map(name, "only in this version"),
    );
    let web = match version {
        Version::First => web,
        _ => web.with("web", "configuration", moving),
    };
    web.with("web", "workloads", deployment("web", image))
}

/// The other half of these tests: without an order it has nothing to do.
#[tokio::test]
#[ignore = "needs kube, and is started by the other tests"]
async fn victim() -> Result<()> {
    let Some(order) = env::var_os(ORDER) else {
        return Ok(());
    };
    let order: Order = serde_json::from_str(&order.to_string_lossy())?;
    let access = Access {
        kubeconfigs: vec![order.kubeconfig.clone()],
        ..Access::default()
    };
    let cluster = Cluster::connect(&access, Pace::default()).await?;
    let secrets = Secrets::default();
    let options = Options {
        approved_amount: true,
        ..Options::new(&secrets, "a test")
    };
    // Of a bundle that fails, the way there is that of any other.
    let mut counts = order.run != Run::Apply(Version::Bad);
    let mut lives_for = order.lives_for;
    let mut tell = |progress: Progress<'_>| match progress {
        Progress::Health { verdict, .. } => counts |= verdict.status == Status::Failed,
        Progress::Phase { .. }
        | Progress::Remembered { .. }
        | Progress::Applied { .. }
        | Progress::Pruned { .. }
            if counts =>
        {
            if lives_for == 0 {
                let pid = process::id().to_string();
                let killed = Command::new("kill").args(["-9", &pid]).status();
                panic!("it survived: {killed:?}");
            }
            lives_for -= 1;
        }
        _ => {}
    };
    let ended = match order.run {
        Run::Apply(version) => {
            let (bundle, digest) = layers(version).bundle()?;
            apply(&cluster, &bundle, (&digest, true), &options, &mut tell).await
        }
        Run::RollBack(version) => {
            let (_, digest) = layers(version).bundle()?;
            let went = roll_back(&cluster, Some(&digest), &options, &mut tell).await;
            went.map(|(_, finish)| finish)
        }
        Run::Uninstall => uninstall(&cluster, &options, &mut tell).await,
    };
    match ended {
        Ok(_) | Err(RunError::RolledBack { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Starts a run in a process of its own that is killed at an event; false if it ends before.
fn kill(world: &World, run: Run, lives_for: usize) -> Result<bool> {
    let order = Order {
        kubeconfig: world.server.kubeconfig().to_owned(),
        run,
        lives_for,
    };
    let output = Command::new(env::current_exe()?)
        .args(["--exact", "crash::victim", "--ignored", "--nocapture"])
        .env(ORDER, serde_json::to_string(&order)?)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        None => Ok(true),
        Some(0) if text.contains("1 passed") => Ok(false),
        _ => bail!(
            "{order:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// A world with objects of others, in a namespace of ours and under our label.
async fn world() -> Result<(World, BTreeSet<String>)> {
    let world = World::new().await?;
    for version in [Version::First, Version::Second, Version::Bad] {
        let artifact = layers(version).artifact()?;
        cairn_runner::run::store::keep(&world.cluster, &artifact).await?;
    }
    world.apply(&layers(Version::First)).await?;
    world.kubectl("create configmap -n shop foreign --from-literal=a=b")?;
    world.kubectl("create configmap -n shop copied --from-literal=a=b")?;
    let part_of = r"get configmap -n shop settings -o jsonpath={.metadata.labels.applyset\.kubernetes\.io/part-of}";
    let set = world.kubectl(part_of)?;
    world.kubectl(&format!(
        "label configmap -n shop copied applyset.kubernetes.io/part-of={set}"
    ))?;
    let foreign = uids(&world, |name| ["foreign", "copied"].contains(&name)).await?;
    ensure!(foreign.len() == 2, "{foreign:?}");
    Ok((world, foreign))
}

async fn config_maps(world: &World) -> Result<Vec<serde_json::Value>> {
    let id = ObjectId {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: None,
        name: String::new(),
    };
    let resource = world.cluster.resource_of(&id).await?;
    let listed = world
        .cluster
        .list(&resource, Some("shop"), "", Listed::Whole);
    Ok(listed.await?)
}

async fn uids(world: &World, is_meant: impl Fn(&str) -> bool) -> Result<BTreeSet<String>> {
    let maps = config_maps(world).await?;
    let meant = maps
        .iter()
        .filter(|map| map["metadata"]["name"].as_str().is_some_and(&is_meant));
    Ok(meant
        .map(|map| map["metadata"]["uid"].to_string())
        .collect())
}

/// The cluster has this version and nothing else of ours, all of it healthy, and what is others'.
async fn expect(world: &World, version: Option<Version>, foreign: &BTreeSet<String>) -> Result<()> {
    let left = uids(world, |name| ["foreign", "copied"].contains(&name)).await?;
    ensure!(left == *foreign, "something of others was deleted");
    let maps = config_maps(world).await?;
    let names: BTreeSet<&str> = maps
        .iter()
        .filter_map(|map| map["metadata"]["name"].as_str())
        .collect();
    let mut expected = BTreeSet::from(["kube-root-ca.crt", "foreign", "copied"]);
    let own = version.map(|version| match version {
        Version::First => "first",
        Version::Second => "second",
        Version::Bad => "bad",
    });
    if let Some(own) = own {
        expected.extend(["settings", "moving", own]);
        let settings = maps
            .iter()
            .find(|map| map["metadata"]["name"] == "settings");
        let value = settings.map(|map| map["data"]["value"].clone());
        ensure!(value == Some(own.into()), "the settings are {value:?}");
    }
    ensure!(names == expected, "there are {names:?}");
    let now = status(&world.cluster).await?;
    ensure!(now.journal.under_way().is_none(), "{:?}", now.journal);
    ensure!(now.damaged.is_empty() && now.is_healthy(), "{now:?}");
    let objects = now.layers.iter().flat_map(|layer| &layer.objects);
    let known: Vec<_> = objects.map(|object| &object.identity.name).collect();
    // The namespace stays, for it was not approved, and others' objects are in it.
    let expected = if version.is_some() { 5 } else { 1 };
    ensure!(known.len() == expected, "the inventories know {known:?}");
    Ok(())
}

/// Kills runs that live longer and longer, until they come to their end; `run` tells how many it has killed, and
/// checks what was left each time.
#[expect(
    clippy::print_stdout,
    reason = "how many points there are is worth knowing"
)]
async fn killed_at_each_point(
    what: &str,
    at_least: usize,
    mut run: impl AsyncFnMut(usize) -> Result<usize>,
) -> Result<()> {
    let mut points = 0;
    for lives_for in 0..MANY {
        let at = format!("{what} that were killed after {lives_for} events");
        let killed = run(lives_for).await.context(at)?;
        points += killed;
        if killed == 0 {
            break;
        }
    }
    println!("killed at {points} points of {what}");
    ensure!(points > at_least, "only {points} points");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn installations_and_uninstallations_that_are_killed_are_done_again() -> Result<()> {
    let (world, foreign) = world().await?;
    let first = layers(Version::First);
    killed_at_each_point("installations and uninstallations", 20, async |lives_for| {
        let went = kill(&world, Run::Uninstall, lives_for)?;
        world.uninstall().await.context("uninstalling")?;
        expect(&world, None, &foreign)
            .await
            .context("uninstalling")?;

        let came = kill(&world, Run::Apply(Version::First), lives_for)?;
        world.apply(&first).await.context("installing")?;
        expect(&world, Some(Version::First), &foreign)
            .await
            .context("installing")?;
        Ok(usize::from(went) + usize::from(came))
    })
    .await
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn upgrades_that_are_killed_are_done_again() -> Result<()> {
    let (world, foreign) = world().await?;
    let moving = uids(&world, |name| name == "moving").await?;
    killed_at_each_point("upgrades", 20, async |lives_for| {
        let version = match lives_for % 2 {
            0 => Version::Second,
            _ => Version::First,
        };
        let was_killed = kill(&world, Run::Apply(version), lives_for)?;
        world.apply(&layers(version)).await?;
        expect(&world, Some(version), &foreign).await?;
        Ok(usize::from(was_killed))
    })
    .await?;
    // It went to and fro between the layers.
    assert_eq!(uids(&world, |name| name == "moving").await?, moving);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn rollbacks_that_somebody_asked_for_and_that_are_killed_are_done_again() -> Result<()> {
    let (world, foreign) = world().await?;
    let moving = uids(&world, |name| name == "moving").await?;
    world.apply(&layers(Version::Second)).await?;
    killed_at_each_point("rollbacks by hand", 20, async |lives_for| {
        let version = match lives_for % 2 {
            0 => Version::First,
            _ => Version::Second,
        };
        let was_killed = kill(&world, Run::RollBack(version), lives_for)?;
        let (_, digest) = layers(version).bundle()?;
        let (went, _) = world.roll_back(Some(&digest)).await?;
        ensure!(went == digest, "it went to {went}");
        expect(&world, Some(version), &foreign).await?;
        Ok(usize::from(was_killed))
    })
    .await?;
    assert_eq!(uids(&world, |name| name == "moving").await?, moving);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn rollbacks_that_are_killed_are_done_again() -> Result<()> {
    let (world, foreign) = world().await?;
    let bad = layers(Version::Bad);
    killed_at_each_point("rollbacks", 15, async |lives_for| {
        let was_killed = kill(&world, Run::Apply(Version::Bad), lives_for)?;
        // It is taken up, or was done and not tried again.
        let error = world.apply(&bad).await.err().context("it succeeds")?;
        let is_expected = matches!(error, RunError::RolledBack { .. } | RunError::Journal(_));
        if !is_expected {
            return Err(error.into());
        }
        expect(&world, Some(Version::First), &foreign).await?;
        Ok(usize::from(was_killed))
    })
    .await
}
