//! Runs the tests of a pack (`spec/pack.md` §6).

use std::fmt::Write as _;

use cairn_spec::{
    Diagnostic, Diagnostics, ExpectedObject, FileTree, Node, PackTest, Severity, SourceKind, Span,
    TreePath, Value,
    yaml::{write_manifest, write_scalar},
};

use crate::{
    Session,
    object::Object,
    pack::Pack,
    pack_render::{PackOutput, load_alone, newest_kubernetes, render_pack},
};

/// What the tests of a pack found.
#[derive(Debug)]
pub struct PackTestReport {
    /// Texts, for the places in findings; its own findings are those of the pack itself.
    pub session: Session,
    /// One entry a test, by path. Empty when the pack cannot be read.
    pub tests: Vec<TestOutcome>,
}

/// What one test found.
#[derive(Debug)]
pub struct TestOutcome {
    /// The test's file.
    pub path: TreePath,
    /// The test's name.
    pub name: String,
    /// Empty when the test passed.
    pub failures: Diagnostics,
    /// What the whole output is, when the test compares it.
    pub snapshot: Option<Snapshot>,
}

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

impl PackTestReport {
    /// Every test passed, and the pack can be read.
    pub fn passed(&self) -> bool {
        !self.session.diagnostics.has_errors()
            && self.tests.iter().all(|test| test.failures.is_empty())
    }
}

/// Runs all tests of a pack.
pub fn test_pack(label: &str, tree: &FileTree) -> PackTestReport {
    let (mut session, pack) = load_alone(label, tree);
    let mut tests = Vec::new();
    if let Some(pack) = pack.filter(|_| !session.diagnostics.has_errors()) {
        for (path, test, node) in &pack.tests {
            tests.push(
                Runner {
                    pack: &pack,
                    test,
                    node,
                    failures: Diagnostics::new(),
                }
                .run(path, &mut session),
            );
        }
    }
    PackTestReport { session, tests }
}

struct Runner<'a> {
    pack: &'a Pack,
    test: &'a PackTest,
    node: &'a Node,
    failures: Diagnostics,
}

impl Runner<'_> {
    fn run(mut self, path: &TreePath, session: &mut Session) -> TestOutcome {
        let spec = &self.test.spec;
        let place = |index: usize| session.span_at(self.node, &format!("/spec/presets/{index}"));
        let presets: Vec<_> = spec
            .presets
            .iter()
            .enumerate()
            .map(|(index, preset)| (preset.clone(), place(index)))
            .collect();
        let kubernetes = spec
            .kubernetes
            .clone()
            .unwrap_or_else(|| newest_kubernetes(self.pack));
        // The findings of the rendering belong to this test, not to the pack.
        let outside = std::mem::take(&mut session.diagnostics);
        let output = render_pack(
            self.pack,
            &presets,
            self.node.pointer("/spec/values"),
            &kubernetes,
            session,
        );
        let found = std::mem::replace(&mut session.diagnostics, outside);
        self.check_diagnostics(&found, session);
        let mut snapshot = None;
        if !found.has_errors() {
            self.check_objects(&output, session);
            self.check_host(&output, session);
            snapshot = self.check_snapshot(&output, session);
        }
        TestOutcome {
            path: path.clone(),
            name: self.test.metadata.name.to_string(),
            failures: self.failures,
            snapshot,
        }
    }

    fn place(&self, pointer: &str, session: &Session) -> Option<Span> {
        session.span_at(self.node, &format!("/spec/expect{pointer}"))
    }

    fn fail(&mut self, message: String, place: Option<Span>) {
        self.failures
            .push(Diagnostic::error("pack-test", message).at(place));
    }

    fn check_diagnostics(&mut self, found: &Diagnostics, session: &Session) {
        let expected = &self.test.spec.expect.diagnostics;
        let fits = |diagnostic: &Diagnostic, index: usize| {
            let expected = &expected[index];
            diagnostic.code == expected.code
                && expected
                    .contains
                    .as_ref()
                    .is_none_or(|text| diagnostic.message.contains(text))
        };
        for index in 0..expected.len() {
            if !found.iter().any(|diagnostic| fits(diagnostic, index)) {
                let message = format!(
                    "expected a finding `{}`, which was not reported",
                    expected[index].code
                );
                self.fail(
                    message,
                    self.place(&format!("/diagnostics/{index}"), session),
                );
            }
        }
        for diagnostic in found
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
        {
            if !(0..expected.len()).any(|index| fits(diagnostic, index)) {
                self.failures.push(diagnostic.clone());
            }
        }
    }

    fn check_objects(&mut self, output: &PackOutput, session: &Session) {
        let expect = &self.test.spec.expect;
        if let Some(count) = expect.count.filter(|count| *count != output.objects.len()) {
            let list: Vec<String> = output
                .objects
                .iter()
                .map(|object| object.id.to_string())
                .collect();
            let message = format!(
                "expected {count} objects, found {}: {}",
                output.objects.len(),
                list.join(", ")
            );
            self.fail(message, self.place("/count", session));
        }
        for (index, expected) in expect.objects.iter().enumerate() {
            let matching: Vec<&Object> = output
                .objects
                .iter()
                .filter(|object| matches(expected, object))
                .collect();
            let place = self.place(&format!("/objects/{index}"), session);
            match matching.as_slice() {
                [object] => self.check_fields(expected, object, index, session),
                [] => {
                    let near: Vec<String> = output
                        .objects
                        .iter()
                        .filter(|object| object.id.kind == expected.kind)
                        .map(|object| object.id.to_string())
                        .collect();
                    let rendered = if near.is_empty() {
                        "none of that kind".to_owned()
                    } else {
                        near.join(", ")
                    };
                    self.fail(
                        format!(
                            "expected a {} `{}`, which is not rendered (rendered: {rendered})",
                            expected.kind, expected.name
                        ),
                        place,
                    );
                }
                several => self.fail(
                    format!(
                        "expected one {} `{}`, found {}; add its namespace",
                        expected.kind,
                        expected.name,
                        several.len()
                    ),
                    place,
                ),
            }
        }
        for (index, pattern) in expect.absent.iter().enumerate() {
            let present = output.objects.iter().find(|object| {
                object.id.kind == pattern.kind
                    && pattern
                        .name
                        .as_ref()
                        .is_none_or(|name| *name == object.id.name)
            });
            if let Some(object) = present {
                let message = format!("expected no {}, found {}", pattern.kind, object.id);
                self.fail(message, self.place(&format!("/absent/{index}"), session));
            }
        }
    }

    fn check_fields(
        &mut self,
        expected: &ExpectedObject,
        object: &Object,
        index: usize,
        session: &Session,
    ) {
        for (pointer, value) in &expected.fields {
            let wanted = Node::from(value.clone()).value;
            let found = object
                .node
                .pointer(pointer)
                .map_or(&Value::Null, |node| &node.value);
            if !found.same_data(&wanted) {
                let key = pointer.replace('~', "~0").replace('/', "~1");
                let message = format!(
                    "{}: `{pointer}` should be `{}`, is `{}`",
                    object.id,
                    write_scalar(&wanted),
                    write_scalar(found)
                );
                self.fail(
                    message,
                    self.place(&format!("/objects/{index}/fields/{key}"), session),
                );
            }
        }
    }

    fn check_host(&mut self, output: &PackOutput, session: &Session) {
        let expect = &self.test.spec.expect;
        let has = |path: &String| {
            output
                .output
                .host
                .keys()
                .any(|known| known.as_str() == path)
        };
        for (index, path) in expect.host.iter().enumerate() {
            if !has(path) {
                let known: Vec<&str> = output.output.host.keys().map(TreePath::as_str).collect();
                let message = format!(
                    "expected the host file `{path}`; there are {}",
                    known.join(", ")
                );
                self.fail(message, self.place(&format!("/host/{index}"), session));
            }
        }
        for (path, texts) in &expect.host_contains {
            let bytes = output
                .output
                .host
                .iter()
                .find(|(known, _)| known.as_str() == path)
                .map(|(_, bytes)| bytes);
            let content = bytes
                .map(|bytes| String::from_utf8_lossy(bytes))
                .unwrap_or_default();
            for (index, text) in texts
                .iter()
                .enumerate()
                .filter(|(_, text)| !content.contains(text.as_str()))
            {
                let key = path.replace('~', "~0").replace('/', "~1");
                let message = format!("the host file `{path}` does not hold `{text}`");
                self.fail(
                    message,
                    self.place(&format!("/hostContains/{key}/{index}"), session),
                );
            }
        }
    }

    fn check_snapshot(&mut self, output: &PackOutput, session: &mut Session) -> Option<Snapshot> {
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

fn matches(expected: &ExpectedObject, object: &Object) -> bool {
    object.id.kind == expected.kind
        && object.id.name == expected.name
        && expected
            .api_version
            .as_ref()
            .is_none_or(|version| *version == object.id.api_version)
        && expected
            .namespace
            .as_ref()
            .is_none_or(|namespace| Some(namespace) == object.id.namespace.as_ref())
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
