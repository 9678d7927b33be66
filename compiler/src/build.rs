//! The build: profile, cluster and packs in; bundle, lock and findings out.
//!
//! [`compile`] is the table of contents; each step is a module of its own.

use cairn_spec::{
    ChartName, Diagnostic, FileTree, LayerName, Lock, PackName, SourceKind, VariableName,
};

use crate::{
    PackSource, ProfileFiles, Session,
    bundle::{BundleParts, write_bundle, write_lock},
    collect,
    constraints::{self, Requirement},
    explain::Explainable,
    image,
    layers::Rendering,
    order::{Ordered, order},
    patches,
    profile::{Bound, Cluster, Setting, Stack, bind, load_cluster, load_profile},
    resolve::{ResolvedLayer, Resolver, lock_of, target_kubernetes},
    scope::{self, Facts},
    secrets,
    summary::{LayerSummary, summaries},
    values::interpolate::Interpolator,
};

/// What to build.
#[derive(Debug, Clone, Default)]
pub struct BuildRequest {
    /// The profile's file.
    pub profile: String,
    /// The cluster's file, when the profile is built for one.
    pub cluster: Option<String>,
    /// Variables set on the command line, as YAML; they win over the cluster's.
    pub variables: Vec<(VariableName, String)>,
    /// The text of `profile.lock`, when there is one.
    pub lock: Option<String>,
    /// What to do with it.
    pub lock_mode: LockMode,
}

/// What to do with the lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LockMode {
    /// Keep what is locked and still fits, choose the rest.
    #[default]
    Keep,
    /// Choose nothing: what is not locked is an error.
    Locked,
    /// Choose these packs, and charts of these names, anew; all when empty.
    Update(Vec<PackName>),
}

impl LockMode {
    pub(crate) fn updates(&self, pack: &PackName) -> bool {
        self.updates_named(pack.as_str())
    }

    pub(crate) fn updates_chart(&self, chart: &ChartName) -> bool {
        self.updates_named(chart.as_str())
    }

    fn updates_named(&self, name: &str) -> bool {
        matches!(self, Self::Update(packs) if packs.is_empty() || packs.iter().any(|pack| pack.as_str() == name))
    }
}

/// What a build made.
#[derive(Debug)]
pub struct Build {
    /// The texts and findings; without errors, the bundle is there.
    pub session: Session,
    /// The bundle.
    pub bundle: Option<FileTree>,
    /// The text of the lock, when every pack was resolved.
    pub lock: Option<String>,
    /// The layers in order, as far as they could be resolved.
    pub layers: Vec<LayerSummary>,
    /// The objects, and what is known of their making.
    pub explainable: Explainable,
}

/// Builds a profile. All problems are reported; the bundle is made only when there is no error.
pub fn build(request: &BuildRequest, files: &dyn ProfileFiles, packs: &dyn PackSource) -> Build {
    let mut session = Session::default();
    let output = compile(request, files, packs, &mut session).unwrap_or_default();
    Build {
        bundle: output.bundle.filter(|_| !session.diagnostics.has_errors()),
        lock: output.lock,
        layers: output.layers,
        explainable: output.explainable,
        session,
    }
}

#[derive(Default)]
struct Output {
    bundle: Option<FileTree>,
    lock: Option<String>,
    layers: Vec<LayerSummary>,
    explainable: Explainable,
}

/// What the user wrote.
struct Inputs {
    stack: Stack,
    cluster: Option<Cluster>,
    /// What was locked before.
    locked: Option<Lock>,
    variables: Bound,
}

fn compile(
    request: &BuildRequest,
    files: &dyn ProfileFiles,
    packs: &dyn PackSource,
    session: &mut Session,
) -> Option<Output> {
    let inputs = read_inputs(request, files, session)?;
    let (stack, cluster) = (&inputs.stack, &inputs.cluster);
    let resolved = Resolver {
        packs,
        files,
        lock: inputs.locked.as_ref(),
        mode: &request.lock_mode,
    }
    .resolve(stack, session);
    let lock = settle_lock(request, &inputs, &resolved, session);
    let kubernetes = target_kubernetes(stack, &resolved, session);
    let requirements = constraints::check(stack, &resolved, kubernetes.as_ref(), session);

    let facts = Facts::new(stack, cluster.as_ref());
    let scope = scope::scope(
        stack,
        &resolved,
        &facts,
        &inputs.variables.bindings,
        session,
    );
    let mut interpolator = Interpolator::new(&scope);
    let values = scope::final_values(&resolved, &mut interpolator, session);

    // Values that refer to each other in a loop make their layers wait for each other, too.
    let is_loop = |finding: &Diagnostic| finding.code == "reference-cycle";
    let requirements = if session.diagnostics.iter().any(is_loop) {
        requirements
    } else {
        with_reads(requirements, &resolved, &interpolator)
    };
    let (order, edges) = order(&ordered(&resolved), &requirements, session);
    let in_order: Vec<&ResolvedLayer> = order.iter().map(|&index| &resolved[index]).collect();
    let Some(kubernetes) = kubernetes else {
        return Some(Output {
            layers: summaries(&in_order, &[], &[], &requirements),
            lock: lock.as_ref().map(write_lock),
            ..Output::default()
        });
    };
    let (mut objects, outputs) = Rendering {
        files,
        values: &values,
        target: facts.target(&kubernetes),
    }
    .run(&in_order, &mut interpolator, session);
    // With errors so far, not all objects are there: that patches find too few is no news.
    if !session.diagnostics.has_errors() {
        patches::apply(stack, &in_order, &mut objects, &mut interpolator, session);
        collect::check_identities(&objects, session);
    }
    let images = image::settle(&mut objects, &stack.mirrors);
    let shown = secrets::Shown {
        objects: &objects,
        outputs: &outputs,
    };
    let secrets = secrets::secrets(&interpolator, &inputs.variables.secrets, &shown, session);
    let layers = summaries(&in_order, &objects, &outputs, &requirements);
    let bundle = lock
        .as_ref()
        .filter(|_| !session.diagnostics.has_errors())
        .map(|lock| {
            write_bundle(&BundleParts {
                profile: (&stack.name, &stack.version),
                cluster: cluster
                    .as_ref()
                    .map(|cluster| &cluster.manifest.metadata.name),
                kubernetes: &kubernetes,
                layers: in_order.iter().copied().zip(outputs).collect(),
                objects: &objects,
                images: &images,
                edges,
                lock,
                secrets,
                variables: scope::used_variables(&scope, &interpolator),
            })
        });
    Some(Output {
        bundle,
        lock: lock.as_ref().map(write_lock),
        layers,
        explainable: Explainable::new(sorted(resolved, &order), values, objects, &images),
    })
}

/// The layers in their order.
fn sorted(resolved: Vec<ResolvedLayer>, order: &[usize]) -> Vec<ResolvedLayer> {
    let mut left: Vec<Option<ResolvedLayer>> = resolved.into_iter().map(Some).collect();
    let taken = order.iter().map(|&index| left.get_mut(index)?.take());
    taken.flatten().collect()
}

fn read_inputs(
    request: &BuildRequest,
    files: &dyn ProfileFiles,
    session: &mut Session,
) -> Option<Inputs> {
    let mut stack = load_profile(&request.profile, files, session);
    let cluster = request
        .cluster
        .as_ref()
        .and_then(|path| load_cluster(path, files, stack.as_mut(), session));
    let stack = stack?;
    let locked = request.lock.as_ref().and_then(|text| {
        session
            .read_kind::<Lock>("profile.lock", text.as_str(), SourceKind::Lock)
            .map(|(lock, _)| lock)
    });
    let setting = match (&request.cluster, &cluster) {
        (_, Some(cluster)) => Setting::Cluster(cluster),
        (None, None) => Setting::Nobody,
        (Some(_), None) => Setting::Unreadable,
    };
    let variables = bind(&stack, setting, &request.variables, session);
    Some(Inputs {
        stack,
        cluster,
        locked,
        variables,
    })
}

/// The lock of what was resolved, when that is everything; with `--locked` it must be the old one.
fn settle_lock(
    request: &BuildRequest,
    inputs: &Inputs,
    resolved: &[ResolvedLayer],
    session: &mut Session,
) -> Option<Lock> {
    if !inputs.stack.is_complete(resolved.len()) {
        return None;
    }
    let lock = lock_of(&inputs.stack, resolved);
    let stale = request.lock_mode == LockMode::Locked
        && inputs.locked.as_ref().map(without_signers) != Some(without_signers(&lock));
    // A lock that cannot be read is reported already.
    if stale && (request.lock.is_none() || inputs.locked.is_some()) {
        session.report(
            Diagnostic::error(
                "lock-stale",
                "`profile.lock` would change, and `--locked` forbids it",
            )
            .hint("run `cairn profile build` without `--locked` and commit `profile.lock`"),
        );
    }
    Some(lock)
}

/// Who signed a pack is a fact about a registry, not about content: a bundle that is built from a
/// mirror which signs anew is the same bundle.
pub(crate) fn without_signers(lock: &Lock) -> Lock {
    let mut lock = lock.clone();
    for pack in &mut lock.packs {
        pack.signers.clear();
    }
    lock
}

fn ordered(resolved: &[ResolvedLayer]) -> Vec<Ordered<'_>> {
    resolved
        .iter()
        .map(|layer| Ordered {
            name: &layer.layer.name,
            kind: layer.kind,
            span: layer.layer.span,
        })
        .collect()
}

/// A layer that reads another one's values comes after it, as far as that is possible: values are
/// settled before anything is installed, so a read neither turns kinds around nor closes a loop.
fn with_reads(
    mut requirements: Vec<Requirement>,
    resolved: &[ResolvedLayer],
    interpolator: &Interpolator<'_>,
) -> Vec<Requirement> {
    let kind_of = |name: &LayerName| {
        let layer = resolved.iter().find(|layer| layer.layer.name == *name);
        layer.map(|layer| layer.kind)
    };
    for (reader, read) in &interpolator.layer_reads {
        let known = requirements
            .iter()
            .any(|known| known.layer == *reader && known.needs == *read);
        if !known && kind_of(read) <= kind_of(reader) && !needs(&requirements, read, reader) {
            requirements.push(Requirement {
                layer: reader.clone(),
                needs: read.clone(),
                reason: "reads its values".to_owned(),
            });
        }
    }
    requirements
}

/// Whether `layer` needs `other`, directly or through others.
fn needs(requirements: &[Requirement], layer: &LayerName, other: &LayerName) -> bool {
    let mut reached = vec![layer];
    let mut next = 0;
    while let Some(&here) = reached.get(next) {
        if here == other {
            return true;
        }
        for requirement in requirements.iter().filter(|one| one.layer == *here) {
            if !reached.contains(&&requirement.needs) {
                reached.push(&requirement.needs);
            }
        }
        next += 1;
    }
    false
}
