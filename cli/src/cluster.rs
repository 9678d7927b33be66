//! Clusters as the command line finds them, and why a run in one failed.

use std::{collections::BTreeSet, fmt, fs, path::PathBuf, process, str::FromStr, time::Duration};

use anyhow::anyhow;
use cairn_runner::{
    bundle::{Bundle, Secrets},
    cluster::{Access, Cluster, Pace},
    inventory::Identity,
    journal::Refused,
    run::{Adoption, Options, RunError, secrets, store::StoreError},
};
use cairn_spec::{Artifact, Digest};
use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use crate::{
    args::Format,
    bundles::BundleArgs,
    config::Environment,
    exit::{ExitCode, Failure},
    output::Output,
};

/// Which cluster.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster options")]
pub(crate) struct ClusterArgs {
    /// The kubeconfig [default: `KUBECONFIG`, or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context in the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// How a bundle is driven into a cluster.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run options")]
pub(crate) struct RunArgs {
    /// What happens to objects that are there and not Cairn's
    #[arg(long, value_enum, default_value_t = AdoptionArg::Refuse, value_name = "HOW")]
    adoption: AdoptionArg,
    /// How long a layer may take to become healthy, in seconds
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    timeout: u64,
    /// Wait until services of type `LoadBalancer` have an address
    #[arg(long)]
    load_balancer_address: bool,
    #[command(flatten)]
    approvals: ApprovalArgs,
}

/// What may be deleted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Deletion options")]
pub(crate) struct ApprovalArgs {
    /// Let this object be deleted though it takes data or other objects with it:
    /// KIND[.GROUP]/[NAMESPACE/]NAME; may be given several times
    #[arg(long, value_name = "OBJECT")]
    approve_deletion: Vec<ObjectName>,
    /// Let more than 30 % of a layer be deleted at once
    #[arg(long)]
    approve_many_deletions: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AdoptionArg {
    /// The run fails
    Refuse,
    /// They become Cairn's
    Adopt,
    /// They stay as they are
    Skip,
}

/// An object as people name it.
#[derive(Debug, Clone)]
pub(crate) struct ObjectName(Identity);

impl FromStr for ObjectName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts.as_slice() {
            [kind, name] => (*kind, None, *name),
            [kind, namespace, name] => (*kind, Some((*namespace).to_owned()), *name),
            _ => return Err("expected KIND[.GROUP]/[NAMESPACE/]NAME".to_owned()),
        };
        let (kind, group) = kind.split_once('.').unwrap_or((kind, ""));
        Ok(Self(Identity {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace,
            name: name.to_owned(),
        }))
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Identity {
            group,
            kind,
            namespace,
            name,
        }) = self;
        f.write_str(kind)?;
        if !group.is_empty() {
            write!(f, ".{group}")?;
        }
        if let Some(namespace) = namespace {
            write!(f, "/{namespace}")?;
        }
        write!(f, "/{name}")
    }
}

impl From<Identity> for ObjectName {
    fn from(identity: Identity) -> Self {
        Self(identity)
    }
}

impl ClusterArgs {
    /// A client of the cluster; nothing is asked yet.
    pub(crate) async fn connect(&self, environment: &Environment) -> Result<Cluster, Failure> {
        let kubeconfigs = match &self.kubeconfig {
            Some(path) => vec![path.clone()],
            None => environment.kubeconfigs.clone(),
        };
        let access = Access {
            kubeconfigs,
            context: self.context.clone(),
            impersonate: None,
        };
        Cluster::connect(&access, Pace::default())
            .await
            .map_err(|error| {
                Failure::new(ExitCode::InvalidInput, error).hint(
                    "name a kubeconfig with --kubeconfig, and one of its contexts with --context",
                )
            })
    }
}

impl ApprovalArgs {
    /// What may be deleted.
    pub(crate) fn identities(&self) -> BTreeSet<Identity> {
        self.approve_deletion
            .iter()
            .map(|name| name.0.clone())
            .collect()
    }
}

impl RunArgs {
    /// What may be deleted.
    pub(crate) fn approved(&self) -> BTreeSet<Identity> {
        self.approvals.identities()
    }

    /// The options of a run.
    pub(crate) fn options<'a>(
        &self,
        secrets: &'a Secrets,
        approved: &'a BTreeSet<Identity>,
        holder: &'a str,
    ) -> Options<'a> {
        Options {
            adoption: match self.adoption {
                AdoptionArg::Refuse => Adoption::Refuse,
                AdoptionArg::Adopt => Adoption::Adopt,
                AdoptionArg::Skip => Adoption::Skip,
            },
            timeout: Duration::from_secs(self.timeout),
            load_balancer_address: self.load_balancer_address,
            approved,
            approved_amount: self.approvals.approve_many_deletions,
            ..Options::new(secrets, holder)
        }
    }
}

/// Tells this process apart from all others that may be at work in the cluster.
pub(crate) fn holder() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.unwrap_or_else(|_| "a machine without a name".to_owned());
    format!("cairn on {}, process {}", host.trim(), process::id())
}

/// A bundle, the cluster that it is for, and the secrets in there that it needs.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) bundle: Bundle,
    pub(crate) artifact: Artifact,
    /// The digest of the bundle's artifact.
    pub(crate) digest: Digest,
    pub(crate) cluster: Cluster,
    pub(crate) secrets: Secrets,
}

impl Target {
    /// Reads the bundle, and what it needs in the cluster.
    pub(crate) async fn read(
        bundle: &BundleArgs,
        cluster: &ClusterArgs,
        environment: &Environment,
        output: &Output,
    ) -> Result<Self, Failure> {
        let (bundle, artifact) = bundle.read(environment, output).await?;
        let cluster = cluster.connect(environment).await?;
        let secrets = secrets(&cluster, &bundle).await;
        let secrets = secrets.map_err(|error| failure_of(error, output))?;
        Ok(Self {
            bundle,
            digest: artifact.digest().clone(),
            artifact,
            cluster,
            secrets,
        })
    }
}

/// The failure of a run that told what it did: with `-o json`, the last line says why.
pub(crate) fn failed_run(error: RunError, output: &Output) -> Failure {
    if output.format == Format::Json {
        output.data(&format!("{}\n", failed_event(&error)));
    }
    failure_of(error, output)
}

fn failed_event(error: &RunError) -> Json {
    let mut event = json!({"event": "failed", "exitCode": exit_of(error) as u8});
    let reasons: Vec<String> = anyhow::Chain::new(error).map(ToString::to_string).collect();
    event["reason"] = reasons.join(": ").into();
    let error = match error {
        RunError::RolledBack { to, failure } => {
            event["wentBackTo"] = json!(to);
            failure
        }
        RunError::NotRolledBack { failure, .. } => failure,
        error => error,
    };
    match error {
        RunError::RightsMissing { missing } => event["missingRights"] = json!(missing),
        RunError::Unhealthy {
            layer,
            timed_out,
            unhealthy,
        } => {
            event["layer"] = layer.as_str().into();
            event["timedOut"] = (*timed_out).into();
            let unhealthy = unhealthy.iter().map(|one| {
                json!({
                    "object": one.id, "verdict": one.verdict,
                    "pod": one.pod.as_ref().map(|pod| &pod.pod), "log": one.last_words,
                })
            });
            event["unhealthy"] = unhealthy.collect();
        }
        _ => {}
    }
    event
}

/// The failure of a run: its exit code, and what to do next. What is not healthy is listed.
pub(crate) fn failure_of(error: RunError, output: &Output) -> Failure {
    tell_details(&error, output);
    let hint = hint_of(&error);
    let failure = Failure::new(exit_of(&error), anyhow!(error));
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// What is not healthy, with its last words, or the rights that are missing.
fn tell_details(error: &RunError, output: &Output) {
    match error {
        RunError::Unhealthy { unhealthy, .. } => {
            for one in unhealthy {
                output.message(&format!("  {}: {}", one.id, one.verdict.message));
                for line in one.last_words.iter().flat_map(|words| words.lines()) {
                    output.message(&format!("    | {line}"));
                }
            }
        }
        RunError::RightsMissing { missing } => {
            for right in missing {
                output.message(&format!("  {right}"));
            }
        }
        RunError::RolledBack { failure, .. } => tell_details(failure, output),
        RunError::NotRolledBack {
            failure, source, ..
        } => {
            tell_details(failure, output);
            tell_details(source, output);
        }
        _ => {}
    }
}

fn hint_of(error: &RunError) -> Option<String> {
    let hint = match error {
        RunError::NotRolledBack { source, .. } => return hint_of(source),
        RunError::SecretMissing {
            reference: Some(reference),
            ..
        } => {
            return Some(format!(
                "kubectl create secret generic {} --namespace {} --from-file {}=FILE",
                reference.name, reference.namespace, reference.key
            ));
        }
        RunError::SecretMissing {
            reference: None, ..
        } => "give the variable a `secretRef` in the cluster file, and build again",
        RunError::RightsMissing { .. } => "nothing was begun",
        RunError::Foreign { .. } => {
            "take it over with `--adoption adopt`, or leave it with `--adoption skip`"
        }
        RunError::Busy { .. } => "wait until it is done, and try again",
        RunError::Journal(Refused::Rejected { .. }) => {
            "try it again with `--retry-rejected`, when what made it fail is gone"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

fn exit_of(error: &RunError) -> ExitCode {
    match error {
        // The bundle's failure is what the command ends with, wherever the cluster is now.
        RunError::RolledBack { failure, .. } | RunError::NotRolledBack { failure, .. } => {
            exit_of(failure)
        }
        RunError::Unhealthy {
            timed_out: true, ..
        } => ExitCode::Timeout,
        RunError::Foreign { .. }
        | RunError::Busy { .. }
        | RunError::TakenOver { .. }
        | RunError::Inventory(_)
        | RunError::JournalDamaged(_) => ExitCode::Conflict,
        RunError::SecretMissing { .. }
        | RunError::Journal(Refused::NothingGood)
        | RunError::Store(StoreError::NotKept(_)) => ExitCode::NotFound,
        RunError::Journal(_) | RunError::RightsMissing { .. } => ExitCode::Denied,
        RunError::Refused { .. } | RunError::Bundle(_) | RunError::Store(_) => {
            ExitCode::InvalidInput
        }
        _ => ExitCode::Error,
    }
}
