//! Keys and trust as the command line finds them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cairn_oci::{PrivateKey, PublicKey, trust::TrustPolicy};
use clap::Args;

use crate::{config::Environment, output::Output};

/// Where a trust policy is looked for when none is named.
pub(crate) const DEFAULT_TRUST_POLICY: &str = ".cairn/trust.yaml";

/// Whose signatures packs need.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Trust options")]
pub(crate) struct TrustArgs {
    /// The trust policy [default: .cairn/trust.yaml]
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// Use packs whoever signed them, or nobody: anyone who can write to the registry can then
    /// change what is built
    #[arg(long)]
    pub(crate) insecure_skip_verify: bool,
}

impl TrustArgs {
    /// The policy; none when verification is switched off, which is said loudly.
    pub(crate) fn policy(&self, output: &Output) -> Result<Option<TrustPolicy>> {
        if self.insecure_skip_verify {
            output.warning(
                "signatures are NOT verified (--insecure-skip-verify): packs may come from anyone",
            );
            return Ok(None);
        }
        let path = self
            .trust
            .clone()
            .unwrap_or_else(|| PathBuf::from(DEFAULT_TRUST_POLICY));
        TrustPolicy::load(&path).map(Some).with_context(|| {
            format!("failed to load the trust policy `{}`; write one (see spec/signing.md), or name it with --trust", path.display())
        })
    }
}

/// A private key file.
pub(crate) fn read_private_key(path: &Path, environment: &Environment) -> Result<PrivateKey> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read the key `{}`", path.display()))?;
    PrivateKey::from_pem(&text, environment.key_password.as_deref())
        .with_context(|| format!("failed to use the key `{}`", path.display()))
}

/// A public key file.
pub(crate) fn read_public_key(path: &Path) -> Result<PublicKey> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read the key `{}`", path.display()))?;
    PublicKey::from_pem(&text)
        .with_context(|| format!("failed to use the key `{}`", path.display()))
}
