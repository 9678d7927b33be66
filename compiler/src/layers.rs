//! Renders all layers in their order and collects their objects.

use std::collections::BTreeMap;

use cairn_spec::{Diagnostic, LayerName, Node, SourceKind, yaml};

use crate::{
    NamedText, ProfileFiles, Session,
    charts::{ChartInput, DEFAULT_NAMESPACE, ServedApis, release_of, render_chart},
    collect::{Collector, Home},
    object::{self, Object},
    profile::Content,
    render::{self, LayerOutput, Target},
    resolve::ResolvedLayer,
    values::interpolate::Interpolator,
};

/// What all layers are rendered with.
pub(crate) struct Rendering<'a> {
    pub(crate) files: &'a dyn ProfileFiles,
    /// The final values of sound layers; the others are not rendered, since errors in values make
    /// errors in templates that say nothing new.
    pub(crate) values: &'a BTreeMap<LayerName, Node>,
    pub(crate) target: Target,
}

impl Rendering<'_> {
    /// Renders the layers; then every object gets its namespace and its identity.
    pub(crate) fn run(
        &self,
        layers: &[&ResolvedLayer],
        interpolator: &mut Interpolator<'_>,
        session: &mut Session,
    ) -> (Vec<Object>, Vec<LayerOutput>) {
        let mut apis = ServedApis::default();
        let mut outputs: Vec<LayerOutput> = Vec::new();
        for layer in layers {
            let output = self.layer(layer, &apis, interpolator, session);
            apis.learn(&output.objects);
            outputs.push(output);
        }
        let mut collector = Collector::default();
        for output in &outputs {
            collector.learn(output);
        }
        let no_labels = BTreeMap::new();
        for (index, (layer, output)) in layers.iter().zip(&mut outputs).enumerate() {
            let labels = layer.pack.as_ref().map_or(&no_labels, |resolved| {
                &resolved.pack.manifest.spec.namespace_labels
            });
            let home = Home {
                layer: index,
                namespace: namespace_of(layer),
                labels,
            };
            collector.add(home, output, session);
        }
        (collector.objects, outputs)
    }

    fn layer(
        &self,
        layer: &ResolvedLayer,
        apis: &ServedApis,
        interpolator: &mut Interpolator<'_>,
        session: &mut Session,
    ) -> LayerOutput {
        let values = self.values.get(&layer.layer.name);
        match (&layer.pack, &layer.chart, values) {
            (None, None, _) => self.manifests(layer, interpolator, session),
            (_, _, None) => LayerOutput::default(),
            (None, Some(chart), Some(values)) => {
                let loaded = &chart.loaded;
                let name = &layer.layer.name;
                let release = release_of(loaded.release.as_deref(), name, &loaded.name, true);
                let input = ChartInput {
                    loaded,
                    layer: name,
                    release: &release,
                    namespace: namespace_of(layer),
                    is_of_pack: false,
                    values: Some(values),
                    target: &self.target,
                    apis,
                };
                let mut output = LayerOutput::default();
                render_chart(&input, &mut output, session);
                output
            }
            (Some(pack), _, Some(values)) => {
                let input = render::Layer {
                    name: &layer.layer.name,
                    kind: layer.kind,
                    pack: &pack.pack,
                    values,
                    namespace: namespace_of(layer),
                    apis,
                };
                render::render(&input, &self.target, session)
            }
        }
    }

    /// The objects of a layer of plain manifests, references resolved.
    fn manifests(
        &self,
        layer: &ResolvedLayer,
        interpolator: &mut Interpolator<'_>,
        session: &mut Session,
    ) -> LayerOutput {
        let mut output = LayerOutput::default();
        let Content::Manifests { globs, beside } = &layer.layer.content else {
            return output;
        };
        for (glob, span) in globs {
            match self.files.glob(beside, glob) {
                Err(error) => session.report(error.at(*span)),
                Ok(texts) if texts.is_empty() => session.report(
                    Diagnostic::error("manifests-none", format!("no file matches `{glob}`"))
                        .at(*span)
                        .hint("globs are relative to the file they stand in; `*` stays within a folder, `**` crosses folders"),
                ),
                Ok(texts) => {
                    for text in texts {
                        output.objects.extend(read(text, interpolator, session));
                    }
                }
            }
        }
        output
    }
}

fn read(text: NamedText, interpolator: &mut Interpolator<'_>, session: &mut Session) -> Vec<Node> {
    let source = session
        .sources
        .add(text.name.as_str(), text.text, SourceKind::Profile);
    let reading = yaml::read(&session.sources, source, &mut session.origins);
    session.diagnostics.append(reading.diagnostics);
    let mut objects = Vec::new();
    for document in reading.documents {
        if let Some(resolved) = interpolator.tree(&document.root, session) {
            objects.extend(object::expand(resolved, session));
        }
    }
    objects
}

/// The namespace of a layer: the profile's choice, else the pack's; of a chart without either, that
/// which Helm takes.
fn namespace_of(layer: &ResolvedLayer) -> Option<&str> {
    let of_pack = || {
        let resolved = layer.pack.as_ref()?;
        resolved.pack.manifest.spec.namespace.as_deref()
    };
    let of_chart = || layer.charts().next().map(|_| DEFAULT_NAMESPACE);
    let written = layer.layer.namespace.as_deref();
    written.or_else(of_pack).or_else(of_chart)
}
