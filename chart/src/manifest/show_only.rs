//! `--show-only`: picks documents out of the printed manifests, by the paths of their templates.

use cairn_spec::Diagnostic;

use super::split::split;
use crate::{Dialect, Error, go_path};

const SOURCE: &[u8] = b"# Source: ";

/// The documents of the templates that the patterns name, in the order of the patterns.
pub(crate) fn show_only(
    printed: &[u8],
    patterns: &[String],
    dialect: Dialect,
) -> Result<Vec<u8>, Error> {
    let documents = split(printed, dialect);
    let documents: Vec<(&[u8], Option<&str>)> = documents
        .into_iter()
        .map(|range| (&printed[range.clone()], template_path(&printed[range])))
        .collect();
    let mut shown = Vec::new();
    for pattern in patterns {
        let before = shown.len();
        for (document, path) in &documents {
            let matches = path.is_some_and(|path| go_path::matches(pattern, path) == Ok(true));
            if matches {
                shown.extend_from_slice(b"---\n");
                shown.extend_from_slice(document);
                shown.push(b'\n');
            }
        }
        if shown.len() == before {
            return Err(not_found(pattern, &documents));
        }
    }
    Ok(shown)
}

/// What stands behind the name of the chart in the first comment that names a source, as Helm
/// finds it with `# Source: [^/]+/(.+)`.
fn template_path(document: &[u8]) -> Option<&str> {
    let mut at = 0;
    loop {
        let found = document[at..]
            .windows(SOURCE.len())
            .position(|window| window == SOURCE)?;
        at += found + SOURCE.len();
        let rest = &document[at..];
        let slash = rest.iter().position(|byte| *byte == b'/')?;
        let path = rest[slash + 1..].split(|byte| *byte == b'\n').next()?;
        if slash > 0 && !path.is_empty() {
            return std::str::from_utf8(path).ok();
        }
    }
}

fn not_found(pattern: &str, documents: &[(&[u8], Option<&str>)]) -> Error {
    let message = format!("could not find template {pattern} in chart");
    let paths = documents.iter().filter_map(|(_, path)| *path);
    let diagnostic = Diagnostic::error(
        "chart-template-missing",
        format!("no template `{pattern}` rendered anything"),
    )
    .maybe_hint(cairn_spec::suggest(pattern, paths.collect::<Vec<_>>()));
    Error::new(message, diagnostic)
}
