//! Runs the tests of a pack (`spec/pack.md` §6).

mod expect;
mod snapshot;

use cairn_spec::{
    Diagnostic, Diagnostics, ExpectedDiagnostic, FileTree, Node, PackTest, Severity, Span, TreePath,
};

pub use snapshot::Snapshot;

use crate::{
    Session,
    pack::Pack,
    pack_render::{load_alone, newest_kubernetes, render_pack},
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
    /// The test with the places in it.
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
        for (index, expected) in expected.iter().enumerate() {
            if !found.iter().any(|diagnostic| fits(expected, diagnostic)) {
                let text = expected.contains.as_ref();
                let holding = text.map_or(String::new(), |text| format!(" that says `{text}`"));
                let message = format!(
                    "expected a finding `{}`{holding}, which was not reported",
                    expected.code
                );
                let place = self.place(&format!("/diagnostics/{index}"), session);
                self.fail(message, place);
            }
        }
        for diagnostic in found.iter() {
            let is_error = diagnostic.severity == Severity::Error;
            if is_error && !expected.iter().any(|expected| fits(expected, diagnostic)) {
                self.failures.push(diagnostic.clone());
            }
        }
    }
}

fn fits(expected: &ExpectedDiagnostic, diagnostic: &Diagnostic) -> bool {
    let text = expected.contains.as_ref();
    diagnostic.code == expected.code && text.is_none_or(|text| diagnostic.message.contains(text))
}
