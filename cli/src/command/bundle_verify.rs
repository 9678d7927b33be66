//! `cairn bundle verify`: a bundle is whole, and rebuilding it gives the same bytes.

use std::path::PathBuf;

use anyhow::anyhow;
use cairn_compiler::LockMode;
use cairn_spec::{ArchiveLimits, BundleArtifactError, bundle_artifact, check_files};
use clap::Args;
use serde_json::json;

use super::profile_build::{ProfileArgs, refused};
use crate::{
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    files::read_tree,
    output::Output,
};

/// Check that a bundle is whole, and that rebuilding it gives the same bytes
#[derive(Debug, Args)]
pub(crate) struct BundleVerify {
    /// The folder of the bundle
    #[arg(long, default_value = "out", value_name = "FOLDER")]
    bundle: PathBuf,
    /// Build the profile again, from the lock, and compare every byte
    #[arg(long)]
    rebuild: bool,
    #[command(flatten)]
    profile: ProfileArgs,
}

impl BundleVerify {
    fn refuse(&self, error: BundleArtifactError) -> Failure {
        let (code, hint) = match &error {
            BundleArtifactError::Missing(_) => (
                ExitCode::InvalidInput,
                "name the folder that `cairn profile build` wrote with --bundle",
            ),
            _ => (
                ExitCode::Denied,
                "the bundle was changed after it was built: do not use it, and build it again",
            ),
        };
        let context = format!("`{}` is not a whole bundle", self.bundle.display());
        Failure::new(code, anyhow::Error::new(error).context(context)).hint(hint)
    }

    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let tree = read_tree(&self.bundle, &ArchiveLimits::BUNDLE)?;
        check_files(&tree).map_err(|error| self.refuse(error))?;
        let created = environment.created()?;
        let artifact = bundle_artifact(&tree, created.as_deref())
            .map_err(|error| Failure::new(ExitCode::InvalidInput, error))?;
        if self.rebuild {
            let build = self.profile.build(LockMode::Locked, environment, output)?;
            let Some(rebuilt) = &build.bundle else {
                return Err(refused(&build, output));
            };
            let differs = tree
                .iter()
                .map(|(path, _)| path)
                .chain(rebuilt.iter().map(|(path, _)| path));
            if let Some(path) = differs
                .into_iter()
                .find(|path| tree.get(path.as_str()) != rebuilt.get(path.as_str()))
            {
                return Err(Failure::new(ExitCode::Denied, anyhow!("`{path}` differs from what the profile builds to"))
                    .hint("the bundle was changed, or built from other inputs or by another version of Cairn"));
            }
        }
        let how = if self.rebuild {
            "is whole and reproducible"
        } else {
            "is whole"
        };
        output.result(
            &json!({"digest": artifact.digest(), "files": tree.len(), "rebuilt": self.rebuild}),
            || {
                format!(
                    "{} {how}\nbundle  {}",
                    self.bundle.display(),
                    artifact.digest()
                )
            },
            || artifact.digest().to_string(),
        );
        Ok(())
    }
}
