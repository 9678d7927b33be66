//! Chooses a version for every pack, fetches it, and checks what the packs say of each other.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use cairn_spec::{
    Diagnostic, Digest, LayerKind, LayerName, Lock, LockedChart, LockedPack, PackName,
    RegistrySpec, Span, Version, VersionRange, write_tar,
};

use crate::{
    FetchedPack, LockMode, PackSource, ProfileFiles, Session,
    charts::{AcquiredChart, LoadedChart, ResolvedChart, WantedChart, release_of},
    pack::{self, Pack},
    profile::{Content, Stack, StackLayer},
};

/// A layer whose content is at hand.
#[derive(Debug)]
pub(crate) struct ResolvedLayer {
    pub(crate) layer: StackLayer,
    pub(crate) kind: LayerKind,
    pub(crate) pack: Option<ResolvedPack>,
    /// The chart, of a layer that is one.
    pub(crate) chart: Option<ResolvedChart>,
    /// Its pack or chart was read without an error.
    pub(crate) sound: bool,
}

impl ResolvedLayer {
    /// The charts of the layer, and the names of their releases.
    pub(crate) fn charts(&self) -> impl Iterator<Item = (&LoadedChart, String)> {
        let of_pack = self.pack.iter().flat_map(|resolved| &resolved.pack.charts);
        let own = self.chart.iter().map(|chart| &chart.loaded);
        let is_only = self
            .pack
            .as_ref()
            .is_none_or(|resolved| resolved.pack.charts.len() == 1);
        of_pack.chain(own).map(move |loaded| {
            let written = loaded.release.as_deref();
            let release = release_of(written, &self.layer.name, &loaded.name, is_only);
            (loaded, release)
        })
    }
}

/// A pack that a layer uses.
#[derive(Debug)]
pub(crate) struct ResolvedPack {
    pub(crate) pack: Pack,
    pub(crate) diff_id: Digest,
    /// What the lock says; none for a local folder.
    pub(crate) locked: Option<LockedPack>,
}

/// How to resolve.
pub(crate) struct Resolver<'a> {
    pub(crate) packs: &'a dyn PackSource,
    pub(crate) files: &'a dyn ProfileFiles,
    pub(crate) lock: Option<&'a Lock>,
    pub(crate) mode: &'a LockMode,
}

impl Resolver<'_> {
    /// Resolves every layer; those that cannot be are reported and left out.
    pub(crate) fn resolve(&self, stack: &Stack, session: &mut Session) -> Vec<ResolvedLayer> {
        let wanted: Vec<Option<Wanted<'_>>> = stack
            .layers
            .iter()
            .map(|layer| wanted(stack, layer))
            .collect();
        let acquired = self.acquire_all(&wanted);
        let mut failures: Vec<Diagnostic> = Vec::new();
        let mut layers = Vec::new();
        for ((layer, wanted), acquired) in stack.layers.iter().zip(&wanted).zip(acquired) {
            let before = session.diagnostics.error_count();
            let (mut pack, mut chart) = (None, None);
            match (&layer.content, wanted, acquired) {
                (Content::Manifests { .. }, ..) => {}
                (Content::Local { path, beside, span }, ..) => {
                    pack = self.local(path, beside, *span, session);
                    if pack.is_none() {
                        continue;
                    }
                }
                (_, Some(Wanted::Pack(wanted)), Some(Acquired::Pack(Ok((version, content))))) => {
                    pack = registry_pack(wanted, version, content, session);
                    if pack.is_none() {
                        continue;
                    }
                }
                (_, Some(Wanted::Chart(wanted)), Some(Acquired::Chart(Ok(acquired)))) => {
                    chart = ResolvedChart::load(wanted, acquired, session);
                    if chart.is_none() {
                        continue;
                    }
                }
                (.., acquired) => {
                    if let Some(Acquired::Pack(Err(failure)) | Acquired::Chart(Err(failure))) =
                        acquired
                    {
                        add_failure(&mut failures, *failure);
                    }
                    continue;
                }
            }
            let kind = pack
                .as_ref()
                .map_or(LayerKind::Addon, |pack| pack.pack.manifest.spec.layer);
            layers.push(ResolvedLayer {
                layer: layer.clone(),
                kind,
                pack,
                chart,
                sound: session.diagnostics.error_count() == before,
            });
        }
        for failure in failures {
            session.report(failure);
        }
        layers
    }

    /// Fetches all packs side by side: most of the time goes into waiting for registries.
    fn acquire_all(&self, wanted: &[Option<Wanted<'_>>]) -> Vec<Option<Acquired>> {
        let next = AtomicUsize::new(0);
        let results: Vec<Mutex<Option<Acquired>>> =
            wanted.iter().map(|_| Mutex::new(None)).collect();
        thread::scope(|scope| {
            for _ in 0..MAX_CONCURRENT_FETCHES.min(wanted.iter().flatten().count()) {
                scope.spawn(|| {
                    while let index = next.fetch_add(1, Ordering::Relaxed)
                        && let Some(wanted) = wanted.get(index)
                    {
                        let acquired = wanted.as_ref().map(|wanted| self.acquire(wanted));
                        *results[index]
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner) = acquired;
                    }
                });
            }
        });
        results
            .into_iter()
            .map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect()
    }

    fn acquire(&self, wanted: &Wanted<'_>) -> Acquired {
        match wanted {
            Wanted::Pack(wanted) => Acquired::Pack(self.acquire_pack(wanted)),
            Wanted::Chart(wanted) => {
                let locked = self.lock.map_or(&[][..], |lock| &lock.charts);
                Acquired::Chart(wanted.acquire(self.packs, locked, self.mode))
            }
        }
    }

    fn acquire_pack(&self, wanted: &WantedPack<'_>) -> AcquiredPack {
        let (version, locked) = self.choose(wanted)?;
        let digest = locked.map(|locked| &locked.digest);
        let content = self
            .packs
            .fetch(wanted.registry, wanted.name, &version, digest)
            .map_err(|error| Box::new(error.at(wanted.span)))?;
        Ok((version, content))
    }

    fn local(
        &self,
        path: &str,
        beside: &str,
        span: Option<Span>,
        session: &mut Session,
    ) -> Option<ResolvedPack> {
        let tree = match self.files.read_pack(beside, path) {
            Ok(tree) => tree,
            Err(error) => {
                session.report(error.at(span));
                return None;
            }
        };
        let pack = pack::load_to_render(path, &tree, session)?;
        Some(ResolvedPack {
            pack,
            diff_id: Digest::sha256(&write_tar(&tree)),
            locked: None,
        })
    }

    /// The locked version when it still fits and need not be updated, else the highest that fits.
    fn choose(
        &self,
        wanted: &WantedPack<'_>,
    ) -> Result<(Version, Option<&LockedPack>), Box<Diagnostic>> {
        let locked = self.lock.and_then(|lock| {
            lock.packs.iter().find(|locked| {
                locked.name == *wanted.name
                    && locked.registry == wanted.registry.name
                    && locked.required_by.contains(wanted.layer)
                    && locked.range == *wanted.range
                    && wanted.range.matches(&locked.version)
            })
        });
        if let Some(locked) = locked.filter(|locked| !self.mode.updates(&locked.name)) {
            return Ok((locked.version.clone(), Some(locked)));
        }
        if matches!(self.mode, LockMode::Locked) {
            let diagnostic = Diagnostic::error(
                "lock-stale",
                format!(
                    "the lock has no version of `{}` for `{}`",
                    wanted.name, wanted.range
                ),
            )
            .at(wanted.span)
            .hint("run `cairn profile update` and commit `profile.lock`");
            return Err(Box::new(diagnostic));
        }
        let versions = self
            .packs
            .versions(wanted.registry, wanted.name)
            .map_err(|error| Box::new(error.at(wanted.span)))?;
        match wanted.range.highest(&versions) {
            Some(version) => Ok((version.clone(), None)),
            None => Err(Box::new(no_version(wanted, versions))),
        }
    }
}

/// Adds a failure; one that several layers share, such as a registry that does not answer, is one
/// failure with several places.
fn add_failure(failures: &mut Vec<Diagnostic>, failure: Diagnostic) {
    let same =
        |known: &&mut Diagnostic| (known.code, &known.message) == (failure.code, &failure.message);
    match failures.iter_mut().find(same) {
        Some(known) => known.labels.extend(failure.labels),
        None => failures.push(failure),
    }
}

/// The most packs that are fetched at a time.
const MAX_CONCURRENT_FETCHES: usize = 8;

/// A pack that was chosen and fetched, or why not.
type AcquiredPack = Result<(Version, FetchedPack), Box<Diagnostic>>;

/// What was chosen and fetched for a layer.
enum Acquired {
    Pack(AcquiredPack),
    Chart(AcquiredChart),
}

/// What a layer asks for.
enum Wanted<'a> {
    Pack(WantedPack<'a>),
    Chart(WantedChart<'a>),
}

/// What a layer asks for; none when it asks for nothing, or the registry is not declared.
fn wanted<'a>(stack: &'a Stack, layer: &'a StackLayer) -> Option<Wanted<'a>> {
    match &layer.content {
        Content::Pack {
            name,
            range,
            registry,
            span,
        } => {
            let registry = stack.registries.get(registry)?;
            Some(Wanted::Pack(WantedPack {
                name,
                range,
                registry,
                span: *span,
                layer: &layer.name,
            }))
        }
        Content::Chart { chart, span } => Some(Wanted::Chart(WantedChart {
            chart,
            layer: &layer.name,
            span: *span,
        })),
        _ => None,
    }
}

/// What a layer asks of a registry.
struct WantedPack<'a> {
    name: &'a PackName,
    range: &'a VersionRange,
    registry: &'a RegistrySpec,
    span: Option<Span>,
    layer: &'a LayerName,
}

fn no_version(wanted: &WantedPack<'_>, mut versions: Vec<Version>) -> Diagnostic {
    /// The newest few are shown.
    const SHOWN: usize = 5;
    versions.sort();
    let newest: Vec<String> = versions
        .iter()
        .rev()
        .take(SHOWN)
        .map(ToString::to_string)
        .collect();
    let diagnostic = Diagnostic::error(
        "pack-version",
        format!(
            "no version of `{}` in registry `{}` matches `{}`",
            wanted.name, wanted.registry.name, wanted.range
        ),
    )
    .at(wanted.span);
    if newest.is_empty() {
        diagnostic.hint(format!(
            "`{}` has no versions at {}: push one with `cairn pack push`",
            wanted.name, wanted.registry.url
        ))
    } else if versions.iter().all(Version::is_pre_release) {
        diagnostic.hint(format!(
            "there are only pre-releases: {}; name one to allow them",
            newest.join(", ")
        ))
    } else {
        diagnostic.hint(format!("the newest are {}", newest.join(", ")))
    }
}

fn registry_pack(
    wanted: &WantedPack<'_>,
    version: Version,
    content: FetchedPack,
    session: &mut Session,
) -> Option<ResolvedPack> {
    let pack = pack::load_to_render(
        &format!("{}@{version}", wanted.name),
        &content.tree,
        session,
    )?;
    let metadata = &pack.manifest.metadata;
    if metadata.name != *wanted.name || metadata.version != version {
        session.report(
            Diagnostic::error(
                "pack-identity",
                format!(
                    "the registry has {} {} under the name of `{}` {version}",
                    metadata.name, metadata.version, wanted.name
                ),
            )
            .at(wanted.span)
            .hint("push the pack again with `cairn pack push`, which names it by its `pack.yaml`"),
        );
        return None;
    }
    let locked = LockedPack {
        name: wanted.name.clone(),
        version,
        registry: wanted.registry.name.clone(),
        range: wanted.range.clone(),
        digest: content.digest,
        diff_id: content.diff_id.clone(),
        signers: content.signers,
        required_by: vec![wanted.layer.clone()],
    };
    Some(ResolvedPack {
        pack,
        diff_id: content.diff_id,
        locked: Some(locked),
    })
}

/// The lock of what was resolved: one entry a pack, sorted.
pub(crate) fn lock_of(stack: &Stack, layers: &[ResolvedLayer]) -> Lock {
    let mut packs: Vec<LockedPack> = Vec::new();
    for locked in layers
        .iter()
        .filter_map(|layer| layer.pack.as_ref()?.locked.as_ref())
    {
        let same = |other: &&mut LockedPack| {
            other.name == locked.name
                && other.digest == locked.digest
                && other.range == locked.range
                && other.registry == locked.registry
        };
        match packs.iter_mut().find(same) {
            Some(entry) => entry.required_by.extend(locked.required_by.iter().cloned()),
            None => packs.push(locked.clone()),
        }
    }
    for pack in &mut packs {
        pack.required_by.sort();
    }
    packs.sort_by(|a, b| {
        (&a.name, &a.version, &a.required_by).cmp(&(&b.name, &b.version, &b.required_by))
    });
    Lock {
        api_version: cairn_spec::ApiVersion,
        kind: cairn_spec::LockKind,
        profile: stack.name.clone(),
        packs,
        charts: locked_charts(layers),
    }
}

/// The charts of layers: one entry a chart, sorted.
fn locked_charts(layers: &[ResolvedLayer]) -> Vec<LockedChart> {
    let mut charts: Vec<LockedChart> = Vec::new();
    for locked in layers
        .iter()
        .filter_map(|layer| Some(&layer.chart.as_ref()?.locked))
    {
        let same = |other: &&mut LockedChart| {
            (
                &other.name,
                &other.version,
                &other.repository,
                &other.range,
                &other.digest,
            ) == (
                &locked.name,
                &locked.version,
                &locked.repository,
                &locked.range,
                &locked.digest,
            )
        };
        match charts.iter_mut().find(same) {
            Some(entry) => entry.required_by.extend(locked.required_by.iter().cloned()),
            None => charts.push(locked.clone()),
        }
    }
    for chart in &mut charts {
        chart.required_by.sort();
    }
    charts.sort_by(|a, b| {
        (&a.name, &a.version, &a.required_by).cmp(&(&b.name, &b.version, &b.required_by))
    });
    charts
}

/// The Kubernetes version the profile builds for: its own, or what its Kubernetes layer installs.
pub(crate) fn target_kubernetes(
    stack: &Stack,
    layers: &[ResolvedLayer],
    session: &mut Session,
) -> Option<Version> {
    let installed = layers.iter().find_map(|layer| {
        let pack = &layer.pack.as_ref()?.pack;
        let version = pack.manifest.spec.kubernetes_version.clone()?;
        Some((
            version,
            session.span_at(&pack.manifest_node, "/spec/kubernetesVersion"),
        ))
    });
    match (&stack.kubernetes, installed) {
        (Some((asked, span)), Some((installed, installed_span))) => {
            if (asked.major(), asked.minor()) != (installed.major(), installed.minor()) {
                session.report(
                    Diagnostic::error("kubernetes-version", format!("the profile targets Kubernetes {asked}, but its layer installs {installed}"))
                        .at(*span)
                        .label(installed_span, "installed by this pack"),
                );
            }
            Some(installed)
        }
        (Some((asked, _)), None) => Some(asked.clone()),
        (None, Some((installed, _))) => Some(installed),
        // A layer that could not be resolved may be the one that says it.
        (None, None) if !stack.is_complete(layers.len()) => None,
        (None, None) => {
            session.report(
                Diagnostic::error(
                    "kubernetes-version",
                    "the profile does not say which Kubernetes version it is for",
                )
                .at(stack.span)
                .hint("add a layer with a Kubernetes pack, or `kubernetes: 1.34.1` under `spec`"),
            );
            None
        }
    }
}
