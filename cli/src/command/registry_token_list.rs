//! `cairn registry token list`: which API tokens there are.

use std::path::PathBuf;

use cairn_spec::rfc_3339;
use clap::Args;
use serde_json::json;

use crate::{
    exit::Outcome,
    output::{Output, lines, table},
    secrets::{TokensOnDisk, unix_now_s},
};

/// List API tokens, never their secrets
#[derive(Debug, Args)]
pub(crate) struct RegistryTokenList {
    /// The file of API tokens
    #[arg(long, default_value = "tokens.json", value_name = "FILE")]
    file: PathBuf,
}

impl RegistryTokenList {
    pub(crate) fn run(self, output: &Output) -> Outcome {
        let tokens = TokensOnDisk::open(&self.file)?.file.tokens;
        let now = unix_now_s();
        let state = |expires_unix_s| {
            if expires_unix_s > now {
                "valid"
            } else {
                "expired"
            }
        };
        let entries: Vec<_> = tokens
            .iter()
            .map(|token| {
                json!({
                    "name": token.name,
                    "user": token.user,
                    "scopes": token.scopes,
                    "created": rfc_3339(token.created_unix_s),
                    "expires": rfc_3339(token.expires_unix_s),
                    "state": state(token.expires_unix_s),
                })
            })
            .collect();
        output.result(
            &entries,
            || {
                let rows: Vec<Vec<String>> = tokens
                    .iter()
                    .map(|token| {
                        vec![
                            token.name.clone(),
                            token.user.clone(),
                            token.scopes.join(" "),
                            rfc_3339(token.expires_unix_s),
                            state(token.expires_unix_s).to_owned(),
                        ]
                    })
                    .collect();
                table(&["NAME", "USER", "SCOPES", "EXPIRES", "STATE"], &rows)
            },
            || lines(tokens.iter().map(|token| &token.name)),
        );
        Ok(())
    }
}
