//! `cairn registry import`: takes over content from a folder.

use std::path::PathBuf;

use cairn_registry::Copied;
use cairn_spec::RepositoryName;
use clap::Args;

use super::registry_export::report;
use crate::{
    client::runtime,
    config::Environment,
    exit::Outcome,
    output::Output,
    storage::{StorageArgs, copied_so_far, copy_progress, failed},
};

/// Take over an OCI image layout, or the files of a distribution registry
///
/// Every digest is verified. What the registry has already is not copied again, so an import that
/// was cut short goes on where it stopped. What is broken is left out, and the command ends with 7.
#[derive(Debug, Args)]
pub(crate) struct RegistryImport {
    /// A folder with `oci-layout`, or one with `docker/registry/v2`
    #[arg(long, value_name = "FOLDER")]
    from: PathBuf,
    /// The repository of what the layout names by a tag alone
    #[arg(long, value_name = "NAME")]
    repository: Option<RepositoryName>,
    #[command(flatten)]
    storage: StorageArgs,
}

impl RegistryImport {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let copied = runtime()?.block_on(async {
            let maintenance = self.storage.open_or_create(environment, output).await?;
            let bar = copy_progress(output);
            let mut watch = |copied: &Copied| {
                bar.set_message(copied_so_far(copied));
                bar.tick();
            };
            let imported = maintenance.import(&self.from, self.repository.as_ref(), &mut watch);
            let imported = imported.await.map_err(failed);
            bar.finish_and_clear();
            imported
        })?;
        report(output, &copied)
    }
}
