//! `cairn key generate`: a key pair to sign with.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use cairn_oci::{PrivateKey, key};
use clap::Args;
use serde_json::json;

use crate::{
    exit::{ExitCode, Failure, Outcome},
    files::{write_file, write_secret},
    output::Output,
};

/// Generate a key pair (ECDSA P-256)
///
/// Writes the private key to PREFIX.key, readable by you alone, and the public key to PREFIX.pub.
/// cosign verifies what it signs: `cosign verify --key PREFIX.pub …`.
#[derive(Debug, Args)]
pub(crate) struct KeyGenerate {
    /// Where to write the keys
    #[arg(default_value = "cairn", value_name = "PREFIX")]
    prefix: PathBuf,
}

impl KeyGenerate {
    pub(crate) fn run(self, output: &Output) -> Outcome {
        let (private, public) = paths(&self.prefix);
        for path in [&private, &public] {
            if path.symlink_metadata().is_ok() {
                return Err(Failure::new(
                    ExitCode::Conflict,
                    anyhow::anyhow!("`{}` is there already", path.display()),
                )
                .hint("choose another PREFIX; a key that is lost cannot be made again"));
            }
        }
        let key = create(&self.prefix)?;
        let public_key = key.public_key()?;
        output.result(
            &json!({"keyId": public_key.id(), "privateKey": private, "publicKey": public}),
            || {
                format!(
                    "private key  {}\npublic key   {}\nkey id       {}",
                    private.display(),
                    public.display(),
                    public_key.id()
                )
            },
            || public_key.id().to_owned(),
        );
        Ok(())
    }
}

fn paths(prefix: &std::path::Path) -> (PathBuf, PathBuf) {
    let with = |suffix: &str| {
        let mut path = prefix.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    (with(".key"), with(".pub"))
}

/// Makes a key pair and writes it.
pub(crate) fn create(prefix: &std::path::Path) -> anyhow::Result<PrivateKey> {
    let (private, public) = paths(prefix);
    let key = key::generate()?;
    let public_pem = key.public_key()?.to_pem()?;
    write_secret(&private, &key.to_pem()?)?;
    if let Err(error) = write_file(&public, public_pem.as_bytes()) {
        // Half a pair is of no use, and would be in the way of the next attempt.
        let _ = fs::remove_file(&private);
        return Err(error);
    }
    Ok(key)
}

/// The key pair at a prefix, made on first use; whether it is new.
pub(crate) fn load_or_create(prefix: &std::path::Path) -> anyhow::Result<(PrivateKey, bool)> {
    let (private, public) = paths(prefix);
    if !private.exists() {
        return Ok((create(prefix)?, true));
    }
    let text = fs::read_to_string(&private)
        .with_context(|| format!("failed to read the key `{}`", private.display()))?;
    let key = PrivateKey::from_pem(&text, None)?;
    if !public.exists() {
        write_file(&public, key.public_key()?.to_pem()?.as_bytes())?;
    }
    Ok((key, false))
}
