//! Wraps a Helm chart as a pack: manifest, values, schema, README and a test.

mod metadata;
mod schema;
mod text;

use std::sync::Arc;

use cairn_spec::{
    ChartName, ChartRepository, FileTree, LayerKind, PackChart, PackManifest, Version,
};

use self::text::Facts;
use crate::{
    ImportNote, ImportOutcome, Session,
    charts::LoadedChart,
    image,
    pack_render::{newest_kubernetes, render_pack},
    palette::manifest_text,
};

/// The chart that is to become a pack.
#[derive(Debug, Clone)]
pub struct HelmImportRequest {
    /// What messages call it.
    pub label: String,
    /// An archive, or the files of a folder.
    pub content: HelmContent,
    /// The repository it came from, when the pack shall fetch it from there.
    pub repository: Option<ChartRepository>,
    /// The layer of the pack; guessed when it is not given.
    pub layer: Option<LayerKind>,
}

/// The files of a chart.
#[derive(Debug, Clone)]
pub enum HelmContent {
    /// A packed chart.
    Archive(Arc<[u8]>),
    /// The files below its folder.
    Folder(FileTree),
}

/// A pack that was made of a chart.
#[derive(Debug)]
pub struct HelmImport {
    /// `pack.yaml`.
    pub manifest: PackManifest,
    /// The files of the pack.
    pub tree: FileTree,
    /// What was changed or left out.
    pub notes: Vec<ImportNote>,
    /// The images that the chart's defaults use, sorted.
    pub images: Vec<String>,
}

/// Makes a pack of a chart.
pub fn import_helm(request: &HelmImportRequest) -> (Session, Option<HelmImport>) {
    let mut session = Session::default();
    let import = import(request, &mut session);
    let import = import.filter(|_| !session.diagnostics.has_errors());
    (session, import)
}

fn import(request: &HelmImportRequest, session: &mut Session) -> Option<HelmImport> {
    let loaded = load(request, session)?;
    let mut notes = Vec::new();
    let mut manifest = metadata::manifest(&loaded, request.layer, &mut notes, session)?;
    manifest.spec.charts = vec![chart_entry(&loaded, request)];
    let name = loaded.name.clone();
    let mut pack = FileTree::new();
    pack.put(
        "values.yaml",
        text::values(&loaded, defaults(request).as_deref()),
    );
    let schema = schema::wrapped(&name, loaded.chart.schema.as_deref(), &mut notes);
    pack.put("values.schema.json", pretty(&schema));
    pack.put("pack.yaml", manifest_text(&manifest));
    let charts = chart_files(&name, loaded.version(), request, &mut notes);
    let rendered = render(&pack, &charts, &mut notes);
    let facts = Facts {
        manifest: &manifest,
        app_version: &loaded.chart.metadata.app_version,
        images: &rendered.images,
    };
    pack.put("README.md", text::readme(&facts));
    if let Some(objects) = rendered.objects {
        pack.put("tests/default.yaml", text::test(objects));
    }
    let tree = if request.repository.is_some() {
        pack
    } else {
        joined(&pack, &charts)
    };
    Some(HelmImport {
        manifest,
        tree,
        notes,
        images: rendered.images,
    })
}

fn load(request: &HelmImportRequest, session: &mut Session) -> Option<LoadedChart> {
    match &request.content {
        HelmContent::Archive(bytes) => LoadedChart::of_archive(&request.label, bytes, session),
        HelmContent::Folder(tree) => {
            let files = tree
                .iter()
                .map(|(path, file)| (path.to_string(), Arc::clone(&file.bytes)));
            LoadedChart::of_folder(&request.label, files.collect(), session)
        }
    }
}

/// What `pack.yaml` says of the chart.
fn chart_entry(loaded: &LoadedChart, request: &HelmImportRequest) -> PackChart {
    let version: Option<Version> = loaded.version().parse().ok();
    let is_fetched = request.repository.is_some();
    PackChart {
        name: loaded.name.clone(),
        repository: request.repository.clone(),
        version: version
            .filter(|_| is_fetched)
            .and_then(|version| version.to_string().parse().ok()),
        digest: loaded.digest.clone().filter(|_| is_fetched),
        release: None,
        generated: cairn_spec::GeneratedValues::default(),
    }
}

/// The chart's own `values.yaml`.
fn defaults(request: &HelmImportRequest) -> Option<String> {
    let bytes = match &request.content {
        HelmContent::Folder(tree) => tree.get("values.yaml")?.bytes.to_vec(),
        HelmContent::Archive(bytes) => {
            let files = cairn_chart::read_archive(bytes, &cairn_chart::ChartLimits::HELM).ok()?;
            let file = files
                .into_iter()
                .find(|file| &*file.path == "values.yaml")?;
            file.bytes().ok()?.to_vec()
        }
    };
    String::from_utf8(bytes).ok()
}

/// The files below `charts/` of the pack.
fn chart_files(
    name: &ChartName,
    version: &str,
    request: &HelmImportRequest,
    notes: &mut Vec<ImportNote>,
) -> FileTree {
    let mut files = FileTree::new();
    let mut add = |path: String, bytes: &[u8]| {
        let file = cairn_spec::File {
            bytes: bytes.into(),
            executable: false,
        };
        let added = path.parse().and_then(|path| files.insert(path, file));
        if let Err(error) = added {
            notes.push(ImportNote {
                outcome: ImportOutcome::LeftOut,
                what: path,
                note: error.to_string(),
            });
        }
    };
    match &request.content {
        HelmContent::Archive(bytes) => add(format!("charts/{name}-{version}.tgz"), bytes),
        HelmContent::Folder(tree) => {
            for (path, file) in tree.iter() {
                add(format!("charts/{name}/{path}"), &file.bytes);
            }
        }
    }
    files
}

fn joined(pack: &FileTree, charts: &FileTree) -> FileTree {
    let mut whole = pack.clone();
    for (path, file) in charts.iter() {
        // Nothing else of the pack stands in `charts/`.
        let _ = whole.insert(path.clone(), file.clone());
    }
    whole
}

/// What the defaults of a chart render to.
struct Rendered {
    images: Vec<String>,
    /// How many objects there are; none when rendering failed.
    objects: Option<usize>,
}

/// Renders the pack as it will be. A chart that needs values, or a choice of what is not
/// deterministic, is a pack all the same: the note says what it needs.
fn render(pack: &FileTree, charts: &FileTree, notes: &mut Vec<ImportNote>) -> Rendered {
    let mut session = Session::default();
    let mut failed = |session: &Session| {
        let first = session.diagnostics.iter().next();
        notes.push(ImportNote {
            outcome: ImportOutcome::LeftOut,
            what: "images and a test".to_owned(),
            note: format!(
                "the defaults do not render: {}",
                first.map_or("", |finding| &finding.message)
            ),
        });
        Rendered {
            images: Vec::new(),
            objects: None,
        }
    };
    let whole = joined(pack, charts);
    let Some(loaded) = crate::pack::load("pack", &whole, &mut session) else {
        return failed(&session);
    };
    let kubernetes = newest_kubernetes(&loaded);
    let mut output = render_pack(&loaded, &[], None, &kubernetes, &mut session);
    if session.diagnostics.has_errors() {
        return failed(&session);
    }
    let images = image::settle(&mut output.objects, &[]);
    Rendered {
        images: images.into_iter().map(|used| used.image.image).collect(),
        objects: Some(output.objects.len()),
    }
}

fn pretty(json: &serde_json::Value) -> String {
    let mut text = serde_json::to_string_pretty(json).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
