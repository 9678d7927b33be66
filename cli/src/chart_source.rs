//! Helm charts from their repositories, kept in a cache by the digests of their archives.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use cairn_compiler::{ChartsToFetch, FetchedChart, InputError, WantedPackChart, charts_to_fetch};
use cairn_oci::Progress;
use cairn_oci::{
    Client, Error, chain,
    charts::{self, ChartVersion},
    trust::{ChartTrust, TrustPolicy},
};
use cairn_spec::{
    ApiVersion, ChartName, ChartRepository, Digest, File, FileTree, LockedChart, Node, PackLock,
    PackLockKind, Version, yaml::write_manifest,
};
use clap::Args;
use tokio::runtime::{Handle, Runtime};

use crate::{
    chart_mirrors::{ChartMirrorArgs, ChartMirrors},
    client::{ClientArgs, runtime},
    config::Environment,
    exit::Failure,
    files::write_file,
};

/// Where the charts of a pack may come from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ChartArgs {
    /// Use no network: charts of repositories come from the cache
    #[arg(long)]
    pub(crate) offline: bool,
    /// Fail when `pack.lock` would change
    #[arg(long)]
    pub(crate) locked: bool,
    #[command(flatten)]
    pub(crate) mirrors: ChartMirrorArgs,
}

impl ChartArgs {
    /// What fetches the charts of packs.
    pub(crate) fn fetcher(
        &self,
        client: &ClientArgs,
        environment: &Environment,
    ) -> Result<PackCharts, Failure> {
        let runtime = runtime()?;
        let charts = Charts::new(
            client.client(environment, Progress::default())?,
            runtime.handle().clone(),
            ChartPlaces {
                cache: environment.cache.clone(),
                offline: self.offline,
                mirrors: self.mirrors.mirrors(environment)?,
                demand: Demand::default(),
            },
        );
        Ok(PackCharts {
            charts,
            choice: if self.locked {
                Choice::Locked
            } else {
                Choice::Keep
            },
            _runtime: runtime,
        })
    }
}

/// Fetches the charts of packs, on a runtime of its own.
pub(crate) struct PackCharts {
    pub(crate) charts: Charts,
    pub(crate) choice: Choice,
    _runtime: Runtime,
}

impl PackCharts {
    /// A pack with all its charts.
    pub(crate) fn complete(&self, tree: FileTree) -> Result<FileTree, InputError> {
        self.charts.complete(tree, self.choice)
    }
}

/// The code of what cannot be had without a network.
pub(crate) const OFFLINE: &str = "offline";

/// The versions of charts, by repository and name.
type KnownVersions = HashMap<(ChartRepository, ChartName), Arc<[ChartVersion]>>;

/// Where charts may come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChartPlaces {
    /// The folder of what can be fetched again; without it, nothing is kept.
    pub(crate) cache: Option<PathBuf>,
    /// No network is used.
    pub(crate) offline: bool,
    /// What stands for repositories.
    pub(crate) mirrors: ChartMirrors,
    /// What charts need to be used.
    pub(crate) demand: Demand,
}

/// What charts need to be used.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demand {
    /// Without a policy, nothing.
    pub(crate) policy: Option<TrustPolicy>,
    /// Whoever asked wants a digest to be chosen, to be read and committed with the lock.
    pub(crate) binds: bool,
}

impl Demand {
    /// The policy that a signature on a chart must satisfy; none where it needs none.
    fn signature(&self, is_bound: bool) -> Option<&TrustPolicy> {
        let policy = self.policy.as_ref()?;
        let is_needed = match policy.charts() {
            ChartTrust::Any => false,
            ChartTrust::Bound => !is_bound && !self.binds,
            ChartTrust::Signed => true,
        };
        is_needed.then_some(policy)
    }
}

/// Charts from repositories and from the cache.
pub(crate) struct Charts {
    client: Client,
    runtime: Handle,
    cache: ChartCache,
    /// No network is used.
    offline: bool,
    mirrors: ChartMirrors,
    demand: Demand,
    /// What repositories said they have.
    known: Mutex<KnownVersions>,
}

impl Charts {
    pub(crate) fn new(client: Client, runtime: Handle, places: ChartPlaces) -> Self {
        Self {
            client,
            runtime,
            cache: ChartCache {
                folder: places.cache,
            },
            offline: places.offline,
            mirrors: places.mirrors,
            demand: places.demand,
            known: Mutex::default(),
        }
    }

    /// The versions of a chart that a repository has.
    pub(crate) fn versions(
        &self,
        repository: &ChartRepository,
        chart: &ChartName,
    ) -> Result<Vec<Version>, InputError> {
        let found = self.find(repository, chart)?;
        Ok(found.iter().map(|found| found.version.clone()).collect())
    }

    /// The archive of a chart, from the cache if its digest is known. If the trust policy asks for a
    /// signature, that is verified before.
    pub(crate) fn fetch(
        &self,
        repository: &ChartRepository,
        chart: &ChartName,
        version: &Version,
        digest: Option<&Digest>,
    ) -> Result<FetchedChart, InputError> {
        let Some(policy) = self.demand.signature(digest.is_some()) else {
            return self.fetch_any(repository, chart, version, digest);
        };
        let signed = self.signed_digest(repository, chart, version, policy)?;
        if let Some(digest) = digest.filter(|digest| **digest != signed) {
            let message = format!(
                "the chart `{chart}` {version} of {repository} has the digest `{digest}` by the profile or its lock, and what is signed has `{signed}`"
            );
            return Err(InputError::new("chart-digest", message)
                .hint("do not use it unless whoever signed it says why"));
        }
        self.fetch_any(repository, chart, version, Some(&signed))
    }

    /// The digest of an archive, by a signature that the policy trusts.
    fn signed_digest(
        &self,
        repository: &ChartRepository,
        chart: &ChartName,
        version: &Version,
        policy: &TrustPolicy,
    ) -> Result<Digest, InputError> {
        let found = self.find(repository, chart)?;
        let found = found.iter().find(|found| found.version == *version);
        let found = found.ok_or_else(|| version_missing(repository, chart, version))?;
        let place = self.mirrors.place_of(repository);
        let signed = charts::signed_digest(&self.client, &place, chart, found, policy);
        self.runtime.block_on(signed).map_err(|error| match &error {
            Error::Untrusted { .. } => untrusted(&error, policy),
            _ => failed(repository, &place, &error),
        })
    }

    fn fetch_any(
        &self,
        repository: &ChartRepository,
        chart: &ChartName,
        version: &Version,
        digest: Option<&Digest>,
    ) -> Result<FetchedChart, InputError> {
        if let Some(digest) = digest
            && let Some(archive) = self.cache.get(digest)
        {
            return Ok(FetchedChart {
                archive,
                digest: digest.clone(),
            });
        }
        if self.offline {
            return Err(offline(&format!(
                "the chart `{chart}` {version} of {repository} is not in the cache"
            )));
        }
        let bytes = self.download(repository, chart, version, digest)?;
        let digest = Digest::sha256(&bytes);
        self.cache.put(&digest, &bytes);
        Ok(FetchedChart {
            archive: bytes.to_vec().into(),
            digest,
        })
    }

    fn download(
        &self,
        repository: &ChartRepository,
        chart: &ChartName,
        version: &Version,
        digest: Option<&Digest>,
    ) -> Result<bytes::Bytes, InputError> {
        let place = self.mirrors.place_of(repository);
        if let Some(digest) = digest {
            let found = charts::fetch_by_digest(&self.client, &place, chart, digest);
            let found = self.runtime.block_on(found);
            if let Some(bytes) = found.map_err(|error| failed(repository, &place, &error))? {
                return Ok(bytes);
            }
        }
        let found = self.find(repository, chart)?;
        let found = found.iter().find(|found| found.version == *version);
        let found = found.ok_or_else(|| version_missing(repository, chart, version))?;
        let fetched = charts::fetch(&self.client, &place, chart, found, digest);
        self.runtime
            .block_on(fetched)
            .map_err(|error| failed(repository, &place, &error))
    }

    fn find(
        &self,
        repository: &ChartRepository,
        chart: &ChartName,
    ) -> Result<Arc<[ChartVersion]>, InputError> {
        if self.offline {
            return Err(offline(&format!(
                "which versions of the chart `{chart}` {repository} has is not known"
            )));
        }
        let key = (repository.clone(), chart.clone());
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&key) {
            return Ok(Arc::clone(found));
        }
        let place = self.mirrors.place_of(repository);
        let found: Arc<[ChartVersion]> = self
            .runtime
            .block_on(charts::versions(&self.client, &place, chart))
            .map_err(|error| failed(repository, &place, &error))?
            .into();
        known().insert(key, Arc::clone(&found));
        Ok(found)
    }

    /// A pack with the charts that it wants of repositories, each in `charts/` and in `pack.lock`.
    pub(crate) fn complete(&self, tree: FileTree, choice: Choice) -> Result<FileTree, InputError> {
        let ChartsToFetch { wanted, locked } = charts_to_fetch(&tree);
        if wanted.is_empty() {
            return Ok(tree);
        }
        let mut fetched = Vec::new();
        let mut lock = Vec::new();
        for chart in &wanted {
            let known = chart.locked(&locked);
            if known.is_none() && choice == Choice::Locked {
                return Err(InputError::new(
                    "lock-stale",
                    format!("`pack.lock` has no version of the chart `{}` for `{}`, and `--locked` forbids to choose one", chart.name, chart.range),
                )
                .hint("run `cairn pack build` without `--locked` and commit `pack.lock`"));
            }
            let (entry, archive) = self.chosen(chart, known)?;
            fetched.push((chart.path(&entry.version), archive));
            lock.push(entry);
        }
        lock.sort_by(|a, b| a.name.cmp(&b.name));
        let lock = lock_text(lock);
        let mut whole = FileTree::new();
        let add = |whole: &mut FileTree, path: &str, file: File| {
            let added = path.parse().and_then(|path| whole.insert(path, file));
            added.map_err(|error| InputError::new("file", error.to_string()))
        };
        for (path, file) in tree.iter() {
            if path.as_str() != LOCK {
                add(&mut whole, path.as_str(), file.clone())?;
            }
        }
        for (path, bytes) in fetched
            .into_iter()
            .chain([(LOCK.to_owned(), lock.into_bytes().into())])
        {
            let file = File {
                bytes,
                executable: false,
            };
            add(&mut whole, &path, file)?;
        }
        Ok(whole)
    }

    fn chosen(
        &self,
        chart: &WantedPackChart,
        known: Option<&LockedChart>,
    ) -> Result<(LockedChart, Arc<[u8]>), InputError> {
        let (version, digest) = match known {
            Some(known) => (known.version.clone(), Some(&known.digest)),
            None => (self.highest(chart)?, chart.digest.as_ref()),
        };
        let fetched = self.fetch(&chart.repository, &chart.name, &version, digest)?;
        let entry = LockedChart {
            name: chart.name.clone(),
            version,
            repository: chart.repository.clone(),
            range: chart.range.clone(),
            digest: fetched.digest,
            required_by: Vec::new(),
        };
        Ok((entry, fetched.archive))
    }

    fn highest(&self, chart: &WantedPackChart) -> Result<Version, InputError> {
        // A whole version needs nobody to choose it, so that a pinned chart in the cache will do.
        if let (Ok(version), Some(_)) = (chart.range.as_str().parse::<Version>(), &chart.digest)
            && chart.range.matches(&version)
        {
            return Ok(version);
        }
        let versions = self.versions(&chart.repository, &chart.name)?;
        chart.range.highest(&versions).cloned().ok_or_else(|| {
            let message = format!(
                "no version of the chart `{}` at {} matches `{}`",
                chart.name, chart.repository, chart.range
            );
            InputError::new("chart-version", message).hint(cairn_compiler::newest(&versions))
        })
    }
}

/// How versions of a pack's charts are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// What is locked and fits is kept, the rest is chosen.
    Keep,
    /// Nothing is chosen: what is not locked is an error.
    Locked,
}

/// The name of a pack's lock.
pub(crate) const LOCK: &str = "pack.lock";

/// Writes the lock of a pack that was completed beside its manifest.
pub(crate) fn write_lock(folder: &Path, tree: &FileTree) -> anyhow::Result<()> {
    let Some(lock) = tree.get(LOCK) else {
        return Ok(());
    };
    let path = folder.join(LOCK);
    if fs::read(&path).is_ok_and(|old| old == *lock.bytes) {
        return Ok(());
    }
    write_file(&path, &lock.bytes)
}

fn lock_text(charts: Vec<LockedChart>) -> String {
    let lock = PackLock {
        api_version: ApiVersion,
        kind: PackLockKind,
        charts,
    };
    let json = serde_json::to_value(&lock).unwrap_or_default();
    format!(
        "# Written by `cairn pack build`; commit it.\n{}",
        write_manifest(&Node::from(json).value)
    )
}

/// Archives by their digests. What is in there is checked when it is read; without a folder, nothing
/// is kept.
struct ChartCache {
    folder: Option<PathBuf>,
}

impl ChartCache {
    fn path(&self, digest: &Digest) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        let algorithm = digest.algorithm().as_str();
        Some(folder.join("charts").join(algorithm).join(digest.hex()))
    }

    fn get(&self, digest: &Digest) -> Option<Arc<[u8]>> {
        let path = self.path(digest)?;
        let size = fs::metadata(&path).ok()?.len();
        if size > charts::MAX_CHART_BYTES as u64 {
            return None;
        }
        let bytes = fs::read(&path).ok()?;
        digest.matches(&bytes).then(|| bytes.into())
    }

    /// A cache that cannot be written to is as good as none.
    fn put(&self, digest: &Digest, bytes: &[u8]) {
        let Some(path) = self.path(digest) else {
            return;
        };
        if let Err(error) = write_file(&path, bytes) {
            tracing::debug!("the cache of charts cannot be written to: {error:#}");
        }
    }
}

fn offline(message: &str) -> InputError {
    InputError::new(
        OFFLINE,
        format!("{message}, and `--offline` forbids to ask"),
    )
    .hint("run it once without `--offline`")
}

fn version_missing(
    repository: &ChartRepository,
    chart: &ChartName,
    version: &Version,
) -> InputError {
    InputError::new(
        "chart-version",
        format!("{repository} has no version {version} of the chart `{chart}` any more"),
    )
    .hint("choose another version, or ask the repository's owner")
}

/// A chart that the policy refuses.
fn untrusted(error: &Error, policy: &TrustPolicy) -> InputError {
    let made = InputError::new("chart-untrusted", chain(error));
    let signed = error.hint().unwrap_or_default();
    if policy.charts() == ChartTrust::Signed {
        return made.hint(signed);
    }
    made.hint(format!("the trust policy has `charts: bound`, and nothing says the chart's digest: write `digest: sha256:…` beside it, or let `cairn profile update` write it to the lock, look at it and commit it; or {signed}"))
}

fn failed(repository: &ChartRepository, place: &ChartRepository, error: &Error) -> InputError {
    let from = if place == repository {
        repository.to_string()
    } else {
        format!("{place}, the mirror of {repository}")
    };
    let code = match error {
        Error::Content { .. } => "chart-digest",
        Error::NotFound { .. } => "chart-missing",
        _ => "chart-repository",
    };
    let made = InputError::new(
        code,
        format!("failed to fetch from {from}: {}", chain(error)),
    );
    match (error, error.hint()) {
        (Error::Content { .. }, _) => made.hint("the repository has other content under this version now: do not use it unless its owner says why"),
        (_, Some(hint)) => made.hint(hint),
        (_, None) => made.hint("check the address of the repository, and the network"),
    }
}
