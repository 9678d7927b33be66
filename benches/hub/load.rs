//! Two processes that `benches/hub/run` starts: a hub, and very many agents that are nothing but
//! their half of the protocol. The hub leads through the phases; the agents follow a file.

#![expect(clippy::print_stdout, reason = "figures are this program's result")]

#[expect(dead_code, reason = "tests of the protocol do more with their agents")]
#[path = "../../hub/tests/protocol/simulated.rs"]
mod simulated;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cairn_hub::{
    App, Authority, Clock, Config, Hub, HubStore, MemoryStore, NewToken, SystemClock, TlsConfig,
    build,
};
use cairn_oci::{PrivateKey, key, keyring::seal_desired_state};
use cairn_spec::{
    Digest, GroupName, Timestamp,
    agent::{
        Audience, BundleSource, DesiredState, JoinToken, Keyring, Pause, ProblemCode, Sync,
        SyncAnswer,
    },
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use serde_json::{Value as Json, json};
use simulated::Agent;
use tokio::{net::TcpListener, runtime::Runtime, sync::Semaphore, time::sleep};
use tokio_rustls::TlsConnector;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long agents are left alone while it is measured what they cost.
const STEADY: Duration = Duration::from_mins(1);
/// Longer than a sync is held, so that everybody waits.
const SETTLE: Duration = Duration::from_secs(35);
/// How many single desired states change, and how far they are apart.
const CHANGES: u64 = 600;
const CHANGE_EVERY: Duration = Duration::from_millis(50);
/// A restart that takes longer has failed.
const PATIENCE: Duration = Duration::from_mins(5);
/// How many agents join at a time.
const JOINS: usize = 64;
/// Agents that cannot reach the hub come again after this time at least, and at most.
const BACKOFF_S: (f64, f64) = (2.0, 300.0);
const GROUP: &str = "all";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, agents, folder] = arguments.as_slice() else {
        bail!("usage: hub-load hub|agents AGENTS FOLDER");
    };
    let (agents, folder) = (agents.parse()?, PathBuf::from(folder));
    match role.as_str() {
        "hub" => Runtime::new()?.block_on(lead(agents, &folder)),
        "agents" => Runtime::new()?.block_on(follow(agents, &folder)),
        _ => bail!("`{role}` is neither `hub` nor `agents`"),
    }
}

/// A hub, in a runtime of its own, so that it can be killed.
struct Server {
    runtime: Runtime,
    hub: Arc<Hub>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<Result<(), cairn_hub::Error>>,
}

/// What is the same before and after a restart.
struct Lasting {
    store: Arc<MemoryStore>,
    authority_key: String,
    tls: TlsConfig,
    signer: PrivateKey,
}

impl Lasting {
    fn start(&self, port: u16) -> Result<(Server, u16)> {
        let runtime = Runtime::new()?;
        let mut config = Config::new(
            Arc::clone(&self.store) as Arc<dyn HubStore>,
            Authority::from_pem(&self.authority_key)?,
        );
        config.tls = Some(self.tls.clone());
        config.limits.joins_per_s = 2_000;
        config.limits.join_burst = 20_000;
        let stop = CancellationToken::new();
        let (app, listener) = tokio::task::block_in_place(|| {
            runtime.block_on(async {
                let app: App = build(config).await?;
                // The sockets of a hub that was killed may be there a moment longer.
                let began = Instant::now();
                let listener = loop {
                    match TcpListener::bind(("127.0.0.1", port)).await {
                        Err(_) if began.elapsed() < PATIENCE => {
                            sleep(Duration::from_millis(5)).await;
                        }
                        bound => break bound?,
                    }
                };
                anyhow::Ok((app, listener))
            })
        })?;
        let (hub, port) = (app.hub(), listener.local_addr()?.port());
        let running = runtime.spawn(app.run(listener, stop.clone()));
        let server = Server {
            runtime,
            hub,
            stop,
            running,
        };
        Ok((server, port))
    }

    fn offer(&self, audience: Audience, generation: u64) -> Result<cairn_spec::Envelope> {
        let bundle = BundleSource {
            repository: "registry.example.com/bundles/shop".to_owned(),
            digest: Digest::sha256(&generation.to_be_bytes()),
        };
        let now = Timestamp::from_unix_s(SystemClock.unix_s());
        let mut state = DesiredState::new(audience, generation, bundle, now);
        // Agents learn from it how long it took.
        state.policy.pause = Some(Pause {
            until: None,
            reason: unix_us().to_string(),
        });
        Ok(seal_desired_state(&state, [&self.signer])?)
    }
}

fn unix_us() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or_default()
    })
}

/// What the hub's process goes through.
struct Lead<'a> {
    agents: usize,
    folder: &'a Path,
    lasting: Lasting,
    generation: u64,
    figures: BTreeMap<&'static str, Json>,
}

async fn lead(agents: usize, folder: &Path) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let (_, authority_key) = Authority::generate()?;
    let lasting = Lasting {
        store: Arc::default(),
        authority_key,
        tls: TlsConfig {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        },
        signer: key::generate()?,
    };
    let (server, port) = lasting.start(0)?;
    fs::write(folder.join("ca.pem"), made.cert.pem())?;
    let mut lead = Lead {
        agents,
        folder,
        lasting,
        generation: 0,
        figures: BTreeMap::new(),
    };
    lead.join(&server.hub, port).await?;
    lead.leave_alone().await?;
    lead.change_single_ones(&server.hub).await?;
    lead.change_all(&server.hub).await?;
    let server = lead.restart(server, port).await?;
    let server = lead.crash(server, port, "crash").await?;
    // Whether memory grows with each.
    let server = lead.crash(server, port, "crash-again").await?;
    let whole = json!({"peakRssMiB": memory_mib("VmHWM")?, "cpuSeconds": cpu_s()?});
    lead.figures.insert("whole", whole);
    lead.phase("end")?;
    println!("{}", serde_json::to_string(&lead.figures)?);
    server.runtime.shutdown_background();
    Ok(())
}

impl Lead<'_> {
    fn phase(&self, name: &str) -> Result<()> {
        Ok(fs::write(self.folder.join("phase"), name)?)
    }

    async fn join(&mut self, hub: &Hub, port: u16) -> Result<()> {
        let keys = vec![self.lasting.signer.public_key()?.to_pem()?];
        hub.set_keyring(None, Keyring::new(keys, 1)).await?;
        let new = NewToken {
            life_s: 3_600,
            uses: u32::try_from(self.agents)?,
            group: Some(GROUP.parse()?),
            needs_approval: false,
        };
        let token = hub.create_token(&new).await?;
        self.phase("join")?;
        fs::write(self.folder.join("token"), token.expose())?;
        fs::write(self.folder.join("port"), port.to_string())?;
        let seconds = all_heard(hub, self.agents, 0).await?;
        self.figures.insert("join", json!({"seconds": seconds}));
        sleep(SETTLE).await;
        Ok(())
    }

    async fn leave_alone(&mut self) -> Result<()> {
        self.phase("steady")?;
        let before = cpu_s()?;
        sleep(STEADY).await;
        let cores = (cpu_s()? - before) / STEADY.as_secs_f64();
        let steady = json!({"rssMiB": memory_mib("VmRSS")?, "cores": cores});
        self.figures.insert("steady", steady);
        Ok(())
    }

    async fn change_single_ones(&mut self, hub: &Hub) -> Result<()> {
        self.phase("changes")?;
        for change in 0..CHANGES {
            self.generation += 1;
            // Any order that does not follow the agents' own.
            let number = change * 7_919 % self.agents as u64;
            let audience = Audience::Cluster(uid(number));
            hub.offer(self.lasting.offer(audience, self.generation)?)
                .await?;
            sleep(CHANGE_EVERY).await;
        }
        sleep(Duration::from_secs(5)).await;
        Ok(())
    }

    async fn change_all(&mut self, hub: &Hub) -> Result<()> {
        self.phase("all-at-once")?;
        // The agents' process notices a new phase a little later.
        sleep(Duration::from_millis(200)).await;
        self.generation += 1;
        let group: GroupName = GROUP.parse()?;
        let offer = self
            .lasting
            .offer(Audience::Group(group), self.generation)?;
        let began = Instant::now();
        hub.offer(offer).await?;
        loop {
            let views = everybody(hub).await?;
            let has_it =
                |view: &cairn_hub::AgentView| view.contact.ack_generation == self.generation;
            if views.iter().all(has_it) {
                break;
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "not every agent accepted the change"
            );
            sleep(Duration::from_millis(200)).await;
        }
        let seconds = began.elapsed().as_secs_f64();
        self.figures
            .insert("all-at-once", json!({"acceptedByAllSeconds": seconds}));
        sleep(SETTLE).await;
        Ok(())
    }

    /// The way an update goes: agents are told to come back at different times.
    async fn restart(&mut self, server: Server, port: u16) -> Result<Server> {
        self.phase("restart")?;
        server.stop.cancel();
        let Server {
            runtime, running, ..
        } = server;
        running.await??;
        // Those who were answered when it stopped have not come back yet.
        let since_ms = SystemClock.unix_ms();
        tokio::task::block_in_place(|| runtime.shutdown_timeout(PATIENCE));
        self.begin_again(port, since_ms, "restart").await
    }

    /// The way a crash goes: every connection breaks at the same time.
    async fn crash(&mut self, server: Server, port: u16, name: &'static str) -> Result<Server> {
        self.phase(name)?;
        let since_ms = SystemClock.unix_ms();
        let Server { runtime, hub, .. } = server;
        drop(hub);
        // What a killed process held is gone before the next one begins.
        tokio::task::block_in_place(|| runtime.shutdown_timeout(PATIENCE));
        self.begin_again(port, since_ms, name).await
    }

    async fn begin_again(
        &mut self,
        port: u16,
        since_ms: u64,
        name: &'static str,
    ) -> Result<Server> {
        let (server, _) = self.lasting.start(port)?;
        all_heard(&server.hub, self.agents, since_ms).await?;
        #[expect(clippy::cast_precision_loss, reason = "figures are rounded anyway")]
        let seconds = (SystemClock.unix_ms() - since_ms) as f64 / 1_000.0;
        sleep(SETTLE).await;
        let back = json!({"allBackSeconds": seconds, "rssMiB": memory_mib("VmRSS")?});
        self.figures.insert(name, back);
        Ok(server)
    }
}

async fn everybody(hub: &Hub) -> Result<Vec<cairn_hub::AgentView>> {
    let mut views: Vec<cairn_hub::AgentView> = Vec::new();
    loop {
        let after = views.last().map(|view| view.record.id.clone());
        let page = hub.agents(after.as_deref(), 1_000).await?;
        if page.is_empty() {
            return Ok(views);
        }
        views.extend(page);
    }
}

/// How long it takes, in seconds, until every agent was heard of after a time.
async fn all_heard(hub: &Hub, agents: usize, since_ms: u64) -> Result<f64> {
    let began = Instant::now();
    loop {
        let views = everybody(hub).await?;
        let heard = views
            .iter()
            .filter(|view| view.contact.seen_ms > since_ms)
            .count();
        if heard == agents {
            return Ok(began.elapsed().as_secs_f64());
        }
        ensure!(
            began.elapsed() < PATIENCE,
            "{heard} of {agents} agents were heard of"
        );
        sleep(Duration::from_millis(250)).await;
    }
}

fn uid(number: u64) -> String {
    format!("5f0c0000-0000-4000-8000-{number:012}")
}

/// A field of `/proc/self/status`.
fn memory_mib(field: &str) -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().nth(1))
        .context("no such field")?
        .parse()?;
    Ok(kib / 1_024.0)
}

/// Processor time of this process so far.
fn cpu_s() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("malformed")?;
    let ticks: Vec<f64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

/// What the agents saw in a phase.
#[derive(Default)]
struct Seen {
    syncs: u64,
    delays_us: Vec<u64>,
    /// How long syncs took beside the time that they were held.
    latencies_us: Vec<u64>,
    /// Answers that are errors, by code.
    problems: BTreeMap<String, u64>,
    /// Connections that broke or could not be made.
    broken: u64,
}

struct Watching {
    seen: Mutex<Seen>,
    ended: CancellationToken,
}

impl Watching {
    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

async fn follow(agents: usize, folder: &Path) -> Result<()> {
    while !folder.join("port").exists() {
        sleep(Duration::from_millis(50)).await;
    }
    sleep(Duration::from_millis(200)).await;
    let mut roots = RootCertStore::empty();
    let authority = fs::read(folder.join("ca.pem"))?;
    roots.add(CertificateDer::from_pem_slice(&authority)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let port: u16 = fs::read_to_string(folder.join("port"))?.parse()?;
    let token: JoinToken = fs::read_to_string(folder.join("token"))?.parse()?;
    let hub = simulated::Hub {
        address: ([127, 0, 0, 1], port).into(),
        tls: Some(TlsConnector::from(Arc::new(client))),
        clock: Arc::new(SystemClock),
        tasks: TaskTracker::new(),
        traffic: Arc::default(),
    };
    let watching = Arc::new(Watching {
        seen: Mutex::default(),
        ended: CancellationToken::new(),
    });
    let joins = Arc::new(Semaphore::new(JOINS));
    let tasks = TaskTracker::new();
    for number in 0..agents as u64 {
        let (hub, token) = (hub.clone(), token.clone());
        let (watching, joins) = (Arc::clone(&watching), Arc::clone(&joins));
        tasks.spawn(async move {
            let ended = watching.ended.clone();
            tokio::select! {
                () = ended.cancelled() => {}
                () = live(hub, number, token, &joins, &watching) => {}
            }
        });
    }
    tasks.close();
    let figures = watch(folder, agents, &hub, &watching).await?;
    println!("{}", serde_json::to_string(&figures)?);
    watching.ended.cancel();
    tasks.wait().await;
    Ok(())
}

/// Follows the phases, and sums each up at its end.
async fn watch(
    folder: &Path,
    agents: usize,
    hub: &simulated::Hub,
    watching: &Watching,
) -> Result<BTreeMap<String, Json>> {
    let mut figures = BTreeMap::new();
    let mut phase = "join".to_owned();
    let (mut began, mut bytes) = (Instant::now(), 0);
    while phase != "end" {
        sleep(Duration::from_millis(50)).await;
        let now = fs::read_to_string(folder.join("phase"))?;
        if now == phase || now.is_empty() {
            continue;
        }
        let seen =
            std::mem::take(&mut *watching.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let total = load(&hub.traffic.sent) + load(&hub.traffic.received);
        let hours = began.elapsed().as_secs_f64() / 3_600.0;
        let (mut delays, mut latencies) = (seen.delays_us, seen.latencies_us);
        delays.sort_unstable();
        latencies.sort_unstable();
        let percentile_ms = |sorted_us: &[u64], percent: usize| {
            let at = (sorted_us.len() * percent).div_ceil(100).saturating_sub(1);
            sorted_us.get(at).map(|time_us| *time_us / 1_000)
        };
        let percentile = |percent| percentile_ms(&delays, percent);
        let latency = |percent| percentile_ms(&latencies, percent);
        #[expect(clippy::cast_precision_loss, reason = "figures are rounded anyway")]
        let bytes_per_hour = (total - bytes) as f64 / agents as f64 / hours;
        figures.insert(
            phase,
            json!({
                "seconds": began.elapsed().as_secs_f64(), "syncs": seen.syncs, "broken": seen.broken, "problems": seen.problems,
                "bytesPerAgentAndHour": bytes_per_hour,
                "delivered": delays.len(), "p50Ms": percentile(50), "p99Ms": percentile(99), "maxMs": percentile(100),
                "syncP50Ms": latency(50), "syncP99Ms": latency(99), "syncMaxMs": latency(100),
            }),
        );
        (phase, began, bytes) = (now, Instant::now(), total);
    }
    Ok(figures)
}

/// One agent's life: it joins, and then it syncs.
async fn live(
    hub: simulated::Hub,
    number: u64,
    token: JoinToken,
    joins: &Semaphore,
    watching: &Watching,
) {
    let Ok(mut agent) = Agent::new(&hub, &uid(number)) else {
        return;
    };
    let mut backoff_s = BACKOFF_S.0;
    loop {
        let joined = {
            let _turn = joins.acquire().await;
            agent.register(&token).await
        };
        match joined {
            Ok(Ok(_)) => break,
            failed => wait_after(&mut agent, failed, &mut backoff_s, watching).await,
        }
    }
    // Agents do not all begin in the same second.
    sleep(Duration::from_secs_f64(rand::random::<f64>() * 30.0)).await;
    let (mut generation, mut revision, mut base) = (0, 1, None);
    loop {
        // A report every few minutes, figures every minute.
        if agent.seq > 0 && agent.seq.is_multiple_of(10) {
            revision += 1;
        }
        let is_whole = base.is_none();
        let sync = Sync {
            ack_generation: generation,
            keyring_generation: 1,
            status_revision: revision,
            base_revision: base,
            status: is_whole.then(|| status(number)),
            delta: (base.is_some_and(|base| base != revision)).then(|| delta(revision)),
            metrics: (agent.seq.is_multiple_of(2)).then(|| metrics(number)),
            wait_s: 30,
            ..Sync::default()
        };
        let began = Instant::now();
        match agent.sync(sync).await {
            Ok(Ok(answer)) => {
                if let Some(held_ms) = answer.held_ms {
                    let took = began
                        .elapsed()
                        .saturating_sub(Duration::from_millis(held_ms));
                    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                    watching.note(|seen| seen.latencies_us.push(took_us));
                }
                backoff_s = BACKOFF_S.0;
                base = (!answer.need_full).then_some(revision);
                if let Some(delay_us) = delay_us(&answer) {
                    watching.note(|seen| seen.delays_us.push(delay_us));
                }
                generation = answer.generation.max(generation);
                watching.note(|seen| seen.syncs += 1);
                let (min_s, max_s) = (f64::from(answer.next.min_s), f64::from(answer.next.max_s));
                sleep(Duration::from_secs_f64(
                    min_s + (max_s - min_s) * rand::random::<f64>(),
                ))
                .await;
            }
            failed => wait_after(&mut agent, failed, &mut backoff_s, watching).await,
        }
    }
}

/// Notes what went wrong, and waits: decorrelated jitter.
async fn wait_after<T>(
    agent: &mut Agent,
    failed: Result<simulated::Answer<T>>,
    backoff_s: &mut f64,
    watching: &Watching,
) {
    agent.disconnect();
    watching.note(|seen| match failed {
        Ok(Err(problem)) => {
            let code = match problem.code {
                ProblemCode::TooManyRequests => "too-many-requests".to_owned(),
                code => format!("{code:?}: {}", problem.message),
            };
            *seen.problems.entry(code).or_default() += 1;
        }
        _ => seen.broken += 1,
    });
    let (least, most) = BACKOFF_S;
    *backoff_s = (least + (*backoff_s * 3.0 - least) * rand::random::<f64>()).min(most);
    sleep(Duration::from_secs_f64(*backoff_s)).await;
}

/// How long ago the desired state of an answer was signed.
fn delay_us(answer: &SyncAnswer) -> Option<u64> {
    let envelope = answer.desired_state.as_ref()?;
    let state: DesiredState =
        serde_json::from_slice(&STANDARD.decode(&envelope.payload).ok()?).ok()?;
    let signed_us: u64 = state.policy.pause?.reason.parse().ok()?;
    Some(unix_us().saturating_sub(signed_us))
}

/// A status of some three kilobytes, as a small cluster has it.
fn status(number: u64) -> Json {
    let layers: BTreeMap<String, Json> = ["cni", "csi", "ingress", "monitoring", "web"]
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let health = json!({"Current": 20 + place});
            ((*name).to_owned(), json!({"place": place, "objects": 20 + place, "health": health, "drifted": 0, "unhealthy": {"items": {}, "leftOut": 0}}))
        })
        .collect();
    let nodes: BTreeMap<String, Json> = (0..3)
        .map(|node| {
            let node = format!("node-{node}");
            let resources = json!({"cpuM": 4000, "memoryBytes": 16_u64 << 30, "ephemeralStorageBytes": 100_u64 << 30, "pods": 110});
            (node, json!({
                "ready": true, "cordoned": false, "kubelet": "v1.36.3", "runtime": "containerd://2.1.0", "os": "Debian GNU/Linux 13",
                "kernel": "6.12.0", "architecture": "amd64", "roles": ["worker"], "capacity": resources, "allocatable": resources,
                "requests": resources, "limits": resources,
            }))
        })
        .collect();
    json!({
        "identity": {"clusterUid": uid(number), "kubernetesVersion": "v1.36.3", "agentVersion": "0.1.0", "distribution": "", "provider": "", "region": "", "zones": []},
        "layers": layers, "nodes": {"count": 3, "ready": 3, "cordoned": 0, "kubeletVersions": {"v1.36.3": 3}, "items": nodes, "leftOut": 0},
        "workloads": {"pods": {"Running": 60}, "kinds": {"Deployment": 20}},
    })
}

fn delta(revision: u64) -> Json {
    json!({"workloads": {"pods": {"Running": 60 + revision % 5}, "restarts": {"items": {"web/shop-0": {"count": revision}}}}})
}

fn metrics(number: u64) -> cairn_spec::agent::Metrics {
    let mut metrics = cairn_spec::agent::Metrics::default();
    metrics.agent.rss_bytes = 10 << 20;
    metrics.agent.cpu_ms = 1_000 + number;
    metrics.agent.api_p50_ms = 3;
    metrics.agent.api_p99_ms = 12;
    metrics
}
