//! Mirrors: content that is kept the same here and in other registries, on a schedule or on command.
//!
//! Copying is `cairn_oci::sync`; here is this registry as a place to copy from and to, and when it
//! is done. Content arrives as a push does, so all policies apply to it.

mod local;
mod schedule;

use std::sync::Arc;

use cairn_oci::{
    Progress,
    sync::{self, RemoteRegistry, Report, Selection, TagSelection, sync},
    trust::TrustPolicy,
};
use cairn_spec::{RepositoryName, VersionRange};

use crate::{
    Error, MirrorConfig, MirrorDirection, Result,
    config::RepositoryNames,
    service::Registry,
    upstream::{Mapping, client},
};
use local::LocalRegistry;

pub(crate) use schedule::run_on_schedule;

/// How often each request to the other registry is made.
const ATTEMPTS: u32 = 4;
/// The host by which trust policies know this registry, unless they were told another.
const OWN_HOST: &str = "localhost";

/// A mirror that is set up.
#[derive(Debug)]
pub(crate) struct Mirror {
    pub(crate) name: String,
    direction: MirrorDirection,
    local: LocalRegistry,
    remote: RemoteRegistry,
    options: sync::Options,
}

impl Mirror {
    /// Reads the password and the trust policy, and prepares the client.
    pub(crate) fn open(
        config: &MirrorConfig,
        registry: Arc<Registry>,
        host: Option<&str>,
    ) -> Result<Self> {
        let invalid = |value: String, source: Box<dyn std::error::Error + Send + Sync>| {
            let setting = "mirrors";
            Error::Config {
                setting,
                value,
                source,
            }
        };
        let (client, remote_host) = client("mirrors", &config.registry, ATTEMPTS)?;
        let versions = config.versions.as_deref();
        let versions = versions.map(str::parse::<VersionRange>).transpose();
        let versions = versions.map_err(|error| invalid(config.name.clone(), error.into()))?;
        let tags = TagSelection::new(&config.tags, versions)
            .map_err(|error| invalid(config.name.clone(), error.into()))?;
        let selection = selection(&config.repositories, config.direction)
            .map_err(|reason| invalid(config.name.clone(), reason.into()))?;
        let policy = config.trust.as_ref().map(|path| {
            let named = path.display().to_string();
            TrustPolicy::load(path).map_err(|error| invalid(named, error.into()))
        });
        Ok(Self {
            name: config.name.clone(),
            direction: config.direction,
            local: LocalRegistry {
                registry,
                host: host.unwrap_or(OWN_HOST).to_owned(),
            },
            remote: RemoteRegistry {
                client,
                host: remote_host,
            },
            options: sync::Options {
                selection: selection.with_tags(tags),
                referrers: config.referrers,
                trust: policy.transpose()?,
                concurrency: config.concurrency,
                dry_run: false,
                progress: Progress::default(),
            },
        })
    }

    /// Says what would be copied instead of copying it.
    pub(crate) fn rehearse(&mut self) {
        self.options.dry_run = true;
    }

    /// Has somebody see content move.
    pub(crate) fn watch(&mut self, progress: Progress) {
        self.options.progress = progress;
    }

    /// Copies what is selected and not there yet.
    pub(crate) async fn run(&self) -> Result<Report> {
        let (here, there) = (&self.local, &self.remote);
        let report = match self.direction {
            MirrorDirection::Pull => sync(there, here, &self.options).await,
            MirrorDirection::Push => sync(here, there, &self.options).await,
        };
        report.map_err(|source| Error::Mirror {
            mirror: self.name.clone(),
            source: source.into(),
        })
    }
}

/// The repositories of a mirror, named by the registry that is copied from.
fn selection(
    repositories: &[RepositoryNames],
    direction: MirrorDirection,
) -> Result<Selection, String> {
    let mappings: Vec<Mapping> = repositories
        .iter()
        .map(Mapping::new)
        .collect::<Result<_, _>>()?;
    let named: Vec<Option<RepositoryName>> = mappings
        .iter()
        .map(|mapping| match direction {
            MirrorDirection::Pull => mapping.one_remote(),
            MirrorDirection::Push => mapping.one_local(),
        })
        .collect();
    let needs_list = named.iter().any(Option::is_none);
    let named = named.into_iter().flatten().collect();
    Ok(Selection::new(named, needs_list, move |name| {
        mappings.iter().find_map(|mapping| match direction {
            MirrorDirection::Pull => mapping.local_of(name),
            MirrorDirection::Push => mapping.remote_of(name),
        })
    }))
}
