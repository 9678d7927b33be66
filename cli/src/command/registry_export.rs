//! `cairn registry export`: copies repositories to an OCI image layout.

use std::path::PathBuf;

use cairn_registry::{Copied, Selection};
use clap::Args;

use crate::{
    client::runtime,
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    output::{Output, count},
    storage::{StorageArgs, copied_so_far, copy_progress, failed},
};

/// Copy repositories to an OCI image layout
///
/// A repository is copied whole: its tags, its manifests without a tag, and their referrers. A tag
/// is copied with its referrers. Entries of the layout are named REPOSITORY:TAG, or
/// REPOSITORY@DIGEST where there is no tag; `cairn registry import` reads them back.
#[derive(Debug, Args)]
pub(crate) struct RegistryExport {
    /// What to copy; everything by default
    #[arg(value_name = "REPOSITORY[:TAG]", value_parser = selection)]
    selections: Vec<Selection>,
    /// The folder to create
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    #[command(flatten)]
    storage: StorageArgs,
}

impl RegistryExport {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let copied = runtime()?.block_on(async {
            let maintenance = self.storage.open(environment, output).await?;
            let bar = copy_progress(output);
            let mut watch = |copied: &Copied| {
                bar.set_message(copied_so_far(copied));
                bar.tick();
            };
            let exported = maintenance.export(&self.selections, &self.to, &mut watch);
            let exported = exported.await.map_err(failed);
            bar.finish_and_clear();
            exported
        })?;
        report(output, &copied)
    }
}

/// Prints what was copied, and fails if something was not.
pub(crate) fn report(output: &Output, copied: &Copied) -> Outcome {
    for skipped in &copied.skipped {
        output.warning(&format!("not copied: {skipped}"));
    }
    let tags = usize::try_from(copied.tags).unwrap_or(usize::MAX);
    let text = || format!("{}, {}", count(tags, "tag"), copied_so_far(copied));
    output.result(copied, text, String::new);
    if copied.skipped.is_empty() {
        Ok(())
    } else {
        Err(Failure::reported(ExitCode::InvalidInput))
    }
}

fn selection(text: &str) -> Result<Selection, String> {
    let (repository, tag) = match text.split_once(':') {
        Some((repository, tag)) => (repository, Some(tag)),
        None => (text, None),
    };
    let repository = repository.parse().map_err(|error| format!("{error}"))?;
    let tag = tag.map(str::parse).transpose();
    let tag = tag.map_err(|error| format!("{error}"))?;
    Ok(Selection { repository, tag })
}
