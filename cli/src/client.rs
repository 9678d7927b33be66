//! The registry client as the command line sets it up.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use cairn_oci::{Client, Credential, Credentials, Error, Options, Progress};
use cairn_spec::{Reference, RegistryHost, Version};
use clap::Args;

use crate::{config::Environment, exit::Failure, files::read_text};

/// How to speak to registries.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Registry options")]
pub(crate) struct ClientArgs {
    /// Speak plain HTTP, or with `=false` TLS; plain HTTP is the default on this machine only
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) plain_http: Option<bool>,
    /// Trust this certificate authority too (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The user at registries that `~/.docker/config.json` has no login for
    #[arg(short, long, value_name = "USER")]
    pub(crate) username: Option<String>,
    /// A file with the user's password
    #[arg(long, value_name = "FILE", requires = "username")]
    pub(crate) password_file: Option<PathBuf>,
    /// A token service that passwords may be sent to, beside a registry's own host
    #[arg(long = "token-service", value_name = "HOST[:PORT]")]
    pub(crate) token_services: Vec<RegistryHost>,
}

impl ClientArgs {
    /// A client with these options.
    pub(crate) fn client(
        &self,
        environment: &Environment,
        progress: Progress,
    ) -> Result<Client, Failure> {
        let mut credentials = match &environment.docker_config {
            Some(path) if path.is_file() => Credentials::from_docker_config(path)?,
            _ => Credentials::none(),
        };
        if let Some(username) = &self.username {
            let password = match &self.password_file {
                Some(path) => read_text(path)?,
                None => String::new(),
            };
            credentials = credentials.with_fallback(Credential::basic(
                username,
                password.trim_end_matches(['\r', '\n']),
            ));
        }
        let extra_ca_pem = match &self.ca_file {
            Some(path) => vec![read_text(path)?.into_bytes()],
            None => Vec::new(),
        };
        let client = Client::new(Options {
            plain_http: self.plain_http,
            extra_ca_pem,
            credentials,
            token_services: self.token_services.clone(),
            progress,
            ..Options::default()
        });
        client.map_err(|error| match &self.ca_file {
            Some(path) => Failure::from(anyhow::Error::new(error).context(format!(
                "failed to use the certificate authority `{}`",
                path.display()
            )))
            .hint("give certificates in PEM: `-----BEGIN CERTIFICATE-----`"),
            None => error.into(),
        })
    }
}

/// Says of content that does not exist what there is instead.
pub(crate) async fn explain(client: &Client, reference: &Reference, error: Error) -> Failure {
    /// The newest few are shown.
    const SHOWN: usize = 5;
    if matches!(error, Error::Content { .. }) {
        let context = format!("failed to pull `{reference}`");
        return anyhow::Error::new(error).context(context).into();
    }
    if !error.is_not_found() {
        return error.into();
    }
    let tags = client
        .tags(&reference.registry, &reference.repository)
        .await
        .unwrap_or_default();
    // Tags such as `sha256-….sig` belong to tools.
    let mut tags: Vec<&str> = tags
        .iter()
        .map(cairn_spec::Tag::as_str)
        .filter(|tag| !tag.starts_with("sha256-"))
        .collect();
    tags.sort_by_key(|tag| tag.parse::<Version>().ok());
    let newest: Vec<&str> = tags.into_iter().rev().take(SHOWN).collect();
    let hint = if newest.is_empty() {
        format!(
            "nothing was pushed to `{}/{}`: check the name",
            reference.registry, reference.repository
        )
    } else {
        format!("the repository has `{}`", newest.join("`, `"))
    };
    Failure::from(error).hint(hint)
}

/// The runtime that requests run on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the asynchronous runtime")
}
