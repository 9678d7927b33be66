//! `cairn registry logout`: forgets who you are to a registry.

use anyhow::anyhow;
use cairn_oci::docker_config::without_login;
use cairn_spec::RegistryHost;
use clap::Args;

use crate::{
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    files::{read_text_or_empty, replace_secret},
    output::Output,
    secrets::docker_config_path,
};

/// Log out of a registry
///
/// Removes the user and the password from `~/.docker/config.json`.
#[derive(Debug, Args)]
pub(crate) struct RegistryLogout {
    /// The registry
    #[arg(value_name = "HOST[:PORT]")]
    registry: RegistryHost,
}

impl RegistryLogout {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let path = docker_config_path(environment)?;
        let present = read_text_or_empty(path)?;
        let text = without_login(&present, &self.registry).map_err(|reason| {
            let message = format!("`{}`: {reason}", path.display());
            Failure::new(ExitCode::InvalidInput, anyhow!(message))
                .hint("mend the file, or move it away")
        })?;
        match text {
            Some(text) => replace_secret(path, &text)?,
            None => output.message(&format!("there was no login for {}", self.registry)),
        }
        Ok(())
    }
}
