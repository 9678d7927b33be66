//! `cairn cluster desire`: signs what a cluster, or each cluster of a group, is to run.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use cairn_compiler::Session;
use cairn_oci::{Progress, keyring::seal_desired_state};
use cairn_runner::window::Calendar;
use cairn_spec::{
    Diagnostic, GroupName, Reference, Schema, SourceKind, Timestamp,
    agent::{Audience, BundleSource, DesiredState, Policy},
    decode_json, schema_of, yaml,
};
use clap::{ArgGroup, Args};
use serde_json::json;

use crate::{
    client::{ClientArgs, runtime},
    config::Environment,
    envelopes::{envelope_text, read_private_keys, refused},
    exit::{ExitCode, Failure, Outcome},
    files::{read_text, write_file},
    output::Output,
};

/// Sign what a cluster is to run
///
/// Writes an envelope that says which bundle a cluster, or each cluster of a group, is to run, and
/// how it is to be treated (spec/agent.md). Agents accept it only with enough signatures of their
/// keyring's keys, for their own cluster, and with a higher generation than the last.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("audience").required(true).args(["cluster", "group"]))]
pub(crate) struct ClusterDesire {
    /// The bundle, HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]; a tag is resolved, and the digest signed
    bundle: Reference,
    /// The cluster, by the UID of its namespace `kube-system`
    #[arg(long, value_name = "UID")]
    cluster: Option<String>,
    /// All clusters that joined with a token of this group
    #[arg(long, value_name = "NAME")]
    group: Option<GroupName>,
    /// Higher than the last one that the cluster accepted, also to go back to an older bundle
    #[arg(long, value_name = "NUMBER")]
    generation: u64,
    /// A private key to sign with; once for each signature that the keyring asks for.
    /// `CAIRN_KEY_PASSWORD` decrypts one of cosign's
    #[arg(long = "key", required = true, value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// How the cluster is to be treated: windows, pause, adoption, failures, drift, approvals
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// From then on nobody accepts it any more, such as `2026-12-05T10:00:00Z`
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
    /// Where to write the envelope; without it, it is the result
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

impl ClusterDesire {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let keys = read_private_keys(&self.keys, environment)?;
        let policy = match &self.policy {
            Some(path) => read_policy(path, output)?,
            None => Policy::default(),
        };
        let mut state = DesiredState::new(
            self.audience()?,
            self.generation,
            self.bundle(environment)?,
            now(environment)?,
        );
        state.expires_at = self.expires;
        state.policy = policy;
        let envelope = seal_desired_state(&state, &keys).map_err(refused)?;
        let text = envelope_text(&envelope)?;
        let Some(path) = &self.output else {
            output.data(&text);
            return Ok(());
        };
        write_file(path, text.as_bytes())?;
        let signers = keys
            .iter()
            .map(|key| Ok(key.public_key()?.id().to_owned()))
            .collect::<Result<Vec<String>, cairn_oci::Error>>()?;
        let value = json!({
            "audience": state.audience, "generation": state.generation, "bundle": state.bundle,
            "keyIds": signers, "file": path,
        });
        let (audience, generation) = (&state.audience, state.generation);
        let bundle = format!("{}@{}", state.bundle.repository, state.bundle.digest);
        output.result(
            &value,
            || {
                let signers = signers.join(", ");
                let file = path.display();
                format!("{audience}, generation {generation}\nbundle   {bundle}\nkey ids  {signers}\nfile     {file}")
            },
            || file_name(path),
        );
        Ok(())
    }

    fn audience(&self) -> Result<Audience, Failure> {
        match (&self.cluster, &self.group) {
            (Some(uid), None) => Ok(Audience::Cluster(uid.clone())),
            (None, Some(group)) => Ok(Audience::Group(group.clone())),
            _ => Err(Failure::new(
                ExitCode::Usage,
                anyhow!("name either a cluster or a group"),
            )),
        }
    }

    /// Where the bundle is. With a digest, no registry is asked.
    fn bundle(&self, environment: &Environment) -> Result<BundleSource, Failure> {
        let digest = if let Some(digest) = &self.bundle.digest {
            digest.clone()
        } else {
            let client = self.client.client(environment, Progress::default())?;
            runtime()?.block_on(client.resolve(&self.bundle))?.digest
        };
        Ok(BundleSource {
            repository: format!("{}/{}", self.bundle.registry, self.bundle.repository),
            digest,
        })
    }
}

fn file_name(path: &Path) -> String {
    path.display().to_string()
}

/// `SOURCE_DATE_EPOCH`, or the time it is.
fn now(environment: &Environment) -> Result<Timestamp, Failure> {
    let unix_s = environment.created_unix_s()?.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    });
    Ok(Timestamp::from_unix_s(unix_s))
}

/// Reads a policy. Mistakes in it are shown where they are: what is signed with one is refused by agents.
fn read_policy(path: &Path, output: &Output) -> Result<Policy, Failure> {
    const HINT: &str = "spec/agent.md §2 describes policies";
    let text = read_text(path).map_err(|error| Failure::from(error).hint(HINT))?;
    let mut session = Session::default();
    let name = path.display().to_string();
    let source = session.sources.add(name, text, SourceKind::Other);
    let Session {
        sources,
        origins,
        diagnostics,
    } = &mut session;
    let schema = Schema::compile(schema_of::<Policy>())
        .map_err(|error| Failure::new(ExitCode::Error, anyhow!(error)))?;
    let policy = yaml::read_one(sources, source, origins, diagnostics).and_then(|node| {
        schema.check(&node, origins, "schema", diagnostics);
        if diagnostics.error_count() > 0 {
            return None;
        }
        let policy: Policy = decode_json(&node, origins, diagnostics)?;
        if let Err(error) = Calendar::new(&policy.windows) {
            let windows = node.get("windows").unwrap_or(&node);
            let problem = Diagnostic::error("policy", error.to_string());
            diagnostics.push(problem.at(origins.get(windows.origin)).hint(HINT));
            return None;
        }
        Some(policy)
    });
    policy.ok_or_else(|| {
        output.diagnostics(&session);
        Failure::reported(ExitCode::InvalidInput)
    })
}
