//! How little the agent's program takes. `CAIRN_AGENT` names the one that is shipped, built with the profile
//! `agent` (`benches/agent/run`); all of it is held to what an installation promises. Without that, the
//! program of these tests is measured: it is many times as large, so of its memory only what it asks for
//! itself is held, which is the same in every build but for its stack and for what is linked into it.

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

/// What is measured, and what it must hold.
struct Measure {
    /// The largest program, in bytes.
    program_bytes: u64,
    /// The most memory, in KiB: with nothing to do, with many objects watched, while these are applied, and
    /// while 10 MB are.
    idle_kib: u64,
    watching_kib: u64,
    applying_many_kib: u64,
    applying_large_kib: u64,
    /// Whether the program's own pages count, which it has from its file.
    counts_program: bool,
    /// How many objects are watched.
    objects: usize,
    /// How long requests are counted, and how many there may be beside watches.
    counted: Duration,
    requests: u64,
    /// How long it takes until all are watched.
    settled: Duration,
}

/// The program that is shipped.
const SHIPPED: Measure = Measure {
    program_bytes: 8_000_000,
    idle_kib: 12 << 10,
    watching_kib: 20 << 10,
    applying_many_kib: 32 << 10,
    applying_large_kib: 32 << 10,
    counts_program: true,
    objects: 2_000,
    counted: Duration::from_mins(1),
    requests: 2,
    settled: Duration::from_secs(15),
};

/// The program of these tests. Of what the shipped one may take, its own pages are 6 MiB.
const TESTED: Measure = Measure {
    program_bytes: u64::MAX,
    idle_kib: 6 << 10,
    watching_kib: 8 << 10,
    applying_many_kib: 12 << 10,
    applying_large_kib: 24 << 10,
    counts_program: false,
    objects: 500,
    counted: Duration::from_secs(15),
    requests: 1,
    settled: Duration::from_secs(5),
};

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

    /// The memory that it has now.
    fn memory_kib(&self, measure: &Measure) -> Result<u64> {
        self.kib(if measure.counts_program {
            "VmRSS"
        } else {
            "RssAnon"
        })
    }

    /// The most memory that it had at a time. Pages of its file stay, once they were needed.
    fn peak_kib(&self, measure: &Measure) -> Result<u64> {
        let peak = self.kib("VmHWM")?;
        let of_program = if measure.counts_program {
            0
        } else {
            self.kib("RssFile")?
        };
        Ok(peak.saturating_sub(of_program))
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
    let (program, measure) = match std::env::var_os("CAIRN_AGENT") {
        Some(shipped) => (shipped, &SHIPPED),
        None => (env!("CARGO_BIN_EXE_cairn-agent").into(), &TESTED),
    };
    World::with(async |world, _registry| {
        let size = fs::metadata(&program)?.len();
        println!("program: {size} bytes");

        world.publish(&shop("example.org/web:1", "a"), &[]).await?;
        let agent = Agent::start(&program, &world)?;
        eventually(&true, || world.is_done()).await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let before = requests(&world)?;
        tokio::time::sleep(measure.counted).await;
        let asked = requests(&world)? - before;
        let idle = agent.memory_kib(measure)?;
        println!("idle: {idle} KiB, {asked} requests in {:?}", measure.counted);
        drop(agent);

        let objects = measure.objects;
        world.publish(&many(objects, 100), &[]).await?;
        let agent = Agent::start(&program, &world)?;
        let last = format!("get configmap -n shop object-{} -o name", objects - 1);
        let is_applied = || Ok(world.kubectl(&last).is_ok() && world.is_done()?);
        eventually(&true, is_applied).await?;
        let applying_many = agent.peak_kib(measure)?;
        drop(agent);
        // What it takes to watch, not what it took to apply.
        let agent = Agent::start(&program, &world)?;
        tokio::time::sleep(measure.settled).await;
        let watching = agent.memory_kib(measure)?;
        println!(
            "{objects} objects: {watching} KiB watching, {applying_many} KiB at most while they were applied"
        );
        drop(agent);

        world.publish(&many(50, 200_000), &[]).await?;
        let agent = Agent::start(&program, &world)?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        agent.forget_peak()?;
        let last = "get configmap -n shop object-49 -o jsonpath={.metadata.annotations.size}";
        eventually(&"200000".to_owned(), || world.kubectl(last)).await?;
        eventually(&true, || world.is_done()).await?;
        let applying_large = agent.peak_kib(measure)?;
        println!("10 MB: {applying_large} KiB at most while they were applied");

        let held = [
            ("the program, in bytes", size, measure.program_bytes),
            ("idle, in KiB", idle, measure.idle_kib),
            ("watching, in KiB", watching, measure.watching_kib),
            ("applying many objects, in KiB", applying_many, measure.applying_many_kib),
            ("applying 10 MB, in KiB", applying_large, measure.applying_large_kib),
            ("requests", asked, measure.requests),
        ];
        for (what, found, most) in held {
            ensure!(found <= most, "{what}: {found}, more than {most}");
        }
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
