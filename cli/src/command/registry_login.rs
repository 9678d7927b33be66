//! `cairn registry login`: remembers who you are to a registry.

use std::path::PathBuf;

use anyhow::anyhow;
use cairn_oci::{Client, Credential, Credentials, Options, docker_config::with_login};
use cairn_spec::RegistryHost;
use clap::Args;

use crate::{
    client::runtime,
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    files::{read_text, read_text_or_empty, replace_secret},
    output::Output,
    secrets::{docker_config_path, password_from_stdin},
};

/// Log in to a registry
///
/// Asks the registry whether it accepts the user and the password, then keeps them in
/// `~/.docker/config.json`, where docker, helm, oras, cosign and skopeo find them too.
#[derive(Debug, Args)]
pub(crate) struct RegistryLogin {
    /// The registry
    #[arg(value_name = "HOST[:PORT]")]
    registry: RegistryHost,
    /// The user
    #[arg(short, long, value_name = "USER")]
    username: String,
    /// Read the password, or an API token, from standard input
    #[arg(long, required = true)]
    password_stdin: bool,
    /// Speak plain HTTP; it is the default for registries on this machine only
    #[arg(long)]
    plain_http: bool,
    /// Trust this certificate authority too (PEM)
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl RegistryLogin {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let password = password_from_stdin()?;
        let path = docker_config_path(environment)?;
        let credential = Credential::basic(&self.username, password.as_str());
        let extra_ca_pem = match &self.ca_file {
            Some(path) => vec![read_text(path)?.into_bytes()],
            None => Vec::new(),
        };
        let client = Client::new(Options {
            plain_http: self.plain_http.then_some(true),
            extra_ca_pem,
            credentials: Credentials::none().with(&self.registry, credential),
            ..Options::default()
        })?;
        runtime()?
            .block_on(client.check_credentials(&self.registry))
            .map_err(|error| {
                let is_refused = matches!(error, cairn_oci::Error::Unauthenticated { .. });
                let failure = Failure::from(error);
                if is_refused {
                    failure.hint("check the user and the password; nothing was stored")
                } else {
                    failure
                }
            })?;
        let present = read_text_or_empty(path)?;
        let text =
            with_login(&present, &self.registry, &self.username, &password).map_err(|reason| {
                let message = format!("`{}`: {reason}", path.display());
                Failure::new(ExitCode::InvalidInput, anyhow!(message))
                    .hint("mend the file, or move it away")
            })?;
        replace_secret(path, &text)?;
        output.message(&format!(
            "logged in to {} as {}",
            self.registry, self.username
        ));
        Ok(())
    }
}
