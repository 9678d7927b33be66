//! A registry's storage, as the commands that maintain it open it.

use std::path::PathBuf;

use cairn_registry::{Config, Copied, Error, Maintenance, StorageConfig};
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
                    "one process holds a folder at a time: stop the server; while it runs, it collects garbage itself",
                )
            } else {
                refuse(error)
            }
        })
    }

    fn config(&self, environment: &Environment, output: &Output) -> Result<Config, Failure> {
        load(
            self.config.as_deref(),
            self.data.as_deref(),
            environment,
            output,
        )
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
