//! Reads a profile and the profiles below it into one stack of layers.

use std::collections::BTreeMap;

use cairn_spec::{
    Diagnostic, ImageMirror, LayerName, LayerSpec, Map, Node, PackName, PatchSpec, PresetName,
    ProfileManifest, ProfileName, ProfileType, RegistrySpec, SourceKind, Span, Value, VariableName,
    VariableSpec, Version, VersionRange, nearest, suggest,
};

use crate::{ProfileFiles, Session, object::check_namespace, values::merge};

/// How deep profiles may use profiles.
const MAX_PROFILE_DEPTH: usize = 16;

/// A profile with everything below it.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) name: ProfileName,
    pub(crate) version: Version,
    pub(crate) profile_type: ProfileType,
    pub(crate) kubernetes: Option<(Version, Option<Span>)>,
    pub(crate) registries: BTreeMap<LayerName, RegistrySpec>,
    pub(crate) variables: BTreeMap<VariableName, DeclaredVariable>,
    pub(crate) layers: Vec<StackLayer>,
    pub(crate) patches: Vec<(PatchSpec, Node)>,
    pub(crate) mirrors: Vec<ImageMirror>,
    /// The place of the profile's name.
    pub(crate) span: Option<Span>,
}

/// A variable and where it is declared.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredVariable {
    pub(crate) spec: VariableSpec,
    pub(crate) node: Node,
}

/// A layer: what it is and the values written for it, lowest first.
#[derive(Debug, Clone)]
pub(crate) struct StackLayer {
    pub(crate) name: LayerName,
    pub(crate) content: Content,
    pub(crate) namespace: Option<String>,
    pub(crate) presets: Vec<(PresetName, Option<Span>)>,
    pub(crate) values: Vec<Node>,
    pub(crate) span: Option<Span>,
}

/// What a layer is made of.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A pack of a registry.
    Pack {
        name: PackName,
        range: VersionRange,
        registry: LayerName,
        span: Option<Span>,
    },
    /// A local pack folder.
    Local {
        path: String,
        beside: String,
        span: Option<Span>,
    },
    /// Local Kubernetes YAML.
    Manifests {
        globs: Vec<(String, Option<Span>)>,
        beside: String,
    },
}

/// Reads a profile. Problems are reported; a stack is returned whenever the rest can still be checked.
pub(crate) fn load_profile(
    path: &str,
    files: &dyn ProfileFiles,
    session: &mut Session,
) -> Option<Stack> {
    Loader {
        files,
        session,
        open: Vec::new(),
    }
    .profile("", path, None)
}

struct Loader<'a> {
    files: &'a dyn ProfileFiles,
    session: &'a mut Session,
    /// The names of the files being read, outermost first.
    open: Vec<String>,
}

impl Loader<'_> {
    fn profile(&mut self, beside: &str, path: &str, asked_at: Option<Span>) -> Option<Stack> {
        let file = match self.files.read(beside, path) {
            Ok(file) => file,
            Err(error) => {
                self.session.report(error.at(asked_at));
                return None;
            }
        };
        if self.open.len() >= MAX_PROFILE_DEPTH && !self.open.contains(&file.name) {
            self.session.report(
                Diagnostic::error(
                    "profile-depth",
                    format!("profiles use each other more than {MAX_PROFILE_DEPTH} deep"),
                )
                .at(asked_at)
                .hint("use the profiles side by side: `uses` is a list"),
            );
            return None;
        }
        if self.open.contains(&file.name) {
            let chain = format!("{} → {}", self.open.join(" → "), file.name);
            self.session.report(
                Diagnostic::error(
                    "profile-cycle",
                    format!("profiles use each other in a loop: {chain}"),
                )
                .at(asked_at)
                .hint("remove one of the `uses`"),
            );
            return None;
        }
        self.open.push(file.name.clone());
        let read =
            self.session
                .read_kind::<ProfileManifest>(&file.name, file.text, SourceKind::Profile);
        let stack = read.map(|(profile, node)| self.stack(&file.name, profile, &node));
        self.open.pop();
        stack
    }

    fn stack(&mut self, name: &str, profile: ProfileManifest, node: &Node) -> Stack {
        let mut stack = Stack {
            name: profile.metadata.name.clone(),
            version: profile.metadata.version.clone(),
            profile_type: profile.spec.profile_type,
            kubernetes: None,
            registries: BTreeMap::new(),
            variables: BTreeMap::new(),
            layers: Vec::new(),
            patches: Vec::new(),
            mirrors: Vec::new(),
            span: self.session.span_at(node, "/metadata/name"),
        };
        for (index, used) in profile.spec.uses.iter().enumerate() {
            let at = self
                .session
                .span_at(node, &format!("/spec/uses/{index}/path"));
            if let Some(base) = self.profile(name, &used.path, at) {
                if let Some(range) = used
                    .version
                    .as_ref()
                    .filter(|range| !range.matches(&base.version))
                {
                    self.session.report(
                        Diagnostic::error(
                            "profile-version",
                            format!(
                                "profile `{}` is version {}, which `{range}` does not match",
                                base.name, base.version
                            ),
                        )
                        .at(at)
                        .hint("change the range, or use another version of the profile"),
                    );
                }
                stack.put_on(base);
            }
        }
        self.add_own(&mut stack, name, &profile, node);
        stack
    }

    fn add_own(&mut self, stack: &mut Stack, file: &str, profile: &ProfileManifest, node: &Node) {
        let spec = &profile.spec;
        if let Some(version) = &spec.kubernetes {
            stack.kubernetes = Some((
                version.clone(),
                self.session.span_at(node, "/spec/kubernetes"),
            ));
        }
        for registry in &spec.registries {
            stack
                .registries
                .insert(registry.name.clone(), registry.clone());
        }
        for (index, variable) in spec.variables.iter().enumerate() {
            let place = node
                .pointer(&format!("/spec/variables/{index}"))
                .cloned()
                .unwrap_or_else(|| node.clone());
            stack.variables.insert(
                variable.name.clone(),
                DeclaredVariable {
                    spec: variable.clone(),
                    node: place,
                },
            );
        }
        let mut seen: BTreeMap<&LayerName, Option<Span>> = BTreeMap::new();
        for (index, layer) in spec.layers.iter().enumerate() {
            let at = format!("/spec/layers/{index}");
            let name_span = self.session.span_at(node, &format!("{at}/name"));
            if let Some(first) = seen.insert(&layer.name, name_span) {
                self.session.report(
                    Diagnostic::error(
                        "layer-duplicate",
                        format!("there are two layers `{}`", layer.name),
                    )
                    .label(name_span, "again here")
                    .label(first, "first here")
                    .hint("give each layer a name of its own"),
                );
                continue;
            }
            self.add_layer(stack, file, layer, (node, &at));
        }
        for (index, patch) in spec.patches.iter().enumerate() {
            let place = node
                .pointer(&format!("/spec/patches/{index}"))
                .cloned()
                .unwrap_or_else(|| node.clone());
            stack.patches.push((patch.clone(), place));
        }
        stack.mirrors.extend(spec.mirrors.iter().cloned());
    }

    fn add_layer(
        &mut self,
        stack: &mut Stack,
        file: &str,
        layer: &LayerSpec,
        (node, at): (&Node, &str),
    ) {
        let span = self.session.span_at(node, &format!("{at}/name"));
        let values = self.values(file, layer, (node, at));
        let namespace = self.session.span_at(node, &format!("{at}/namespace"));
        check_namespace(layer.namespace.as_deref(), namespace, self.session);
        let presets = layer.presets.as_ref().map(|presets| {
            let place = |index| self.session.span_at(node, &format!("{at}/presets/{index}"));
            presets
                .iter()
                .enumerate()
                .map(|(index, preset)| (preset.clone(), place(index)))
                .collect::<Vec<_>>()
        });
        let content = self.content(stack, file, layer, (node, at));
        match stack
            .layers
            .iter()
            .position(|below| below.name == layer.name)
        {
            Some(index) => {
                let below = &mut stack.layers[index];
                below.values.extend(values);
                below.namespace = layer.namespace.clone().or(below.namespace.take());
                below.presets = presets.unwrap_or_else(|| std::mem::take(&mut below.presets));
                match (content, &mut below.content) {
                    (Some(content), old) => *old = content,
                    (None, Content::Pack { range, span, .. }) => {
                        if let Some(version) = &layer.version {
                            *range = version.clone();
                            *span = self.session.span_at(node, &format!("{at}/version"));
                        }
                    }
                    (None, _) => {}
                }
            }
            None => {
                if let Some(content) = content {
                    let namespace = layer.namespace.clone();
                    let presets = presets.unwrap_or_default();
                    stack.layers.push(StackLayer {
                        name: layer.name.clone(),
                        content,
                        namespace,
                        presets,
                        values,
                        span,
                    });
                }
            }
        }
    }

    /// What the layer is made of; none when it only changes a layer of a profile below.
    fn content(
        &mut self,
        stack: &Stack,
        file: &str,
        layer: &LayerSpec,
        (node, at): (&Node, &str),
    ) -> Option<Content> {
        let span = self.session.span_at(node, &format!("{at}/name"));
        let below = stack.layers.iter().any(|below| below.name == layer.name);
        let beside = file.to_owned();
        match (&layer.pack, &layer.path, &layer.manifests) {
            (Some(pack), None, None) => {
                let Some(range) = layer.version.clone() else {
                    self.session.report(
                        Diagnostic::error(
                            "layer-version",
                            format!(
                                "layer `{}` does not say which versions of `{pack}` will do",
                                layer.name
                            ),
                        )
                        .at(self.session.span_at(node, &format!("{at}/pack")))
                        .hint("add `version: ^1.2` (or `\"*\"` for any)"),
                    );
                    return None;
                };
                let default: LayerName = "default".parse().expect("a valid name");
                let registry = layer.registry.clone().unwrap_or(default);
                if !stack.registries.contains_key(&registry) {
                    let place = if layer.registry.is_some() {
                        format!("{at}/registry")
                    } else {
                        format!("{at}/pack")
                    };
                    self.session.report(
                        Diagnostic::error(
                            "registry-undefined",
                            format!("there is no registry `{registry}`"),
                        )
                        .at(self.session.span_at(node, &place))
                        .maybe_hint(
                            suggest(
                                registry.as_str(),
                                stack.registries.keys().map(LayerName::as_str),
                            )
                            .or_else(|| {
                                Some(
                                    "add `registries: [{name: default, url: oci://HOST/PREFIX}]`"
                                        .to_owned(),
                                )
                            }),
                        ),
                    );
                    return None;
                }
                let span = self.session.span_at(node, &format!("{at}/version"));
                Some(Content::Pack {
                    name: pack.clone(),
                    range,
                    registry,
                    span,
                })
            }
            (None, Some(path), None) => {
                let span = self.session.span_at(node, &format!("{at}/path"));
                Some(Content::Local {
                    path: path.clone(),
                    beside,
                    span,
                })
            }
            (None, None, Some(globs)) => {
                let place = |index| {
                    self.session
                        .span_at(node, &format!("{at}/manifests/{index}"))
                };
                let globs = globs
                    .iter()
                    .enumerate()
                    .map(|(index, glob)| (glob.clone(), place(index)))
                    .collect();
                Some(Content::Manifests { globs, beside })
            }
            (None, None, None) if below => None,
            (None, None, None) => {
                let hint = nearest(
                    layer.name.as_str(),
                    stack.layers.iter().map(|below| below.name.as_str()),
                )
                .map_or_else(|| {
                    "add `pack: NAME` with `version: RANGE`, `path: FOLDER` or `manifests: [GLOB]`"
                        .to_owned()
                }, |near| format!("did you mean `{near}`?"));
                self.session.report(
                    Diagnostic::error("layer-content", format!("layer `{}` has no content, and no profile below has a layer of this name", layer.name))
                        .at(span)
                        .hint(hint),
                );
                None
            }
            _ => {
                self.session.report(
                    Diagnostic::error(
                        "layer-content",
                        format!(
                            "layer `{}` has more than one of `pack`, `path` and `manifests`",
                            layer.name
                        ),
                    )
                    .at(span)
                    .hint("make each a layer of its own"),
                );
                None
            }
        }
    }

    /// `valuesFrom` in order, then `values`.
    fn values(&mut self, file: &str, layer: &LayerSpec, (node, at): (&Node, &str)) -> Vec<Node> {
        let mut all = Vec::new();
        for (index, path) in layer.values_from.iter().flatten().enumerate() {
            let place = self
                .session
                .span_at(node, &format!("{at}/valuesFrom/{index}"));
            match self.files.read(file, path) {
                Err(error) => self.session.report(error.at(place)),
                Ok(named) => {
                    if let Some((_, values)) =
                        self.session
                            .read_yaml(&named.name, named.text, SourceKind::Profile)
                    {
                        match values.value {
                            Value::Map(_) => all.push(values),
                            Value::Null => {}
                            _ => self.session.report(
                                Diagnostic::error(
                                    "values-kind",
                                    "a file of values must hold a map",
                                )
                                .at(self.session.span(&values))
                                .hint("write `KEY: VALUE` lines"),
                            ),
                        }
                    }
                }
            }
        }
        all.extend(node.pointer(&format!("{at}/values")).cloned());
        all
    }
}

impl Stack {
    /// Puts this (so far empty or partial) profile on top of one it uses.
    fn put_on(&mut self, base: Self) {
        self.kubernetes = base.kubernetes.or(self.kubernetes.take());
        self.registries.extend(base.registries);
        self.variables.extend(base.variables);
        self.patches.extend(base.patches);
        self.mirrors.extend(base.mirrors);
        for layer in base.layers {
            match self
                .layers
                .iter_mut()
                .find(|below| below.name == layer.name)
            {
                Some(below) => {
                    below.content = layer.content;
                    below.values.extend(layer.values);
                    below.namespace = layer.namespace.or(below.namespace.take());
                    if !layer.presets.is_empty() {
                        below.presets = layer.presets;
                    }
                }
                None => self.layers.push(layer),
            }
        }
    }
}

impl StackLayer {
    /// All values written for the layer over `defaults`, references unresolved.
    pub(crate) fn merged_values(
        &self,
        defaults: Node,
        schema: Option<&cairn_spec::Schema>,
        session: &mut Session,
    ) -> Node {
        self.values
            .iter()
            .cloned()
            .fold(defaults, |low, high| merge(low, high, schema, session))
    }

    /// An empty map, for layers without a pack.
    pub(crate) fn no_defaults() -> Node {
        Node::generated(Map::new())
    }
}
