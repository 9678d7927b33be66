//! A profile with everything beside it, in memory.
//!
//! A world is one text: lines `=== PATH` part its files. `profile` is the `spec` of the profile, with
//! type `addon`, Kubernetes 1.34.0 and a registry; `cluster` the `spec` of the cluster; `lock` the lock.
//! Files of `NAME@VERSION/` are a pack in the registry, those of `repo/NAME@VERSION/` a chart at
//! `https://charts.example.com`. A pack without `pack.yaml` is an add-on, and one
//! without templates renders a `ConfigMap` with its values. Anything else is a file beside the profile.

use std::{collections::BTreeMap, fmt::Write as _};

use cairn_compiler::{
    Build, BuildRequest, FetchedChart, FetchedPack, InputError, LockMode, NamedText, PackSource,
    ProfileFiles, build,
};
use cairn_spec::{
    ChartName, ChartRepository, Diagnostic, Digest, FileTree, Node, PackName, RegistrySpec,
    Severity, SourceKind, Sources, Version, gzip, write_tar, yaml,
};

const HEADER: &str = "apiVersion: cairn.dev/v1\nkind: ";

#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    files: BTreeMap<String, String>,
    packs: BTreeMap<(String, Version), FileTree>,
    charts: BTreeMap<(String, Version), FileTree>,
    pub(crate) request: BuildRequest,
}

impl World {
    pub(crate) fn new(text: &str) -> Self {
        let mut world = Self::default();
        let mut packs: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for part in text.split("=== ").skip(1) {
            let (path, content) = part.split_once('\n').unwrap();
            if let Some(below) = path.strip_prefix("repo/") {
                world.chart_file(below, content);
                continue;
            }
            match path.split_once('/') {
                Some((pack, file)) if pack.contains('@') => {
                    let files = packs.entry(pack.to_owned()).or_default();
                    files.insert(file.to_owned(), content.to_owned());
                }
                _ => world.file(path, content),
            }
        }
        for (pack, files) in packs {
            world.pack(&pack, &files);
        }
        world.request.profile = String::from("profile.yaml");
        world
    }

    fn file(&mut self, path: &str, content: &str) {
        let indented = content.trim_end().replace('\n', "\n  ");
        match path {
            "profile" => {
                let mut text = format!(
                    "{HEADER}Profile\nmetadata: {{name: shop, version: 1.0.0}}\nspec:\n  {indented}\n"
                );
                for (key, line) in [
                    ("type", "  type: addon\n"),
                    ("kubernetes", "  kubernetes: 1.34.0\n"),
                    (
                        "registries",
                        "  registries: [{name: default, url: oci://one/packs}, {name: other, url: oci://two}]\n",
                    ),
                ] {
                    if !content
                        .lines()
                        .any(|line| line.starts_with(&format!("{key}:")))
                    {
                        text += line;
                    }
                }
                self.files.insert("profile.yaml".to_owned(), text);
            }
            "cluster" => {
                let text = format!(
                    "{HEADER}Cluster\nmetadata: {{name: c1, labels: {{env: prod}}}}\nspec:\n  profile: {{name: shop}}\n  {indented}\n"
                );
                self.files.insert("cluster.yaml".to_owned(), text);
                self.request.cluster = Some("cluster.yaml".to_owned());
            }
            "lock" => self.request.lock = Some(content.to_owned()),
            path => {
                self.files.insert(path.to_owned(), content.to_owned());
            }
        }
    }

    fn chart_file(&mut self, path: &str, content: &str) {
        let (title, file) = path.split_once('/').unwrap();
        let (name, version) = title.split_once('@').unwrap();
        let key = (name.to_owned(), version.parse().unwrap());
        let chart = self.charts.entry(key).or_default();
        chart.put(&format!("{name}/{file}"), content);
    }

    fn pack(&mut self, title: &str, files: &BTreeMap<String, String>) {
        let (name, version) = title.split_once('@').unwrap();
        let tree = pack_tree(name, version, files);
        self.packs
            .insert((name.to_owned(), version.parse().unwrap()), tree);
    }

    pub(crate) fn locked(mut self, mode: LockMode) -> Self {
        self.request.lock_mode = mode;
        self
    }

    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        let variable = (name.parse().unwrap(), value.to_owned());
        self.request.variables.push(variable);
        self
    }

    pub(crate) fn build(&self) -> Build {
        build(&self.request, self, self)
    }
}

/// A pack of some files, with what it lacks.
pub(crate) fn pack_tree(name: &str, version: &str, files: &BTreeMap<String, String>) -> FileTree {
    let mut tree = FileTree::new();
    let manifest = format!("metadata: {{name: {name}, version: {version}}}\nspec:\n  ");
    let own = files
        .get("pack.yaml")
        .map_or("layer: addon", String::as_str);
    let own = own.trim_end().replace('\n', "\n  ");
    tree.put("pack.yaml", format!("{HEADER}Pack\n{manifest}{own}\n"));
    for (path, content) in files.iter().filter(|(path, _)| *path != "pack.yaml") {
        tree.put(path, content.as_str());
    }
    let renders = ["templates/", "manifests/", "charts/", "crds/", "host/"];
    if !files
        .keys()
        .any(|path| renders.iter().any(|folder| path.starts_with(folder)))
    {
        tree.put(
            "templates/values.yaml.hbs",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"{{layer.name}}\", namespace: default}\ndata: {{toJson values}}\n",
        );
    }
    tree
}

impl PackSource for World {
    fn versions(&self, _: &RegistrySpec, pack: &PackName) -> Result<Vec<Version>, InputError> {
        let of_name = self.packs.keys().filter(|(name, _)| name == pack.as_str());
        Ok(of_name.map(|(_, version)| version.clone()).collect())
    }

    fn fetch(
        &self,
        _: &RegistrySpec,
        pack: &PackName,
        version: &Version,
        locked: Option<&Digest>,
    ) -> Result<FetchedPack, InputError> {
        let found = self.packs.get(&(pack.to_string(), version.clone()));
        let tree =
            found.ok_or_else(|| InputError::new("pack-missing", format!("no {pack} {version}")))?;
        let digest = Digest::sha256(&write_tar(tree));
        if locked.is_some_and(|locked| *locked != digest) {
            return Err(InputError::new(
                "pack-missing",
                format!("other content of {pack} {version}"),
            ));
        }
        Ok(FetchedPack {
            tree: tree.clone(),
            diff_id: digest.clone(),
            digest,
            signers: Vec::new(),
        })
    }

    fn chart_versions(
        &self,
        _: &ChartRepository,
        chart: &ChartName,
    ) -> Result<Vec<Version>, InputError> {
        let of_name = self
            .charts
            .keys()
            .filter(|(name, _)| name == chart.as_str());
        Ok(of_name.map(|(_, version)| version.clone()).collect())
    }

    fn fetch_chart(
        &self,
        _: &ChartRepository,
        chart: &ChartName,
        version: &Version,
        digest: Option<&Digest>,
    ) -> Result<FetchedChart, InputError> {
        let found = self.charts.get(&(chart.to_string(), version.clone()));
        let tree = found
            .ok_or_else(|| InputError::new("chart-missing", format!("no {chart} {version}")))?;
        let archive = gzip(&write_tar(tree));
        let found = Digest::sha256(&archive);
        if digest.is_some_and(|digest| *digest != found) {
            return Err(InputError::new(
                "chart-digest",
                format!("other content of {chart} {version}"),
            ));
        }
        Ok(FetchedChart {
            archive: archive.into(),
            digest: found,
        })
    }
}

impl ProfileFiles for World {
    fn read(&self, _: &str, path: &str) -> Result<NamedText, InputError> {
        let text = self.files.get(path);
        let text = text.ok_or_else(|| InputError::new("file", format!("there is no `{path}`")))?;
        Ok(NamedText {
            name: path.to_owned(),
            text: text.as_str().into(),
        })
    }

    fn glob(&self, beside: &str, pattern: &str) -> Result<Vec<NamedText>, InputError> {
        let (folder, ending) = pattern.split_once('*').unwrap_or((pattern, ""));
        let matching = self
            .files
            .keys()
            .filter(|path| path.starts_with(folder) && path.ends_with(ending));
        matching.map(|path| self.read(beside, path)).collect()
    }

    fn read_pack(&self, _: &str, path: &str) -> Result<FileTree, InputError> {
        let below = format!("{path}/");
        let files: BTreeMap<String, String> = self
            .files
            .iter()
            .filter_map(|(file, text)| Some((file.strip_prefix(&below)?.to_owned(), text.clone())))
            .collect();
        let name = path.rsplit('/').next().unwrap();
        Ok(pack_tree(name, "0.1.0", &files))
    }
}

/// The values of every layer as its pack sees them, and the findings.
pub(crate) fn values(text: &str) -> String {
    shown_values(&World::new(text).build())
}

pub(crate) fn shown_values(build: &Build) -> String {
    let mut out = String::new();
    for object in objects_of(build) {
        let name = object.at(&["metadata", "name"]).and_then(Node::as_str);
        let data = object.get("data").map(|data| data.to_json().to_string());
        let _ = writeln!(out, "{}: {}", name.unwrap_or("?"), data.unwrap_or_default());
    }
    out + &findings(build)
}

/// The files of all objects, and the findings.
pub(crate) fn files(text: &str) -> String {
    shown_files(&World::new(text).build())
}

pub(crate) fn shown_files(build: &Build) -> String {
    let mut out = String::new();
    for (path, _) in build.bundle.iter().flat_map(FileTree::iter) {
        if let Some(path) = path.below("manifests") {
            out += path;
            out.push('\n');
        }
    }
    out + &findings(build)
}

/// The layers in their order with their packs, and the findings.
pub(crate) fn layers(world: &World) -> String {
    let build = world.build();
    let mut out = String::new();
    for layer in &build.layers {
        let _ = write!(out, "{} ({})", layer.name, layer.kind);
        if let Some((pack, version)) = &layer.pack {
            let _ = write!(out, " {pack} {version}");
        }
        for (needs, reason) in &layer.needs {
            let _ = write!(out, ", after {needs}: {reason}");
        }
        out.push('\n');
    }
    out + &findings(&build)
}

/// Only the findings.
pub(crate) fn reported(text: &str) -> String {
    findings(&World::new(text).build())
}

pub(crate) fn objects_of(build: &Build) -> Vec<Node> {
    let mut objects = Vec::new();
    for (path, file) in build.bundle.iter().flat_map(FileTree::iter) {
        if path.below("manifests").is_some() {
            let mut session = cairn_compiler::Session::default();
            let text = String::from_utf8_lossy(&file.bytes).into_owned();
            let source = session.sources.add("object", text, SourceKind::Other);
            let reading = yaml::read(&session.sources, source, &mut session.origins);
            objects.extend(reading.documents.into_iter().map(|document| document.root));
        }
    }
    objects
}

pub(crate) fn findings(build: &Build) -> String {
    let session = &build.session;
    let shown = session
        .diagnostics
        .iter()
        .map(|one| finding(one, &session.sources));
    shown.collect()
}

pub(crate) fn finding(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    };
    let mut out = format!("{severity}[{}] {}", diagnostic.code, diagnostic.message);
    for label in &diagnostic.labels {
        let _ = write!(out, "\n  at {} {}", sources.locate(label.span), label.text);
    }
    for note in &diagnostic.notes {
        let _ = write!(out, "\n  note: {note}");
    }
    if let Some(hint) = &diagnostic.hint {
        let _ = write!(out, "\n  hint: {hint}");
    }
    let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}
