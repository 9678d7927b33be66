//! A namespace of a test's own in the shared cluster, or in one of its own.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use cairn_runner::cluster::{Access, Applied, Cluster, Force, Mode, Pace, id_of};
use cairn_test_kube::{KubeServer, unique};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) server: KubeServer,
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
}

impl World {
    pub(crate) async fn shared() -> Result<Self> {
        Self::new(KubeServer::shared()?).await
    }

    pub(crate) async fn private() -> Result<Self> {
        Self::new(KubeServer::private()?).await
    }

    async fn new(server: KubeServer) -> Result<Self> {
        let cluster = connect(server.kubeconfig().to_owned(), Pace::default()).await?;
        let namespace = unique("runner");
        let world = Self {
            server,
            cluster,
            namespace,
        };
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.namespace},
        });
        world.apply(&object).await?;
        Ok(world)
    }

    /// A config map of this namespace.
    pub(crate) fn config_map(&self, name: &str, data: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.namespace, "labels": {"test": "yes"}},
            "data": data,
        })
    }

    pub(crate) async fn apply(&self, object: &Value) -> Result<Value> {
        let id = id_of(object);
        let applied = self.cluster.apply(&id, object, Mode::Write, Force::Ask);
        match applied.await? {
            Applied::Created(object) | Applied::Merged(object) => Ok(object),
            Applied::Conflicts(conflicts) => anyhow::bail!("conflicts: {conflicts:?}"),
        }
    }

    /// Runs kubectl in the namespace.
    pub(crate) fn kubectl(&self, arguments: &str) -> Result<String> {
        let mut command = self.server.kubectl();
        command
            .args(["--namespace", &self.namespace])
            .args(arguments.split_whitespace());
        let output = command.output().context("failed to run kubectl")?;
        ensure!(
            output.status.success(),
            "`kubectl {arguments}`: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

pub(crate) async fn connect(kubeconfig: PathBuf, pace: Pace) -> Result<Cluster> {
    let access = Access {
        kubeconfigs: vec![kubeconfig],
        ..Access::default()
    };
    Ok(Cluster::connect(&access, pace).await?)
}

/// Short enough that a test can wait for its end.
pub(crate) fn impatient() -> Pace {
    Pace {
        request_timeout: Duration::from_secs(2),
        patience: Duration::from_secs(3),
        ..Pace::default()
    }
}
