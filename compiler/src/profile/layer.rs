//! Reads one layer of a profile and puts it on the stack.

use cairn_spec::{
    Diagnostic, LayerName, LayerSpec, Node, PackName, SourceKind, Span, Value, nearest, suggest,
};

use super::stack::{Content, Stack, StackLayer};
use crate::{ProfileFiles, Session, charts::check_release, object::check_namespace};

/// A layer as it stands in its file.
pub(super) struct WrittenLayer<'a> {
    /// The file's name.
    pub(super) file: &'a str,
    /// The file.
    pub(super) profile: &'a Node,
    /// Where the layer is in the file.
    pub(super) pointer: String,
    pub(super) spec: &'a LayerSpec,
}

impl WrittenLayer<'_> {
    fn span(&self, below: &str, session: &Session) -> Option<Span> {
        session.span_at(self.profile, &format!("{}{below}", self.pointer))
    }

    fn spans<T: Clone>(&self, key: &str, items: &[T], session: &Session) -> Vec<(T, Option<Span>)> {
        let place = |index| self.span(&format!("/{key}/{index}"), session);
        items
            .iter()
            .enumerate()
            .map(|(index, item)| (item.clone(), place(index)))
            .collect()
    }
}

/// Puts layers on a stack.
pub(super) struct LayerReader<'a> {
    pub(super) files: &'a dyn ProfileFiles,
    pub(super) stack: &'a mut Stack,
    pub(super) session: &'a mut Session,
}

/// What a layer says of its content.
enum Said {
    Content(Content),
    /// Nothing: it changes a layer of a profile below.
    Nothing,
    /// Something that makes no sense, which is reported.
    Nonsense,
}

impl LayerReader<'_> {
    /// Adds a layer, or changes the one of the same name below.
    pub(super) fn add(&mut self, layer: &WrittenLayer<'_>) {
        let namespace = layer.span("/namespace", self.session);
        check_namespace(layer.spec.namespace.as_deref(), namespace, self.session);
        let values = self.values(layer);
        let presets = layer
            .spec
            .presets
            .as_ref()
            .map(|presets| layer.spans("presets", presets, self.session));
        let content = match self.said(layer) {
            Said::Content(content) => Some(content),
            Said::Nothing => None,
            Said::Nonsense => {
                self.stack.refused.insert(layer.spec.name.clone());
                return;
            }
        };
        let position = self.position(&layer.spec.name);
        match (position, content) {
            (Some(index), content) => {
                if content.is_none() {
                    self.change_pack(index, layer);
                }
                let below = &mut self.stack.layers[index];
                below.values.extend(values);
                below.namespace = layer.spec.namespace.clone().or(below.namespace.take());
                below.presets = presets.unwrap_or_else(|| std::mem::take(&mut below.presets));
                if let Some(content) = content {
                    below.content = content;
                }
            }
            (None, Some(content)) => self.stack.layers.push(StackLayer {
                name: layer.spec.name.clone(),
                content,
                namespace: layer.spec.namespace.clone(),
                presets: presets.unwrap_or_default(),
                values,
                span: layer.span("/name", self.session),
            }),
            (None, None) => {}
        }
    }

    fn position(&self, name: &LayerName) -> Option<usize> {
        self.stack
            .layers
            .iter()
            .position(|below| below.name == *name)
    }

    /// `version` and `registry` of a layer that leaves out `pack` change those of the layer below.
    fn change_pack(&mut self, index: usize, layer: &WrittenLayer<'_>) {
        let place = |key: &str| layer.span(key, self.session);
        let (version_span, registry_span) = (place("/version"), place("/registry"));
        let spec = layer.spec;
        let below = &mut self.stack.layers[index];
        let Content::Pack {
            range,
            registry,
            span,
            ..
        } = &mut below.content
        else {
            if spec.version.is_some() || spec.registry.is_some() {
                self.report_without_pack(layer);
            }
            return;
        };
        if let Some(version) = &spec.version {
            *range = version.clone();
            *span = version_span;
        }
        if let Some(other) = &spec.registry {
            registry.clone_from(other);
            self.check_registry(other, registry_span);
        }
    }

    fn report_without_pack(&mut self, layer: &WrittenLayer<'_>) {
        let (key, place) = if layer.spec.version.is_some() {
            ("version", layer.span("/version", self.session))
        } else {
            ("registry", layer.span("/registry", self.session))
        };
        self.session.report(
            Diagnostic::error(
                "layer-content",
                format!(
                    "layer `{}` has `{key}`, which means something only with `pack`",
                    layer.spec.name
                ),
            )
            .at(place),
        );
    }

    fn said(&mut self, layer: &WrittenLayer<'_>) -> Said {
        let spec = layer.spec;
        let beside = layer.file.to_owned();
        match (&spec.pack, &spec.path, &spec.chart, &spec.manifests) {
            (Some(pack), None, None, None) => self.pack(layer, pack),
            (None, None, None, None) if self.position(&spec.name).is_some() => Said::Nothing,
            // What is wrong with the layer below is reported already.
            (None, None, None, None) if self.stack.refused.contains(&spec.name) => Said::Nonsense,
            (None, None, None, None) => {
                self.report_nothing(layer);
                Said::Nonsense
            }
            (None, None, Some(chart), None) => {
                let span = layer.span("/chart", self.session);
                let content = Content::Chart {
                    chart: Box::new(chart.clone()),
                    span,
                };
                if check_release(chart.release.as_deref(), span, self.session) {
                    self.without_pack(layer, content)
                } else {
                    Said::Nonsense
                }
            }
            (None, Some(path), None, None) => {
                let content = Content::Local {
                    path: path.clone(),
                    beside,
                    span: layer.span("/path", self.session),
                };
                self.without_pack(layer, content)
            }
            (None, None, None, Some(globs)) => {
                let globs = layer.spans("manifests", globs, self.session);
                self.without_pack(layer, Content::Manifests { globs, beside })
            }
            _ => {
                let diagnostic = Diagnostic::error(
                    "layer-content",
                    format!(
                        "layer `{}` has more than one of `pack`, `path`, `chart` and `manifests`",
                        spec.name
                    ),
                );
                self.session.report(
                    diagnostic
                        .at(layer.span("/name", self.session))
                        .hint("make each a layer of its own"),
                );
                Said::Nonsense
            }
        }
    }

    fn without_pack(&mut self, layer: &WrittenLayer<'_>, content: Content) -> Said {
        if layer.spec.version.is_some() || layer.spec.registry.is_some() {
            self.report_without_pack(layer);
        }
        Said::Content(content)
    }

    fn pack(&mut self, layer: &WrittenLayer<'_>, pack: &PackName) -> Said {
        let Some(range) = layer.spec.version.clone() else {
            self.session.report(
                Diagnostic::error(
                    "layer-version",
                    format!(
                        "layer `{}` does not say which versions of `{pack}` will do",
                        layer.spec.name
                    ),
                )
                .at(layer.span("/pack", self.session))
                .hint("add `version: ^1.2` (or `\"*\"` for any)"),
            );
            return Said::Nonsense;
        };
        let default: LayerName = "default".parse().expect("a valid name");
        let registry = layer.spec.registry.clone().unwrap_or(default);
        let place = if layer.spec.registry.is_some() {
            layer.span("/registry", self.session)
        } else {
            layer.span("/pack", self.session)
        };
        if !self.check_registry(&registry, place) {
            return Said::Nonsense;
        }
        Said::Content(Content::Pack {
            name: pack.clone(),
            range,
            registry,
            span: layer.span("/version", self.session),
        })
    }

    fn check_registry(&mut self, registry: &LayerName, place: Option<Span>) -> bool {
        if self.stack.registries.contains_key(registry) {
            return true;
        }
        let known = self.stack.registries.keys().map(LayerName::as_str);
        let hint = suggest(registry.as_str(), known).unwrap_or_else(|| {
            "add `registries: [{name: default, url: oci://HOST/PREFIX}]`".to_owned()
        });
        self.session.report(
            Diagnostic::error(
                "registry-undefined",
                format!("there is no registry `{registry}`"),
            )
            .at(place)
            .hint(hint),
        );
        false
    }

    fn report_nothing(&mut self, layer: &WrittenLayer<'_>) {
        let known = self.stack.layers.iter().map(|below| below.name.as_str());
        let hint = nearest(layer.spec.name.as_str(), known).map_or_else(
            || {
                "add `pack: NAME` with `version: RANGE`, `path: FOLDER`, `chart: {…}` or `manifests: [GLOB]`"
                    .to_owned()
            },
            |near| format!("did you mean `{near}`?"),
        );
        self.session.report(
            Diagnostic::error(
                "layer-content",
                format!(
                    "layer `{}` has no content, and no profile below has a layer of this name",
                    layer.spec.name
                ),
            )
            .at(layer.span("/name", self.session))
            .hint(hint),
        );
    }

    /// `valuesFrom` in order, then `values`.
    fn values(&mut self, layer: &WrittenLayer<'_>) -> Vec<Node> {
        let mut all = Vec::new();
        for (index, path) in layer.spec.values_from.iter().flatten().enumerate() {
            let place = layer.span(&format!("/valuesFrom/{index}"), self.session);
            match self.files.read(layer.file, path) {
                Err(error) => self.session.report(error.at(place)),
                Ok(named) => {
                    let read = self
                        .session
                        .read_yaml(&named.name, named.text, SourceKind::Profile);
                    all.extend(read.map(|(_, values)| values));
                }
            }
        }
        let own = layer.profile.pointer(&format!("{}/values", layer.pointer));
        all.extend(own.cloned());
        all.retain(|values| match values.value {
            Value::Map(_) => true,
            Value::Null => false,
            _ => {
                self.session.report(
                    Diagnostic::error("values-kind", "a file of values must hold a map")
                        .at(self.session.span(values))
                        .hint("write `KEY: VALUE` lines"),
                );
                false
            }
        });
        all
    }
}
