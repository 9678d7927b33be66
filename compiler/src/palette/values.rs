//! `values.yaml`: what is Palette's own is taken out, the rest stays as it is written.

use cairn_spec::{FileTree, Node, SourceKind, Value, yaml};

use super::{Importer, document, empty_map, read_lenient};
use crate::Session;

/// Keys at the top that are for Palette, not for charts and manifests.
const PALETTE_KEYS: &[&str] = &["pack", "readinessCheck"];
/// Keys below `pack` that become something else.
const PACK_KEYS: &[&str] = &[
    "namespace",
    "additionalNamespaces",
    "namespaceLabels",
    "namespaceAnnotations",
    "releaseNameOverride",
];
/// How the line begins that says which presets are chosen.
const ENABLED_PRESETS: &str = "# spectrocloud.com/enabled-presets:";

/// What `values.yaml` says.
#[derive(Debug)]
pub(super) struct Values {
    text: String,
    /// All of it.
    root: Node,
    /// What charts and manifests see of it.
    pub(super) kept: Node,
}

impl Values {
    /// A value of Palette's own section.
    pub(super) fn pack(&self, key: &str) -> Option<&Node> {
        self.root.at(&["pack", key])
    }
}

/// A value with a macro of Palette in it.
#[derive(Debug)]
pub(super) struct Macro {
    /// The keys that lead to it; none when it stands in a list.
    pub(super) path: Option<Vec<String>>,
    /// The path for people.
    pub(super) shown: String,
    /// The text.
    pub(super) text: String,
}

/// Reads `values.yaml`, which may be empty.
pub(super) fn read(label: &str, tree: &FileTree, session: &mut Session) -> Option<Values> {
    let bytes = tree.get("values.yaml").map(|file| &file.bytes[..]);
    let bytes = bytes.unwrap_or_default();
    let root = read_lenient(&format!("{label}/values.yaml"), bytes, session)?;
    let mut kept = root.clone();
    if let Some(map) = kept.as_map_mut() {
        for key in PALETTE_KEYS {
            map.remove(key);
        }
    }
    Some(Values {
        text: String::from_utf8_lossy(bytes).into_owned(),
        root,
        kept,
    })
}

impl Importer<'_> {
    /// Writes `values.yaml`, with the comments where that is possible, and says what is lost.
    pub(super) fn write_values(&mut self) {
        let values = self.values;
        self.palettes_own();
        for found in macros(&values.kept) {
            self.left(
                format!("values.yaml: {}", found.shown),
                format!(
                    "`{}` is a macro of Palette: set the value in the profile{}",
                    found.text,
                    replacement(&found.text)
                        .map(|reference| format!(", such as `{reference}`"))
                        .unwrap_or_default()
                ),
            );
        }
        let text = without_blocks(&values.text);
        match reads_as(&text, &values.kept) {
            Ok(()) => self.put("values.yaml", text),
            Err(reason) => {
                self.changed(
                    "values.yaml",
                    format!("it is written anew, without its comments: {reason}"),
                );
                self.put("values.yaml", document(&values.kept));
            }
        }
    }

    /// Says of Palette's own keys what became of them.
    fn palettes_own(&mut self) {
        let values = self.values;
        let pack = values.root.get("pack").and_then(Node::as_map);
        for (key, node) in pack.into_iter().flat_map(cairn_spec::Map::iter) {
            let what = format!("values.yaml: pack.{key}");
            match &**key {
                known if PACK_KEYS.contains(&known) => {}
                "content" => self.changed(
                    what,
                    "the list of images is not needed: images are found in what is rendered",
                ),
                "spectrocloud.com/install-priority" => self.left(
                    what,
                    format!(
                        "the order {}: layers are installed by what they need, and as the profile lists them",
                        node.to_json()
                    ),
                ),
                "spectrocloud.com/display-name" => self.left(
                    what,
                    "a pack may stand in a profile twice, as layers of different names",
                ),
                _ => self.left(what, "Palette's documentation does not know it"),
            }
        }
        if values.root.get("readinessCheck").is_some() {
            self.left(
                "values.yaml: readinessCheck",
                "a plan waits for workloads, jobs, definitions and API services only",
            );
        }
        if let Some(chosen) = values
            .text
            .lines()
            .find_map(|line| line.trim().strip_prefix(ENABLED_PRESETS))
            .map(str::trim)
            .filter(|chosen| !chosen.is_empty())
        {
            self.changed(
                "values.yaml: enabled presets",
                format!("the defaults hold the presets `{chosen}` already: a profile chooses others by `presets`"),
            );
        }
    }
}

/// The text without the blocks at its top level that are for Palette. A comment right above a key
/// goes with it.
fn without_blocks(text: &str) -> String {
    let mut kept = String::new();
    // Comments that belong to the key below them, if there is one.
    let mut comments = String::new();
    let mut drops = false;
    for line in text.split_inclusive('\n') {
        let is_comment = line.starts_with('#');
        let is_blank = line.trim().is_empty();
        if is_comment {
            comments.push_str(line);
            continue;
        }
        if is_blank {
            kept.push_str(&std::mem::take(&mut comments));
            if !drops {
                kept.push_str(line);
            }
            continue;
        }
        if !line.starts_with([' ', '\t', '-', '}', ']']) {
            let key = line.split(':').next().unwrap_or_default();
            let key = key.trim().trim_matches(['"', '\'']);
            drops = PALETTE_KEYS.contains(&key);
            if drops {
                comments.clear();
            }
        }
        if !drops {
            kept.push_str(&std::mem::take(&mut comments));
            kept.push_str(line);
        }
        comments.clear();
    }
    kept.push_str(&comments);
    let lines = kept.split_inclusive('\n');
    lines
        .filter(|line| !line.trim_start().starts_with(ENABLED_PRESETS))
        .collect::<String>()
        .trim_start_matches('\n')
        .to_owned()
}

/// Whether a text says the same where YAML is read strictly, as in packs; if not, why.
fn reads_as(text: &str, expected: &Node) -> Result<(), String> {
    let mut session = Session::default();
    let read = session.read_yaml("values.yaml", text, SourceKind::Other);
    if let Some(diagnostic) = session.diagnostics.iter().next() {
        let line = diagnostic.labels.first().map_or(0, |label| {
            session
                .sources
                .get(label.span.source)
                .position(label.span.start)
                .line
        });
        return Err(format!(
            "{} (line {line} without `pack`)",
            diagnostic.message
        ));
    }
    let node = match read {
        Some((_, node)) if node.value != Value::Null => node,
        _ => empty_map(),
    };
    if node.value.same_data(&expected.value) {
        Ok(())
    } else {
        Err("its meaning depends on the version of YAML".to_owned())
    }
}

/// Whether strict readers of YAML take a text without a finding.
pub(super) fn is_strict_yaml(text: &str) -> bool {
    let mut session = Session::default();
    let source = session.sources.add("", text, SourceKind::Other);
    yaml::read(&session.sources, source, &mut session.origins)
        .diagnostics
        .is_empty()
}

/// The values that hold a macro of Palette.
pub(super) fn macros(root: &Node) -> Vec<Macro> {
    let mut found = Vec::new();
    find_macros(root, &mut Vec::new(), &mut found);
    found
}

fn find_macros(node: &Node, path: &mut Vec<(String, bool)>, found: &mut Vec<Macro>) {
    match &node.value {
        Value::Map(map) => {
            for (key, below) in map.iter() {
                path.push((key.to_string(), false));
                find_macros(below, path, found);
                path.pop();
            }
        }
        Value::List(items) => {
            for (index, below) in items.iter().enumerate() {
                path.push((index.to_string(), true));
                find_macros(below, path, found);
                path.pop();
            }
        }
        Value::String(text) if has_macro(text) => {
            let keys: Vec<String> = path.iter().map(|(key, _)| key.clone()).collect();
            let is_list = path.iter().any(|(_, is_index)| *is_index);
            found.push(Macro {
                shown: keys.join("."),
                path: (!is_list).then_some(keys),
                text: text.to_string(),
            });
        }
        _ => {}
    }
}

/// Whether a text holds a macro of Palette.
pub(super) fn has_macro(text: &str) -> bool {
    text.match_indices("{{").any(|(start, _)| {
        let rest = &text[start..];
        let end = rest.find("}}").unwrap_or(rest.len());
        rest[..end].contains(".spectro.")
    })
}

/// What stands for a macro in a profile, when the text is one macro that has a counterpart.
pub(super) fn replacement(text: &str) -> Option<String> {
    let start = text.find(".spectro.")? + ".spectro.".len();
    let rest = &text[start..];
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))
        .unwrap_or(rest.len());
    let path = &rest[..end];
    let reference = match path.split_once('.')? {
        ("system", "cluster.name") => "cluster.name".to_owned(),
        ("system", "clusterprofile.name") => "profile.name".to_owned(),
        ("system", "clusterprofile.version") => "profile.version".to_owned(),
        ("var" | "macro", name) => format!("var.{name}"),
        ("pack", path) => format!("layer.{path}"),
        _ => return None,
    };
    Some(format!("${{{reference}}}"))
}
