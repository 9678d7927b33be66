//! `cairn-agent run` and `cairn agent run`: what the command line says, on top of the file of settings.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result};
use cairn_runner::cluster::Access;
use cairn_spec::{GroupName, Reference};
use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    clock::Clock,
    config::Environment,
    files::read_file,
    settings::{HubSettings, Settings},
    signals::told_to_stop,
};

/// Keep the cluster in its desired state
///
/// Without a hub, the bundle that a tag or a digest names is verified, applied, and kept as it is; a new
/// one is applied when the tag moves. One that fails is undone, and not tried again.
#[derive(Debug, Default, Args)]
pub struct Run {
    /// A file of settings (JSON); what is given here wins over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The bundle to follow, when there is no hub: `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`
    #[arg(long, value_name = "REF", conflicts_with = "hub")]
    pub bundle: Option<Reference>,
    /// How often the bundle's tag is looked at, in seconds [default: 60]
    #[arg(long, value_name = "SECONDS")]
    pub interval: Option<u64>,
    /// The trust policy: whose signatures bundles need
    #[arg(long, value_name = "FILE")]
    pub trust_policy: Option<PathBuf>,
    /// Refuse bundles without a signed generation
    #[arg(long)]
    pub require_generation: bool,
    /// How the cluster is to be treated (JSON): windows, pause, adoption, drift, when no hub says so
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// The group that the cluster is of, when no hub says so
    #[arg(long, value_name = "NAME")]
    pub group: Option<GroupName>,
    /// The hub to join, such as `https://hub.example.com`
    #[arg(long, value_name = "URL", requires = "hub_ca")]
    pub hub: Option<String>,
    /// The certificate authority that the hub must be issued by (PEM)
    #[arg(long, value_name = "FILE", requires = "hub")]
    pub hub_ca: Option<PathBuf>,
    /// The keyring that desired states are signed by, instead of the hub's
    #[arg(long, value_name = "FILE", requires = "hub")]
    pub keyring: Option<PathBuf>,
    /// A file with the one-time token to join with
    #[arg(long, value_name = "FILE")]
    pub join_token: Option<PathBuf>,
    /// A certificate authority for registries, beside the system's (PEM)
    #[arg(long, value_name = "FILE")]
    pub registry_ca: Option<PathBuf>,
    /// Speak plain HTTP to registries, or with `=false` TLS
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub plain_http: Option<bool>,
    /// Answer probes here: `/livez` and `/readyz`
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Agree on a leader with other replicas
    #[arg(long)]
    pub leader_election: bool,
    /// The kubeconfig; inside of a cluster none is needed
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

impl Run {
    /// The settings of the file, and what the command line says instead.
    pub fn settings(&self) -> Result<Settings> {
        let mut settings = match &self.config {
            Some(path) => {
                let text = read_file(path)?;
                let read = serde_json::from_str(&text);
                read.with_context(|| format!("`{}` is malformed", path.display()))?
            }
            None => Settings::default(),
        };
        if let Some(bundle) = &self.bundle {
            settings.bundle = Some(bundle.clone());
            settings.hub = None;
        }
        if let (Some(url), Some(ca)) = (&self.hub, &self.hub_ca) {
            settings.hub = Some(HubSettings {
                url: url.clone(),
                ca: ca.clone(),
                keyring: self.keyring.clone(),
            });
            settings.bundle = None;
        }
        settings.interval_s = self.interval.unwrap_or(settings.interval_s);
        settings.require_generation |= self.require_generation;
        settings.leader_election |= self.leader_election;
        let given = |given: &Option<PathBuf>, known| given.clone().or(known);
        settings.trust = given(&self.trust_policy, settings.trust);
        settings.policy = given(&self.policy, settings.policy);
        settings.join_token = given(&self.join_token, settings.join_token);
        settings.registry_ca = given(&self.registry_ca, settings.registry_ca);
        settings.group = self.group.clone().or(settings.group);
        settings.plain_http = self.plain_http.or(settings.plain_http);
        settings.listen = self.listen.or(settings.listen);
        Ok(settings)
    }

    /// Runs an agent until the process is told to end.
    pub async fn run_to_the_end(self, environment: &Environment) -> Result<()> {
        let stop = CancellationToken::new();
        let mut work = Box::pin(self.run(environment, stop.clone()));
        tokio::select! {
            ended = &mut work => ended,
            signal = told_to_stop() => {
                signal?;
                stop.cancel();
                work.await
            }
        }
    }

    /// Runs an agent until it is told to stop.
    pub async fn run(self, environment: &Environment, stop: CancellationToken) -> Result<()> {
        let access = Access {
            kubeconfigs: match &self.kubeconfig {
                Some(path) => vec![path.clone()],
                None => environment.kubeconfigs.clone(),
            },
            context: self.context.clone(),
            impersonate: None,
        };
        let settings = self.settings()?;
        let app = App::build(settings, &access, environment, Clock::system()).await?;
        app.run(stop).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.json");
        let text = r#"{"hub": {"url": "https://hub", "ca": "ca.pem"}, "intervalS": 10, "leaderElection": true}"#;
        std::fs::write(&config, text).unwrap();
        let run = Run {
            config: Some(config),
            bundle: Some("example.com/shop:1".parse().unwrap()),
            ..Run::default()
        };
        let settings = run.settings().unwrap();
        assert_eq!((settings.hub, settings.interval_s), (None, 10));
        assert!(settings.leader_election && settings.bundle.is_some());
    }
}
