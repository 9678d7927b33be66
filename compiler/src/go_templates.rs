//! Go templates of packs (`spec/pack.md` §4): rendered with a context like Helm's, and read as Helm
//! reads what templates print.

use std::{ops::Range, sync::Arc};

use cairn_chart::{Document, RenderedFile};
use cairn_spec::{Diagnostic, Map, Node, SourceId, SourceKind, Span, Value};
use cairn_template::{
    go::{self, Templates, helm_order},
    go_yaml::{self, Numbers, ReadOptions},
};

use crate::{
    Session, object,
    render::{Layer, LayerOutput, Target, named},
    session::RenderedSource,
};

/// The Go templates of a pack.
#[derive(Debug, Default)]
pub(crate) struct GoTemplates {
    templates: Templates,
    /// The names of those that render Kubernetes YAML, sorted.
    names: Vec<String>,
}

impl GoTemplates {
    /// Parses files: their names, and which of them render YAML.
    pub(crate) fn parse(files: &[(String, SourceId, bool)], session: &mut Session) -> Self {
        let mut parsed = Self::default();
        let mut names: Vec<&str> = files.iter().map(|(name, ..)| name.as_str()).collect();
        helm_order(&mut names);
        for name in names {
            let Some((_, source, renders)) = files.iter().find(|(known, ..)| known == name) else {
                continue;
            };
            match parsed.templates.add(name, &session.sources, *source) {
                Err(error) => session.report(error.into_diagnostic()),
                Ok(()) if *renders => parsed.names.push(name.to_owned()),
                Ok(()) => {}
            }
        }
        parsed.names.sort();
        parsed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Renders the Go templates of a layer's pack. Each has values of its own, so that what one changes
/// does not reach another.
pub(crate) fn render_go(
    layer: &Layer<'_>,
    target: &Target,
    output: &mut LayerOutput,
    session: &mut Session,
) {
    let pack = layer.pack;
    let context = context(layer, target);
    for name in &pack.go_templates.names {
        let options = go::Options::helm();
        let mut engine = pack
            .go_templates
            .templates
            .renderer(&session.origins, &options);
        let value = engine.value(&context);
        let printed = match engine.render(name, &value) {
            Ok(printed) => printed,
            Err(error) => {
                session.report(error.into_diagnostic());
                continue;
            }
        };
        let read = engine.read(&context, &value);
        output.read.extend(read.into_iter().filter_map(|pointer| {
            let below = pointer.strip_prefix("/Values/")?;
            Some(format!("/values/{below}"))
        }));
        let title = format!("{}/{name} (rendered)", pack.label);
        for rendered in engine.finish(vec![printed]) {
            let document = Document::whole(RenderedFile::new(
                name.as_str(),
                rendered.bytes,
                rendered.spans,
            ));
            let text = RenderedText {
                title: &title,
                bytes: document.bytes(),
                document: Some(&document),
                is_of_release: false,
            };
            for document in text.documents(session) {
                output.objects.extend(object::expand(document, session));
            }
        }
    }
}

/// What Go templates of packs see, by the names that Helm gives to it where Helm has it.
fn context(layer: &Layer<'_>, target: &Target) -> Node {
    let metadata = &layer.pack.manifest.metadata;
    let version = &target.kubernetes;
    let text = |node: &Node, key: &str| {
        let text = node.get(key).and_then(Node::as_str);
        text.unwrap_or_default().to_owned()
    };
    let mut cluster = named(&[("Name", &text(&target.cluster, "name"))]);
    if let (Some(map), Some(labels)) = (cluster.as_map_mut(), target.cluster.get("labels")) {
        map.insert("Labels", labels.clone());
    }
    let mut capabilities = Map::new();
    capabilities.insert(
        "KubeVersion",
        named(&[
            ("Version", &format!("v{version}")),
            ("Major", &version.major().to_string()),
            ("Minor", &version.minor().to_string()),
        ]),
    );
    let release = [
        ("Name", layer.name.as_str()),
        ("Namespace", layer.namespace.unwrap_or_default()),
        ("Service", "Helm"),
    ];
    let profile = [
        ("Name", text(&target.profile, "name")),
        ("Version", text(&target.profile, "version")),
    ];
    let mut root = Map::new();
    root.insert("Values", layer.values.clone());
    root.insert("Release", named(&release));
    root.insert(
        "Pack",
        named(&[
            ("Name", metadata.name.as_str()),
            ("Version", &metadata.version.to_string()),
        ]),
    );
    root.insert(
        "Layer",
        named(&[("Name", layer.name.as_str()), ("Kind", layer.kind.as_str())]),
    );
    root.insert(
        "Profile",
        named(
            &profile
                .each_ref()
                .map(|(key, value)| (*key, value.as_str())),
        ),
    );
    root.insert("Cluster", cluster);
    root.insert("Capabilities", Node::generated(capabilities));
    Node::generated(Value::Map(root))
}

/// What a Go template printed.
pub(crate) struct RenderedText<'a> {
    /// What messages call it.
    pub(crate) title: &'a str,
    pub(crate) bytes: &'a [u8],
    /// The same with where each byte came from; none of what is no template.
    pub(crate) document: Option<&'a Document>,
    /// Helm puts it into a release, and a line break of its own behind it, which texts keep that end in `|+`.
    pub(crate) is_of_release: bool,
}

impl RenderedText<'_> {
    /// The place in a template that wrote the byte at an offset.
    fn place(&self, offset: usize) -> Option<Span> {
        Some(self.document?.origin_at(offset)?.place)
    }

    /// The documents, read as Helm and kubectl read them: YAML 1.1, the last of equal keys counts.
    /// Empty ones are left out.
    pub(crate) fn documents(&self, session: &mut Session) -> Vec<Node> {
        let text = match str::from_utf8(self.bytes) {
            Ok(text) => text,
            Err(error) => {
                let place = self.place(error.valid_up_to());
                session.report(
                    Diagnostic::error("render-encoding", "what is rendered is not UTF-8 text")
                        .at(place)
                        .hint("encode binary content with `b64enc`"),
                );
                return Vec::new();
            }
        };
        let mut nodes = Vec::new();
        for range in documents_in(text) {
            nodes.extend(self.document(text, range, session));
        }
        nodes
    }

    fn document(&self, text: &str, range: Range<usize>, session: &mut Session) -> Option<Node> {
        let start = range.start;
        let title: Arc<str> = self.title.into();
        let is_last = range.end == text.len();
        let mut text = text[range].to_owned();
        // Clients of Kubernetes end every line, the last one too: what a block scalar is depends on it.
        if !text.ends_with('\n') || is_last && self.is_of_release {
            text.push('\n');
        }
        let source = session.sources.add(title, text, SourceKind::Rendered);
        if let Some(document) = self.document {
            let document = document.clone();
            let rendered = RenderedSource { document, start };
            session.rendered.insert(source, rendered);
        }
        let options = ReadOptions {
            source: Some(source),
            numbers: Numbers::AsWritten,
        };
        let text = Arc::clone(&session.sources.get(source).text);
        match go_yaml::read(text.as_bytes(), &options, &mut session.origins) {
            Ok(node) if node.value == Value::Null => None,
            Ok(node) => Some(node),
            Err(error) => {
                let offset = error.place().map(|place| place.offset);
                let here = offset.map(|offset| {
                    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
                    Span {
                        source,
                        start: offset,
                        end: offset,
                    }
                });
                let template = offset.and_then(|offset| self.place(start + offset));
                session.report(
                    Diagnostic::error("yaml-syntax", format!("this is not YAML: {error}"))
                        .at(here)
                        .label(template, "rendered by this"),
                );
                None
            }
        }
    }
}

/// Where the documents of a stream stand: lines that begin with `---` part them.
fn documents_in(text: &str) -> Vec<Range<usize>> {
    let mut documents = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let is_separator = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.trim().is_empty() || rest.trim_start().starts_with('#'));
        if is_separator {
            documents.push(start..at);
            start = at + line.len();
        }
        at += line.len();
    }
    documents.push(start..text.len());
    documents.retain(|range| !text[range.clone()].trim().is_empty());
    documents
}
