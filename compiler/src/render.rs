//! Renders a layer: templates, static manifests, definitions and host content become objects and files.

use std::{collections::BTreeMap, sync::Arc};

use cairn_spec::{
    Diagnostic, Diagnostics, HostStep, HostSteps, LayerKind, LayerName, Map, Node, Schema,
    SourceKind, TreePath, Value, Version, decode, yaml,
};
use cairn_template::{Limits, Rendered};
use rayon::prelude::*;

use crate::{
    Session, object,
    pack::{HostContent, Pack},
    values::merge,
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
}

/// What a layer renders to.
#[derive(Debug, Default)]
pub(crate) struct LayerOutput {
    /// Objects, with the places in the files that say them.
    pub(crate) objects: Vec<Node>,
    /// Files under the layer's `host/`.
    pub(crate) host: BTreeMap<TreePath, Arc<[u8]>>,
    /// What a node does with them.
    pub(crate) steps: Vec<HostStep>,
}

/// The defaults of a pack under its chosen presets: groups in order of their names, then by preset.
pub(crate) fn pack_values(
    pack: &Pack,
    presets: &[(cairn_spec::PresetName, Option<cairn_spec::Span>)],
    session: &mut Session,
) -> Node {
    let mut chosen = Vec::new();
    for (name, span) in presets {
        match pack.presets.get_key_value(name) {
            Some((name, preset)) => chosen.push((preset.group.as_deref(), name, preset, *span)),
            None => {
                let known = pack.presets.keys().map(cairn_spec::PresetName::as_str);
                session.report(
                    Diagnostic::error(
                        "preset-undefined",
                        format!(
                            "pack `{}` has no preset `{name}`",
                            pack.manifest.metadata.name
                        ),
                    )
                    .at(*span)
                    .maybe_hint(cairn_spec::suggest(name.as_str(), known)),
                );
            }
        }
    }
    chosen.sort_by_key(|(group, name, ..)| (*group, *name));
    for pair in chosen.windows(2) {
        if let [
            (Some(group), first, _, first_span),
            (Some(other), second, _, second_span),
        ] = pair
            && group == other
        {
            session.report(
                Diagnostic::error(
                    "preset-group",
                    format!("presets `{first}` and `{second}` are both of group `{group}`"),
                )
                .at(*second_span)
                .label(*first_span, "the other one is here")
                .hint("choose one of the two"),
            );
        }
    }
    chosen
        .into_iter()
        .fold(pack.values.clone(), |low, (_, _, preset, _)| {
            merge(low, preset.values.clone(), pack.schema.as_ref(), session)
        })
}

/// Checks merged values against the pack's schema.
pub(crate) fn check_values(values: &Node, schema: Option<&Schema>, session: &mut Session) {
    if let Some(schema) = schema {
        let Session {
            origins,
            diagnostics,
            ..
        } = session;
        let mut found = Diagnostics::new();
        schema.check(values, origins, "values-schema", &mut found);
        // A value of the wrong kind was reported where it was merged.
        let is_known = |new: &Diagnostic| {
            diagnostics.iter().any(|old| {
                old.code == "values-kind-change"
                    && old.labels.first().map(|label| label.span)
                        == new.labels.first().map(|label| label.span)
            })
        };
        let new: Vec<Diagnostic> = found
            .into_iter()
            .filter(|finding| !is_known(finding))
            .collect();
        diagnostics.extend(new);
    }
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
            let title = format!("{}/{name} (rendered)", layer.pack.label);
            for document in read_rendered(&title, &rendered, session) {
                output.objects.extend(object::expand(document, session));
            }
        }
    }
    render_host(layer, &context, &mut output, session);
    output
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

fn report(rendered: Result<Rendered, Diagnostics>, session: &mut Session) -> Option<Rendered> {
    match rendered {
        Ok(rendered) => Some(rendered),
        Err(diagnostics) => {
            session.diagnostics.extend(diagnostics);
            None
        }
    }
}

/// Reads rendered YAML; a problem in it is shown there and at the template line that wrote it.
fn read_rendered(title: &str, rendered: &Rendered, session: &mut Session) -> Vec<Node> {
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
    reading
        .documents
        .into_iter()
        .map(|document| document.root)
        .collect()
}

fn render_host(layer: &Layer<'_>, context: &Node, output: &mut LayerOutput, session: &mut Session) {
    let mut steps = None;
    for (path, content) in &layer.pack.host {
        let bytes: Arc<[u8]> = match content {
            HostContent::Plain(bytes) => Arc::clone(bytes),
            HostContent::Template(name) => {
                let rendered = layer.pack.templates.render(
                    name,
                    context,
                    &session.origins,
                    &Limits::default(),
                );
                let Some(rendered) = report(rendered, session) else {
                    continue;
                };
                rendered.text.into_bytes().into()
            }
        };
        if path.as_str() == "steps.yaml" {
            steps = read_steps(layer, &bytes, session);
        } else if let Err(error) = format!("host/{}/{path}", layer.name).parse::<TreePath>() {
            session.report(
                Diagnostic::error("pack-layout", error.to_string())
                    .hint("shorten the file's path, or the name of the layer"),
            );
        } else {
            output.host.insert(path.clone(), bytes);
        }
    }
    if let Some((steps, node)) = steps {
        output.steps = steps;
        check_steps(layer, output, &node, session);
    }
}

fn read_steps(
    layer: &Layer<'_>,
    bytes: &[u8],
    session: &mut Session,
) -> Option<(Vec<HostStep>, Node)> {
    let title = format!("{}/host/steps.yaml", layer.pack.label);
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (_, node) = session.read_yaml(&title, text, SourceKind::Rendered)?;
    let Session {
        origins,
        diagnostics,
        ..
    } = &mut *session;
    let file = decode::<HostSteps>(&node, origins, diagnostics)?;
    Some((file.steps, node))
}

fn check_steps(layer: &Layer<'_>, output: &LayerOutput, node: &Node, session: &mut Session) {
    let mut seen = Vec::new();
    for (index, step) in output.steps.iter().enumerate() {
        let place = session.span_at(node, &format!("/steps/{index}/name"));
        let title = format!("host step `{}` of `{}`", step.name, layer.pack.label);
        if step.action_count() != 1 {
            session.report(
                Diagnostic::error("host-step", format!("{title} has {} actions", step.action_count()))
                    .at(place)
                    .hint("give it exactly one of `file`, `sysctl`, `module`, `package`, `unit` and `command`"),
            );
        }
        if seen.contains(&&step.name) {
            session.report(
                Diagnostic::error("host-step", format!("{title} is there twice"))
                    .at(place)
                    .hint("give each step a name of its own"),
            );
        }
        seen.push(&step.name);
        if let Some(file) = &step.file
            && !output.host.contains_key(&file.source)
        {
            let known = output.host.keys().map(TreePath::as_str);
            session.report(
                Diagnostic::error(
                    "host-step",
                    format!(
                        "{title} puts `{}` in place, which the pack does not have under `host/`",
                        file.source
                    ),
                )
                .at(session.span_at(node, &format!("/steps/{index}/file/source")))
                .maybe_hint(cairn_spec::suggest(file.source.as_str(), known)),
            );
        }
    }
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
