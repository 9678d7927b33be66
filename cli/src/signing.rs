//! Keys and trust as the command line finds them.

use std::path::{Path, PathBuf};

use cairn_compiler::Session;
use cairn_oci::{
    Client, PrivateKey, PublicKey,
    trust::{PolicyFile, TrustPolicy, verify_trust},
};
use cairn_spec::{Diagnostic, Digest, Reference, SourceKind, decode, yaml};
use clap::Args;

use crate::{
    config::Environment,
    exit::{ExitCode, Failure},
    files::read_text,
    output::Output,
};

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
    pub(crate) fn trust(&self, output: &Output) -> Result<Trust, Failure> {
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
        load_policy(&path, output).map(Trust::Policy)
    }
}

/// Reads a trust policy. Mistakes in it are shown where they are.
pub(crate) fn load_policy(path: &Path, output: &Output) -> Result<TrustPolicy, Failure> {
    const HINT: &str = "spec/signing.md §7 describes trust policies";
    let text = read_text(path).map_err(|error| Failure::from(error).hint(HINT))?;
    let mut session = Session::default();
    let name = path.display().to_string();
    let source = session.sources.add(name, text, SourceKind::Other);
    let Session {
        sources,
        origins,
        diagnostics,
        ..
    } = &mut session;
    let node = yaml::read_one(sources, source, origins, diagnostics)
        .filter(|node| decode::<PolicyFile>(node, origins, diagnostics).is_some());
    let Some(node) = node else {
        output.diagnostics(&session);
        return Err(Failure::reported(ExitCode::InvalidInput));
    };
    match TrustPolicy::load(path) {
        Ok(policy) => Ok(policy),
        Err(cairn_oci::Error::Malformed { reason, .. }) => {
            let rule = rule_of(&reason).and_then(|index| node.pointer(&format!("/rules/{index}")));
            let place = session.origins.span(rule.unwrap_or(&node).origin);
            let message = format!("the trust policy cannot be used: {reason}");
            session.diagnostics.push(
                Diagnostic::error("trust-policy", message)
                    .at(place)
                    .hint(HINT),
            );
            output.diagnostics(&session);
            Err(Failure::reported(ExitCode::InvalidInput))
        }
        Err(error) => Err(Failure::from(error).hint(HINT)),
    }
}

/// The index of the rule that a reason begins with.
fn rule_of(reason: &str) -> Option<usize> {
    let (index, _) = reason.strip_prefix("`rules[")?.split_once(']')?;
    index.parse().ok()
}

impl Trust {
    /// The policy, if there is one and it counts.
    pub(crate) fn policy(&self) -> Option<&TrustPolicy> {
        match self {
            Self::Policy(policy) => Some(policy),
            Self::Missing(_) | Self::Off => None,
        }
    }

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
pub(crate) fn read_private_key(
    path: &Path,
    environment: &Environment,
) -> Result<PrivateKey, Failure> {
    let text = read_key_file(path)?;
    let password = environment.key_password.as_deref();
    PrivateKey::from_pem(&text, password).map_err(|error| {
        let hint = if error.to_string().contains("password") {
            "give its password in the environment variable `CAIRN_KEY_PASSWORD`"
        } else {
            "sign with a private key: `cairn key generate` makes one, in the file that ends in `.key`"
        };
        unusable(path, error, hint)
    })
}

/// A public key file.
pub(crate) fn read_public_key(path: &Path) -> Result<PublicKey, Failure> {
    PublicKey::from_pem(&read_key_file(path)?).map_err(|error| {
        let hint = "verify with a public key: `cairn key generate` writes it to the file that ends in `.pub`";
        unusable(path, error, hint)
    })
}

fn read_key_file(path: &Path) -> Result<String, Failure> {
    read_text(path)
        .map_err(|error| Failure::from(error).hint("`cairn key generate` makes a key pair"))
}

fn unusable(path: &Path, error: cairn_oci::Error, hint: &str) -> Failure {
    let context = format!("failed to use the key `{}`", path.display());
    Failure::from(anyhow::Error::new(error).context(context)).hint(hint)
}
