//! `cairn verify`: verifies the signatures of an artifact.

use std::path::PathBuf;

use anyhow::anyhow;
use cairn_oci::{Progress, sign::verify, trust::verify_trust};
use cairn_spec::Reference;
use clap::Args;
use serde_json::json;

use crate::{
    client::{ClientArgs, runtime},
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    output::Output,
    signing::{DEFAULT_TRUST_POLICY, load_policy, read_public_key},
};

/// Verify the signatures of an artifact in a registry
///
/// With --key, one of the keys must have signed it; else the trust policy decides.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The artifact, HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]
    reference: Reference,
    /// A public key; may be given several times
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// The trust policy [default: .cairn/trust.yaml]
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

impl Verify {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let client = self.client.client(environment, Progress::default())?;
        let runtime = runtime()?;
        if self.key.is_empty() {
            let path = self
                .trust
                .unwrap_or_else(|| PathBuf::from(DEFAULT_TRUST_POLICY));
            let policy = load_policy(&path, output)?;
            let trusted = runtime.block_on(verify_trust(&client, &self.reference, &policy))?;
            let signers: Vec<String> = trusted
                .signers
                .iter()
                .map(|signer| format!("{} ({})", signer.name, signer.key_id))
                .collect();
            let pinned = self.reference.with_digest(trusted.digest.clone());
            output.result(
                &json!({"reference": pinned.to_string(), "digest": trusted.digest, "signers": trusted.signers.iter().map(|signer| &signer.key_id).collect::<Vec<_>>()}),
                || format!("{pinned} is trusted\nsigned by {}", signers.join(", ")),
                || trusted.digest.to_string(),
            );
            return Ok(());
        }
        let keys = self
            .key
            .iter()
            .map(|path| read_public_key(path))
            .collect::<Result<Vec<_>, Failure>>()?;
        let (digest, signatures) = runtime.block_on(async {
            let digest = client.resolve(&self.reference).await?.digest;
            let pinned = self.reference.with_digest(digest.clone());
            Ok::<_, cairn_oci::Error>((digest, verify(&client, &pinned, &keys).await?))
        })?;
        if signatures.is_empty() {
            return Err(Failure::new(
                ExitCode::Denied,
                anyhow!(
                    "no signature of `{}` verifies with these keys",
                    self.reference
                ),
            )
            .hint("sign it with `cairn sign --key …`, or verify with the key that signed it"));
        }
        let pinned = self.reference.with_digest(digest.clone());
        output.result(
            &json!({"reference": pinned.to_string(), "digest": digest, "signatures": signatures}),
            || {
                let lines: Vec<String> = signatures
                    .iter()
                    .map(|signature| {
                        format!("signed by {} ({:?} form)", signature.key_id, signature.form)
                    })
                    .collect();
                format!("{pinned} verifies\n{}", lines.join("\n"))
            },
            || digest.to_string(),
        );
        Ok(())
    }
}
