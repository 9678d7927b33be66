//! Host content of a layer: files for its nodes, and the steps that put them in place.

use std::sync::Arc;

use cairn_spec::{
    Diagnostic, HostStep, HostSteps, Node, SourceKind, Span, TreePath, decode, suggest,
};
use cairn_template::Limits;

use crate::{
    Session,
    pack::HostContent,
    render::{Layer, LayerOutput, report},
};

/// Renders the host files of a layer and reads its steps.
pub(crate) fn render_host(
    layer: &Layer<'_>,
    context: &Node,
    output: &mut LayerOutput,
    session: &mut Session,
) {
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
                    // Its place is taken, so that a step which names it is no second finding.
                    output.host.insert(path.clone(), Arc::default());
                    continue;
                };
                output.read.extend(rendered.read);
                rendered.text.into_bytes().into()
            }
        };
        if path.as_str() == "steps.yaml" {
            steps = Some(bytes);
        } else {
            check_path(layer, path, session);
            output.host.insert(path.clone(), bytes);
        }
    }
    if let Some(bytes) = steps {
        output.steps_text = String::from_utf8_lossy(&bytes).into_owned();
        read_steps(layer, output, session);
    }
}

/// A path that is short enough in the pack may be too long in the bundle.
fn check_path(layer: &Layer<'_>, path: &TreePath, session: &mut Session) {
    if let Err(error) = format!("host/{}/{path}", layer.name).parse::<TreePath>() {
        session.report(
            Diagnostic::error("pack-layout", error.to_string())
                .hint("shorten the file's path, or the name of the layer"),
        );
    }
}

fn read_steps(layer: &Layer<'_>, output: &mut LayerOutput, session: &mut Session) {
    let title = format!("{}/host/steps.yaml", layer.pack.label);
    let text = output.steps_text.as_str();
    let Some((_, node)) = session.read_yaml(&title, text, SourceKind::Rendered) else {
        return;
    };
    let Session {
        origins,
        diagnostics,
        ..
    } = &mut *session;
    let Some(file) = decode::<HostSteps>(&node, origins, diagnostics) else {
        return;
    };
    for (index, step) in file.steps.iter().enumerate() {
        let at = |key: &str| session.span_at(&node, &format!("/steps/{index}/{key}"));
        let (place, source) = (at("name"), at("file/source"));
        let twice = file.steps[..index]
            .iter()
            .any(|other| other.name == step.name);
        check_actions(step, place, session);
        check_source(step, source, output, session);
        if twice {
            let message = format!("there are two host steps `{}`", step.name);
            session.report(
                Diagnostic::error("host-step", message)
                    .at(place)
                    .hint("give each step a name of its own"),
            );
        }
    }
    output.steps = file.steps;
}

fn check_actions(step: &HostStep, place: Option<Span>, session: &mut Session) {
    let title = format!("host step `{}`", step.name);
    if step.action_count() != 1 {
        session.report(
            Diagnostic::error("host-step", format!("{title} has {} actions", step.action_count()))
                .at(place)
                .hint("give it exactly one of `file`, `sysctl`, `module`, `package`, `unit` and `command`"),
        );
    }
}

fn check_source(step: &HostStep, place: Option<Span>, output: &LayerOutput, session: &mut Session) {
    let title = format!("host step `{}`", step.name);
    if let Some(file) = &step.file
        && !output.host.contains_key(&file.source)
    {
        let message = format!(
            "{title} puts `{}` in place, which the pack does not have under `host/`",
            file.source
        );
        let known = output.host.keys().map(TreePath::as_str);
        session.report(
            Diagnostic::error("host-step", message)
                .at(place)
                .maybe_hint(suggest(file.source.as_str(), known)),
        );
    }
}
