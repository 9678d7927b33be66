//! `cairn registry user remove`: takes a user's password away.

use std::path::PathBuf;

use anyhow::anyhow;
use cairn_registry::auth::without_user;
use clap::Args;

use crate::{
    exit::{ExitCode, Failure, Outcome},
    files::{read_text, replace_secret},
    output::Output,
};

/// Remove a user from a password file
///
/// Whatever tokens the user holds stop working with it.
#[derive(Debug, Args)]
pub(crate) struct RegistryUserRemove {
    /// The user's name
    #[arg(value_name = "USER")]
    user: String,
    /// The password file
    #[arg(long, default_value = "htpasswd", value_name = "FILE")]
    file: PathBuf,
}

impl RegistryUserRemove {
    pub(crate) fn run(self, output: &Output) -> Outcome {
        let text = without_user(&read_text(&self.file)?, &self.user).ok_or_else(|| {
            let message = format!("`{}` has no user `{}`", self.file.display(), self.user);
            Failure::new(ExitCode::NotFound, anyhow!(message))
        })?;
        replace_secret(&self.file, &text)?;
        output.message(&format!(
            "`{}` cannot log in with a password any more",
            self.user
        ));
        Ok(())
    }
}
