//! `cairn agent manifest`: what installs the agent in a cluster.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cairn_agent::install::{Install, Permissions, Source, manifest};
use cairn_oci::trust::PolicyFile;
use clap::{Args, builder::NonEmptyStringValueParser};

use crate::{
    command::agent_rights::RightsArgs,
    config::Environment,
    envelopes::{read_keyring, refused},
    exit::{ExitCode, Failure, Outcome},
    files::{read_text, write_file, write_secret},
    output::Output,
    signing::{DEFAULT_TRUST_POLICY, load_policy, read_private_key},
};

/// Print the manifest that installs the agent: `kubectl apply -f`
///
/// The agent may do what the bundles need that are named with `--bundle`, and nothing else: each kind of
/// object in each namespace, and objects of the cluster by name. Another bundle that needs more needs
/// another manifest.
#[derive(Debug, Args)]
pub(crate) struct AgentManifest {
    /// The agent's image
    #[arg(long, value_name = "IMAGE", value_parser = NonEmptyStringValueParser::new())]
    image: String,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    rights: RightsArgs,
    /// Let the agent do everything in the cluster, instead of what bundles need
    #[arg(
        long,
        conflicts_with = "bundles",
        required_unless_present = "bundles",
        help_heading = "Permission options"
    )]
    cluster_admin: bool,
    /// Logins of registries for the agent, as `docker login` writes them
    #[arg(long, value_name = "FILE")]
    registry_logins: Option<PathBuf>,
    /// A certificate authority that registries may be issued by, beside the system's (PEM)
    #[arg(long, value_name = "FILE")]
    registry_ca: Option<PathBuf>,
    /// Limit the pod's connections to DNS, the API server, and the hub or registry
    #[arg(long)]
    network_policy: bool,
    /// Write the manifest to this file, readable by you alone, since it may hold a token
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Sign the manifest: writes OUTPUT.sig, which `cosign verify-blob --signature` takes
    #[arg(long, value_name = "KEY", requires = "output")]
    sign_key: Option<PathBuf>,
}

/// Who says what the cluster is to run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Source options")]
struct SourceArgs {
    /// A hub, `https://HOST[:PORT]`
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "follow",
        required_unless_present = "follow",
        requires = "hub_ca"
    )]
    hub: Option<String>,
    /// The only certificate authority that the hub's certificate may come from (PEM)
    #[arg(long, value_name = "FILE", requires = "hub")]
    hub_ca: Option<PathBuf>,
    /// The keys whose desired states count (JSON); those that the hub names when it is joined, if not given
    #[arg(long, value_name = "FILE", requires = "hub")]
    keyring: Option<PathBuf>,
    /// A file with the one-time token to join with, `ID.SECRET`
    #[arg(long, value_name = "FILE", requires = "hub")]
    token_file: Option<PathBuf>,
    /// A bundle in a registry, by a tag that moves or by a digest: HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]
    #[arg(long, value_name = "REFERENCE")]
    follow: Option<cairn_spec::Reference>,
    /// How often the tag is looked up, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    interval: u64,
    /// How the cluster is to be treated: windows, drift, adoption and so on, as JSON
    #[arg(long, value_name = "FILE", requires = "follow")]
    policy: Option<PathBuf>,
    /// Refuse bundles whose signature names no generation
    #[arg(long, requires = "follow")]
    require_generation: bool,
    /// The group of clusters that this one is in
    #[arg(long, value_name = "NAME", requires = "follow")]
    group: Option<String>,
}

impl AgentManifest {
    pub(crate) fn run(self, environment: &Environment, output: &Output) -> Outcome {
        let permissions = self.permissions(environment, output)?;
        let logins = self.registry_logins.as_deref().map(read_text).transpose()?;
        let install = Install {
            image: self.image.clone(),
            source: self.source(output)?,
            permissions,
            registry_logins: logins,
            registry_ca: self.registry_ca.as_deref().map(read_text).transpose()?,
            network_policy: self.network_policy,
        };
        let text = manifest(&install);
        let Some(path) = &self.output else {
            output.data(&text);
            return Ok(());
        };
        write_secret(path, &text)?;
        if let Some(key) = &self.sign_key {
            let key = read_private_key(key, environment)?;
            let mut signature = path.clone().into_os_string();
            signature.push(".sig");
            let signed = BASE64.encode(key.sign(text.as_bytes()));
            write_file(Path::new(&signature), signed.as_bytes())?;
        }
        Ok(())
    }

    fn permissions(
        &self,
        environment: &Environment,
        output: &Output,
    ) -> Result<Permissions, Failure> {
        if self.cluster_admin {
            output.warning("the agent may do everything in the cluster (--cluster-admin)");
            return Ok(Permissions::ClusterAdmin);
        }
        let rights = self.rights.derive(environment, output)?;
        Ok(Permissions::Derived(rights))
    }

    fn source(&self, output: &Output) -> Result<Source, Failure> {
        let source = &self.source;
        let read = |path: &Option<PathBuf>| path.as_deref().map(read_text).transpose();
        if let Some(url) = &source.hub {
            if !url.starts_with("https://") {
                return Err(Failure::new(
                    ExitCode::Usage,
                    anyhow!("`{url}` is no address of a hub"),
                )
                .hint("a hub is spoken to by TLS alone: https://HOST[:PORT]"));
            }
            let token = read(&source.token_file)?;
            return Ok(Source::Hub {
                url: url.clone(),
                ca: read(&source.hub_ca)?.unwrap_or_default(),
                keyring: self.keyring()?,
                token: token.map(|token| token.trim().to_owned()),
            });
        }
        let Some(follow) = &source.follow else {
            return Err(Failure::new(
                ExitCode::Usage,
                anyhow!("neither a hub nor a bundle to follow is named"),
            ));
        };
        let policy = read(&source.policy)?;
        if let Some(policy) = &policy {
            serde_json::from_str::<cairn_spec::agent::Policy>(policy)
                .map_err(|error| Failure::new(ExitCode::InvalidInput, error))
                .map_err(|failure| failure.hint("spec/agent.md describes policies"))?;
        }
        Ok(Source::Registry {
            bundle: follow.to_string(),
            interval_s: source.interval,
            trust: self.trust_policy(output)?,
            policy,
            require_generation: source.require_generation,
            group: source.group.clone(),
        })
    }

    /// The keyring, if it is one.
    fn keyring(&self) -> Result<Option<String>, Failure> {
        let Some(path) = &self.source.keyring else {
            return Ok(None);
        };
        let keyring = read_keyring(path)?;
        let text = keyring.write().map_err(|error| refused(error.into()))?;
        Ok(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    /// The trust policy for the agent, with its keys in it, since a pod has no other files.
    fn trust_policy(&self, output: &Output) -> Result<String, Failure> {
        let default = PathBuf::from(DEFAULT_TRUST_POLICY);
        let path = self.rights.trust.trust.as_ref().unwrap_or(&default);
        load_policy(path, output)?;
        let text = read_text(path)?;
        let mut policy: PolicyFile = serde_yaml::from_str(&text)
            .with_context(|| format!("failed to read `{}`", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for key in policy.rules.iter_mut().flat_map(|rule| &mut rule.keys) {
            if let Some(file) = key.path.take() {
                key.pem = Some(read_text(&folder.join(file))?);
            }
        }
        let text = serde_yaml::to_string(&policy).context("failed to write the trust policy")?;
        Ok(text)
    }
}
