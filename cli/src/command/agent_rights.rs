//! `cairn agent rights`: what an agent must be allowed to do for a bundle.

use cairn_runner::roles::{Kind, Plurals, Rights};
use clap::Args;
use serde_json::json;

use crate::{
    args::Format,
    bundles::BundleArgs,
    client::{ClientArgs, runtime},
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    output::{Output, table},
    signing::TrustArgs,
};

/// Show what the agent must be allowed to do for a bundle
///
/// With `-o yaml` it is printed as values of the pack `cairn-agent`.
#[derive(Debug, Args)]
pub(crate) struct AgentRights {
    #[command(flatten)]
    rights: RightsArgs,
}

/// What the agent may do.
#[derive(Debug, Args)]
#[command(next_help_heading = "Permission options")]
pub(crate) struct RightsArgs {
    /// A bundle that the agent is to apply: a folder or a reference. Name the one that is there, too, when
    /// another one comes: what it has and the other has not is deleted
    #[arg(long = "bundle", value_name = "BUNDLE")]
    bundles: Vec<String>,
    /// What a kind is called in paths that no bundle defines, such as `Gateway.example.com=gateways`
    #[arg(long = "plural", value_name = "KIND.GROUP=PLURAL", value_parser = plural)]
    plurals: Vec<(Kind, String)>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    client: ClientArgs,
}

fn plural(text: &str) -> Result<(Kind, String), String> {
    let parts = text.split_once('=').and_then(|(name, plural)| {
        let (kind, group) = name.split_once('.')?;
        let is_whole = !kind.is_empty() && !group.is_empty() && !plural.is_empty();
        is_whole.then(|| (kind.to_owned(), group.to_owned(), plural.to_owned()))
    });
    let (kind, group, plural) = parts.ok_or("expected KIND.GROUP=PLURAL")?;
    Ok((Kind { group, kind }, plural))
}

impl RightsArgs {
    /// The rights that the bundles need.
    pub(crate) fn derive(
        &self,
        environment: &Environment,
        output: &Output,
    ) -> Result<Rights, Failure> {
        let mut bundles = Vec::new();
        for bundle in &self.bundles {
            let bundle = BundleArgs {
                bundle: bundle.clone(),
                trust: self.trust.clone(),
                client: self.client.clone(),
            };
            let read = bundle.read(environment, output);
            bundles.push(runtime()?.block_on(read)?.0);
        }
        let mut plurals = Plurals::default();
        for (kind, plural) in &self.plurals {
            plurals.learn(kind.clone(), plural.clone());
        }
        let rights = Rights::of(&bundles, &plurals)
            .map_err(|error| Failure::new(ExitCode::InvalidInput, error))?;
        for (kind, plural) in &rights.guessed {
            output.warning(&format!(
                "no bundle defines `{kind}`: it is taken to be called `{plural}` in paths (`--plural {kind}={plural}` says so)"
            ));
        }
        Ok(rights)
    }
}

impl AgentRights {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let rights = self.rights.derive(environment, output)?;
        let value = match output.format {
            Format::Yaml => json!({"permissions": {
                "clusterAdmin": false, "cluster": rights.cluster, "namespaces": rights.namespaces,
            }}),
            _ => json!(rights),
        };
        output.result(
            &value,
            || text(&rights),
            || crate::output::lines(rights.namespaces.keys().cloned()),
        );
        Ok(())
    }
}

fn text(rights: &Rights) -> String {
    let everywhere = rights.cluster.iter().map(|rule| ("", rule));
    let namespaces = rights.namespaces.iter();
    let inside =
        namespaces.flat_map(|(name, rules)| rules.iter().map(|rule| (name.as_str(), rule)));
    let rows: Vec<Vec<String>> = everywhere
        .chain(inside)
        .map(|(namespace, rule)| {
            vec![
                if namespace.is_empty() {
                    "(cluster)"
                } else {
                    namespace
                }
                .to_owned(),
                rule.api_groups.join(","),
                rule.resources.join(","),
                rule.resource_names.join(","),
                rule.verbs.join(","),
            ]
        })
        .collect();
    table(
        &["NAMESPACE", "GROUP", "RESOURCES", "NAMES", "VERBS"],
        &rows,
    )
}
