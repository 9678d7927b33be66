//! `cairn registry token create`: an API token for a program.

use std::path::PathBuf;

use anyhow::anyhow;
use cairn_registry::auth::ApiToken;
use cairn_spec::rfc_3339;
use clap::Args;
use serde_json::json;

use crate::{
    exit::{ExitCode, Failure, Outcome},
    output::Output,
    secrets::{TokensOnDisk, unix_now_s},
};

const DAY_S: u64 = 24 * 60 * 60;
/// The longest that a token may be valid: ten years.
const MAX_DAYS: u64 = 3650;

/// Create an API token; its secret is printed once and kept nowhere
///
/// Programs use it as a password or as a bearer token. A running registry reads the file again by
/// itself.
#[derive(Debug, Args)]
pub(crate) struct RegistryTokenCreate {
    /// What to call the token
    #[arg(value_name = "NAME")]
    name: String,
    /// The file of API tokens
    #[arg(long, default_value = "tokens.json", value_name = "FILE")]
    file: PathBuf,
    /// The user it acts as, with that user's rights [default: NAME]
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// What it may be used for at most, such as `packs/**:pull,push`; may be given several times
    #[arg(long = "scope", value_name = "GLOB:ACTIONS")]
    scopes: Vec<String>,
    /// How many days it is valid
    #[arg(long, default_value_t = 90, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=MAX_DAYS))]
    days: u64,
}

impl RegistryTokenCreate {
    pub(crate) fn run(self, output: &Output) -> Outcome {
        let invalid = |reason: String| Failure::new(ExitCode::InvalidInput, anyhow!(reason));
        let user = self.user.as_deref().unwrap_or(&self.name);
        let now = unix_now_s();
        let valid = (now, now + self.days * DAY_S);
        let token = ApiToken::new(&self.name, user, self.scopes, valid).map_err(invalid)?;
        let mut tokens = TokensOnDisk::open_or_new(&self.file)?;
        if tokens
            .file
            .tokens
            .iter()
            .any(|other| other.name == self.name)
        {
            let message = format!("there is a token `{}` already", self.name);
            return Err(Failure::new(ExitCode::Conflict, anyhow!(message))
                .hint("choose another name, or revoke that one first"));
        }
        let secret = tokens
            .file
            .create(token)
            .map_err(|error| invalid(error.to_string()))?;
        tokens.save()?;
        let expires = rfc_3339(valid.1);
        output.result(
            &json!({"name": self.name, "user": user, "token": *secret, "expires": expires}),
            || format!("token    {}\nuser     {user}\nexpires  {expires}", *secret),
            || secret.to_string(),
        );
        output.message("the token is shown this once");
        Ok(())
    }
}
