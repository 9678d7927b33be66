//! `cairn registry serve`: serves a registry until it is told to stop.

#[cfg(unix)]
use std::io::IsTerminal as _;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use cairn_registry::{Config, Reload, StorageConfig, TlsConfig};
use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    client::runtime,
    command::registry_check,
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    output::Output,
};

/// Serve a registry
///
/// Any OCI client can push to it and pull from it. Content is kept in a folder that one process
/// holds at a time, or, as the configuration file says, in an S3 bucket that many share. Stops on Ctrl-C or SIGTERM, after requests under way have ended.
#[derive(Debug, Args)]
pub(crate) struct RegistryServe {
    /// A configuration file (YAML); variables `CAIRN_REGISTRY_…` and other options win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on [default: 127.0.0.1:5000]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = socket)]
    listen: Option<SocketAddr>,
    /// The folder to keep content in [default: .cairn/registry]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Tags that keep their content forever: globs over repositories [default: packs/**]
    #[arg(long = "immutable", value_name = "GLOB")]
    immutable_tags: Vec<String>,
    /// The server's certificate (PEM), read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Let whoever reaches the address push and delete; needed beyond this machine without `auth`
    #[arg(long)]
    open_to_everyone: bool,
}

impl RegistryServe {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let config = self.config(environment, output)?;
        let address = config.listen;
        runtime()?.block_on(async {
            let shutdown = CancellationToken::new();
            let app = config.build().await.map_err(refuse)?;
            let listener = listen(address).await?;
            let address = listener
                .local_addr()
                .context("failed to learn the address")?;
            app.check_address(address).map_err(refuse)?;
            let scheme = if app.is_secure() { "https" } else { "http" };
            // Whoever reads the message may send signals.
            stop_on_signal(&shutdown, Some(app.reload()))?;
            output.message(&format!("serving on {scheme}://{address}/ (Ctrl-C stops)"));
            app.run(listener, shutdown)
                .await
                .map_err(|error| Failure::new(ExitCode::Error, error))
        })
    }

    fn config(&self, environment: &Environment, output: &Output) -> Result<Config, Failure> {
        let file = self.config.as_deref();
        let mut config = load(file, self.data.as_deref(), environment, output)?;
        if let Some(address) = self.listen {
            config.listen = address;
        }
        if !self.immutable_tags.is_empty() {
            config.immutable_tags.clone_from(&self.immutable_tags);
        }
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            let clients = config.tls.take();
            config.tls = Some(TlsConfig {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca: clients.as_ref().and_then(|tls| tls.client_ca.clone()),
                client_certificates: clients
                    .map(|tls| tls.client_certificates)
                    .unwrap_or_default(),
            });
        }
        config.open_to_everyone |= self.open_to_everyone;
        Ok(config)
    }
}

fn socket(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "expected an IP address and a port, such as 127.0.0.1:5000")
}

/// The configuration in a file and in variables, or the default, with the folder that was given
/// besides.
pub(crate) fn load(
    file: Option<&Path>,
    data: Option<&Path>,
    environment: &Environment,
    output: &Output,
) -> Result<Config, Failure> {
    let mut config = registry_check::load(file, environment, output)?;
    if let Some(folder) = data {
        config.storage = StorageConfig::Directory(folder.to_owned());
    }
    Ok(config)
}

pub(crate) fn refuse(error: cairn_registry::Error) -> Failure {
    use cairn_registry::Error;
    let (code, hint) = match &error {
        Error::InUse { .. } => (
            ExitCode::Conflict,
            "one process holds a folder at a time: stop the other one, or choose another folder with --data",
        ),
        Error::Config { setting, .. } if setting.starts_with("storage.s3.") => (
            ExitCode::InvalidInput,
            "`cairn registry doctor` shows what the store can do",
        ),
        Error::Config {
            setting: "immutableTags",
            ..
        } => (
            ExitCode::InvalidInput,
            "globs are such as `packs/**`, or `apps/*:v*` for tags",
        ),
        Error::Config { .. } => (
            ExitCode::InvalidInput,
            "correct it in the configuration file",
        ),
        Error::Invalid(_) => (ExitCode::InvalidInput, "mend what is named there"),
        Error::OpenToEveryone { .. } => (
            ExitCode::InvalidInput,
            "say who may do what under `auth` in a configuration file, listen on 127.0.0.1, or mean it with --open-to-everyone",
        ),
        Error::StorageTooNew { .. } => (
            ExitCode::Conflict,
            "use that version or a later one; docs/registry-upgrade.md says how to go back to an older one",
        ),
        // The store's own answer says what to do.
        Error::Unavailable { .. } => return Failure::new(ExitCode::Error, error),
        Error::Storage { source, .. } if source.to_string().starts_with("the store answered") => (
            ExitCode::Error,
            "docs/registry-s3.md lists the credentials and permissions that a bucket takes",
        ),
        Error::Corrupt { .. } => (
            ExitCode::Error,
            "put the file back from a backup, then run `cairn registry fsck --repair`; without a backup, move the folder away and push again",
        ),
        _ => (
            ExitCode::Error,
            "choose a folder that you may write to with --data",
        ),
    };
    Failure::new(code, error).hint(hint)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(
            ExitCode::Error,
            anyhow::Error::new(error).context(format!("failed to listen on {address}")),
        )
        .hint("choose another address with --listen; port 0 takes any that is free")
    })
}

/// Cancels `shutdown` on Ctrl-C, on SIGTERM, which service managers send, and on SIGHUP when the
/// terminal went away. Any other SIGHUP has files read again that may change.
pub(crate) fn stop_on_signal(
    shutdown: &CancellationToken,
    reload: Option<Reload>,
) -> anyhow::Result<()> {
    let shutdown = shutdown.clone();
    #[cfg(unix)]
    let (mut terminate, mut hangup) = {
        use tokio::signal::unix::{SignalKind, signal};
        (
            signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?,
            signal(SignalKind::hangup()).context("failed to listen for SIGHUP")?,
        )
    };
    #[cfg(unix)]
    let had_terminal = std::io::stdin().is_terminal();
    let wait = async move {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
            () = async {
                while hangup.recv().await.is_some() {
                    if had_terminal && !std::io::stdin().is_terminal() {
                        break;
                    }
                    if let Some(reload) = &reload {
                        reload.request();
                    }
                }
            } => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
        shutdown.cancel();
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "it ends with the process, and shutdown must not wait for a signal"
    )]
    tokio::spawn(wait);
    Ok(())
}
