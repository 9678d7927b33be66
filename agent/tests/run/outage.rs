//! An API server that halts, is gone, and has forgotten what watches ask for; and somebody who scales.

use anyhow::{Context as _, Result, ensure};
use cairn_runner::cluster::Access;
use cairn_test_kube::{Fault, Program};
use serde_json::Value as Json;

use crate::{
    bundles::shop,
    world::{World, eventually, runs, until},
};

/// More than an agent asks for a few objects after an outage, and far less than one without pauses would.
const MANY_REQUESTS: usize = 150;
const EDIT: &str = "patch configmap -n shop settings --patch={\"data\":{\"value\":\"theirs\"}}";

/// The requests of agents until now, as the API server has written them down.
fn requests(world: &World) -> Result<Vec<Json>> {
    let log = world.server.audit_log()?;
    let events = log.lines().map(serde_json::from_str::<Json>);
    let events: Vec<Json> = events.filter_map(Result::ok).collect();
    let of_agent = |event: &Json| {
        let agent = event["userAgent"].as_str().unwrap_or_default();
        agent.starts_with("cairn/")
    };
    Ok(events.into_iter().filter(of_agent).collect())
}

/// How often an agent has listed what carries its labels.
fn lists(world: &World) -> Result<usize> {
    let is_list = |event: &Json| {
        let uri = event["requestURI"].as_str().unwrap_or_default();
        event["verb"] == "list" && uri.contains("/configmaps") && uri.contains("part-of")
    };
    Ok(requests(world)?.iter().filter(|it| is_list(it)).count())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn drift_is_put_back_when_the_api_server_is_there_again() -> Result<()> {
    World::with(async |world, _registry| {
        let bundle = world.publish(&shop("example.org/web:1", "a"), &[]).await?;
        let access = Access {
            kubeconfigs: vec![world.server.faulty_kubeconfig()],
            ..Access::default()
        };
        world
            .agent_with(access, async |observed| {
                until(&observed, "the bundle", runs(&bundle)).await?;
                world.kubectl(EDIT)?;
                eventually(&"a".to_owned(), || world.value()).await?;

                // Halted in the middle of putting something back.
                let before = requests(&world)?.len();
                world.kubectl(EDIT)?;
                world.server.halt(Program::ApiServer)?;
                let asked = world.kubectl("get namespace shop --request-timeout=2s");
                ensure!(asked.is_err(), "it is not halted");
                world.server.resume(Program::ApiServer)?;
                eventually(&"a".to_owned(), || world.value()).await?;
                let asked = requests(&world)?.len() - before;
                ensure!(asked < MANY_REQUESTS, "{asked} requests");

                // Gone, and back; what changed while the agent could not see it is in no watch any more.
                world.server.kill(Program::ApiServer)?;
                world.server.start(Program::ApiServer)?;
                world.server.fault(Fault::Status(503), 10_000)?;
                world.kubectl(EDIT)?;
                world.kubectl("create configmap -n shop another")?;
                world.server.kill(Program::ApiServer)?;
                world.server.start(Program::ApiServer)?;
                let (listed, before) = (lists(&world)?, requests(&world)?.len());
                ensure!(world.value()? == "theirs", "the agent was not kept away");
                world.server.fault(Fault::Status(503), 0)?;
                eventually(&"a".to_owned(), || world.value()).await?;
                ensure!(lists(&world)? > listed, "no watch was too old");
                let asked = requests(&world)?.len() - before;
                ensure!(asked < MANY_REQUESTS, "{asked} requests");
                let now = observed.now();
                let (last, _) = now.corrected.last().context("nothing was put back")?;
                ensure!(last.name == "settings");
                Ok(())
            })
            .await
    })
    .await
}
