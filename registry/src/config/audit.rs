//! Where it is written down who did what.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problems;

/// Where it is written down who did what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditConfig {
    /// The file to append to, one JSON object a line; `/dev/stderr` or `/dev/stdout` for the
    /// server's own output, whatever that is.
    /// When the file is renamed or removed, as rotation does, a new one is begun.
    pub file: PathBuf,
}

impl AuditConfig {
    pub(super) fn check(&self, problems: &mut Problems<'_>) {
        let folder = self.file.parent().unwrap_or(Path::new(""));
        if !folder.as_os_str().is_empty() && !folder.is_dir() {
            let message = format!("there is no folder `{}`", folder.display());
            problems.add("file", message, "create it, writable for the registry");
        }
        if self.file.is_dir() {
            let message = format!("`{}` is a folder", self.file.display());
            problems.add("file", message, "name a file in it");
        }
    }
}
