//! `cairn profile build`: a bundle from a profile.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
};

use cairn_compiler::{Build, BuildRequest, LockMode, build};
use cairn_oci::Progress;
use cairn_spec::{Digest, FileTree, LayerName, Reference, Severity, VariableName, bundle_artifact};
use clap::Args;
use serde_json::json;

use crate::{
    chart_mirrors::ChartMirrorArgs,
    chart_source::{ChartPlaces, Charts, Choice, Demand},
    client::{ClientArgs, runtime},
    config::Environment,
    exit::{ExitCode, Failure, Outcome},
    files::{DiskFiles, FILE_MISSING, replace_folder, write_file},
    output::{Output, count},
    packs::RegistryPacks,
    signing::TrustArgs,
};

/// What a profile is built from: shared by all `cairn profile` commands.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProfileArgs {
    /// The profile
    #[arg(default_value = "profile.yaml", value_name = "PROFILE")]
    pub(crate) profile: PathBuf,
    #[command(flatten)]
    pub(crate) sources: ProfileSources,
}

/// What a profile is built with.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProfileSources {
    /// The cluster to build for
    #[arg(short, long, value_name = "FILE")]
    pub(crate) cluster: Option<PathBuf>,
    /// Set a variable; wins over the cluster
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) variables: Vec<Given>,
    /// The lock [default: profile.lock beside the profile]
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// Take a registry of the profile from another address; the lock stays the same
    #[arg(long = "registry", value_name = "NAME=URL", value_parser = registry)]
    pub(crate) registries: Vec<(LayerName, String)>,
    /// Use no network: packs of folders, and charts of the cache
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) chart_mirrors: ChartMirrorArgs,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// A variable as it was given. A mistake is told later: clap would repeat the value, which may be a secret.
pub(crate) type Given = Result<(VariableName, String), String>;

#[expect(clippy::unnecessary_wraps, reason = "clap wants a result")]
fn variable(text: &str) -> Result<Given, Infallible> {
    let Some((name, value)) = text.split_once('=') else {
        return Ok(Err("`--var` takes NAME=VALUE".to_owned()));
    };
    let name: Result<VariableName, _> = name.parse();
    Ok(name
        .map(|name| (name, value.to_owned()))
        .map_err(|error| error.to_string()))
}

fn registry(text: &str) -> Result<(LayerName, String), String> {
    let (name, url) = text.split_once('=').ok_or("expected NAME=URL")?;
    Ok((
        name.parse()
            .map_err(|error: cairn_spec::NameError| error.to_string())?,
        url.to_owned(),
    ))
}

impl ProfileArgs {
    /// Where the lock is.
    pub(crate) fn lock_path(&self) -> PathBuf {
        self.sources.lock_path(&self.profile)
    }

    /// Builds the profile and prints every finding.
    pub(crate) fn build(
        &self,
        lock_mode: LockMode,
        environment: &Environment,
        output: &Output,
    ) -> Result<Build, Failure> {
        self.sources
            .build(&self.profile, lock_mode, environment, output)
    }
}

impl ProfileSources {
    /// Where the lock of a profile is.
    pub(crate) fn lock_path(&self, profile: &Path) -> PathBuf {
        self.lock
            .clone()
            .unwrap_or_else(|| profile.with_file_name("profile.lock"))
    }

    fn given(&self) -> Result<Vec<(VariableName, String)>, Failure> {
        let refuse = |reason: &String| {
            Failure::new(ExitCode::Usage, anyhow::Error::msg(reason.clone()))
                .hint("set a variable as in `--var region=eu`")
        };
        let variables = self.variables.iter();
        variables
            .map(|given| given.clone().map_err(|reason| refuse(&reason)))
            .collect()
    }

    /// Builds a profile and prints every finding.
    pub(crate) fn build(
        &self,
        profile: &Path,
        lock_mode: LockMode,
        environment: &Environment,
        output: &Output,
    ) -> Result<Build, Failure> {
        let runtime = runtime()?;
        let client = self.client.client(environment, Progress::default())?;
        let trust = self.trust.trust(output)?;
        let packs = RegistryPacks {
            charts: Charts::new(
                client.clone(),
                runtime.handle().clone(),
                ChartPlaces {
                    cache: environment.cache.clone(),
                    offline: self.offline,
                    mirrors: self.chart_mirrors.mirrors(environment)?,
                    demand: Demand {
                        policy: trust.policy().cloned(),
                        binds: matches!(lock_mode, LockMode::Update(_)),
                    },
                },
            ),
            client,
            trust,
            runtime: runtime.handle().clone(),
            offline: self.offline,
            registries: self.registries.iter().cloned().collect(),
        };
        let build = run(profile, self, lock_mode, &packs)?;
        output.diagnostics(&build.session);
        Ok(build)
    }
}

/// Builds a profile with packs from anywhere.
pub(crate) fn run(
    profile: &Path,
    sources: &ProfileSources,
    lock_mode: LockMode,
    packs: &RegistryPacks,
) -> Result<Build, Failure> {
    let lock_path = sources.lock_path(profile);
    let lock = if lock_path.is_file() {
        Some(crate::files::read_text(&lock_path)?)
    } else {
        None
    };
    let request = BuildRequest {
        profile: profile.display().to_string(),
        cluster: sources
            .cluster
            .as_ref()
            .map(|path| path.display().to_string()),
        variables: sources.given()?,
        lock,
        lock_mode,
    };
    let choice = match request.lock_mode {
        LockMode::Locked => Choice::Locked,
        _ => Choice::Keep,
    };
    let files = DiskFiles {
        charts: &packs.charts,
        choice,
    };
    Ok(build(&request, &files, packs))
}

/// Build a bundle: manifests, plan, host files, images, lock
///
/// All problems are reported at once. Equal inputs give equal bytes. The output folder is replaced
/// as a whole, and only when the build succeeds.
#[derive(Debug, Args)]
pub(crate) struct ProfileBuild {
    #[command(flatten)]
    profile: ProfileArgs,
    /// The folder to write the bundle to
    #[arg(long, default_value = "out", value_name = "FOLDER")]
    output: PathBuf,
    /// Push the bundle too, to HOST[:PORT]/REPOSITORY:TAG
    #[arg(long, value_name = "REFERENCE")]
    push: Option<Reference>,
    /// Sign what is pushed
    #[arg(long, value_name = "FILE", requires = "push")]
    key: Option<PathBuf>,
    /// Fail when the lock would change
    #[arg(long)]
    locked: bool,
    /// As --locked and --offline
    #[arg(long)]
    frozen: bool,
}

impl ProfileBuild {
    pub(crate) fn run(mut self, environment: &Environment, output: &Output) -> Outcome {
        self.profile.sources.offline |= self.frozen;
        let mode = if self.locked || self.frozen {
            LockMode::Locked
        } else {
            LockMode::Keep
        };
        // What can fail comes before anything is written.
        let created = environment.created()?;
        let created_unix_s = environment.created_unix_s()?;
        let key = self
            .key
            .as_deref()
            .map(|path| crate::signing::read_private_key(path, environment))
            .transpose()?;
        let build = self.profile.build(mode, environment, output)?;
        let Some(bundle) = &build.bundle else {
            return Err(refused(&build, output));
        };
        write(
            &self.output,
            bundle,
            build.lock.as_deref(),
            &self.profile.lock_path(),
        )?;
        let artifact = bundle_artifact(bundle, created.as_deref())
            .map_err(|error| Failure::new(ExitCode::Error, error))?;
        if let Some(reference) = &self.push {
            let client = self
                .profile
                .sources
                .client
                .client(environment, Progress::default())?;
            let options = cairn_oci::sign::SignOptions {
                created_unix_s,
                ..Default::default()
            };
            runtime()?.block_on(async {
                let pushed = client.push_artifact(reference, &artifact).await?;
                if let Some(key) = &key {
                    cairn_oci::sign::sign(
                        &client,
                        &reference.with_digest(pushed.digest),
                        key,
                        &options,
                    )
                    .await?;
                }
                Ok::<_, cairn_oci::Error>(())
            })?;
        }
        report(
            &self.output,
            &build,
            artifact.digest(),
            self.push.as_ref(),
            output,
        );
        Ok(())
    }
}

/// Says how many errors there were.
pub(crate) fn refused(build: &Build, output: &Output) -> Failure {
    let errors = build.session.diagnostics.error_count();
    output.message(&format!("nothing was written: {}", count(errors, "error")));
    Failure::reported(code_of(build))
}

/// The exit code of a build that was refused: the input is invalid, unless all errors are of another kind.
fn code_of(build: &Build) -> ExitCode {
    let errors: Vec<&str> = build
        .session
        .diagnostics
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        // A file that a file names is a mistake in that file.
        .map(|finding| match finding.code {
            FILE_MISSING if !finding.labels.is_empty() => "file",
            code => code,
        })
        .collect();
    ExitCode::of_errors(&errors)
}

/// Writes the bundle and the lock.
pub(crate) fn write(
    folder: &Path,
    bundle: &FileTree,
    lock: Option<&str>,
    lock_path: &Path,
) -> Result<(), Failure> {
    replace_folder(folder, bundle, "bundle.json")?;
    if let Some(lock) = lock {
        let unchanged = std::fs::read_to_string(lock_path).is_ok_and(|old| old == lock);
        if !unchanged {
            write_file(lock_path, lock.as_bytes())?;
        }
    }
    Ok(())
}

fn report(
    folder: &Path,
    build: &Build,
    digest: &Digest,
    pushed: Option<&Reference>,
    output: &Output,
) {
    let objects: usize = build.layers.iter().map(|layer| layer.objects).sum();
    let host_files: usize = build.layers.iter().map(|layer| layer.host_files).sum();
    output.result(
        &json!({
            "digest": digest,
            "output": folder,
            "pushed": pushed.map(ToString::to_string),
            "layers": build.layers.len(),
            "objects": objects,
            "hostFiles": host_files,
        }),
        || {
            let target = pushed
                .map(|reference| format!("\npushed  {reference}"))
                .unwrap_or_default();
            format!(
                "bundle  {digest}\noutput  {} ({}, {}, {}){target}",
                folder.display(),
                count(build.layers.len(), "layer"),
                count(objects, "object"),
                count(host_files, "host file"),
            )
        },
        || digest.to_string(),
    );
}
