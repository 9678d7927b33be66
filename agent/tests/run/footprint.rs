//! How little the agent's program takes, measured on the program that `CAIRN_AGENT` names: build it with
//! `cargo build --profile agent -p cairn-agent`. Without one there is nothing to measure.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};

use crate::{
    bundles::{Layers, namespace, shop},
    world::{World, eventually},
};

/// The largest program, in bytes.
const MAX_PROGRAM_BYTES: u64 = 8_000_000;
/// The most memory, in KiB: idle, with 2,000 objects watched, and while 10 MB are applied.
const MAX_IDLE_KIB: u64 = 12 << 10;
const MAX_WATCHING_KIB: u64 = 20 << 10;
const MAX_APPLYING_KIB: u64 = 32 << 10;
/// The most requests a minute beside watches, when there is nothing to do.
const MAX_REQUESTS_PER_MIN: u64 = 2;
/// How long requests are counted.
const COUNTED: Duration = Duration::from_mins(1);

/// The agent as a process; it is killed in the end.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Agent {
    fn start(program: &OsString, world: &World) -> Result<Self> {
        let trust = world.settings.trust.as_ref().context("no trust policy")?;
        let log = fs::File::create(world.path("agent.log"))?;
        let child = Command::new(program)
            .args(["run", "--interval", "60", "--bundle"])
            .arg(world.followed())
            .arg("--trust-policy")
            .arg(trust)
            .arg("--kubeconfig")
            .arg(world.server.kubeconfig())
            .env_clear()
            .env("POD_NAME", "agent-under-measure")
            // As the manifest of an installation says.
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_TRIM_THRESHOLD_", "131072")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Self(child))
    }

    /// A line of `/proc/PID/status`, in KiB.
    fn kib(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let line = line.with_context(|| format!("no {name}"))?;
        Ok(line
            .trim_start_matches(':')
            .trim()
            .trim_end_matches(" kB")
            .parse()?)
    }

    /// The most memory is counted anew.
    fn forget_peak(&self) -> Result<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.0.id()), "5")?)
    }
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn the_agents_program_is_small_and_quiet() -> Result<()> {
    let Some(program) = std::env::var_os("CAIRN_AGENT") else {
        println!("CAIRN_AGENT names no program: nothing is measured");
        return Ok(());
    };
    World::with(async |world, _registry| {
        let size = fs::metadata(&program)?.len();
        println!("program: {size} bytes");
        ensure!(size <= MAX_PROGRAM_BYTES, "the program has {size} bytes");

        world.publish(&shop("example.org/web:1", "a"), &[]).await?;
        let agent = Agent::start(&program, &world)?;
        eventually(&true, || world.is_done()).await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let before = requests(&world)?;
        tokio::time::sleep(COUNTED).await;
        let asked = requests(&world)? - before;
        let idle = agent.kib("VmRSS")?;
        println!(
            "idle: {idle} KiB, {asked} requests in {} s",
            COUNTED.as_secs()
        );
        drop(agent);

        let watched = many(2_000, 100);
        world.publish(&watched, &[]).await?;
        let agent = Agent::start(&program, &world)?;
        let last = "get configmap -n shop object-1999 -o name";
        eventually(
            &true,
            || Ok(world.kubectl(last).is_ok() && world.is_done()?),
        )
        .await?;
        let applied = agent.kib("VmHWM")?;
        drop(agent);
        // What it takes to watch, not what it took to apply.
        let agent = Agent::start(&program, &world)?;
        tokio::time::sleep(Duration::from_secs(15)).await;
        let watching = agent.kib("VmRSS")?;
        println!(
            "2,000 objects: {watching} KiB watching, {applied} KiB at most while they were applied"
        );
        drop(agent);

        let large = many(50, 200_000);
        world.publish(&large, &[]).await?;
        let agent = Agent::start(&program, &world)?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        agent.forget_peak()?;
        let last = "get configmap -n shop object-49 -o jsonpath={.metadata.annotations.size}";
        eventually(&"200000".to_owned(), || world.kubectl(last)).await?;
        eventually(&true, || world.is_done()).await?;
        let applying = agent.kib("VmHWM")?;
        println!("10 MB: {applying} KiB at most while they were applied");

        ensure!(idle <= MAX_IDLE_KIB, "idle it takes {idle} KiB");
        ensure!(
            watching <= MAX_WATCHING_KIB,
            "with 2,000 objects it takes {watching} KiB"
        );
        ensure!(
            applying <= MAX_APPLYING_KIB,
            "while it applies 10 MB it takes {applying} KiB"
        );
        ensure!(
            asked <= MAX_REQUESTS_PER_MIN,
            "idle it makes {asked} requests a minute"
        );
        Ok(())
    })
    .await
}

/// The agent's requests until now, without watches.
fn requests(world: &World) -> Result<u64> {
    let log = world.server.audit_log()?;
    let of_agent = |line: &&str| {
        let event: Json = serde_json::from_str(line).unwrap_or_default();
        let agent = event["userAgent"].as_str().unwrap_or_default();
        agent.starts_with("cairn/") && event["verb"] != "watch"
    };
    Ok(log.lines().filter(of_agent).count() as u64)
}

/// A bundle of config maps with this many bytes each, which do not compress to nothing.
fn many(count: usize, size_bytes: usize) -> Layers {
    let mut layers = Layers::default().with("base", "namespaces", namespace("shop"));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for index in 0..count {
        let mut value = String::with_capacity(size_bytes);
        while value.len() < size_bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let _ = write!(value, "{:08x}", state >> 32);
        }
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": format!("object-{index}"), "namespace": "shop",
                "annotations": {"size": size_bytes.to_string()},
            },
            "data": {"value": value},
        });
        layers = layers.with("base", "configuration", object);
    }
    layers
}
