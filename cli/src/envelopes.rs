//! What is signed for clusters, in files: desired states and keyrings, and their envelopes.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use cairn_oci::{PrivateKey, keyring::Refusal};
use cairn_spec::{
    Envelope,
    agent::{DesiredStateError, Keyring, limits::MAX_ENVELOPE_BYTES},
};

use crate::{
    config::Environment,
    exit::{ExitCode, Failure},
    files::read_bytes,
    signing::read_private_key,
};

/// Private keys, all of them.
pub(crate) fn read_private_keys(
    paths: &[PathBuf],
    environment: &Environment,
) -> Result<Vec<PrivateKey>, Failure> {
    paths
        .iter()
        .map(|path| read_private_key(path, environment))
        .collect()
}

/// An envelope's file.
pub(crate) fn read_envelope(path: &Path) -> Result<Envelope, Failure> {
    serde_json::from_slice(&read(path)?)
        .map_err(|error| not_one(path, "an envelope", anyhow::Error::new(error)))
}

/// A keyring's file, or the file with its envelope.
pub(crate) fn read_keyring(path: &Path) -> Result<Keyring, Failure> {
    let bytes = read(path)?;
    let read = match serde_json::from_slice::<Envelope>(&bytes) {
        Ok(envelope) => match cairn_oci::keyring::unverified(&envelope) {
            Ok(cairn_oci::keyring::Statement::Keyring(keyring)) => Ok(keyring),
            Ok(_) => Err(anyhow!("it says what a cluster is to run")),
            Err(refusal) => Err(anyhow::Error::new(refusal)),
        },
        Err(_) => Keyring::read(&bytes).map_err(anyhow::Error::new),
    };
    read.map_err(|error| not_one(path, "a keyring", error))
}

/// An envelope as it is written: one line.
pub(crate) fn envelope_text(envelope: &Envelope) -> Result<String, Failure> {
    Ok(serde_json::to_string(envelope).map_err(anyhow::Error::new)? + "\n")
}

/// Why agents would refuse it, and what to do about that.
pub(crate) fn refused(refusal: Refusal) -> Failure {
    let hint = match &refusal {
        Refusal::DesiredState(DesiredStateError::Invalid { field, .. }) => match *field {
            "audience.cluster" => {
                "print it with `kubectl get namespace kube-system -o jsonpath={.metadata.uid}`"
            }
            "generation" => "begin with 1, and count on with each desired state of a cluster",
            "bundle.repository" => "name it as HOST[:PORT]/REPOSITORY",
            "expiresAt" => "name a time that is yet to come",
            _ => "spec/agent.md §2 describes policies",
        },
        Refusal::Keyring(_) | Refusal::SameKey(_) => "spec/agent.md §3 describes keyrings",
        _ => "spec/agent.md §1 describes desired states",
    };
    Failure::new(ExitCode::InvalidInput, anyhow!(refusal)).hint(hint)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(read_bytes(path, MAX_ENVELOPE_BYTES as u64)?)
}

fn not_one(path: &Path, what: &str, error: anyhow::Error) -> Failure {
    let context = format!("`{}` is not {what}", path.display());
    Failure::new(ExitCode::InvalidInput, error.context(context))
        .hint("`cairn cluster desire` and `cairn cluster keyring` write such files")
}
