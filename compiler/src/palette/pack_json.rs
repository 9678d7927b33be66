//! `pack.json` of a Palette pack. Its own tools take keys they do not know, and so does this reader.

use std::collections::BTreeMap;

use cairn_spec::{Diagnostic, FileTree, SourceKind, Span};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::Session;

/// What `pack.json` says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PackJson {
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) version: String,
    pub(super) layer: String,
    pub(super) addon_type: String,
    pub(super) addon_sub_type: String,
    pub(super) cloud_types: Vec<String>,
    pub(super) charts: Vec<String>,
    pub(super) kube_manifests: Vec<String>,
    pub(super) ansible_roles: Vec<String>,
    pub(super) annotations: BTreeMap<String, Json>,
    pub(super) constraints: Constraints,
    pub(super) group: String,
    pub(super) eol: String,
    pub(super) kube_version: String,
}

/// What a pack needs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Constraints {
    pub(super) dependencies: Vec<Dependency>,
    pub(super) resources: Vec<Json>,
}

/// A pack that another needs, or does not go with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Dependency {
    pub(super) pack_name: String,
    pub(super) layer: String,
    pub(super) min_version: String,
    pub(super) max_version: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

impl PackJson {
    pub(super) fn display_name(&self) -> &str {
        if self.display_name.is_empty() {
            &self.name
        } else {
            &self.display_name
        }
    }

    /// An annotation that is a text and not empty.
    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        let text = self.annotations.get(key)?.as_str()?.trim();
        (!text.is_empty()).then_some(text)
    }
}

/// Reads `pack.json`.
pub(super) fn read(label: &str, tree: &FileTree, session: &mut Session) -> Option<PackJson> {
    let Some(file) = tree.get("pack.json") else {
        session.report(
            Diagnostic::error(
                "import-palette",
                format!("`{label}` is not a Palette pack: it has no `pack.json`"),
            )
            .hint("name the folder of one pack"),
        );
        return None;
    };
    match serde_json::from_slice(&file.bytes) {
        Ok(pack) => Some(pack),
        Err(error) => {
            let text = String::from_utf8_lossy(&file.bytes);
            let name = format!("{label}/pack.json");
            let source = session.sources.add(name, &*text, SourceKind::Other);
            let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
            let column = u32::try_from(error.column()).unwrap_or(u32::MAX);
            let start = session
                .sources
                .get(source)
                .line_start(line)
                .saturating_add(column.saturating_sub(1));
            session.report(
                Diagnostic::error(
                    "import-palette",
                    format!("`pack.json` cannot be read: {error}"),
                )
                .at(Span {
                    source,
                    start,
                    end: start,
                }),
            );
            None
        }
    }
}
