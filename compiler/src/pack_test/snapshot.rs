//! The whole output of a pack test, compared with a file.

use std::fmt::Write as _;

use cairn_spec::{Diagnostic, SourceKind, Span, TreePath, yaml::write_manifest};

use super::Runner;
use crate::{Session, pack_render::PackOutput};

/// The whole output of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The file it is kept in.
    pub path: TreePath,
    /// What came out.
    pub text: String,
    /// The file holds something else, or is not there.
    pub differs: bool,
}

impl Runner<'_> {
    pub(super) fn check_snapshot(
        &mut self,
        output: &PackOutput,
        session: &mut Session,
    ) -> Option<Snapshot> {
        let file = self.test.spec.expect.snapshot.as_ref()?;
        let text = snapshot_text(output);
        let path: TreePath = format!("tests/{file}").parse().ok()?;
        let kept = self
            .pack
            .tree
            .get(path.as_str())
            .map(|file| String::from_utf8_lossy(&file.bytes).into_owned());
        let differs = kept.as_ref() != Some(&text);
        if differs {
            let place = self.place("/snapshot", session);
            let mut diagnostic = match &kept {
                None => Diagnostic::error(
                    "pack-test",
                    format!("the snapshot `{path}` does not exist yet"),
                )
                .at(place),
                Some(kept) => {
                    let (line, old, new) = first_difference(kept, &text);
                    let source = session.sources.add(
                        format!("{}/{path}", self.pack.label),
                        kept.as_str(),
                        SourceKind::Other,
                    );
                    let start = session.sources.get(source).line_start(line);
                    let length = u32::try_from(old.len()).unwrap_or(0);
                    Diagnostic::error(
                        "pack-test",
                        format!(
                            "the output differs from the snapshot `{path}` from line {line} on"
                        ),
                    )
                    .at(place)
                    .label(
                        Span {
                            source,
                            start,
                            end: start + length,
                        },
                        format!("now: {new}"),
                    )
                }
            };
            diagnostic =
                diagnostic.hint("run `cairn pack test --update` and look at the difference");
            self.failures.push(diagnostic);
        }
        Some(Snapshot {
            path,
            text,
            differs,
        })
    }
}

/// The whole output: objects in the order of the plan, then host files.
fn snapshot_text(output: &PackOutput) -> String {
    let mut text = String::new();
    for object in &output.objects {
        text.push_str("---\n");
        text.push_str(&write_manifest(&object.node.value));
    }
    for (path, bytes) in &output.output.host {
        let _ = write!(
            text,
            "--- # host/{path}\n{}",
            String::from_utf8_lossy(bytes)
        );
    }
    text
}

/// The first line that differs, from 1, with both versions of it.
fn first_difference<'a>(old: &'a str, new: &'a str) -> (u32, &'a str, &'a str) {
    let mut old_lines = old.lines();
    let mut new_lines = new.lines();
    let mut line = 1;
    loop {
        match (old_lines.next(), new_lines.next()) {
            (Some(old), Some(new)) if old == new => line += 1,
            (old, new) => return (line, old.unwrap_or("(end)"), new.unwrap_or("(end)")),
        }
    }
}
