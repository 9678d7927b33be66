//! A cluster, a registry, a key, and an agent for as long as a test wants one.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_agent::{
    app::App,
    clock::Clock,
    config::Environment,
    observed::{Observations, Observed},
    settings::Settings,
};
use cairn_oci::{
    Client, Options, PrivateKey, key,
    sign::{SignOptions, sign},
};
use cairn_registry::{Config, StorageConfig};
use cairn_runner::cluster::{Access, Cluster, Pace};
use cairn_spec::{Annotations, Artifact, Digest, Reference};
use cairn_test_kube::KubeServer;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::bundles::Layers;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct World {
    pub(crate) server: KubeServer,
    pub(crate) key: PrivateKey,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) folder: TempDir,
    followed: Reference,
    client: Client,
}

/// A registry that can be taken away.
pub(crate) struct Registry {
    stop: CancellationToken,
}

impl World {
    /// A world whose registry serves while the work goes on.
    pub(crate) async fn with(work: impl AsyncFnOnce(Self, Registry) -> Result<()>) -> Result<()> {
        Self::with_storage(StorageConfig::Memory, work).await
    }

    /// The same with a registry that keeps its content elsewhere.
    pub(crate) async fn with_storage(
        storage: StorageConfig,
        work: impl AsyncFnOnce(Self, Registry) -> Result<()>,
    ) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let config = Config {
            storage,
            ..Config::default()
        };
        let registry = config.build().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let stop = CancellationToken::new();
        let server = tokio::task::spawn_blocking(KubeServer::private).await??;
        let key = key::generate()?;
        let trust = folder.path().join("trust.yaml");
        let policy = json!({
            "apiVersion": "cairn.dev/v1", "kind": "TrustPolicy",
            "rules": [{"repositories": ["**"], "keys": [{"name": "ci", "pem": key.public_key()?.to_pem()?}]}],
        });
        fs::write(&trust, policy.to_string())?;
        let followed: Reference = format!("{address}/bundles/shop:stable").parse()?;
        let settings = Settings {
            bundle: Some(followed.clone()),
            interval_s: 1,
            trust: Some(trust),
            ..Settings::default()
        };
        let world = Self {
            server,
            key,
            settings,
            clock: Clock::system(),
            folder,
            followed,
            client: Client::new(Options::default())?,
        };
        let serving = registry.run(listener, stop.clone());
        let mut work = Box::pin(work(world, Registry { stop }));
        tokio::select! {
            ended = &mut work => return ended,
            ended = serving => ended?,
        }
        // The registry was taken away; the work goes on.
        work.await
    }

    /// Publishes a bundle under the tag that is followed; signed, with these annotations.
    pub(crate) async fn publish(
        &self,
        layers: &Layers,
        annotations: &[(&str, &str)],
    ) -> Result<Digest> {
        self.publish_as(&layers.artifact()?, Some(&self.key), annotations)
            .await
    }

    /// The same of any artifact, by any key or none.
    pub(crate) async fn publish_as(
        &self,
        artifact: &Artifact,
        key: Option<&PrivateKey>,
        annotations: &[(&str, &str)],
    ) -> Result<Digest> {
        let tag = self.reference();
        let by_digest = Reference {
            tag: None,
            ..tag.with_digest(artifact.digest().clone())
        };
        self.client.push_artifact(&by_digest, artifact).await?;
        if let Some(key) = key {
            let annotations: Annotations = annotations
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let options = SignOptions {
                annotations,
                ..SignOptions::default()
            };
            sign(&self.client, &by_digest, key, &options).await?;
        }
        // Signed first, so that nobody sees it without.
        self.client.push_artifact(&tag, artifact).await?;
        Ok(artifact.digest().clone())
    }

    fn reference(&self) -> Reference {
        self.followed.clone()
    }

    /// What is followed.
    pub(crate) fn followed(&self) -> String {
        self.followed.to_string()
    }

    /// Where the registry listens.
    pub(crate) fn registry_address(&self) -> Result<SocketAddr> {
        Ok(self.followed.registry.to_string().parse()?)
    }

    /// Agents that start from now on find the registry at another address.
    pub(crate) fn lead_through(&mut self, address: SocketAddr) -> Result<()> {
        let Reference { repository, .. } = &self.followed;
        self.settings.bundle = Some(format!("{address}/{repository}:stable").parse()?);
        Ok(())
    }

    /// The last run has come to its end.
    pub(crate) fn is_done(&self) -> Result<bool> {
        Ok(self.journal()?["run"]["phase"]["name"] == "done")
    }

    /// Where the bundles are.
    pub(crate) fn repository(&self) -> String {
        format!("{}/{}", self.followed.registry, self.followed.repository)
    }

    /// Writes the policy that agents start with from now on, and that running ones read soon.
    pub(crate) fn set_policy(&mut self, policy: &Json) -> Result<()> {
        let path = self.folder.path().join("policy.json");
        fs::write(&path, policy.to_string())?;
        self.settings.policy = Some(path);
        Ok(())
    }

    /// Runs an agent while the work goes on, and then kills it.
    pub(crate) async fn agent<T>(
        &self,
        work: impl AsyncFnOnce(Observed) -> Result<T>,
    ) -> Result<T> {
        let access = Access {
            kubeconfigs: vec![self.server.kubeconfig().to_owned()],
            ..Access::default()
        };
        self.agent_with(access, work).await
    }

    /// The same with another way to the cluster.
    pub(crate) async fn agent_with<T>(
        &self,
        access: Access,
        work: impl AsyncFnOnce(Observed) -> Result<T>,
    ) -> Result<T> {
        let environment = Environment {
            name: Some("agent-under-test".to_owned()),
            ..Environment::default()
        };
        let app = App::build(
            self.settings.clone(),
            &access,
            &environment,
            self.clock.clone(),
        )
        .await?;
        let observed = app.observed();
        let run = Box::pin(app.run(CancellationToken::new()));
        tokio::select! {
            ended = run => bail!("the agent has ended: {ended:?}"),
            ended = work(observed) => ended,
        }
    }

    /// A way of its own to the cluster.
    pub(crate) async fn cluster(&self) -> Result<Cluster> {
        let access = Access {
            kubeconfigs: vec![self.server.kubeconfig().to_owned()],
            ..Access::default()
        };
        Ok(Cluster::connect(&access, Pace::default()).await?)
    }

    pub(crate) fn kubectl(&self, arguments: &str) -> Result<String> {
        let mut command = self.server.kubectl();
        let output = command.args(arguments.split_whitespace()).output()?;
        ensure!(
            output.status.success(),
            "`kubectl {arguments}`: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The value in the shop's settings.
    pub(crate) fn value(&self) -> Result<String> {
        self.kubectl("get configmap -n shop settings -o jsonpath={.data.value}")
    }

    /// The image of the shop's deployment.
    pub(crate) fn image(&self) -> Result<String> {
        self.kubectl(
            "get deployment -n shop web -o jsonpath={.spec.template.spec.containers[0].image}",
        )
    }

    pub(crate) fn cluster_uid(&self) -> Result<String> {
        self.kubectl("get namespace kube-system -o jsonpath={.metadata.uid}")
    }

    /// The journal in the cluster.
    pub(crate) fn journal(&self) -> Result<Json> {
        let text = self.kubectl(
            "get configmap -n cairn-system cairn-journal -o jsonpath={.data.journal\\.json}",
        )?;
        Ok(serde_json::from_str(&text)?)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Registry {
    /// Nobody answers at its address any more.
    pub(crate) fn take_away(&self) {
        self.stop.cancel();
    }
}

/// Waits until something holds of what is observed.
pub(crate) async fn until(
    observed: &Observed,
    what: &str,
    mut holds: impl FnMut(&Observations) -> bool,
) -> Result<Observations> {
    let started = Instant::now();
    loop {
        let now = observed.now();
        if holds(&now) {
            return Ok(now);
        }
        ensure!(
            started.elapsed() < PATIENCE,
            "{what} does not come: {now:#?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until a question has the answer that is wanted.
pub(crate) async fn eventually<T: PartialEq + std::fmt::Debug>(
    wanted: &T,
    mut ask: impl FnMut() -> Result<T>,
) -> Result<()> {
    let started = Instant::now();
    loop {
        let answer = ask();
        if answer.as_ref().is_ok_and(|answer| answer == wanted) {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            let answer = answer.context("there is no answer")?;
            bail!("expected {wanted:?}, and it is {answer:?}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until something is so.
pub(crate) async fn eventually_async(mut ask: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    loop {
        let answer = ask().await;
        if matches!(answer, Ok(true)) {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            bail!("it does not come: {answer:?}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The cluster runs a bundle, and nothing is under way.
pub(crate) fn runs(bundle: &Digest) -> impl FnMut(&Observations) -> bool {
    let bundle = bundle.clone();
    move |now| {
        let run = now.journal.run.as_ref();
        run.is_some_and(|run| {
            run.bundle == bundle && run.phase == cairn_runner::journal::Phase::Done
        })
    }
}
