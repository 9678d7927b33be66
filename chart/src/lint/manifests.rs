//! What is wrong with the objects that the chart's own templates render.

use std::{collections::HashMap, ops::Range};

use cairn_spec::{Diagnostic, Node, Origins, SourceKind, Sources, Span, Value};
use cairn_template::go_yaml::{self, Numbers, ReadOptions};

use super::{Findings, api_versions::retirement, object_names};
use crate::{Dialect, manifest, manifest::RenderedFile};

const RESOURCE_POLICY: &str = "helm.sh/resource-policy";
/// Kinds that choose their pods.
const WORKLOADS: &[&str] = &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"];

/// Looks at what the templates below `own` rendered, for Kubernetes 1.`minor`.
pub(super) fn check(
    files: &[RenderedFile],
    own: &str,
    (minor, dialect): (u64, Dialect),
    sources: &mut Sources,
    findings: &mut Findings,
) {
    let mut seen = HashMap::new();
    for file in files {
        let is_own = file.path.starts_with(own);
        for range in manifest::split(&file.bytes, dialect) {
            let Some(object) = Object::read(file, range, sources, is_own, findings) else {
                continue;
            };
            if !is_own {
                continue;
            }
            object.check_names(findings);
            object.check_api_version(minor, findings);
            object.check_selector(findings);
            object.check_list(findings);
            object.check_twin(&mut seen, findings);
        }
    }
}

/// An object in a rendered document.
struct Object<'f> {
    file: &'f RenderedFile,
    range: Range<usize>,
    node: Node,
    origins: Origins,
}

/// What tells an object from others.
type Identity = (String, String, String, String);

impl<'f> Object<'f> {
    /// The object in a document; what is no YAML is an error.
    fn read(
        file: &'f RenderedFile,
        range: Range<usize>,
        sources: &mut Sources,
        is_own: bool,
        findings: &mut Findings,
    ) -> Option<Self> {
        let document = file.bytes.get(range.clone())?;
        let mut origins = Origins::new();
        // Spans in the document need no text.
        let scratch = Sources::new().add("", "", SourceKind::Rendered);
        let options = ReadOptions {
            source: Some(scratch),
            numbers: Numbers::AsWritten,
        };
        let node = match go_yaml::read(document, &options, &mut origins) {
            Ok(node) => node,
            Err(error) => {
                let offset = error.place().map_or(0, |place| place.offset);
                let message = format!("`{}` renders what is no YAML: {error}", file.path);
                let mut finding = Diagnostic::error("chart-manifest", message);
                let at = (range.start + offset).min(file.bytes.len().saturating_sub(1));
                if let Some(piece) = file.spans.at(at) {
                    finding = finding.label(piece.place, "it was written here");
                }
                if let Ok(text) = str::from_utf8(&file.bytes) {
                    let source = sources.add(
                        format!("{} (rendered)", file.path),
                        text,
                        SourceKind::Rendered,
                    );
                    let at = u32::try_from(at).unwrap_or(u32::MAX);
                    finding = finding.label(
                        Span {
                            source,
                            start: at,
                            end: at,
                        },
                        "this is not valid",
                    );
                }
                findings.push(finding.hint("correct the template at the place"));
                return None;
            }
        };
        match &node.value {
            Value::Map(_) => Some(Self {
                file,
                range,
                node,
                origins,
            }),
            Value::Null => None,
            _ => {
                if is_own {
                    let piece = file.spans.at(range.start).map(|piece| piece.place);
                    let message = format!("`{}` renders a document that is no object", file.path);
                    let finding = Diagnostic::error("chart-object", message).at(piece);
                    findings.push(finding.hint("render `apiVersion`, `kind` and `metadata`"));
                }
                None
            }
        }
    }

    fn text(&self, path: &[&str]) -> &str {
        self.node
            .at(path)
            .and_then(Node::as_str)
            .unwrap_or_default()
    }

    fn kind(&self) -> &str {
        self.text(&["kind"])
    }

    fn is_list(&self) -> bool {
        self.kind().ends_with("List") && self.node.get("items").is_some()
    }

    /// Where the template wrote a value, or the object.
    fn place(&self, node: Option<&Node>) -> Option<Span> {
        let span = node.and_then(|node| self.origins.span(node.origin));
        let offset = span.map_or(0, |span| span.start as usize);
        Some(self.file.spans.at(self.range.start + offset)?.place)
    }

    fn error(&self, message: String, node: Option<&Node>) -> Diagnostic {
        Diagnostic::error("chart-object", message).at(self.place(node))
    }

    fn warning(&self, message: String, node: Option<&Node>) -> Diagnostic {
        Diagnostic::warning("chart-object", message).at(self.place(node))
    }

    /// The kind and name, for messages.
    fn shown(&self) -> String {
        format!("{} `{}`", self.kind(), self.text(&["metadata", "name"]))
    }

    fn check_names(&self, findings: &mut Findings) {
        for key in ["apiVersion", "kind"] {
            if self.text(&[key]).is_empty() {
                let message = format!("`{}` renders an object without `{key}`", self.file.path);
                findings.push(
                    self.error(message, self.node.get(key))
                        .hint(format!("render `{key}`")),
                );
            }
        }
        let name = self.node.at(&["metadata", "name"]);
        let is_generated = self.node.at(&["metadata", "generateName"]).is_some();
        if self.kind().is_empty() || self.is_list() || is_generated && name.is_none() {
            return;
        }
        let text = name.and_then(Node::as_str).unwrap_or_default();
        // A number as a name is an error of another kind.
        let Some(trouble) = object_names::trouble(self.kind(), text) else {
            return;
        };
        let message = if text.is_empty() {
            format!("a {} in `{}` has no name", self.kind(), self.file.path)
        } else {
            format!("`{text}` is no name for a {}: {trouble}", self.kind())
        };
        findings.push(
            self.warning(message, name).hint(
                "see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/",
            ),
        );
    }

    fn check_api_version(&self, minor: u64, findings: &mut Findings) {
        let node = self.node.get("apiVersion");
        if let Some((message, hint)) = retirement(self.text(&["apiVersion"]), self.kind(), minor) {
            let finding = Diagnostic::warning("chart-api-version", message).at(self.place(node));
            findings.push(finding.hint(hint));
        }
    }

    fn check_selector(&self, findings: &mut Findings) {
        if !WORKLOADS.contains(&self.kind()) || !self.text(&["apiVersion"]).starts_with("apps/") {
            return;
        }
        let has = |key: &str| self.node.at(&["spec", "selector", key]).is_some();
        if !has("matchLabels") && !has("matchExpressions") {
            let message = format!("{} has no selector", self.shown());
            let finding = self.error(message, self.node.get("spec"));
            findings.push(
                finding.hint("write `spec.selector` with `matchLabels` or `matchExpressions`"),
            );
        }
    }

    fn check_list(&self, findings: &mut Findings) {
        let items = self.node.get("items").and_then(Node::as_list);
        for item in items
            .unwrap_or_default()
            .iter()
            .filter(|_| self.kind() == "List")
        {
            let policy = item.at(&["metadata", "annotations", RESOURCE_POLICY]);
            if let Some(policy) = policy {
                let message = format!("Helm does not see `{RESOURCE_POLICY}` within a List");
                let finding = self.error(message, Some(policy));
                findings.push(finding.hint("render the object as a document of its own"));
            }
        }
    }

    /// Two objects with one name: the second cannot be installed. Hooks may come and go.
    fn check_twin(&self, seen: &mut HashMap<Identity, Option<Span>>, findings: &mut Findings) {
        let annotations = self.node.at(&["metadata", "annotations"]);
        let is_hook =
            annotations.is_some_and(|annotations| annotations.get("helm.sh/hook").is_some());
        let name = self.text(&["metadata", "name"]);
        if is_hook || name.is_empty() || self.is_list() {
            return;
        }
        let api_version = self.text(&["apiVersion"]);
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        let identity = (
            group.to_owned(),
            self.kind().to_owned(),
            self.text(&["metadata", "namespace"]).to_owned(),
            name.to_owned(),
        );
        let place = self.place(self.node.at(&["metadata", "name"]));
        if let Some(first) = seen.get(&identity) {
            let message = format!("{} is rendered twice", self.shown());
            let finding = self
                .error(message, self.node.at(&["metadata", "name"]))
                .label(*first, "here first");
            findings.push(finding.hint("give them different names, or render one of them"));
        } else {
            seen.insert(identity, place);
        }
    }
}
