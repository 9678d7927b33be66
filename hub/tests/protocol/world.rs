//! A hub that runs, with its clock, its keyring and its agents.

use std::sync::Arc;

use anyhow::{Result, ensure};
use cairn_hub::{
    App, Authority, Clock, Config, ContentSource, Hub, HubStore, ManualClock, MemoryStore,
    NewToken, build,
};
use cairn_oci::{PrivateKey, key, keyring::seal_desired_state};
use cairn_spec::{
    Digest, Envelope, GroupName, Timestamp,
    agent::{Audience, BundleSource, DesiredState, JoinToken, Keyring, Sync},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::simulated::{self, Agent};

/// When tests begin, in seconds since 1970.
pub(crate) const START_S: u64 = 1_800_000_000;

pub(crate) struct World {
    pub(crate) hub: Arc<Hub>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) authority_key: String,
    /// The key that signs desired states.
    pub(crate) key: PrivateKey,
    pub(crate) client: simulated::Hub,
    stop: CancellationToken,
    running: JoinHandle<Result<(), cairn_hub::Error>>,
}

impl World {
    pub(crate) async fn new() -> Result<Self> {
        Self::with(|_| {}).await
    }

    /// A hub with a changed configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Result<Self> {
        Self::over(MemoryStore::default(), change).await
    }

    /// A hub over a store.
    pub(crate) async fn over(store: MemoryStore, change: impl FnOnce(&mut Config)) -> Result<Self> {
        let (_, authority_key) = Authority::generate()?;
        let store = Arc::new(store);
        let clock = Arc::new(ManualClock::at(START_S));
        let key = key::generate()?;
        let world = Self::start(store, clock, authority_key, key, change).await?;
        let keys = vec![world.key.public_key()?.to_pem()?];
        world.hub.set_keyring(None, Keyring::new(keys, 1)).await?;
        Ok(world)
    }

    async fn start(
        store: Arc<MemoryStore>,
        clock: Arc<ManualClock>,
        authority_key: String,
        key: PrivateKey,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self> {
        let mut config = Config::new(
            Arc::clone(&store) as Arc<dyn HubStore>,
            Authority::from_pem(&authority_key)?,
        );
        config.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        change(&mut config);
        let app: App = build(config).await?;
        let (hub, stop) = (app.hub(), CancellationToken::new());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = simulated::Hub {
            address: listener.local_addr()?,
            tls: None,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            tasks: TaskTracker::new(),
            traffic: Arc::default(),
        };
        let running = TaskTracker::new().spawn(app.run(listener, stop.clone()));
        Ok(Self {
            hub,
            clock,
            store,
            authority_key,
            key,
            client,
            stop,
            running,
        })
    }

    /// Another hub over the same store, beside this one.
    pub(crate) async fn beside(&self, change: impl FnOnce(&mut Config)) -> Result<Self> {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        let key = PrivateKey::from_pem(&self.key.to_pem()?, None)?;
        Self::start(store, clock, self.authority_key.clone(), key, change).await
    }

    /// The hub stops, and another one begins over the same store.
    pub(crate) async fn restart(self) -> Result<Self> {
        self.restart_with(|_| {}).await
    }

    /// The same, with a changed configuration.
    pub(crate) async fn restart_with(self, change: impl FnOnce(&mut Config)) -> Result<Self> {
        self.stop.cancel();
        self.running.await??;
        Self::start(self.store, self.clock, self.authority_key, self.key, change).await
    }

    /// The hub stops and has written down everything.
    pub(crate) async fn stop(self) -> Result<()> {
        self.stop.cancel();
        Ok(self.running.await??)
    }

    pub(crate) fn content(config: &mut Config, content: impl ContentSource) {
        config.content = Some(Arc::new(content));
    }

    pub(crate) async fn token(&self) -> Result<JoinToken> {
        Ok(self.hub.create_token(&one_use()).await?)
    }

    pub(crate) fn agent(&self, cluster_uid: &str) -> Result<Agent> {
        Agent::new(&self.client, cluster_uid)
    }

    /// An agent that has joined.
    pub(crate) async fn joined(&self, cluster_uid: &str) -> Result<Agent> {
        let mut agent = self.agent(cluster_uid)?;
        let answer = agent.register(&self.token().await?).await?;
        ensure!(
            answer.is_ok_and(|status| status == 200),
            "the agent did not join"
        );
        Ok(agent)
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_unix_s(self.clock.unix_s())
    }

    pub(crate) fn state(&self, audience: Audience, generation: u64) -> DesiredState {
        let bundle = BundleSource {
            repository: "registry.example.com/bundles/shop".to_owned(),
            digest: Digest::sha256(&generation.to_be_bytes()),
        };
        DesiredState::new(audience, generation, bundle, self.now())
    }

    pub(crate) fn sealed(&self, audience: Audience, generation: u64) -> Result<Envelope> {
        Ok(seal_desired_state(
            &self.state(audience, generation),
            [&self.key],
        )?)
    }
}

pub(crate) fn one_use() -> NewToken {
    NewToken {
        life_s: 3_600,
        uses: 1,
        group: None,
        needs_approval: false,
    }
}

pub(crate) fn cluster(uid: &str) -> Audience {
    Audience::Cluster(uid.to_owned())
}

pub(crate) fn group(name: &str) -> Result<GroupName> {
    Ok(name.parse()?)
}

/// A sync that is answered at once.
pub(crate) fn quick(ack_generation: u64) -> Sync {
    Sync {
        ack_generation,
        keyring_generation: 1,
        ..Sync::default()
    }
}

/// A sync that is held until there is something to say.
pub(crate) fn held(ack_generation: u64) -> Sync {
    Sync {
        wait_s: 55,
        ..quick(ack_generation)
    }
}
