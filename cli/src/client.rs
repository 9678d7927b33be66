//! The registry client as the command line sets it up.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use cairn_oci::{Client, Credential, Credentials, Options, Progress};
use clap::Args;

use crate::config::Environment;

/// How to speak to registries.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Registry options")]
pub(crate) struct ClientArgs {
    /// Speak plain HTTP; it is the default for registries on this machine only
    #[arg(long)]
    pub(crate) plain_http: bool,
    /// Trust this certificate authority too (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The user; by default, credentials come from `~/.docker/config.json`
    #[arg(short, long, value_name = "USER")]
    pub(crate) username: Option<String>,
    /// A file with the user's password
    #[arg(long, value_name = "FILE", requires = "username")]
    pub(crate) password_file: Option<PathBuf>,
}

impl ClientArgs {
    /// A client with these options.
    pub(crate) fn client(&self, environment: &Environment, progress: Progress) -> Result<Client> {
        let mut credentials = match &environment.docker_config {
            Some(path) if path.is_file() => Credentials::from_docker_config(path)?,
            _ => Credentials::none(),
        };
        if let Some(username) = &self.username {
            let password = match &self.password_file {
                Some(path) => fs::read_to_string(path)
                    .with_context(|| format!("failed to read `{}`", path.display()))?,
                None => String::new(),
            };
            credentials = credentials.with_fallback(Credential::basic(
                username,
                password.trim_end_matches(['\r', '\n']),
            ));
        }
        let extra_ca_pem = match &self.ca_file {
            Some(path) => vec![
                fs::read(path).with_context(|| format!("failed to read `{}`", path.display()))?,
            ],
            None => Vec::new(),
        };
        let plain_http = self.plain_http.then_some(true);
        Ok(Client::new(Options {
            plain_http,
            extra_ca_pem,
            credentials,
            progress,
            ..Options::default()
        })?)
    }
}

/// The runtime that requests run on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the asynchronous runtime")
}
