//! The build: profile, cluster and packs in; bundle, lock and findings out.

use std::collections::BTreeMap;

use cairn_spec::{
    BundleSecret, Diagnostic, FileTree, LayerKind, LayerName, Lock, Node, PackName, SecretRef,
    SourceKind, Value, VariableName, Version, yaml,
};

use crate::{
    PackSource, ProfileFiles, Session,
    bundle::{BundleParts, write_bundle, write_lock},
    collect::{Collector, Home},
    constraints::{self, Requirement},
    image,
    object::{self, Object},
    order::{Ordered, order},
    patches,
    profile::{
        self, Cluster, Content, Stack, bind, load_cluster, load_profile, secret_placeholder,
    },
    render::{self, LayerOutput, Target, check_values, named, pack_values},
    resolve::{ResolvedLayer, Resolver, lock_of, target_kubernetes},
    values::interpolate::{Binding, Interpolator, LayerValues, Scope},
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
    /// Choose these packs anew; all when empty.
    Update(Vec<PackName>),
}

impl LockMode {
    pub(crate) fn updates(&self, pack: &PackName) -> bool {
        matches!(self, Self::Update(packs) if packs.is_empty() || packs.contains(pack))
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
}

/// A layer, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSummary {
    /// Its name.
    pub name: LayerName,
    /// Its kind.
    pub kind: LayerKind,
    /// The name and version of its pack.
    pub pack: Option<(PackName, Version)>,
    /// The version range the profile asks for; none for a local folder.
    pub range: Option<String>,
    /// The digest of the pack's manifest, when it comes from a registry.
    pub digest: Option<cairn_spec::Digest>,
    /// The key ids that signed it.
    pub signers: Vec<String>,
    /// The presets that are chosen.
    pub presets: Vec<String>,
    /// The layers it needs, and why.
    pub needs: Vec<(LayerName, String)>,
    /// How many objects it renders.
    pub objects: usize,
    /// How many host files it renders.
    pub host_files: usize,
}

/// Builds a profile. All problems are reported; the bundle is made only when there is no error.
pub fn build(request: &BuildRequest, files: &dyn ProfileFiles, packs: &dyn PackSource) -> Build {
    let mut session = Session::default();
    let output = run(request, files, packs, &mut session);
    let (bundle, lock, layers) = output.unwrap_or_default();
    let bundle = bundle.filter(|_| !session.diagnostics.has_errors());
    Build {
        session,
        bundle,
        lock,
        layers,
    }
}

type Output = (Option<FileTree>, Option<String>, Vec<LayerSummary>);

fn run(
    request: &BuildRequest,
    files: &dyn ProfileFiles,
    packs: &dyn PackSource,
    session: &mut Session,
) -> Option<Output> {
    let stack = load_profile(&request.profile, files, session);
    let mut stack = stack;
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
    let resolver = Resolver {
        packs,
        files,
        lock: locked.as_ref(),
        mode: &request.lock_mode,
    };
    let resolved = resolver.resolve(&stack, session);
    let kubernetes = target_kubernetes(&stack, &resolved, session);
    let requirements = constraints::check(&stack, &resolved, kubernetes.as_ref(), session);
    let complete = resolved.len() == stack.layers.len();
    let lock = complete.then(|| lock_of(&stack, &resolved));

    let given = command_line_variables(request, &stack, session);
    let (bindings, secret_refs) = bind(
        &stack,
        cluster.as_ref(),
        &given,
        &|name| {
            (request.cluster.is_some() && cluster.is_none())
                || request.variables.iter().any(|(other, _)| other == name)
        },
        session,
    );
    let mut compilation = Compilation {
        stack: &stack,
        cluster: cluster.as_ref(),
        files,
        session,
    };
    let scope = compilation.scope(&resolved, bindings);
    let mut interpolator = Interpolator::new(&scope);
    let values = compilation.values(&resolved, &mut interpolator);
    // Values that refer to each other in a loop make their layers wait for each other, too.
    let is_loop = |finding: &Diagnostic| finding.code == "reference-cycle";
    let requirements = if compilation.session.diagnostics.iter().any(is_loop) {
        requirements
    } else {
        with_reads(requirements, &interpolator)
    };
    let ordered: Vec<Ordered<'_>> = resolved
        .iter()
        .map(|layer| Ordered {
            name: &layer.layer.name,
            kind: layer.kind,
            span: layer.layer.span,
        })
        .collect();
    let (order, edges) = order(&ordered, &requirements, compilation.session);
    let kubernetes = kubernetes?;
    let target = compilation.target(&kubernetes);
    let (mut objects, outputs) =
        compilation.render(&resolved, &order, (&values, &target), &mut interpolator);
    let in_order: Vec<&ResolvedLayer> = order.iter().map(|&index| &resolved[index]).collect();
    // With errors so far, not all objects are there: that patches find too few is no news.
    if !compilation.session.diagnostics.has_errors() {
        patches::apply(
            &stack,
            &in_order,
            &mut objects,
            &mut interpolator,
            compilation.session,
        );
    }
    let images = image::settle(&mut objects, &stack.mirrors);
    let secrets = compilation.secrets(&interpolator, &secret_refs, &objects, &outputs);
    let summaries = summaries(&in_order, &objects, &outputs, &requirements);
    let Some(lock) = lock else {
        return Some((None, None, summaries));
    };
    let parts = BundleParts {
        profile: (&stack.name, &stack.version),
        cluster: cluster
            .as_ref()
            .map(|cluster| &cluster.manifest.metadata.name),
        kubernetes: &kubernetes,
        layers: in_order.into_iter().zip(outputs).collect(),
        objects: &objects,
        images: &images,
        edges,
        lock: &lock,
        secrets,
        variables: used_variables(&scope, &interpolator),
    };
    let bundle = (!session.diagnostics.has_errors()).then(|| write_bundle(&parts));
    let lock_text = write_lock(&lock);
    if request.lock_mode == LockMode::Locked
        && request.lock.as_ref().is_some_and(|old| *old != lock_text)
    {
        session.report(
            Diagnostic::error(
                "lock-stale",
                "`profile.lock` would change, and `--locked` forbids it",
            )
            .hint("run `cairn profile build` without `--locked` and commit `profile.lock`"),
        );
    }
    Some((bundle, Some(lock_text), summaries))
}

fn command_line_variables(
    request: &BuildRequest,
    stack: &Stack,
    session: &mut Session,
) -> BTreeMap<VariableName, Node> {
    request
        .variables
        .iter()
        .filter_map(|(name, text)| {
            let is_secret = stack
                .variables
                .get(name)
                .is_some_and(|declared| declared.spec.sensitive);
            // A secret has no business here, and no message may show it.
            let text = if is_secret { "hidden" } else { text.as_str() };
            let (_, node) =
                session.read_yaml(&format!("--var {name}"), text, SourceKind::CommandLine)?;
            Some((name.clone(), node))
        })
        .collect()
}

/// A layer that reads another one's values needs it first.
fn with_reads(
    mut requirements: Vec<Requirement>,
    interpolator: &Interpolator<'_>,
) -> Vec<Requirement> {
    for (reader, read) in &interpolator.layer_reads {
        let new = !requirements
            .iter()
            .any(|known| known.layer == *reader && known.needs == *read);
        if new {
            requirements.push(Requirement {
                layer: reader.clone(),
                needs: read.clone(),
                reason: "reads its values".to_owned(),
            });
        }
    }
    requirements
}

/// The variables that values refer to, without secrets: part of the provenance.
fn used_variables(
    scope: &Scope,
    interpolator: &Interpolator<'_>,
) -> BTreeMap<String, serde_json::Value> {
    interpolator
        .variables
        .iter()
        .filter_map(|name| match scope.variables.get(name)? {
            Binding::Value(node) => Some((name.to_string(), node.to_json())),
            _ => None,
        })
        .collect()
}

fn summaries(
    layers: &[&ResolvedLayer],
    objects: &[Object],
    outputs: &[LayerOutput],
    requirements: &[Requirement],
) -> Vec<LayerSummary> {
    layers
        .iter()
        .enumerate()
        .map(|(index, layer)| {
            let locked = layer.pack.as_ref().and_then(|pack| pack.locked.as_ref());
            LayerSummary {
                name: layer.layer.name.clone(),
                kind: layer.kind,
                pack: layer.pack.as_ref().map(|resolved| {
                    let metadata = &resolved.pack.manifest.metadata;
                    (metadata.name.clone(), metadata.version.clone())
                }),
                range: locked.map(|locked| locked.range.to_string()),
                digest: locked.map(|locked| locked.digest.clone()),
                signers: locked
                    .map(|locked| locked.signers.clone())
                    .unwrap_or_default(),
                presets: layer
                    .layer
                    .presets
                    .iter()
                    .map(|(name, _)| name.to_string())
                    .collect(),
                needs: requirements
                    .iter()
                    .filter(|requirement| requirement.layer == layer.layer.name)
                    .map(|requirement| (requirement.needs.clone(), requirement.reason.clone()))
                    .collect(),
                objects: objects
                    .iter()
                    .filter(|object| object.layer == index)
                    .count(),
                host_files: outputs.get(index).map_or(0, |output| output.host.len()),
            }
        })
        .collect()
}

struct Compilation<'a> {
    stack: &'a Stack,
    cluster: Option<&'a Cluster>,
    files: &'a dyn ProfileFiles,
    session: &'a mut Session,
}

impl Compilation<'_> {
    /// What references can refer to: merged values of every layer, variables, cluster and profile.
    fn scope(
        &mut self,
        resolved: &[ResolvedLayer],
        variables: BTreeMap<VariableName, Binding>,
    ) -> Scope {
        let mut layers = BTreeMap::new();
        for layer in resolved {
            let defaults = match &layer.pack {
                Some(resolved) => pack_values(&resolved.pack, &layer.layer.presets, self.session),
                None => profile::StackLayer::no_defaults(),
            };
            let schema = layer
                .pack
                .as_ref()
                .and_then(|resolved| resolved.pack.schema.as_ref());
            let values = layer.layer.merged_values(defaults, schema, self.session);
            let exports = layer.pack.as_ref().map(|resolved| {
                resolved
                    .pack
                    .manifest
                    .spec
                    .exports
                    .keys()
                    .cloned()
                    .collect()
            });
            layers.insert(layer.layer.name.clone(), LayerValues { values, exports });
        }
        let broken = self
            .stack
            .layers
            .iter()
            .map(|layer| layer.name.clone())
            .filter(|name| !layers.contains_key(name))
            .collect();
        Scope {
            variables,
            layers,
            broken,
            cluster: self.cluster.map(|_| self.cluster_node()),
            profile: Some(self.profile_node()),
        }
    }

    fn cluster_node(&self) -> Node {
        let (name, labels) = match self.cluster {
            Some(cluster) => (
                cluster.manifest.metadata.name.to_string(),
                cluster.node.pointer("/metadata/labels").cloned(),
            ),
            None => (self.stack.name.to_string(), None),
        };
        let mut node = named(&[("name", &name)]);
        if let Some(map) = node.as_map_mut() {
            map.insert("labels", labels.unwrap_or_else(|| named(&[])));
        }
        node
    }

    fn profile_node(&self) -> Node {
        named(&[
            ("name", self.stack.name.as_str()),
            ("version", &self.stack.version.to_string()),
        ])
    }

    fn target(&self, kubernetes: &Version) -> Target {
        Target {
            kubernetes: kubernetes.clone(),
            profile: self.profile_node(),
            cluster: self.cluster_node(),
        }
    }

    /// The final values of every layer, references resolved and checked against the packs' schemas.
    fn values(
        &mut self,
        resolved: &[ResolvedLayer],
        interpolator: &mut Interpolator<'_>,
    ) -> BTreeMap<LayerName, Node> {
        let mut all = BTreeMap::new();
        for layer in resolved {
            let before = self.session.diagnostics.error_count();
            let values = interpolator.layer(&layer.layer.name, self.session);
            // After a reference failed, its place holds null: that it does not fit is no news.
            if self.session.diagnostics.error_count() == before {
                let schema = layer
                    .pack
                    .as_ref()
                    .and_then(|resolved| resolved.pack.schema.as_ref());
                check_values(&values, schema, self.session);
            }
            all.insert(layer.layer.name.clone(), values);
        }
        all
    }

    /// Renders all layers in order; then every object gets its namespace and its identity.
    fn render(
        &mut self,
        resolved: &[ResolvedLayer],
        order: &[usize],
        (values, target): (&BTreeMap<LayerName, Node>, &Target),
        interpolator: &mut Interpolator<'_>,
    ) -> (Vec<Object>, Vec<LayerOutput>) {
        let mut collector = Collector::default();
        let mut outputs = Vec::new();
        for &index in order {
            let layer = &resolved[index];
            // Values with errors give a cascade of template errors that say nothing new.
            let output = match &layer.pack {
                Some(_) if self.session.diagnostics.has_errors() => LayerOutput::default(),
                Some(pack) => {
                    let input = render::Layer {
                        name: &layer.layer.name,
                        kind: layer.kind,
                        pack: &pack.pack,
                        values: &values[&layer.layer.name],
                        namespace: namespace_of(layer),
                    };
                    render::render(&input, target, self.session)
                }
                None => self.manifests(layer, interpolator),
            };
            collector.learn(&output.objects);
            outputs.push(output);
        }
        let no_labels = BTreeMap::new();
        for (position, (&index, output)) in order.iter().zip(&mut outputs).enumerate() {
            let objects = std::mem::take(&mut output.objects);
            let layer = &resolved[index];
            let labels = layer.pack.as_ref().map_or(&no_labels, |resolved| {
                &resolved.pack.manifest.spec.namespace_labels
            });
            collector.add(
                position,
                Home {
                    namespace: namespace_of(layer),
                    labels,
                },
                objects,
                self.session,
            );
        }
        (collector.objects, outputs)
    }

    /// The objects of a layer of plain manifests, references resolved.
    fn manifests(
        &mut self,
        layer: &ResolvedLayer,
        interpolator: &mut Interpolator<'_>,
    ) -> LayerOutput {
        let mut output = LayerOutput::default();
        let Content::Manifests { globs, beside } = &layer.layer.content else {
            return output;
        };
        for (glob, span) in globs {
            let texts = match self.files.glob(beside, glob) {
                Ok(texts) => texts,
                Err(error) => {
                    self.session.report(error.at(*span));
                    continue;
                }
            };
            if texts.is_empty() {
                self.session.report(
                    Diagnostic::error("manifests-none", format!("no file matches `{glob}`"))
                        .at(*span)
                        .hint("globs are relative to the file they stand in; `*` stays within a folder, `**` crosses folders"),
                );
            }
            for text in texts {
                let source =
                    self.session
                        .sources
                        .add(text.name.as_str(), text.text, SourceKind::Profile);
                let reading = yaml::read(&self.session.sources, source, &mut self.session.origins);
                self.session.diagnostics.append(reading.diagnostics);
                for document in reading.documents {
                    let resolved = interpolator.tree(&document.root, self.session);
                    output
                        .objects
                        .extend(object::expand(resolved, self.session));
                }
            }
        }
        output
    }

    /// The secrets that the bundle refers to. A secret that no object shows was swallowed by a template.
    fn secrets(
        &mut self,
        interpolator: &Interpolator<'_>,
        secret_refs: &BTreeMap<VariableName, SecretRef>,
        objects: &[Object],
        outputs: &[LayerOutput],
    ) -> BTreeMap<VariableName, BundleSecret> {
        let mut secrets = BTreeMap::new();
        for name in &interpolator.secrets {
            let placeholder = secret_placeholder(name);
            let mut shown = outputs
                .iter()
                .flat_map(|output| output.host.values())
                .any(|bytes| {
                    bytes
                        .windows(placeholder.len())
                        .any(|window| window == placeholder.as_bytes())
                });
            for object in objects {
                object.node.walk(&mut |node| {
                    shown |= matches!(&node.value, Value::String(text) if text.contains(&placeholder));
                });
            }
            if !shown && !self.session.diagnostics.has_errors() {
                self.session.report(
                    Diagnostic::warning("secret-not-shown", format!("no object holds the secret `{name}` as it is, so the agent cannot fill it in"))
                        .hint("a template encodes it: use `stringData` instead of `data` with `b64enc`"),
                );
            }
            let secret_ref = secret_refs.get(name).cloned();
            secrets.insert(
                name.clone(),
                BundleSecret {
                    secret_ref,
                    placeholder,
                },
            );
        }
        secrets
    }
}

/// The namespace of a layer: the profile's choice, else the pack's.
fn namespace_of(layer: &ResolvedLayer) -> Option<&str> {
    let of_pack = || {
        layer
            .pack
            .as_ref()
            .and_then(|resolved| resolved.pack.manifest.spec.namespace.as_deref())
    };
    layer.layer.namespace.as_deref().or_else(of_pack)
}
