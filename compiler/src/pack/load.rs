//! Reads a pack from its files; every problem is reported, none stops the reading of the rest.

use std::{collections::BTreeMap, str, sync::Arc};

use cairn_spec::{
    Diagnostic, FileTree, Map, Node, PackManifest, PackTest, PresetManifest, PresetName, Schema,
    SourceId, SourceKind, Span, TreePath, Value,
};
use cairn_template::TemplateSet;

use super::layout::{FileRole, role_of};
use crate::{
    Session,
    charts::{ChartFiles, LoadedChart, PackedCharts},
    go_templates::GoTemplates,
    object::check_namespace,
};

/// A pack, read and checked.
#[derive(Debug)]
pub struct Pack {
    /// What messages call it, such as `pack web` or a folder.
    pub label: Arc<str>,
    /// `pack.yaml`.
    pub manifest: PackManifest,
    /// `pack.yaml` with the places in it.
    pub manifest_node: Node,
    /// The defaults; an empty map when there are none.
    pub values: Node,
    /// The schema of the values.
    pub schema: Option<Schema>,
    /// The presets by name.
    pub presets: BTreeMap<PresetName, Preset>,
    /// The tests by path.
    pub tests: Vec<(TreePath, PackTest, Node)>,
    /// All files.
    pub tree: FileTree,
    pub(crate) templates: TemplateSet,
    /// The names of the templates that render Kubernetes YAML, sorted.
    pub(crate) template_names: Vec<String>,
    pub(crate) go_templates: GoTemplates,
    /// The charts, sorted by name.
    pub(crate) charts: Vec<LoadedChart>,
    pub(crate) manifests: Vec<SourceId>,
    pub(crate) crds: Vec<SourceId>,
    pub(crate) host: Vec<(TreePath, HostContent)>,
}

/// A preset.
#[derive(Debug)]
pub struct Preset {
    /// At most one preset of a group is chosen.
    pub group: Option<String>,
    /// The values it sets.
    pub values: Node,
}

/// A file under `host/`.
#[derive(Debug)]
pub(crate) enum HostContent {
    /// Rendered by the template of this name.
    Template(String),
    /// Copied.
    Plain(Arc<[u8]>),
}

impl Pack {
    /// The pack has a template, a manifest or host content.
    pub fn renders_something(&self) -> bool {
        !(self.template_names.is_empty()
            && self.go_templates.is_empty()
            && self.charts.is_empty()
            && self.manifests.is_empty()
            && self.crds.is_empty()
            && self.host.is_empty())
    }
}

/// Reads a pack. `label` is what messages call it; file names are shown below it.
pub fn load(label: &str, tree: &FileTree, session: &mut Session) -> Option<Pack> {
    load_files(label, tree, |_| true, session)
}

/// Reads what a profile renders of a pack: everything but its tests.
pub(crate) fn load_to_render(label: &str, tree: &FileTree, session: &mut Session) -> Option<Pack> {
    let is_wanted = |path: &TreePath| !matches!(role_of(path), Ok(FileRole::Test));
    load_files(label, tree, is_wanted, session)
}

fn load_files(
    label: &str,
    tree: &FileTree,
    is_wanted: impl Fn(&TreePath) -> bool,
    session: &mut Session,
) -> Option<Pack> {
    let mut loader = Loader {
        label,
        tree,
        session,
        parts: Parts::default(),
    };
    let manifest = loader.manifest();
    for (path, _) in tree.iter().filter(|(path, _)| is_wanted(path)) {
        loader.file(path);
    }
    let parts = loader.parts;
    parts.templates.check(&mut session.diagnostics);
    let go_templates = GoTemplates::parse(&parts.go_templates, session);
    let (manifest, manifest_node) = manifest?;
    check_requirements(&manifest, &manifest_node, session);
    let charts = PackedCharts {
        label,
        entries: &manifest.spec.charts,
        manifest: &manifest_node,
    }
    .load(parts.charts, session);
    let namespace = session.span_at(&manifest_node, "/spec/namespace");
    check_namespace(manifest.spec.namespace.as_deref(), namespace, session);
    Some(Pack {
        label: label.into(),
        manifest,
        manifest_node,
        values: parts.values.unwrap_or_else(|| Node::generated(Map::new())),
        schema: parts.schema,
        presets: parts.presets,
        tests: parts.tests,
        tree: tree.clone(),
        templates: parts.templates,
        template_names: parts.template_names,
        go_templates,
        charts,
        manifests: parts.manifests,
        crds: parts.crds,
        host: parts.host,
    })
}

/// A requirement is of a pack or of a capability; a schema that said so would say it badly.
fn check_requirements(manifest: &PackManifest, node: &Node, session: &mut Session) {
    for (index, requirement) in manifest.spec.constraints.requires.iter().enumerate() {
        if requirement.pack.is_some() != requirement.capability.is_some() {
            continue;
        }
        let place = session.span_at(node, &format!("/spec/constraints/requires/{index}"));
        session.report(
            Diagnostic::error(
                "pack-requirement",
                "a requirement names exactly one of `pack` and `capability`",
            )
            .at(place)
            .hint("write `{pack: NAME, version: RANGE}` or `{capability: NAME}`"),
        );
    }
}

#[derive(Default)]
struct Parts {
    values: Option<Node>,
    schema: Option<Schema>,
    presets: BTreeMap<PresetName, Preset>,
    tests: Vec<(TreePath, PackTest, Node)>,
    templates: TemplateSet,
    template_names: Vec<String>,
    /// Their names, and whether they render something.
    go_templates: Vec<(String, SourceId, bool)>,
    charts: ChartFiles,
    manifests: Vec<SourceId>,
    crds: Vec<SourceId>,
    host: Vec<(TreePath, HostContent)>,
}

struct Loader<'a> {
    label: &'a str,
    tree: &'a FileTree,
    session: &'a mut Session,
    parts: Parts,
}

impl Loader<'_> {
    fn name(&self, path: &str) -> String {
        format!("{}/{path}", self.label)
    }

    fn manifest(&mut self) -> Option<(PackManifest, Node)> {
        if self.tree.get("pack.yaml").is_none() {
            self.session.report(
                Diagnostic::error(
                    "pack-manifest",
                    format!("`{}` is not a pack: it has no `pack.yaml`", self.label),
                )
                .hint("create one with `cairn pack new NAME`"),
            );
            return None;
        }
        let text = self.text("pack.yaml")?;
        self.session
            .read_kind(&self.name("pack.yaml"), text, SourceKind::PackManifest)
    }

    /// The text of a file that must be UTF-8.
    fn text(&mut self, path: &str) -> Option<Arc<str>> {
        let file = self.tree.get(path)?;
        match str::from_utf8(&file.bytes) {
            Ok(text) => Some(text.into()),
            Err(error) => {
                let text = String::from_utf8_lossy(&file.bytes).into_owned();
                let start = error.valid_up_to();
                let name = self.name(path);
                let source = self.session.sources.add(name, text, SourceKind::Other);
                let bound = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
                let place = Span {
                    source,
                    start: bound(start),
                    end: bound(start + char::REPLACEMENT_CHARACTER.len_utf8()),
                };
                self.session.report(
                    Diagnostic::error("pack-encoding", "this is not UTF-8 text")
                        .at(place)
                        .hint("save the file as UTF-8"),
                );
                None
            }
        }
    }

    fn file(&mut self, path: &TreePath) {
        match role_of(path) {
            Err(reason) => self.session.report(
                Diagnostic::error(
                    "pack-layout",
                    format!("`{}` does not belong in a pack", self.name(path.as_str())),
                )
                .hint(reason),
            ),
            Ok(FileRole::Manifest | FileRole::Document | FileRole::Lock) => {}
            Ok(FileRole::ChartArchive) => {
                if let Some(file) = self.tree.get(path.as_str()) {
                    let archive = (path.to_string(), Arc::clone(&file.bytes));
                    self.parts.charts.archives.push(archive);
                }
            }
            Ok(FileRole::ChartFile(folder)) => {
                let below = path.below("charts").and_then(|path| path.split_once('/'));
                if let (Some(file), Some((_, below))) = (self.tree.get(path.as_str()), below) {
                    let files = self.parts.charts.folders.entry(folder).or_default();
                    files.push((below.to_owned(), Arc::clone(&file.bytes)));
                }
            }
            Ok(FileRole::Values) => self.values(),
            Ok(FileRole::ValuesSchema) => self.schema(),
            Ok(FileRole::Preset(name)) => self.preset(path, &name),
            Ok(FileRole::Template) => {
                if let Some(source) = self.add_source(path) {
                    self.template(path.as_str(), source);
                    self.parts.template_names.push(path.to_string());
                }
            }
            Ok(FileRole::Partial(name)) => {
                if let Some(source) = self.add_source(path) {
                    let Session {
                        sources,
                        diagnostics,
                        ..
                    } = &mut *self.session;
                    self.parts
                        .templates
                        .add_partial(&name, sources, source, diagnostics);
                }
            }
            Ok(FileRole::GoTemplate { renders }) => {
                if let Some(source) = self.add_source(path) {
                    let file = (path.to_string(), source, renders);
                    self.parts.go_templates.push(file);
                }
            }
            Ok(FileRole::StaticManifest) => {
                let text = self.add_source(path);
                self.parts.manifests.extend(text);
            }
            Ok(FileRole::CustomResourceDefinition) => {
                let text = self.add_source(path);
                self.parts.crds.extend(text);
            }
            Ok(FileRole::Host) => self.host(path),
            Ok(FileRole::Test) => self.test(path),
        }
    }

    fn add_source(&mut self, path: &TreePath) -> Option<SourceId> {
        let text = self.text(path.as_str())?;
        let name = self.name(path.as_str());
        Some(self.session.sources.add(name, text, SourceKind::Template))
    }

    fn template(&mut self, name: &str, source: SourceId) {
        let Session {
            sources,
            diagnostics,
            ..
        } = &mut *self.session;
        self.parts
            .templates
            .add_template(name, sources, source, diagnostics);
    }

    fn values(&mut self) {
        let Some(text) = self.text("values.yaml") else {
            return;
        };
        let name = self.name("values.yaml");
        let Some((_, node)) = self
            .session
            .read_yaml(&name, text, SourceKind::PackDefaults)
        else {
            return;
        };
        match node.value {
            Value::Map(_) => self.parts.values = Some(node),
            Value::Null => {}
            _ => {
                let diagnostic =
                    Diagnostic::error("pack-values", "the values of a pack must be a map")
                        .hint("write `KEY: VALUE` lines");
                let diagnostic = diagnostic.at(self.session.span(&node));
                self.session.report(diagnostic);
            }
        }
    }

    fn schema(&mut self) {
        let Some(text) = self.text("values.schema.json") else {
            return;
        };
        let name = self.name("values.schema.json");
        // JSON is YAML, so the reader that knows places reads it too.
        let Some((_, node)) = self.session.read_yaml(&name, text, SourceKind::Schema) else {
            return;
        };
        match Schema::compile(node.to_json()) {
            Ok(schema) => self.parts.schema = Some(schema),
            Err(error) => {
                let place = self.session.span_at(&node, &error.pointer);
                self.session.report(
                    Diagnostic::error(
                        "pack-schema",
                        format!("the values schema cannot be used: {}", error.reason),
                    )
                    .at(place)
                    .hint("schemas are JSON Schema 2020-12 (spec/pack.md §1)"),
                );
            }
        }
    }

    fn preset(&mut self, path: &TreePath, file_name: &str) {
        let Some(text) = self.text(path.as_str()) else {
            return;
        };
        let name = self.name(path.as_str());
        let Some((preset, node)) =
            self.session
                .read_kind::<PresetManifest>(&name, text, SourceKind::Preset)
        else {
            return;
        };
        if preset.metadata.name.as_str() != file_name {
            let place = self.session.span_at(&node, "/metadata/name");
            self.session.report(
                Diagnostic::error(
                    "pack-preset",
                    format!(
                        "the preset is called `{}` but its file `{file_name}.yaml`",
                        preset.metadata.name
                    ),
                )
                .at(place)
                .hint(format!(
                    "rename the file to `presets/{}.yaml`",
                    preset.metadata.name
                )),
            );
        }
        let values = node
            .pointer("/spec/values")
            .cloned()
            .unwrap_or_else(|| Node::generated(Map::new()));
        self.parts.presets.insert(
            preset.metadata.name,
            Preset {
                group: preset.spec.group,
                values,
            },
        );
    }

    fn host(&mut self, path: &TreePath) {
        let below = path.below("host").unwrap_or_default();
        let content = if let Some(target) = below.strip_suffix(".hbs") {
            let Some(source) = self.add_source(path) else {
                return;
            };
            self.template(path.as_str(), source);
            (target.parse(), HostContent::Template(path.to_string()))
        } else {
            let file = self.tree.get(path.as_str());
            let bytes = file.map(|file| Arc::clone(&file.bytes));
            (below.parse(), HostContent::Plain(bytes.unwrap_or_default()))
        };
        match content {
            (Ok(target), content) if !self.parts.host.iter().any(|(other, _)| *other == target) => {
                self.parts.host.push((target, content));
            }
            (Ok(target), _) => self.session.report(
                Diagnostic::error(
                    "pack-layout",
                    format!(
                        "`{}` holds both `host/{target}` and `host/{target}.hbs`",
                        self.label
                    ),
                )
                .hint("both would become the same file: remove one"),
            ),
            (Err(error), _) => self
                .session
                .report(Diagnostic::error("pack-layout", error.to_string())),
        }
    }

    fn test(&mut self, path: &TreePath) {
        let is_test = path
            .below("tests")
            .and_then(|rest| rest.strip_suffix(".yaml"))
            .is_some_and(|name| !name.contains('/'));
        if !is_test {
            return;
        }
        let Some(text) = self.text(path.as_str()) else {
            return;
        };
        let name = self.name(path.as_str());
        if let Some((test, node)) =
            self.session
                .read_kind::<PackTest>(&name, text, SourceKind::PackTest)
        {
            self.parts.tests.push((path.clone(), test, node));
        }
    }
}
