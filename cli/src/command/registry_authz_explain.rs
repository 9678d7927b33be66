//! `cairn registry authz explain`: what an access policy says, and which line says so.

use std::path::PathBuf;

use anyhow::anyhow;
use cairn_registry::auth::{ANONYMOUS, Action, Actor, Method, Permission, Policy};
use cairn_spec::{RepositoryName, Tag};
use clap::Args;
use serde_json::json;

use crate::{
    exit::{ExitCode, Failure, Outcome},
    files::read_text,
    output::Output,
};

/// Say whether a policy allows something, and which rule decides
///
/// Asks the same code that the registry asks. Ends with 0 when it is allowed and 5 when not.
///
///   cairn registry authz explain ada push packs/web:1.2.0
///   cairn registry authz explain github:repo:acme/app,github:deployers pull packs/web
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RegistryAuthzExplain {
    /// The user, and groups that an OIDC issuer vouches for; `anonymous` is whoever did not log in
    #[arg(value_name = "USER[,GROUP…]")]
    user: String,
    /// `pull`, `push` or `delete`
    #[arg(value_name = "ACTION")]
    action: Action,
    /// The repository, with the tag that is to be set or deleted
    #[arg(value_name = "REPOSITORY[:TAG]")]
    reference: String,
    /// The access policy
    #[arg(long, default_value = "policy.yaml", value_name = "FILE")]
    policy: PathBuf,
}

impl RegistryAuthzExplain {
    pub(crate) fn run(self, output: &Output) -> Outcome {
        let text = read_text(&self.policy)?;
        let policy = Policy::parse(&self.policy.display().to_string(), &text)
            .map_err(|error| Failure::new(ExitCode::InvalidInput, error).hint("mend the policy"))?;
        let permission = self.permission()?;
        let mut words = self.user.split(',').map(str::to_owned);
        let name = words.next().unwrap_or_default();
        let actor = Actor {
            method: if name == ANONYMOUS {
                Method::Anonymous
            } else {
                Method::Password
            },
            name,
            groups: words.collect(),
        };
        let decision = policy.decide(&actor, &permission);
        let place = decision.rule.map(|rule| rule.place.as_str());
        let verdict = if decision.is_allowed {
            "allowed"
        } else {
            "denied"
        };
        output.result(
            &json!({"allowed": decision.is_allowed, "rule": place, "user": actor.name, "permission": permission.to_string()}),
            || format!("{} may {}{}\n{decision}", actor.name, if decision.is_allowed { "" } else { "not " }, permission),
            || verdict.to_owned(),
        );
        if decision.is_allowed {
            Ok(())
        } else {
            Err(Failure::reported(ExitCode::Denied))
        }
    }

    fn permission(&self) -> Result<Permission, Failure> {
        let invalid = |error: cairn_spec::ReferenceError| {
            Failure::new(ExitCode::InvalidInput, anyhow!(error))
        };
        let (repository, tag) = match self.reference.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.parse::<Tag>().map_err(invalid)?)),
            None => (self.reference.as_str(), None),
        };
        let repository: RepositoryName = repository.parse().map_err(invalid)?;
        Ok(Permission {
            action: self.action,
            repository,
            tag,
        })
    }
}
