//! `cairn registry sync`: copies repositories and tags from one registry to another.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::anyhow;
use cairn_oci::{
    Event, Progress,
    sync::{Options, Outcome as Copy, RemoteRegistry, Report, Selection, TagSelection, sync},
};
use cairn_registry::Error;
use cairn_spec::{RegistryHost, RepositoryName, VersionRange, human_bytes};
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::{
    client::{ClientArgs, runtime},
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    output::{Output, count, lines, table},
    signing::load_policy,
    storage::{StorageArgs, copy_progress},
};

/// Copy repositories and tags from one registry to another
///
/// `cairn registry sync --from ghcr.io/team/charts --to registry.example.com/mirror --versions '>=1.2'`
/// copies between any two registries with the logins of `cairn registry login`. With --config, the
/// mirrors of a registry's configuration are run, into and out of its storage. What is there already
/// is not copied again. The command ends with 9 when something was not copied.
#[derive(Debug, Args)]
pub(crate) struct RegistrySync {
    /// The mirrors of the configuration to run; all by default
    #[arg(value_name = "MIRROR", requires = "config")]
    mirrors: Vec<String>,
    /// The registry and the repositories to copy, by name or as a glob
    #[arg(long, value_name = "HOST[:PORT]/GLOB", requires = "to", required_unless_present = "config", value_parser = source)]
    from: Option<(RegistryHost, String)>,
    /// The registry to copy to, and what to put before the names of repositories
    #[arg(long, value_name = "HOST[:PORT][/PREFIX]", requires = "from", value_parser = target)]
    to: Option<(RegistryHost, Option<RepositoryName>)>,
    /// Only tags that match; may be given several times
    #[arg(long = "tag", value_name = "GLOB", conflicts_with = "config")]
    tags: Vec<String>,
    /// Only tags that are versions in this range, such as `>=1.2 <2`
    #[arg(long, value_name = "RANGE", conflicts_with = "config")]
    versions: Option<VersionRange>,
    /// Leave signatures, attestations and other referrers behind
    #[arg(long, conflicts_with = "config")]
    no_referrers: bool,
    /// Copy only what this trust policy trusts
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    trust: Option<PathBuf>,
    /// How many tags to copy at the same time
    #[arg(long, value_name = "N", default_value_t = 4, conflicts_with = "config")]
    jobs: usize,
    /// Say what would be copied, and copy nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    storage: StorageArgs,
}

/// How to speak to both registries. There is no password: it would be sent to both.
#[derive(Debug, Args)]
#[command(next_help_heading = "Registry options")]
struct Connection {
    /// Speak plain HTTP, or with `=false` TLS; plain HTTP is the default on this machine only
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    plain_http: Option<bool>,
    /// Trust this certificate authority too (PEM)
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// A token service that passwords may be sent to, beside a registry's own host
    #[arg(long = "token-service", value_name = "HOST[:PORT]")]
    token_services: Vec<RegistryHost>,
}

/// The report of one run.
#[derive(Debug, Serialize)]
struct Run {
    /// The mirror of the configuration, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    mirror: Option<String>,
    #[serde(flatten)]
    report: Report,
}

impl RegistrySync {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let bar = copy_progress(output);
        let runs = match (&self.from, &self.to) {
            (Some(from), Some(to)) => self.between(from, to, &bar, (environment, output)),
            _ => self.configured(&bar, (environment, output)),
        };
        bar.finish_and_clear();
        tell(&runs?, output)
    }

    /// Copies between two registries.
    fn between(
        &self,
        (from, pattern): &(RegistryHost, String),
        (to, prefix): &(RegistryHost, Option<RepositoryName>),
        bar: &ProgressBar,
        (environment, output): (&Environment, &Output),
    ) -> Result<Vec<Run>, Failure> {
        let client = ClientArgs {
            plain_http: self.connection.plain_http,
            ca_file: self.connection.ca_file.clone(),
            token_services: self.connection.token_services.clone(),
            ..ClientArgs::default()
        };
        let client = client.client(environment, Progress::default())?;
        let at = |host: &RegistryHost| RemoteRegistry {
            client: client.clone(),
            host: host.clone(),
        };
        let policy = self.trust.as_deref().map(|path| load_policy(path, output));
        let options = Options {
            selection: Selection::of_glob(pattern, prefix.as_ref())?
                .with_tags(TagSelection::new(&self.tags, self.versions.clone())?),
            referrers: !self.no_referrers,
            trust: policy.transpose()?,
            concurrency: self.jobs,
            dry_run: self.dry_run,
            progress: watching(bar),
        };
        let (source, target) = (at(from), at(to));
        let copying = sync(&source, &target, &options);
        let report = runtime()?.block_on(copying).map_err(|error| {
            let failure = Failure::from(error);
            if pattern.parse::<RepositoryName>().is_ok() {
                failure
            } else {
                failure
                    .hint("not every registry lists its repositories: name one instead of a glob")
            }
        })?;
        let mirror = None;
        Ok(vec![Run { mirror, report }])
    }

    /// Runs mirrors of a configuration.
    fn configured(
        &self,
        bar: &ProgressBar,
        (environment, output): (&Environment, &Output),
    ) -> Result<Vec<Run>, Failure> {
        runtime()?.block_on(async {
            let maintenance = self.storage.open_or_create(environment, output).await?;
            let mut names = self.mirrors.clone();
            if names.is_empty() {
                names = maintenance.mirrors().map(str::to_owned).collect();
            }
            if names.is_empty() {
                let error = anyhow!("the configuration has no `mirrors`");
                let failure = Failure::new(ExitCode::InvalidInput, error);
                return Err(failure.hint("docs/registry-mirroring.md has examples"));
            }
            let mut runs = Vec::new();
            for name in names {
                let report = maintenance.sync(&name, self.dry_run, watching(bar)).await;
                let report = report.map_err(refused)?;
                let mirror = Some(name);
                runs.push(Run { mirror, report });
            }
            Ok(runs)
        })
    }
}

fn refused(error: Error) -> Failure {
    let code = match &error {
        Error::MirrorUnknown(_) => ExitCode::NotFound,
        Error::Config { .. } => ExitCode::InvalidInput,
        _ => ExitCode::Error,
    };
    Failure::new(code, error)
}

/// Shows how much has moved.
fn watching(bar: &ProgressBar) -> Progress {
    let bar = bar.clone();
    let (bytes, blobs) = (AtomicU64::new(0), AtomicU64::new(0));
    Progress::new(move |_, event| {
        match event {
            Event::Advanced { bytes: more } => {
                bytes.fetch_add(more, Ordering::Relaxed);
            }
            Event::Finished => {
                blobs.fetch_add(1, Ordering::Relaxed);
            }
            _ => return,
        }
        let moved = human_bytes(bytes.load(Ordering::Relaxed));
        let blobs = blobs.load(Ordering::Relaxed);
        bar.set_message(format!("{blobs} manifests and blobs, {moved}"));
        bar.tick();
    })
}

/// Prints what was done, and fails if something was not.
fn tell(runs: &[Run], output: &Output) -> Outcome {
    let entries = || runs.iter().flat_map(|run| &run.report.entries);
    let is_bad = |outcome| matches!(outcome, Copy::Refused | Copy::Failed);
    for entry in entries().filter(|entry| is_bad(entry.outcome)) {
        let reason = entry.reason.as_deref().unwrap_or("no reason given");
        output.warning(&format!("not copied: {}: {reason}", entry.from));
    }
    let rows = || {
        let rows = entries().map(|entry| {
            let outcome = serde_json::to_value(entry.outcome).unwrap_or_default();
            let digest = entry.digest.as_ref().map_or("–", |digest| digest.as_str());
            vec![
                outcome.as_str().unwrap_or_default().to_owned(),
                entry.from.clone(),
                entry.to.clone(),
                digest.to_owned(),
            ]
        });
        table(
            &["OUTCOME", "FROM", "TO", "DIGEST"],
            &rows.collect::<Vec<_>>(),
        )
    };
    let names = || {
        let done = entries().filter(|entry| !is_bad(entry.outcome));
        lines(done.map(|entry| &entry.to))
    };
    output.result(&runs, rows, names);
    let total = |outcome| {
        runs.iter()
            .map(|run| run.report.count(outcome))
            .sum::<usize>()
    };
    let (copied, present) = (total(Copy::Copied), total(Copy::Present));
    let (planned, missing) = (
        total(Copy::WouldCopy),
        total(Copy::Refused) + total(Copy::Failed),
    );
    let done = if planned > 0 {
        format!("{} to copy", count(planned, "tag"))
    } else {
        format!("{} copied", count(copied, "tag"))
    };
    output.message(&format!(
        "{done}, {present} there already, {missing} not copied"
    ));
    if runs.iter().any(|run| run.report.is_partial()) {
        return Err(Failure::reported(ExitCode::Partial));
    }
    Ok(())
}

fn source(text: &str) -> Result<(RegistryHost, String), String> {
    let (host, pattern) = text
        .split_once('/')
        .filter(|(_, pattern)| !pattern.is_empty())
        .ok_or("expected HOST[:PORT]/REPOSITORY, or a glob such as HOST/team/**")?;
    let host = host.parse().map_err(|error| format!("{error}"))?;
    Ok((host, pattern.to_owned()))
}

fn target(text: &str) -> Result<(RegistryHost, Option<RepositoryName>), String> {
    let (host, prefix) = match text.trim_end_matches('/').split_once('/') {
        Some((host, prefix)) => (host, Some(prefix)),
        None => (text.trim_end_matches('/'), None),
    };
    let host = host.parse().map_err(|error| format!("{error}"))?;
    let prefix = prefix.map(str::parse).transpose();
    Ok((host, prefix.map_err(|error| format!("{error}"))?))
}
