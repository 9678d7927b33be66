//! Renders all layers in their order and collects their objects.

use std::collections::BTreeMap;

use cairn_spec::{Diagnostic, LayerName, Node, SourceKind, yaml};

use crate::{
    NamedText, ProfileFiles, Session,
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
        let mut outputs: Vec<LayerOutput> = layers
            .iter()
            .map(|layer| self.layer(layer, interpolator, session))
            .collect();
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
        interpolator: &mut Interpolator<'_>,
        session: &mut Session,
    ) -> LayerOutput {
        match (&layer.pack, self.values.get(&layer.layer.name)) {
            (None, _) => self.manifests(layer, interpolator, session),
            (Some(_), None) => LayerOutput::default(),
            (Some(pack), Some(values)) => {
                let input = render::Layer {
                    name: &layer.layer.name,
                    kind: layer.kind,
                    pack: &pack.pack,
                    values,
                    namespace: namespace_of(layer),
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

/// The namespace of a layer: the profile's choice, else the pack's.
fn namespace_of(layer: &ResolvedLayer) -> Option<&str> {
    let of_pack = || {
        let resolved = layer.pack.as_ref()?;
        resolved.pack.manifest.spec.namespace.as_deref()
    };
    layer.layer.namespace.as_deref().or_else(of_pack)
}
