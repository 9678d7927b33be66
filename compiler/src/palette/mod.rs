//! Makes a pack of a Palette pack, and says what could not be carried over.
//!
//! A Palette pack is a folder with `pack.json`, `values.yaml`, archives of charts, manifests,
//! `schema.yaml` and `presets.yaml` (<https://docs.spectrocloud.com/registries-and-packs>). Charts
//! keep their values and the names of their releases, so that the same objects come out of them.

mod chance;
mod charts;
mod constraints;
mod logo;
mod manifests;
mod metadata;
mod namespaces;
mod pack_json;
mod presets;
mod report;
mod schema;
mod values;

use std::str;

use cairn_spec::{
    Diagnostic, FileTree, Map, Node, PackManifest, SourceKind, TreePath, Value,
    yaml::write_document,
};

use self::{pack_json::PackJson, values::Values};
use crate::Session;

pub use chance::ChanceCalls;
pub use report::{ImportNote, ImportOutcome};

/// A pack that was made of a Palette pack.
#[derive(Debug)]
pub struct PaletteImport {
    /// `pack.yaml`.
    pub manifest: PackManifest,
    /// The files of the pack.
    pub tree: FileTree,
    /// What was changed or left out.
    pub notes: Vec<ImportNote>,
}

/// Makes a pack of a Palette pack. `label` is what messages call its folder.
pub fn import_palette(
    label: &str,
    tree: &FileTree,
    chance: ChanceCalls,
) -> (Session, Option<PaletteImport>) {
    let mut session = Session::default();
    let import = import(label, tree, chance, &mut session);
    let import = import.filter(|_| !session.diagnostics.has_errors());
    (session, import)
}

fn import(
    label: &str,
    tree: &FileTree,
    chance: ChanceCalls,
    session: &mut Session,
) -> Option<PaletteImport> {
    let pack = pack_json::read(label, tree, session)?;
    let values = values::read(label, tree, session)?;
    let mut importer = Importer {
        label,
        source: tree,
        pack: &pack,
        values: &values,
        tree: FileTree::new(),
        notes: Vec::new(),
    };
    let mut manifest = importer.metadata(session)?;
    importer.namespaces(&mut manifest);
    importer.charts(&mut manifest);
    importer.chance(&mut manifest, chance, session);
    importer.manifests();
    importer.home_of_manifests(&mut manifest);
    importer.presets(session);
    let schema = importer.schema(session);
    importer.write_values();
    importer.documents();
    importer.left_out();
    importer.put("values.schema.json", pretty(&schema));
    let text = manifest_text(&manifest);
    importer.put("pack.yaml", text);
    Some(PaletteImport {
        manifest,
        tree: importer.tree,
        notes: importer.notes,
    })
}

/// A pack in the making.
struct Importer<'a> {
    label: &'a str,
    source: &'a FileTree,
    pack: &'a PackJson,
    values: &'a Values,
    tree: FileTree,
    notes: Vec<ImportNote>,
}

impl Importer<'_> {
    /// Something has another form now.
    fn changed(&mut self, what: impl Into<String>, note: impl Into<String>) {
        self.note(ImportOutcome::Changed, what, note);
    }

    /// Something is not in the pack.
    fn left(&mut self, what: impl Into<String>, note: impl Into<String>) {
        self.note(ImportOutcome::LeftOut, what, note);
    }

    fn note(&mut self, outcome: ImportOutcome, what: impl Into<String>, note: impl Into<String>) {
        self.notes.push(ImportNote {
            outcome,
            what: what.into(),
            note: note.into(),
        });
    }

    /// Adds a file; one whose path cannot be in a pack is left out.
    fn put(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        let added = path.parse().and_then(|path: TreePath| {
            let file = cairn_spec::File {
                bytes: bytes.into().into(),
                executable: false,
            };
            self.tree.insert(path, file)
        });
        if let Err(error) = added {
            self.left(path, error.to_string());
        }
    }

    /// The text of a file of the Palette pack.
    fn text(&self, path: &str) -> Option<&str> {
        str::from_utf8(&self.source.get(path)?.bytes).ok()
    }

    /// `README.md` and the logo.
    fn documents(&mut self) {
        let readme = match self.source.get("README.md") {
            Some(file) => file.bytes.to_vec(),
            None => format!(
                "# {}\n\nValues are documented in `values.yaml`.\n",
                self.pack.display_name()
            )
            .into(),
        };
        self.put("README.md", readme);
        match self
            .source
            .get("logo.png")
            .map(|file| logo::svg(&file.bytes))
        {
            Some(Some(svg)) => self.put("logo.svg", svg),
            Some(None) => self.left("logo.png", "it is not a PNG image"),
            None => {}
        }
    }

    /// Says of each other file that it was not looked at.
    fn left_out(&mut self) {
        let names: Vec<String> = self
            .source
            .iter()
            .map(|(path, _)| path.to_string())
            .filter(|path| !self.is_read(path))
            .collect();
        for name in names {
            self.left(name, "a Palette pack does not use it either");
        }
    }

    fn is_read(&self, path: &str) -> bool {
        matches!(
            path,
            "pack.json" | "values.yaml" | "schema.yaml" | "presets.yaml" | "README.md" | "logo.png"
        ) || self.pack.charts.iter().any(|chart| chart == path)
            || self.pack.kube_manifests.iter().any(|file| file == path)
    }
}

fn pretty(json: &serde_json::Value) -> String {
    let mut text = serde_json::to_string_pretty(json).unwrap_or_default();
    text.push('\n');
    text
}

/// `pack.yaml` of a manifest.
pub(crate) fn manifest_text(manifest: &PackManifest) -> String {
    let json = serde_json::to_value(manifest).unwrap_or_default();
    cairn_spec::yaml::write_manifest(&Node::from(json).value)
}

/// A word as a DNS label: lower case, other characters as `-`; none when nothing is left of it.
pub(crate) fn label_of(text: &str) -> Option<String> {
    /// The longest label, in bytes.
    const MAX_BYTES: usize = 63;
    let mut label = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() {
            label.push(character);
        } else if !label.is_empty() && !label.ends_with('-') {
            label.push('-');
        }
    }
    label.truncate(MAX_BYTES);
    let label = label.trim_end_matches('-');
    (!label.is_empty()).then(|| label.to_owned())
}

/// A document of YAML of one value.
fn document(node: &Node) -> String {
    write_document(&node.value)
}

/// An empty map.
fn empty_map() -> Node {
    Node::generated(Value::Map(Map::new()))
}

/// Reads a YAML file as Palette does: as Helm reads values.
fn read_lenient(name: &str, bytes: &[u8], session: &mut Session) -> Option<Node> {
    let text = String::from_utf8_lossy(bytes);
    let source = session.sources.add(name, &*text, SourceKind::Other);
    let options = cairn_template::go_yaml::ReadOptions {
        source: Some(source),
        numbers: cairn_template::go_yaml::Numbers::AsWritten,
    };
    match cairn_template::go_yaml::read_map(text.as_bytes(), &options, &mut session.origins) {
        Ok(node) => Some(node),
        Err(error) => {
            let place = error.place().map(|place| {
                let start = u32::try_from(place.offset).unwrap_or(u32::MAX);
                cairn_spec::Span {
                    source,
                    start,
                    end: start,
                }
            });
            session.report(
                Diagnostic::error("import-yaml", format!("`{name}` is not YAML: {error}"))
                    .at(place)
                    .hint("mend the Palette pack first"),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests;
