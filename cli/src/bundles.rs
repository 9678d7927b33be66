//! Bundles as the command line names them: folders, and references to registries.

use std::path::Path;

use anyhow::anyhow;
use cairn_oci::{Progress, PullLimits};
use cairn_runner::bundle::{Bundle, BundleReader};
use cairn_spec::{ArchiveLimits, Artifact, FileTree, Reference, bundle_artifact};
use clap::Args;

use crate::{
    client::{ClientArgs, explain},
    config::Environment,
    exit::{ExitCode, Failure},
    files::read_tree,
    output::Output,
    signing::TrustArgs,
};

/// What a bundle may weigh on the wire besides its manifests: plan, lists and host files.
const MAX_OTHER_BYTES: u64 = 32 << 20;

/// Which bundle, and whose signature it needs.
#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// The bundle: a folder that `cairn profile build` wrote, or HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]
    #[arg(value_name = "BUNDLE")]
    pub(crate) bundle: String,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

impl BundleArgs {
    /// The bundle and its artifact. From a registry, its signature is verified before any
    /// of it is read.
    pub(crate) async fn read(
        &self,
        environment: &Environment,
        output: &Output,
    ) -> Result<(Bundle, Artifact), Failure> {
        let folder = Path::new(&self.bundle);
        if !folder.is_dir() {
            let reference: Reference = self.bundle.parse().map_err(|_| {
                let message = format!("`{}` is neither a folder nor a reference", self.bundle);
                Failure::new(ExitCode::NotFound, anyhow!(message)).hint(
                    "name the folder that `cairn profile build` wrote, or HOST/REPOSITORY:TAG",
                )
            })?;
            return self.pull(&reference, environment, output).await;
        }
        let tree = read_tree(folder, &ArchiveLimits::BUNDLE)?;
        let artifact = artifact_of(&tree)?;
        let bundle = BundleReader::read(&tree).map_err(|error| {
            let context = format!("`{}` is not a whole bundle", self.bundle);
            Failure::new(ExitCode::Denied, anyhow::Error::new(error).context(context))
                .hint("the bundle was changed after it was built: build it again")
        })?;
        Ok((bundle, artifact))
    }

    async fn pull(
        &self,
        reference: &Reference,
        environment: &Environment,
        output: &Output,
    ) -> Result<(Bundle, Artifact), Failure> {
        let trust = self.trust.trust(output)?;
        let client = self.client.client(environment, Progress::default())?;
        let limits = PullLimits {
            total_bytes: ArchiveLimits::BUNDLE.packed_bytes + MAX_OTHER_BYTES,
            ..PullLimits::default()
        };
        let pull = async {
            let (digest, _) = trust.resolve(&client, reference).await?;
            client
                .pull_artifact(&reference.with_digest(digest), &limits)
                .await
        };
        let artifact = match pull.await {
            Ok(pulled) => pulled,
            Err(error) => return Err(explain(&client, reference, error).await),
        };
        let bundle = BundleReader::read_artifact(artifact.manifest(), &artifact);
        let bundle = bundle.map_err(|error| {
            let context = format!("`{reference}` cannot be used as a bundle");
            Failure::new(
                ExitCode::InvalidInput,
                anyhow::Error::new(error).context(context),
            )
        })?;
        Ok((bundle, artifact))
    }
}

/// What a folder is as an artifact.
fn artifact_of(tree: &FileTree) -> Result<Artifact, Failure> {
    bundle_artifact(tree, None).map_err(|error| {
        Failure::new(ExitCode::InvalidInput, error)
            .hint("name the folder that `cairn profile build` wrote")
    })
}
