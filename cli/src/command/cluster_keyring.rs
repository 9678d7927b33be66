//! `cairn cluster keyring`: says whose signatures agents take, and signs the keyring that comes next.

use std::path::PathBuf;

use cairn_oci::keyring::{TrustedKeys, seal_keyring};
use cairn_spec::{Envelope, agent::Keyring};
use clap::Args;
use serde_json::json;

use crate::{
    config::Environment,
    envelopes::{envelope_text, read_keyring, read_private_keys, refused},
    exit::{Failure, Outcome},
    files::write_file,
    output::Output,
    signing::read_public_key,
};

/// Say whose signatures agents take
///
/// Writes a keyring: the public keys that may sign what clusters are to run, and how many of them must
/// (spec/agent.md §3). The first one is installed with the agent, or set at the hub. Each further one
/// follows another (`--after`), in an envelope that enough keys of both have signed.
#[derive(Debug, Args)]
pub(crate) struct ClusterKeyring {
    /// A public key, 16 at most
    #[arg(required = true, value_name = "PUBLIC_KEY")]
    keys: Vec<PathBuf>,
    /// How many of the keys must sign
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    threshold: u32,
    /// The keyring that this one follows, or its envelope
    #[arg(long, value_name = "FILE", requires = "signers")]
    after: Option<PathBuf>,
    /// A private key to sign with, of the keyring before or of this one; others sign with
    /// `cairn cluster sign`. `CAIRN_KEY_PASSWORD` decrypts one of cosign's
    #[arg(long = "key", value_name = "FILE", requires = "after", id = "signers")]
    signers: Vec<PathBuf>,
    /// Where to write it; without it, it is the result
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl ClusterKeyring {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let keys = self
            .keys
            .iter()
            .map(|path| Ok(read_public_key(path)?.to_pem()?))
            .collect::<Result<Vec<String>, Failure>>()?;
        let mut keyring = Keyring::new(keys, self.threshold);
        let before = self.after.as_deref().map(read_keyring).transpose()?;
        if let Some(before) = &before {
            keyring.generation = before.generation.saturating_add(1);
        }
        let trusted = TrustedKeys::new(keyring.clone()).map_err(refused)?;
        let Some(before) = before else {
            let text = keyring.write().map_err(|error| refused(error.into()))?;
            return self.write(output, &String::from_utf8_lossy(&text), &trusted, &[]);
        };
        let before = TrustedKeys::new(before).map_err(refused)?;
        let signers = read_private_keys(&self.signers, environment)?;
        let envelope = seal_keyring(&keyring, &signers).map_err(refused)?;
        let signed = [
            Signed::of("of the keyring before", &before, &envelope)?,
            Signed::of("of this keyring", &trusted, &envelope)?,
        ];
        for missing in signed.iter().filter(|it| it.found < it.threshold) {
            output.warning(&format!(
                "{} of {} signatures {}: others add theirs with `cairn cluster sign`",
                missing.found, missing.threshold, missing.whose
            ));
        }
        self.write(output, &envelope_text(&envelope)?, &trusted, &signed)
    }

    fn write(
        &self,
        output: &Output,
        text: &str,
        keyring: &TrustedKeys,
        signed: &[Signed],
    ) -> Outcome {
        let text = text.trim_end().to_owned() + "\n";
        let Some(path) = &self.output else {
            output.data(&text);
            return Ok(());
        };
        write_file(path, text.as_bytes())?;
        let (generation, threshold) = (keyring.generation(), keyring.threshold());
        let ids: Vec<&str> = keyring.ids().collect();
        let value = json!({
            "generation": generation, "threshold": threshold, "keyIds": ids, "file": path,
        });
        let file = path.display().to_string();
        output.result(
            &value,
            || {
                let mut lines = vec![
                    format!("keyring, generation {generation}"),
                    format!("key ids     {} ({threshold} must sign)", ids.join(", ")),
                ];
                for signed in signed {
                    let Signed {
                        whose,
                        found,
                        threshold,
                    } = signed;
                    lines.push(format!("signatures  {found} of {threshold} {whose}"));
                }
                lines.push(format!("file        {file}"));
                lines.join("\n")
            },
            || file.clone(),
        );
        Ok(())
    }
}

/// How many of the signatures that are needed are there.
struct Signed {
    whose: &'static str,
    found: usize,
    threshold: usize,
}

impl Signed {
    fn of(
        whose: &'static str,
        keyring: &TrustedKeys,
        envelope: &Envelope,
    ) -> Result<Self, Failure> {
        let signers = keyring.signers(envelope);
        Ok(Self {
            whose,
            found: signers.map_err(|error| refused(error.into()))?.len(),
            threshold: keyring.threshold(),
        })
    }
}
