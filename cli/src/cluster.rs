//! Clusters as the command line finds them, and why a run in one failed.

use std::{collections::BTreeSet, fs, path::PathBuf, process, str::FromStr, time::Duration};

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

use crate::{
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
struct ObjectName(Identity);

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

/// The failure of a run: its exit code, and what to do next. What is not healthy is listed.
pub(crate) fn failure_of(error: RunError, output: &Output) -> Failure {
    let (code, hint) = judge(&error, output);
    let failure = Failure::new(code, anyhow!(error));
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn judge(error: &RunError, output: &Output) -> (ExitCode, Option<&'static str>) {
    match error {
        RunError::Unhealthy {
            unhealthy,
            timed_out,
            ..
        } => {
            for one in unhealthy {
                output.message(&format!("  {}: {}", one.id, one.verdict.message));
                for line in one.last_words.iter().flat_map(|words| words.lines()) {
                    output.message(&format!("    | {line}"));
                }
            }
            match timed_out {
                true => (ExitCode::Timeout, None),
                false => (ExitCode::Error, None),
            }
        }
        // The bundle's failure is what the command ends with, wherever the cluster is now.
        RunError::RolledBack { failure, .. } => (judge(failure, output).0, None),
        RunError::NotRolledBack {
            failure, source, ..
        } => {
            let (code, _) = judge(failure, output);
            (code, judge(source, output).1)
        }
        RunError::Foreign { .. } => (
            ExitCode::Conflict,
            Some("take it over with `--adoption adopt`, or leave it with `--adoption skip`"),
        ),
        RunError::Busy { .. } => (
            ExitCode::Conflict,
            Some("wait until it is done, and try again"),
        ),
        RunError::TakenOver { .. } | RunError::Inventory(_) | RunError::JournalDamaged(_) => {
            (ExitCode::Conflict, None)
        }
        RunError::Journal(Refused::NothingGood) | RunError::Store(StoreError::NotKept(_)) => {
            (ExitCode::NotFound, None)
        }
        RunError::Journal(_) => (
            ExitCode::Denied,
            Some("try it again with `--retry-rejected`, when what made it fail is gone"),
        ),
        RunError::Refused { .. } | RunError::Bundle(_) | RunError::Store(_) => {
            (ExitCode::InvalidInput, None)
        }
        _ => (ExitCode::Error, None),
    }
}
