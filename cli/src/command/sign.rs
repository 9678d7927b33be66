//! `cairn sign`: signs an artifact in a registry.

use std::path::PathBuf;

use cairn_oci::{
    Progress,
    sign::{SignOptions, sign},
};
use cairn_spec::Reference;
use clap::Args;

use crate::{
    client::{ClientArgs, runtime},
    config::Environment,
    exit::Outcome,
    output::Output,
    signing::read_private_key,
};

/// Sign an artifact in a registry
///
/// Writes both forms that cosign verifies: a Sigstore bundle as a referrer, and the `sha256-….sig` tag.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The artifact, HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]; a tag is resolved, and the digest signed
    reference: Reference,
    /// The private key; `CAIRN_KEY_PASSWORD` decrypts one of cosign's
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A claim to sign along
    #[arg(short, long = "annotation", value_name = "KEY=VALUE", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    #[command(flatten)]
    client: ClientArgs,
}

fn annotation(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Sign {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let key = read_private_key(&self.key, environment)?;
        let client = self.client.client(environment, Progress::default())?;
        let options = SignOptions {
            annotations: self.annotations.into_iter().collect(),
            created_unix_s: environment.created_unix_s()?,
            ..SignOptions::default()
        };
        let signed = runtime()?.block_on(async {
            let digest = client.resolve(&self.reference).await?.digest;
            sign(&client, &self.reference.with_digest(digest), &key, &options).await
        })?;
        output.result(
            &signed,
            || {
                let state = if signed.added.is_empty() {
                    "was signed already"
                } else {
                    "signed"
                };
                format!(
                    "{} {state}\nkey id {}",
                    self.reference.with_digest(signed.digest.clone()),
                    signed.key_id
                )
            },
            || signed.digest.to_string(),
        );
        Ok(())
    }
}
