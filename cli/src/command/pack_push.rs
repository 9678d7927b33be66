//! `cairn pack push`: builds, pushes and signs a pack.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use cairn_oci::{
    Client, PrivateKey, Progress,
    sign::{SignOptions, Signed, sign},
};
use cairn_spec::{Digest, Reference};
use clap::Args;
use serde_json::json;

use super::pack_build::{BuiltPack, build};
use crate::{
    chart_source::{ChartArgs, write_lock},
    client::{ClientArgs, runtime},
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    output::Output,
    signing::read_private_key,
};

/// Build, push and sign a pack
///
/// `cairn pack push packs/cni/flannel registry.example.com/packs --key cairn.key` pushes
/// registry.example.com/packs/flannel:VERSION. A version that is there already is never replaced by other content.
#[derive(Debug, Args)]
pub(crate) struct PackPush {
    /// The folder of the pack
    folder: PathBuf,
    /// The registry and the prefix of the repository, HOST[:PORT]/PREFIX; the pack's name is added
    target: String,
    /// Sign with this private key
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Move a tag that is there already to the new content, if the registry lets you
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    charts: ChartArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// What pushing a pack did.
pub(crate) struct PushedPack {
    pub(crate) reference: Reference,
    pub(crate) digest: Digest,
    /// How many blobs and manifests moved; zero when all was there.
    pub(crate) uploaded: usize,
    pub(crate) signed: Option<Signed>,
}

impl PackPush {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let key = self
            .key
            .as_deref()
            .map(|path| read_private_key(path, environment))
            .transpose()?;
        let charts = self.charts.fetcher(&self.client, environment)?;
        let built = build(&self.folder, &charts, environment, output)?;
        write_lock(&self.folder, &built.tree)?;
        let client = self.client.client(environment, Progress::default())?;
        let prefix = self.target.trim_end_matches('/');
        let pushed = runtime()?.block_on(push(
            &client,
            &built,
            prefix,
            (key.as_ref(), environment),
            self.force,
        ))?;
        if key.is_none() {
            output.message("the pack is not signed; profiles refuse it unless their trust policy is switched off (sign it with --key)");
        }
        report(&pushed, output);
        Ok(())
    }
}

/// Pushes a pack below a prefix and signs it.
pub(crate) async fn push(
    client: &Client,
    built: &BuiltPack,
    prefix: &str,
    (key, environment): (Option<&PrivateKey>, &Environment),
    force: bool,
) -> Result<PushedPack, Failure> {
    let name = &built.manifest.metadata.name;
    // A colon after the last slash would be a tag, which the pack's version is.
    let is_tagged = prefix
        .rsplit('/')
        .next()
        .is_some_and(|last| last.contains(':'))
        && prefix.contains('/');
    if is_tagged || prefix.contains('@') {
        return Err(Failure::new(
            ExitCode::InvalidInput,
            anyhow!("`{prefix}` holds a tag or a digest, which the pack's version decides"),
        )
        .hint("the target is HOST[:PORT]/PREFIX, such as 127.0.0.1:5000/packs"));
    }
    let repository: Reference =
        format!("{prefix}/{name}")
            .parse()
            .map_err(|error: cairn_spec::ReferenceError| {
                Failure::new(ExitCode::InvalidInput, error)
                    .hint("the target is HOST[:PORT]/PREFIX, such as 127.0.0.1:5000/packs")
            })?;
    let reference = repository.with_tag(built.tag()?);
    refuse_replacement(client, &reference, built, force).await?;
    let pushed = client.push_artifact(&reference, &built.artifact).await?;
    let signed = match key {
        Some(key) => {
            let options = SignOptions {
                created_unix_s: environment.created_unix_s()?,
                ..SignOptions::default()
            };
            Some(
                sign(
                    client,
                    &reference.with_digest(pushed.digest.clone()),
                    key,
                    &options,
                )
                .await?,
            )
        }
        None => None,
    };
    Ok(PushedPack {
        reference,
        digest: pushed.digest,
        uploaded: pushed.uploaded,
        signed,
    })
}

/// A version that is there already keeps its content.
async fn refuse_replacement(
    client: &Client,
    reference: &Reference,
    built: &BuiltPack,
    force: bool,
) -> Result<(), Failure> {
    let present = match client.resolve(reference).await {
        Ok(present) => present.digest,
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if present == *built.artifact.digest() || force {
        return Ok(());
    }
    Err(Failure::new(
        ExitCode::Conflict,
        anyhow!(
            "`{reference}` is there already with other content ({present}, here {})",
            built.artifact.digest()
        ),
    )
    .hint("raise `metadata.version` in pack.yaml: what was published under a version stays"))
}

fn report(pushed: &PushedPack, output: &Output) {
    let signed = pushed.signed.as_ref().map(|signed| signed.key_id.clone());
    output.result(
        &json!({"reference": pushed.reference.to_string(), "digest": pushed.digest, "uploaded": pushed.uploaded, "signedBy": signed}),
        || {
            let state = if pushed.uploaded == 0 { "was there already" } else { "pushed" };
            let signature = signed.as_ref().map_or(String::new(), |key| format!("\nsigned by {key}"));
            format!("{} {state}\n{}{signature}", pushed.reference, pushed.digest)
        },
        || format!("{}@{}", pushed.reference, pushed.digest),
    );
}

/// The packs below a folder: every folder with a `pack.yaml`, sorted by path.
pub(crate) fn find_packs(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(here) = open.pop() {
        if here.join("pack.yaml").is_file() {
            found.push(here);
            continue;
        }
        for entry in std::fs::read_dir(&here)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}
