//! With a hub: joining, what it may not do, and what happens while it is away.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use cairn_agent::{
    clock::Clock,
    settings::{HubSettings, Settings},
};
use cairn_hub::{
    AgentView, Authority, Clock as _, Config, Hub, ManualClock, MemoryStore, NewToken,
    RegistryContent, TlsConfig, build,
};
use cairn_oci::{Client, Options, PrivateKey, key, keyring::seal_desired_state};
use cairn_spec::{
    Digest, Timestamp,
    agent::{
        Audience, BundleSource, DesiredState, Keyring, Phase, Policy, Status, limits::MAX_WAIT_S,
    },
};
use jiff::SignedDuration;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    bundles::shop,
    world::{World, eventually_async, runs, until},
};

const DAY_S: u64 = 86_400;
/// How long agents of [`HubProcess`] are held.
const HELD: Duration = Duration::from_secs(MAX_WAIT_S as u64);
/// The only pod goes, and the next one crashes again and again.
const CRASHES: &str = r#"{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null},"template":{"spec":{"containers":[{"name":"main","image":"example.org/web:1-crashes"}]}}}}"#;

/// A hub that comes and goes, with what it remembers.
pub(crate) struct HubProcess {
    pub(crate) clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    authority: String,
    certificate: String,
    certificate_key: String,
    pub(crate) key: PrivateKey,
    pub(crate) port: u16,
    /// How long it holds a sync, in seconds.
    pub(crate) wait_s: u32,
}

impl HubProcess {
    pub(crate) async fn new(world: &mut World) -> Result<Self> {
        // 2026-01-01T00:00:00Z
        let clock = Arc::new(ManualClock::at(1_767_225_600));
        let shown = Arc::clone(&clock);
        world.clock = Clock::new(move || {
            let since = SignedDuration::from_millis(i64::try_from(shown.unix_ms()).unwrap_or(0));
            jiff::Timestamp::UNIX_EPOCH + since
        });
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let process = Self {
            clock,
            store: Arc::new(MemoryStore::default()),
            authority: Authority::generate()?.1,
            certificate: made.cert.pem(),
            certificate_key: made.signing_key.serialize_pem(),
            key: key::generate()?,
            port: listener.local_addr()?.port(),
            wait_s: MAX_WAIT_S,
        };
        let ca = world.path("hub-ca.pem");
        fs::write(&ca, &process.certificate)?;
        world.settings = Settings {
            hub: Some(HubSettings {
                url: format!("https://localhost:{}", process.port),
                ca,
                keyring: None,
            }),
            join_token: Some(world.path("token")),
            ..Settings::default()
        };
        Ok(process)
    }

    /// The hub is there while the work goes on.
    pub(crate) async fn serving<T>(
        &self,
        work: impl AsyncFnOnce(Arc<Hub>) -> Result<T>,
    ) -> Result<T> {
        let mut config = Config::new(
            Arc::<MemoryStore>::clone(&self.store),
            Authority::from_pem(&self.authority)?,
        );
        config.clock = Arc::<ManualClock>::clone(&self.clock);
        config.settings.wait_s = self.wait_s;
        config.content = Some(Arc::new(RegistryContent::new(Client::new(
            Options::default(),
        )?)));
        config.tls = Some(TlsConfig {
            certificate: self.certificate.clone(),
            key: self.certificate_key.clone(),
        });
        let app = build(config).await?;
        let hub = app.hub();
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        let stop = CancellationToken::new();
        let served = app.run(listener, stop.clone());
        let work = Box::pin(async {
            let done = work(hub).await;
            stop.cancel();
            done
        });
        let (served, done) = tokio::join!(served, work);
        served?;
        done
    }

    pub(crate) fn state(
        &self,
        world: &World,
        generation: u64,
        bundle: &Digest,
    ) -> Result<DesiredState> {
        let audience = Audience::Cluster(world.cluster_uid()?);
        let bundle = BundleSource {
            repository: world.repository(),
            digest: bundle.clone(),
        };
        let now = Timestamp::from_unix_s(self.clock.unix_s());
        Ok(DesiredState::new(audience, generation, bundle, now))
    }

    pub(crate) async fn prepare(&self, world: &World, hub: &Hub) -> Result<()> {
        let keys = vec![self.key.public_key()?.to_pem()?];
        hub.set_keyring(None, Keyring::new(keys, 1)).await?;
        let token = NewToken {
            life_s: 3_600,
            uses: 1,
            group: None,
            needs_approval: false,
        };
        let token = hub.create_token(&token).await?;
        fs::write(world.path("token"), token.expose())?;
        Ok(())
    }
}

async fn only_agent(hub: &Hub) -> Result<AgentView> {
    let agents = hub.agents(None, 2).await?;
    let agent = agents.into_iter().next().context("nobody has joined")?;
    Ok(hub.agent(&agent.record.id).await?)
}

/// How the objects of a layer are, as the hub was told.
async fn health_of(hub: &Hub, layer: &str) -> Result<String> {
    let status = only_agent(hub).await?.status.context("no status")?;
    let status: Status = serde_json::from_slice(&status)?;
    let layer = status
        .layers
        .get(&layer.parse()?)
        .context("no such layer")?;
    Ok(format!("{:?}", layer.health))
}

/// The cluster is told of, and what the agent has brought.
fn is_whole(status: &[u8]) -> bool {
    let status: Status = serde_json::from_slice(status).unwrap_or_default();
    status.nodes.count > 0
        && status.capacity.allocatable.cpu_m > 0
        && status.good.is_some()
        && !status.layers.is_empty()
        && !status.identity.cluster_uid.is_empty()
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn an_agent_that_was_offline_for_months_comes_back_by_itself_and_tells() -> Result<()> {
    World::with(async |mut world, _registry| {
        let bundle = world.publish(&shop("example.org/web:1", "a"), &[]).await?;
        let mut hub = HubProcess::new(&mut world).await?;
        hub.wait_s = 5;
        let policy: Policy = serde_json::from_value(json!({"windows": {"allow": [
            {"name": "spring", "timezone": "UTC", "from": "2026-03-01T00:00:00Z"},
        ]}}))?;
        let (world, hub) = (&world, &hub);
        world
            .agent(async |observed| {
                hub.serving(async |served| {
                    hub.prepare(world, &served).await?;
                    let state = DesiredState {
                        policy,
                        ..hub.state(world, 1, &bundle)?
                    };
                    let envelope = seal_desired_state(&state, [&hub.key])?;
                    eventually_async(async || Ok(served.agents(None, 2).await?.len() == 1)).await?;
                    served.offer(envelope).await?;
                    until(&observed, "the wait", |now| now.phase == Phase::Waiting).await?;
                    eventually_async(async || {
                        let agent = only_agent(&served).await?;
                        Ok(agent.contact.phase == Phase::Waiting
                            && agent.contact.ack_generation == 1)
                    })
                    .await
                })
                .await?;
                // The hub is gone, the window opens, and later the certificate ends.
                hub.clock.advance_s(70 * DAY_S);
                until(&observed, "the bundle", runs(&bundle)).await?;
                hub.clock.advance_s(50 * DAY_S);
                hub.serving(async |served| {
                    eventually_async(async || {
                        let agent = only_agent(&served).await?;
                        let applied = agent.contact.applied.map(|applied| applied.digest);
                        let told = served.transitions(&agent.record.id, 100).await?;
                        let phases: Vec<Phase> = told.iter().map(|it| it.phase).collect();
                        Ok(applied.as_ref() == Some(&bundle)
                            && phases.contains(&Phase::Applying)
                            && phases.contains(&Phase::Checking)
                            && agent.status.is_some_and(|status| is_whole(&status)))
                    })
                    .await?;
                    // It is not the end of a run that says how a layer is from then on.
                    let policy = serde_json::from_value(json!({"drift": {"default": "report"}}))?;
                    let state = DesiredState {
                        policy,
                        ..hub.state(world, 2, &bundle)?
                    };
                    served
                        .offer(seal_desired_state(&state, [&hub.key])?)
                        .await?;
                    eventually_async(async || {
                        Ok(only_agent(&served).await?.contact.ack_generation == 2)
                    })
                    .await?;
                    world.kubectl(&format!("patch deployment -n shop web --patch={CRASHES}"))?;
                    eventually_async(async || {
                        let status = only_agent(&served).await?.status.unwrap_or_default();
                        let status: Status = serde_json::from_slice(&status)?;
                        let web = status.layers.get(&"web".parse()?).context("no layer")?;
                        Ok(web.unhealthy.items.contains_key("Deployment shop/web"))
                    })
                    .await?;
                    let now = cairn_runner::run::status(&world.cluster().await?).await?;
                    ensure!(!now.is_healthy() && now.journal.under_way().is_none());
                    Ok(())
                })
                .await
            })
            .await
    })
    .await
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_hub_cannot_make_a_cluster_run_what_its_own_keyring_has_not_signed() -> Result<()> {
    World::with(async |mut world, _registry| {
        let bundle = world.publish(&shop("example.org/web:1", "a"), &[]).await?;
        let hub = HubProcess::new(&mut world).await?;
        let own = key::generate()?;
        let keyring = Keyring::new(vec![own.public_key()?.to_pem()?], 1);
        let path = world.path("keyring.json");
        fs::write(&path, serde_json::to_vec(&keyring)?)?;
        if let Some(settings) = &mut world.settings.hub {
            settings.keyring = Some(path);
        }
        let (world, hub) = (&world, &hub);
        world
            .agent(async |_| {
                hub.serving(async |served| {
                    hub.prepare(world, &served).await?;
                    eventually_async(async || Ok(served.agents(None, 2).await?.len() == 1)).await?;
                    let state = hub.state(world, 1, &bundle)?;
                    served
                        .offer(seal_desired_state(&state, [&hub.key])?)
                        .await?;
                    eventually_async(async || {
                        let refused = only_agent(&served).await?.contact.refused;
                        Ok(refused.is_some_and(|it| it.reason.contains("trusted keys signed")))
                    })
                    .await?;
                    assert!(world.kubectl("get namespace shop").is_err());
                    Ok(())
                })
                .await
            })
            .await
    })
    .await
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn what_breaks_is_told_before_the_request_that_is_held_has_ended() -> Result<()> {
    World::with(async |mut world, _registry| {
        let bundle = world.publish(&shop("example.org/web:1", "a"), &[]).await?;
        let hub = HubProcess::new(&mut world).await?;
        let (world, hub) = (&world, &hub);
        world
            .agent(async |observed| {
                hub.serving(async |served| {
                    hub.prepare(world, &served).await?;
                    eventually_async(async || Ok(served.agents(None, 2).await?.len() == 1)).await?;
                    let policy = serde_json::from_value(json!({"drift": {"default": "report"}}))?;
                    let state = DesiredState {
                        policy,
                        ..hub.state(world, 1, &bundle)?
                    };
                    served
                        .offer(seal_desired_state(&state, [&hub.key])?)
                        .await?;
                    until(&observed, "the bundle", runs(&bundle)).await?;
                    eventually_async(async || {
                        Ok(health_of(&served, "web").await? == r#"{"Current": 1}"#)
                    })
                    .await?;
                    world
                        .kubectl(r#"patch configmap -n shop settings -p {"data":{"value":"b"}}"#)?;
                    let changed = Instant::now();
                    eventually_async(async || {
                        let status = only_agent(&served).await?.status.context("no status")?;
                        let status: Status = serde_json::from_slice(&status)?;
                        Ok(status.drift.items.len() == 1)
                    })
                    .await?;
                    world.kubectl(&format!("patch deployment -n shop web --patch={CRASHES}"))?;
                    eventually_async(async || {
                        Ok(health_of(&served, "web").await? != r#"{"Current": 1}"#)
                    })
                    .await?;
                    // The agent asks to be held for longer than that.
                    assert!(changed.elapsed() < HELD, "{:?}", changed.elapsed());
                    Ok(())
                })
                .await
            })
            .await
    })
    .await
}
