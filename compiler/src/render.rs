//! Renders a layer: templates, static manifests, definitions and host content become objects and files.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cairn_chart::{Document, RenderedFile};
use cairn_spec::{
    Diagnostics, HostStep, LayerKind, LayerName, LeftOut, Map, Node, PlanHook, SecretRef,
    SourceKind, TreePath, Value, VariableName, Version, yaml,
};
use cairn_template::{Limits, Rendered};
use rayon::prelude::*;

use crate::{
    Session,
    charts::{ChartInput, ServedApis, drop_idle_namespaces, release_of, render_chart},
    go_templates::render_go,
    host::render_host,
    object,
    pack::Pack,
    session::RenderedSource,
};

/// What every template of a build may read.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) kubernetes: Version,
    /// `name`, `version`.
    pub(crate) profile: Node,
    /// `name`, `labels`.
    pub(crate) cluster: Node,
}

/// A layer that is ready to render.
pub(crate) struct Layer<'a> {
    pub(crate) name: &'a LayerName,
    pub(crate) kind: LayerKind,
    pub(crate) pack: &'a Pack,
    pub(crate) values: &'a Node,
    pub(crate) namespace: Option<&'a str>,
    /// What definitions of the layers below add to the cluster's APIs.
    pub(crate) apis: &'a ServedApis,
}

/// What a layer renders to.
#[derive(Debug, Default)]
pub(crate) struct LayerOutput {
    /// Objects, with the places in the files that say them.
    pub(crate) objects: Vec<Node>,
    /// Hooks of its charts.
    pub(crate) hooks: Vec<(Node, PlanHook)>,
    /// What its charts render and a plan has no place for.
    pub(crate) left_out: Vec<LeftOut>,
    /// Files under the layer's `host/`.
    pub(crate) host: BTreeMap<TreePath, Arc<[u8]>>,
    /// What a node does with them.
    pub(crate) steps: Vec<HostStep>,
    /// The text that says them.
    pub(crate) steps_text: String,
    /// Secrets that exist, where texts stand for them.
    pub(crate) secrets: BTreeMap<VariableName, SecretRef>,
    /// What the templates read of their context, as JSON Pointers.
    pub(crate) read: BTreeSet<String>,
}

/// Renders a layer. Problems are reported; what could be rendered is returned.
pub(crate) fn render(layer: &Layer<'_>, target: &Target, session: &mut Session) -> LayerOutput {
    let context = context(layer, target);
    let mut output = LayerOutput::default();
    for source in layer.pack.crds.iter().chain(&layer.pack.manifests) {
        let reading = yaml::read(&session.sources, *source, &mut session.origins);
        session.diagnostics.append(reading.diagnostics);
        for document in reading.documents {
            output
                .objects
                .extend(object::expand(document.root, session));
        }
    }
    let names: Vec<&str> = layer
        .pack
        .template_names
        .iter()
        .map(String::as_str)
        .collect();
    for (name, rendered) in names
        .iter()
        .zip(render_all(layer.pack, &names, &context, session))
    {
        if let Some(rendered) = report(rendered, session) {
            output.read.extend(rendered.read.iter().cloned());
            let title = format!("{}/{name} (rendered)", layer.pack.label);
            for document in read_rendered(&title, name, rendered, session) {
                output.objects.extend(object::expand(document, session));
            }
        }
    }
    let others = output.objects.len();
    render_go(layer, target, &mut output, session);
    render_charts(layer, target, &mut output, session);
    // A definition may come later than what it defines.
    drop_idle_namespaces(&mut output, others);
    render_host(layer, &context, &mut output, session);
    output
}

/// Renders the charts of a pack. They know of the definitions of the pack itself, too.
fn render_charts(
    layer: &Layer<'_>,
    target: &Target,
    output: &mut LayerOutput,
    session: &mut Session,
) {
    let charts = &layer.pack.charts;
    if charts.is_empty() {
        return;
    }
    let mut apis = layer.apis.clone();
    apis.learn(&output.objects);
    for loaded in charts {
        let name = loaded.name.as_str();
        let release = release_of(
            loaded.release.as_deref(),
            layer.name,
            &loaded.name,
            charts.len() == 1,
        );
        let input = ChartInput {
            loaded,
            layer: layer.name,
            release: &release,
            namespace: layer.namespace,
            is_of_pack: true,
            values: layer.values.at(&["charts", name]),
            target,
            apis: &apis,
        };
        output.read.insert(format!("/values/charts/{name}"));
        render_chart(&input, output, session);
    }
}

/// Renders templates side by side; results come in the order of the names.
fn render_all(
    pack: &Pack,
    names: &[&str],
    context: &Node,
    session: &Session,
) -> Vec<Result<Rendered, Diagnostics>> {
    let origins = &session.origins;
    names
        .par_iter()
        .map(|name| {
            pack.templates
                .render(name, context, origins, &Limits::default())
        })
        .collect()
}

pub(crate) fn report(
    rendered: Result<Rendered, Diagnostics>,
    session: &mut Session,
) -> Option<Rendered> {
    match rendered {
        Ok(rendered) => Some(rendered),
        Err(diagnostics) => {
            session.diagnostics.extend(diagnostics);
            None
        }
    }
}

/// Reads rendered YAML; a problem in it is shown there and at the template line that wrote it.
fn read_rendered(title: &str, name: &str, rendered: Rendered, session: &mut Session) -> Vec<Node> {
    let source = session
        .sources
        .add(title, rendered.text.as_str(), SourceKind::Rendered);
    let reading = yaml::read(&session.sources, source, &mut session.origins);
    for mut diagnostic in reading.diagnostics {
        let offset = diagnostic
            .labels
            .first()
            .map(|label| label.span.start as usize);
        let place = offset
            .and_then(|offset| rendered.spans.at(offset))
            .map(|piece| piece.place);
        diagnostic = diagnostic.label(place, "rendered by this");
        session.report(diagnostic);
    }
    let file = RenderedFile::new(name, rendered.text.into_bytes(), rendered.spans);
    let document = Document::whole(file);
    let start = 0;
    session
        .rendered
        .insert(source, RenderedSource { document, start });
    reading
        .documents
        .into_iter()
        .map(|document| document.root)
        .collect()
}

/// The context of templates (`spec/pack.md` §4).
fn context(layer: &Layer<'_>, target: &Target) -> Node {
    let metadata = &layer.pack.manifest.metadata;
    let mut root = Map::new();
    root.insert("values", layer.values.clone());
    root.insert(
        "pack",
        named(&[
            ("name", metadata.name.as_str()),
            ("version", &metadata.version.to_string()),
        ]),
    );
    root.insert(
        "layer",
        named(&[("name", layer.name.as_str()), ("kind", layer.kind.as_str())]),
    );
    root.insert("profile", target.profile.clone());
    root.insert("cluster", target.cluster.clone());
    root.insert(
        "namespace",
        Node::generated(layer.namespace.unwrap_or_default()),
    );
    let version = &target.kubernetes;
    let kubernetes = [
        ("version", version.to_string()),
        ("major", version.major().to_string()),
        ("minor", version.minor().to_string()),
    ];
    root.insert(
        "kubernetes",
        named(
            &kubernetes
                .each_ref()
                .map(|(key, value)| (*key, value.as_str())),
        ),
    );
    Node::generated(Value::Map(root))
}

/// A map of texts, made by Cairn.
pub(crate) fn named(fields: &[(&str, &str)]) -> Node {
    let mut map = Map::new();
    for (key, value) in fields {
        map.insert(*key, Node::generated(*value));
    }
    Node::generated(map)
}
