//! `cairn registry token revoke`: ends an API token before its time.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use crate::{
    exit::{ExitCode, Failure, Outcome},
    output::Output,
    secrets::TokensOnDisk,
};

/// Revoke an API token
///
/// Whatever was issued for it stops working with it.
#[derive(Debug, Args)]
pub(crate) struct RegistryTokenRevoke {
    /// The token's name
    #[arg(value_name = "NAME")]
    name: String,
    /// The file of API tokens
    #[arg(long, default_value = "tokens.json", value_name = "FILE")]
    file: PathBuf,
}

impl RegistryTokenRevoke {
    pub(crate) fn run(self, output: &Output) -> Outcome {
        let mut tokens = TokensOnDisk::open(&self.file)?;
        let before = tokens.file.tokens.len();
        tokens.file.tokens.retain(|token| token.name != self.name);
        if tokens.file.tokens.len() == before {
            let message = format!("`{}` has no token `{}`", self.file.display(), self.name);
            return Err(Failure::new(ExitCode::NotFound, anyhow!(message))
                .hint("`cairn registry token list` shows those there are"));
        }
        tokens.save()?;
        output.message(&format!("the token `{}` is of no use any more", self.name));
        Ok(())
    }
}
