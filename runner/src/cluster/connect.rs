//! How to get to a cluster, and as whom: kubeconfigs, or what a pod is given.

use std::{path::PathBuf, sync::Arc};

use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tokio::sync::{RwLock, Semaphore};

use super::{Cluster, Pace, server::Endpoint};

/// Where the cluster is, and who asks.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Kubeconfigs, where the first one that says something counts; none inside of a cluster.
    pub kubeconfigs: Vec<PathBuf>,
    /// The kubeconfig's context, unless it is the current one.
    pub context: Option<String>,
    /// The user to act as, such as `system:serviceaccount:NAMESPACE:NAME`.
    pub impersonate: Option<String>,
}

/// Why there is no way to the cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A kubeconfig is not there, or says nothing that can be used.
    #[error("failed to use the kubeconfig")]
    Kubeconfig(#[source] Box<kube::config::KubeconfigError>),
    /// No kubeconfig was named, and this is no pod.
    #[error("no kubeconfig was named, and this does not run inside of a cluster")]
    InCluster(#[source] kube::config::InClusterError),
    /// What the kubeconfig says of TLS or of a login does not work.
    #[error("failed to prepare the connection to the cluster")]
    Client(#[source] Box<kube::Error>),
}

impl From<kube::config::KubeconfigError> for ConnectError {
    fn from(error: kube::config::KubeconfigError) -> Self {
        Self::Kubeconfig(Box::new(error))
    }
}

impl Cluster {
    /// Makes a client; nothing is asked yet.
    pub async fn connect(access: &Access, pace: Pace) -> Result<Self, ConnectError> {
        let mut config = config(access).await?;
        // Retries are made where the answer's `Retry-After` and our patience are known.
        config.default_retry = false;
        config.connect_timeout = Some(pace.request_timeout);
        let name = concat!("cairn/", env!("CARGO_PKG_VERSION"));
        config.headers.push((
            http::header::USER_AGENT,
            http::HeaderValue::from_static(name),
        ));
        if let Some(user) = &access.impersonate {
            config.auth_info.impersonate = Some(user.clone());
        }
        let endpoint = Endpoint::of(&config).map(Arc::new);
        let client = kube::Client::try_from(config)
            .map_err(|error| ConnectError::Client(Box::new(error)))?;
        Ok(Self {
            client,
            places: Arc::new(Semaphore::new(pace.concurrency.max(1))),
            pace,
            kinds: Arc::new(RwLock::new(None)),
            meter: Arc::default(),
            endpoint,
        })
    }
}

async fn config(access: &Access) -> Result<Config, ConnectError> {
    let mut merged: Option<Kubeconfig> = None;
    for path in &access.kubeconfigs {
        let read = Kubeconfig::read_from(path)?;
        merged = Some(match merged {
            Some(before) => before.merge(read)?,
            None => read,
        });
    }
    let Some(kubeconfig) = merged else {
        return Config::incluster().map_err(ConnectError::InCluster);
    };
    let options = KubeConfigOptions {
        context: access.context.clone(),
        ..KubeConfigOptions::default()
    };
    Ok(Config::from_custom_kubeconfig(kubeconfig, &options).await?)
}
