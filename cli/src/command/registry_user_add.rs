//! `cairn registry user add`: a user of a registry, with a password.

use std::path::PathBuf;

use anyhow::anyhow;
use cairn_registry::auth::{Algorithm, with_user};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    exit::{ExitCode, Failure, Outcome},
    files::{read_text_or_empty, replace_secret},
    output::Output,
    secrets::password_from_stdin,
};

/// Add a user to a password file, or change a password
///
/// The password is read from standard input. A running registry reads the file again by itself.
#[derive(Debug, Args)]
pub(crate) struct RegistryUserAdd {
    /// The user's name
    #[arg(value_name = "USER")]
    user: String,
    /// The password file, as `htpasswd` writes it
    #[arg(long, default_value = "htpasswd", value_name = "FILE")]
    file: PathBuf,
    /// How the password is hashed; other servers read bcrypt too
    #[arg(long, value_enum, default_value_t = Hash::Argon2id, value_name = "ALGORITHM")]
    hash: Hash,
    /// Read the password from standard input
    #[arg(long, required = true)]
    password_stdin: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Hash {
    /// argon2id, which takes memory and time to guess
    Argon2id,
    /// bcrypt
    Bcrypt,
}

impl RegistryUserAdd {
    pub(crate) fn run(self, output: &Output) -> Outcome {
        let password = password_from_stdin()?;
        let present = read_text_or_empty(&self.file)?;
        let algorithm = match self.hash {
            Hash::Argon2id => Algorithm::Argon2id,
            Hash::Bcrypt => Algorithm::Bcrypt,
        };
        let text = with_user(&present, &self.user, &password, algorithm)
            .map_err(|reason| Failure::new(ExitCode::InvalidInput, anyhow!(reason)))?;
        replace_secret(&self.file, &text)?;
        output.result(
            &json!({"user": self.user, "file": self.file}),
            || format!("`{}` can log in with a password", self.user),
            || self.user.clone(),
        );
        Ok(())
    }
}
