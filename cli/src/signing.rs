//! Keys and trust as the command line finds them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cairn_oci::{
    Client, PrivateKey, PublicKey,
    trust::{TrustPolicy, verify_trust},
};
use cairn_spec::{Digest, Reference};
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

/// Whose signatures packs need, as far as it is known.
#[derive(Debug)]
pub(crate) enum Trust {
    /// This policy decides.
    Policy(TrustPolicy),
    /// There is no policy, which matters only when something must be verified.
    Missing(PathBuf),
    /// Nothing is verified.
    Off,
}

impl TrustArgs {
    /// The policy. That verification is switched off is said loudly.
    pub(crate) fn trust(&self, output: &Output) -> Result<Trust> {
        if self.insecure_skip_verify {
            output.warning(
                "signatures are NOT verified (--insecure-skip-verify): packs may come from anyone",
            );
            return Ok(Trust::Off);
        }
        let path = self
            .trust
            .clone()
            .unwrap_or_else(|| PathBuf::from(DEFAULT_TRUST_POLICY));
        if self.trust.is_none() && !path.exists() {
            return Ok(Trust::Missing(path));
        }
        let policy = TrustPolicy::load(&path)
            .with_context(|| format!("failed to load the trust policy `{}`", path.display()))?;
        Ok(Trust::Policy(policy))
    }
}

impl Trust {
    /// Resolves a reference to the digest that may be used, and the key ids that signed it.
    pub(crate) async fn resolve(
        &self,
        client: &Client,
        reference: &Reference,
    ) -> Result<(Digest, Vec<String>), cairn_oci::Error> {
        match self {
            Self::Policy(policy) => {
                let trusted = verify_trust(client, reference, policy).await?;
                let mut signers: Vec<String> = trusted
                    .signers
                    .into_iter()
                    .map(|signer| signer.key_id)
                    .collect();
                signers.sort();
                Ok((trusted.digest, signers))
            }
            Self::Missing(path) => Err(cairn_oci::Error::Untrusted {
                what: reference.to_string(),
                reason: format!("there is no trust policy at `{}`", path.display()),
                hint: "write one (spec/signing.md), or name it with --trust".to_owned(),
            }),
            Self::Off => Ok((client.resolve(reference).await?.digest, Vec::new())),
        }
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
