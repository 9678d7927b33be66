//! `cairn registry import`: takes over content from a folder or a bucket.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use cairn_registry::{Copied, ImportFrom, S3Config, StorageConfig};
use cairn_spec::RepositoryName;
use clap::Args;

use super::{registry_export::report, registry_serve::load};
use crate::{
    client::runtime,
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    output::Output,
    storage::{StorageArgs, copied_so_far, copy_progress, failed},
};

/// Take over an OCI image layout, or the content of a distribution registry
///
/// Every digest is verified. What the registry has already is not copied again, so an import that
/// was cut short goes on where it stopped. What is broken is left out, and the command ends with 7.
#[derive(Debug, Args)]
pub(crate) struct RegistryImport {
    /// A folder with `oci-layout` or `docker/registry/v2`, or a bucket with the latter, as
    /// `s3://BUCKET/PREFIX`
    #[arg(long, value_name = "FOLDER|URL")]
    from: Place,
    /// The configuration file (YAML) whose `storage.s3` tells how to reach the bucket of --from
    /// [default: the registry's own]
    #[arg(long, value_name = "FILE")]
    from_config: Option<PathBuf>,
    /// The repository of what the layout names by a tag alone
    #[arg(long, value_name = "NAME")]
    repository: Option<RepositoryName>,
    #[command(flatten)]
    storage: StorageArgs,
}

/// What `--from` names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Folder(PathBuf),
    Bucket { bucket: String, prefix: String },
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(place) = text.strip_prefix("s3://") else {
            return Ok(Self::Folder(text.into()));
        };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err("expected `s3://BUCKET` or `s3://BUCKET/PREFIX`");
        }
        Ok(Self::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        })
    }
}

impl RegistryImport {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let from = self.source(environment, output)?;
        let copied = runtime()?.block_on(async {
            let maintenance = self.storage.open_or_create(environment, output).await?;
            let bar = copy_progress(output);
            let mut watch = |copied: &Copied| {
                bar.set_message(copied_so_far(copied));
                bar.tick();
            };
            let imported = maintenance.import(&from, self.repository.as_ref(), &mut watch);
            let imported = imported.await.map_err(failed);
            bar.finish_and_clear();
            imported
        })?;
        report(output, &copied)
    }

    fn source(&self, environment: &Environment, output: &Output) -> Result<ImportFrom, Failure> {
        let (bucket, prefix) = match &self.from {
            Place::Folder(folder) => return Ok(ImportFrom::Folder(folder.clone())),
            Place::Bucket { bucket, prefix } => (bucket.clone(), prefix.clone()),
        };
        let store = match &self.from_config {
            Some(file) => store_of(file, environment, output)?,
            None => match self.storage.config(environment, output)?.storage {
                StorageConfig::S3(own) => *own,
                _ => S3Config::default(),
            },
        };
        Ok(ImportFrom::Bucket(Box::new(S3Config {
            bucket,
            prefix,
            ..store
        })))
    }
}

/// What a file says of its bucket; variables are about the registry's own.
fn store_of(file: &Path, environment: &Environment, output: &Output) -> Result<S3Config, Failure> {
    let plain = Environment {
        registry_settings: Vec::new(),
        ..environment.clone()
    };
    if let StorageConfig::S3(store) = load(Some(file), None, &plain, output)?.storage {
        return Ok(*store);
    }
    let message = format!("`{}` names no bucket", file.display());
    let failure = Failure::new(ExitCode::InvalidInput, anyhow::Error::msg(message));
    Err(failure.hint("say under `storage.s3` how the bucket of --from is reached"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_urls_and_all_else_is_a_folder() {
        let bucket = |bucket: &str, prefix: &str| {
            Ok(Place::Bucket {
                bucket: bucket.to_owned(),
                prefix: prefix.to_owned(),
            })
        };
        assert_eq!("s3://old".parse(), bucket("old", ""));
        assert_eq!("s3://old/a/b/".parse(), bucket("old", "a/b"));
        assert_eq!("old/a".parse(), Ok(Place::Folder("old/a".into())));
        assert!("s3:///a".parse::<Place>().is_err());
    }
}
