//! `cairn cluster sign`: a further signature of what somebody else has signed.

use std::path::PathBuf;

use anyhow::anyhow;
use cairn_oci::{
    envelope::{MAX_ENVELOPE_SIGNATURES, countersign},
    keyring::{Statement, unverified},
};
use clap::Args;
use serde_json::json;

use crate::{
    config::Environment,
    envelopes::{envelope_text, read_envelope, read_private_keys, refused},
    exit::{ExitCode, Failure, Outcome},
    files::write_file,
    output::Output,
};

/// Add a signature to what a cluster is to run, or to a keyring
///
/// For keyrings that ask for the signatures of several people: one writes the envelope (`cairn cluster
/// desire`, `cairn cluster keyring`), each further one adds a signature, and sees what is signed.
#[derive(Debug, Args)]
pub(crate) struct ClusterSign {
    /// The envelope; the signatures are added in this file
    envelope: PathBuf,
    /// A private key to sign with. `CAIRN_KEY_PASSWORD` decrypts one of cosign's
    #[arg(long = "key", required = true, value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// Where to write the envelope instead
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl ClusterSign {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let mut envelope = read_envelope(&self.envelope)?;
        let statement = unverified(&envelope).map_err(refused)?;
        for key in read_private_keys(&self.keys, environment)? {
            countersign(&mut envelope, &key).map_err(|error| refused(error.into()))?;
        }
        let signatures = envelope.signatures.len();
        if signatures > MAX_ENVELOPE_SIGNATURES {
            let error = anyhow!(
                "the envelope would have {signatures} signatures, and agents look at {MAX_ENVELOPE_SIGNATURES}"
            );
            return Err(Failure::new(ExitCode::InvalidInput, error)
                .hint("sign anew with the keys of the keyring alone"));
        }
        let path = self.output.as_ref().unwrap_or(&self.envelope);
        write_file(path, envelope_text(&envelope)?.as_bytes())?;
        let file = path.display().to_string();
        let mut value = match &statement {
            Statement::DesiredState(state) => json!({ "desiredState": state }),
            Statement::Keyring(keyring) => json!({ "keyring": keyring }),
        };
        value["signatures"] = json!(signatures);
        value["file"] = json!(file);
        output.result(
            &value,
            || {
                let says = says(&statement);
                format!("{says}\nsignatures  {signatures}\nfile        {file}")
            },
            || file.clone(),
        );
        Ok(())
    }
}

/// What whoever signs should know, in lines.
fn says(statement: &Statement) -> String {
    match statement {
        Statement::DesiredState(state) => {
            let (audience, generation) = (&state.audience, state.generation);
            let (repository, digest) = (&state.bundle.repository, &state.bundle.digest);
            let expires = state.expires_at.map(|at| format!("\nexpires     {at}"));
            let expires = expires.unwrap_or_default();
            format!(
                "{audience}, generation {generation}\nbundle      {repository}@{digest}{expires}"
            )
        }
        Statement::Keyring(keyring) => {
            let (generation, threshold) = (keyring.generation, keyring.threshold);
            let keys = keyring.keys.len();
            format!("keyring, generation {generation}\nkeys        {keys} ({threshold} must sign)")
        }
    }
}
