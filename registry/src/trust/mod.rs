//! Trust: which content the policy trusts, and what is enforced where.
//!
//! The policy is the one of `spec/signing.md`, decided by the same function as in the command line.
//! Here are the parts that know no records: what an operator configured, a repository as the
//! verifier reads it, and which manifests are about others instead of content of their own. When
//! verdicts are made and kept is in `service/admission.rs`.

mod kind;
mod view;

use std::{path::Path, sync::Arc};

use cairn_oci::trust::TrustPolicy;
use cairn_spec::{Digest, RepositoryName, Tag};
use globset::GlobMatcher;

use crate::{
    Result,
    auth::Invalid,
    config::{EnforceConfig, TrustConfig, TrustMode, glob},
    operations::metrics::WatchedFile,
    watched::{Files, Watch, Watched},
};

pub(crate) use kind::is_about_another;
pub(crate) use view::RepositoryView;

/// A trust policy at work.
#[derive(Debug)]
pub(crate) struct Trust {
    policy: TrustPolicy,
    host: String,
    enforcements: Arc<[Enforcement]>,
}

#[derive(Debug)]
struct Enforcement {
    repositories: GlobMatcher,
    tags: GlobMatcher,
    mode: TrustMode,
}

impl Trust {
    /// Reads the policy and its keys, now and whenever they change. Who decides something takes
    /// what is in force once, and goes by it to the end.
    pub(crate) fn open(config: &TrustConfig, watch: &Watch) -> Result<Arc<Watched<Self>>> {
        let enforcements = config.enforce.iter().map(Enforcement::new);
        let enforcements: Arc<[Enforcement]> = enforcements.collect::<Result<_>>()?;
        let (path, host) = (config.policy.clone(), config.host.clone());
        let read = move |files: &Files| {
            Ok(Self {
                policy: read_policy(&path, files)?,
                host: host.clone(),
                enforcements: Arc::clone(&enforcements),
            })
        };
        Ok(watch.open(WatchedFile::Trust, read)?)
    }

    pub(crate) fn policy(&self) -> &TrustPolicy {
        &self.policy
    }

    /// Changes whenever a verdict could.
    pub(crate) fn fingerprint(&self) -> &Digest {
        self.policy.digest()
    }

    /// The name under which the policy knows a repository.
    pub(crate) fn name_of(&self, repository: &RepositoryName) -> String {
        format!("{}/{repository}", self.host)
    }

    /// What untrusted manifests of a repository get instead of an answer; none if nothing is
    /// enforced on reading.
    pub(crate) fn on_pull(&self, repository: &RepositoryName) -> Option<TrustMode> {
        let modes = || {
            let matching = self.enforcements.iter();
            matching
                .filter(|entry| entry.repositories.is_match(repository.as_str()))
                .map(|entry| entry.mode)
        };
        [TrustMode::Pull, TrustMode::Report]
            .into_iter()
            .find(|mode| modes().any(|other| other == *mode))
    }

    /// A tag moves only to what is trusted.
    pub(crate) fn guards(&self, repository: &RepositoryName, tag: &Tag) -> bool {
        self.enforcements.iter().any(|entry| {
            entry.mode == TrustMode::Tag
                && entry.repositories.is_match(repository.as_str())
                && entry.tags.is_match(tag.as_str())
        })
    }

    /// Something in a repository depends on verdicts.
    pub(crate) fn covers(&self, repository: &RepositoryName) -> bool {
        let mut entries = self.enforcements.iter();
        entries.any(|entry| entry.repositories.is_match(repository.as_str()))
    }
}

fn read_policy(path: &Path, files: &Files) -> Result<TrustPolicy, Invalid> {
    let name = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new(""));
    let text = files.read(path)?;
    let key = |path: &Path| match files.read(&folder.join(path)) {
        Ok(text) => Ok(text.to_string()),
        Err(Invalid {
            place: what,
            reason,
        }) => Err(cairn_oci::Error::Malformed { what, reason }),
    };
    TrustPolicy::parse(&text, &name, key).map_err(|error| match error {
        cairn_oci::Error::Malformed { what, reason } => Invalid::new(what, reason),
        error => Invalid::new(&name, error.to_string()),
    })
}

impl Enforcement {
    fn new(config: &EnforceConfig) -> Result<Self> {
        let matcher = |pattern| glob("trust.enforce", pattern).map(|glob| glob.compile_matcher());
        Ok(Self {
            repositories: matcher(&config.repositories)?,
            tags: matcher(&config.tags)?,
            mode: config.mode,
        })
    }
}
