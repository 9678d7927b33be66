//! An agent as a whole: built from its settings, then run until it is told to stop.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use cairn_oci::{Client, Credentials, Options};
use cairn_runner::{
    cluster::{Access, Cluster, Pace},
    run::{Memory, NAMESPACE},
};
use cairn_spec::agent::Keyring;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
};
use tokio_util::sync::CancellationToken;

use crate::{
    accept::Own,
    backoff::{Backoff, CLUSTER},
    clock::Clock,
    config::Environment,
    enforce::{Enforcer, causes},
    files::read_file,
    follow::Follower,
    hub::{HubFollower, Introduction},
    lease::{self, Timing},
    memory::State,
    observed::Observed,
    probes,
    settings::{Settings, Source},
    telling::Telling,
};

/// The Lease that replicas agree on a leader by.
const LEASE: &str = "cairn-agent";
/// How many requests to the API server are under way at once: each connection takes memory for as long as it
/// is kept.
const REQUESTS: usize = 8;

/// An agent that is ready to run.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    source: Source,
    cluster: Cluster,
    client: Client,
    clock: Clock,
    name: String,
    observed: Observed,
    listener: Option<TcpListener>,
}

impl App {
    /// Checks the settings and prepares what needs no answer from anybody.
    pub async fn build(
        settings: Settings,
        access: &Access,
        environment: &Environment,
        clock: Clock,
    ) -> Result<Self> {
        let source = settings.source()?;
        let pace = Pace {
            concurrency: REQUESTS,
            ..Pace::default()
        };
        let cluster = Cluster::connect(access, pace).await?;
        let client = client(&settings, environment)?;
        let listener = match settings.listen {
            Some(address) => {
                let listener = TcpListener::bind(address).await;
                Some(listener.with_context(|| format!("failed to listen on {address}"))?)
            }
            None => None,
        };
        Ok(Self {
            source,
            cluster,
            client,
            observed: Observed::new(clock.clone()),
            clock,
            name: environment
                .name
                .clone()
                .unwrap_or_else(|| "cairn-agent".to_owned()),
            listener,
            settings,
        })
    }

    /// What it is doing and has found.
    pub fn observed(&self) -> Observed {
        self.observed.clone()
    }

    /// Runs until it is told to stop. An error is one that another try does not mend.
    pub async fn run(mut self, stop: CancellationToken) -> Result<()> {
        let listener = self.listener.take();
        let observed = self.observed.clone();
        let probes = async {
            match listener {
                Some(listener) => probes::answer(listener, &observed).await,
                None => std::future::pending().await,
            }
        };
        let (leads_sender, leads) = watch::channel(!self.settings.leader_election);
        let cluster = self.cluster.clone();
        let (name, clock) = (self.name.clone(), self.clock.clone());
        let elected = self.settings.leader_election;
        let election = async {
            if elected {
                let place = (NAMESPACE, LEASE);
                let how = (name.as_str(), Timing::default(), &clock);
                lease::keep(&cluster, place, how, leads_sender).await;
            } else {
                leads_sender.closed().await;
            }
        };
        let lost = lost(leads.clone());
        let work = async {
            tokio::select! {
                ended = Box::pin(self.work(leads, &stop)) => ended,
                // What was read before may be old by now, so it is begun anew.
                () = lost => anyhow::bail!("another replica leads by now"),
            }
        };
        let (worked, ()) = tokio::select! {
            ended = async { tokio::join!(work, election) } => ended,
            () = probes => return Ok(()),
        };
        worked
    }

    async fn work(self, leads: watch::Receiver<bool>, stop: &CancellationToken) -> Result<()> {
        let Some((own, state)) = self.remember(leads.clone(), stop).await? else {
            return Ok(());
        };
        let (wanted_sender, wanted) = watch::channel(None);
        let (missing, missing_receiver) = watch::channel(None);
        let enforcer = Enforcer {
            cluster: self.cluster.clone(),
            clock: self.clock.clone(),
            holder: self.name.clone(),
            wanted,
            leads,
            observed: self.observed.clone(),
            missing,
            compare: Arc::new(Notify::new()),
        };
        match self.source {
            Source::Registry(reference, trust) => {
                let follower = Follower {
                    client: self.client,
                    reference,
                    trust,
                    policy: self.settings.policy,
                    interval: Duration::from_secs(self.settings.interval_s),
                    needs_generation: self.settings.require_generation,
                    cluster: self.cluster,
                    own,
                    clock: self.clock,
                    wanted: wanted_sender,
                    missing: missing_receiver,
                    observed: self.observed,
                };
                tokio::join!(enforcer.run(stop), follower.run(state, stop));
            }
            Source::Hub(hub) => {
                let authorities = read_file(&hub.ca)?;
                let keyring = hub.keyring.as_deref().map(read_keyring).transpose()?;
                let introduction = Introduction {
                    cluster_uid: own.cluster.clone(),
                    kubernetes_version: version(&self.cluster).await,
                };
                let telling = Telling::new(
                    self.cluster.clone(),
                    self.clock.clone(),
                    self.observed.clone(),
                );
                let telling = Arc::new(telling);
                let follower = HubFollower {
                    url: hub.url,
                    authorities,
                    keyring,
                    token: self.settings.join_token,
                    cluster: self.cluster,
                    introduction,
                    own,
                    clock: self.clock,
                    wanted: wanted_sender,
                    missing: missing_receiver,
                    compare: Arc::clone(&enforcer.compare),
                    observed: self.observed,
                    telling: Arc::clone(&telling),
                };
                let work = async { tokio::join!(enforcer.run(stop), follower.run(state, stop)) };
                tokio::select! {
                    ((), ()) = work => {}
                    never = telling.run() => match never {},
                }
            }
        }
        Ok(())
    }

    /// Reads who the cluster is and what was accepted, as soon as that can be read.
    async fn remember(
        &self,
        mut leads: watch::Receiver<bool>,
        stop: &CancellationToken,
    ) -> Result<Option<(Own, State)>> {
        let mut backoff = Backoff::new(CLUSTER);
        loop {
            // Whoever leads may have written meanwhile.
            while !*leads.borrow_and_update() {
                tokio::select! {
                    changed = leads.changed() => changed.context("nobody leads any more")?,
                    () = stop.cancelled() => return Ok(None),
                }
            }
            let read = async {
                let memory = Memory::read(&self.cluster).await?;
                let state = State::read(&self.cluster).await?;
                Ok::<_, anyhow::Error>((memory.cluster, state))
            };
            let error = match read.await {
                Ok((cluster, state)) => {
                    let group = self.settings.group.clone();
                    return Ok(Some((Own { cluster, group }, state)));
                }
                Err(error) => error,
            };
            if let Some(crate::memory::MemoryError::Damaged { .. }) = error.downcast_ref() {
                return Err(error);
            }
            let wait = backoff.failed(rand::random(), None);
            let error = causes(error.as_ref());
            tracing::warn!(error, wait_s = wait.as_secs(), "the cluster cannot be read");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return Ok(None),
            }
        }
    }
}

/// Ends when this replica has led and does not any more.
async fn lost(mut leads: watch::Receiver<bool>) {
    let has_led = leads.wait_for(|leads| *leads).await.is_ok();
    if !has_led || leads.wait_for(|leads| !*leads).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The API server's version; empty while it does not say.
async fn version(cluster: &Cluster) -> String {
    cluster.version().await.unwrap_or_default()
}

fn read_keyring(path: &Path) -> Result<Keyring> {
    let text = read_file(path)?;
    let read = Keyring::read(text.as_bytes());
    read.with_context(|| format!("failed to use the keyring `{}`", path.display()))
}

fn client(settings: &Settings, environment: &Environment) -> Result<Client> {
    let login = settings.registry_login.as_ref();
    let login = login.or(environment.docker_config.as_ref());
    let credentials = match login {
        Some(path) if path.is_file() => Credentials::from_docker_config(path)?,
        _ => Credentials::none(),
    };
    let extra_ca_pem = match &settings.registry_ca {
        Some(path) => vec![read_file(path)?.into_bytes()],
        None => Vec::new(),
    };
    Ok(Client::new(Options {
        plain_http: settings.plain_http,
        extra_ca_pem,
        credentials,
        ..Options::default()
    })?)
}
