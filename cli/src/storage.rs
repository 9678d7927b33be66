//! A registry's storage, as the commands that maintain it open it.

use std::path::PathBuf;

use anyhow::anyhow;
use cairn_registry::{Config, Copied, DeadLetters, Error, Maintenance, StorageConfig};
use cairn_spec::human_bytes;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    command::registry_serve::{load, refuse},
    config::Environment,
    exit::{ExitCode, Failure},
    output::Output,
};

/// Which storage.
#[derive(Debug, Args)]
pub(crate) struct StorageArgs {
    /// The registry's configuration file (YAML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder that content is kept in [default: .cairn/registry]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

impl StorageArgs {
    /// Opens storage that exists.
    pub(crate) async fn open(
        &self,
        environment: &Environment,
        output: &Output,
    ) -> Result<Maintenance, Failure> {
        let config = self.config(environment, output)?;
        if let StorageConfig::Directory(folder) = &config.storage
            && !folder.join("metadata.redb").exists()
        {
            let message = format!("`{}` is no folder of a registry", folder.display());
            let failure = Failure::new(ExitCode::NotFound, anyhow::Error::msg(message));
            return Err(failure.hint("name it with --data"));
        }
        self.open_or_create(environment, output).await
    }

    /// Opens storage, and creates what is missing.
    pub(crate) async fn open_or_create(
        &self,
        environment: &Environment,
        output: &Output,
    ) -> Result<Maintenance, Failure> {
        self.config(environment, output)?.maintain().await.map_err(|error| {
            if matches!(error, Error::InUse { .. }) {
                Failure::new(ExitCode::Conflict, error).hint(
                    "one process holds a folder at a time: stop the server first; garbage it collects by itself",
                )
            } else {
                refuse(error)
            }
        })
    }

    pub(crate) fn config(
        &self,
        environment: &Environment,
        output: &Output,
    ) -> Result<Config, Failure> {
        load(
            self.config.as_deref(),
            self.data.as_deref(),
            environment,
            output,
        )
    }
}

/// Which dead letters of webhooks.
#[derive(Debug, Args)]
pub(crate) struct LetterArgs {
    /// The events, as `cairn registry webhooks list` names them
    #[arg(value_name = "ID", required_unless_present = "all")]
    ids: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Those of this webhook only
    #[arg(long, value_name = "NAME")]
    webhook: Option<String>,
}

impl LetterArgs {
    pub(crate) fn which(&self) -> DeadLetters {
        DeadLetters {
            webhook: self.webhook.clone(),
            ids: self.ids.clone(),
        }
    }

    /// Fails if there was nothing to do anything about.
    pub(crate) fn check(&self, settled: u64) -> Result<(), Failure> {
        if settled > 0 || self.all {
            return Ok(());
        }
        let failure = Failure::new(ExitCode::NotFound, anyhow!("there is no such event"));
        Err(failure.hint("`cairn registry webhooks list` shows those there are"))
    }
}

/// How a failure of maintenance ends the command.
pub(crate) fn failed(error: Error) -> Failure {
    let code = match &error {
        Error::RepositoryUnknown(_) | Error::ManifestUnknown { .. } => ExitCode::NotFound,
        Error::Folder { .. } => ExitCode::InvalidInput,
        _ => ExitCode::Error,
    };
    Failure::new(code, error)
}

/// A line that shows how far a copy is; on a terminal only.
pub(crate) fn copy_progress(output: &Output) -> ProgressBar {
    if !output.shows_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// How far a copy is.
pub(crate) fn copied_so_far(copied: &Copied) -> String {
    format!(
        "{} manifests, {} blobs, {}",
        copied.manifests,
        copied.blobs,
        human_bytes(copied.blob_bytes)
    )
}
