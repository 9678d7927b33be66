//! `cairn pack pull`: verifies and unpacks a pack.

use std::path::PathBuf;

use cairn_oci::Progress;
use cairn_spec::{PackManifest, Reference, UnpackedPack};
use clap::Args;
use serde_json::json;

use crate::{
    client::{ClientArgs, explain, runtime},
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    files::replace_folder,
    output::{Output, count},
    packs::{pull_limits, unpack},
    signing::TrustArgs,
};

/// Verify and unpack a pack
///
/// The signature is verified against the trust policy before anything is unpacked.
#[derive(Debug, Args)]
pub(crate) struct PackPull {
    /// The pack, HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]
    reference: Reference,
    /// The folder to create [default: the last part of the repository]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    client: ClientArgs,
}

impl PackPull {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let trust = self.trust.trust(output)?;
        let client = self.client.client(environment, Progress::default())?;
        let pull = async {
            let (digest, _) = trust.resolve(&client, &self.reference).await?;
            let artifact = client
                .pull_artifact(&self.reference.with_digest(digest.clone()), &pull_limits())
                .await?;
            Ok::<_, cairn_oci::Error>((digest, artifact))
        };
        let (digest, artifact) = runtime()?.block_on(async {
            match pull.await {
                Ok(pulled) => Ok(pulled),
                Err(error) => Err(explain(&client, &self.reference, error).await),
            }
        })?;
        let unpacked = unpack(&self.reference, &artifact)?;
        let folder = self.output.clone().unwrap_or_else(|| {
            let repository = self.reference.repository.as_str();
            PathBuf::from(repository.rsplit('/').next().unwrap_or(repository))
        });
        replace_folder(&folder, &unpacked.tree, "pack.yaml")?;
        output.result(
            &json!({"digest": digest, "diffId": unpacked.diff_id, "files": unpacked.tree.len(), "folder": folder}),
            || format!("{} with {}\n{digest}", folder.display(), count(unpacked.tree.len(), "file")),
            || folder.display().to_string(),
        );
        Ok(())
    }
}

/// The manifest of a pack that was unpacked: from its config, or read anew when another tool pushed it.
pub(crate) fn manifest_of(
    unpacked: &UnpackedPack,
    output: &Output,
) -> Result<PackManifest, Failure> {
    if let Some(config) = &unpacked.config {
        return Ok(config.pack.clone());
    }
    let mut session = cairn_compiler::Session::default();
    let pack = cairn_compiler::load_pack("pack", &unpacked.tree, &mut session);
    output.diagnostics(&session);
    pack.map(|pack| pack.manifest)
        .ok_or_else(|| Failure::reported(ExitCode::InvalidInput))
}
