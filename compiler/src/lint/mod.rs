//! The linter of packs: what pushing and building would refuse, and what a careful author would mend.
//!
//! One file a family of rules. A rule's code can be allowed in `pack.yaml` under `spec.lint.allow`,
//! with a reason; errors cannot.

mod api;
mod metadata;
mod values;
mod workload;

use std::collections::BTreeSet;

use cairn_spec::{Diagnostic, Diagnostics, FileTree, Severity, suggest};

use crate::{
    Session,
    pack::Pack,
    pack_render::{PackOutput, load_alone, newest_kubernetes, render_pack},
};

/// A rule that can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lint {
    /// Its code.
    pub code: &'static str,
    /// What it finds.
    pub summary: &'static str,
}

/// All rules that can be allowed, sorted by code.
pub const LINTS: &[Lint] = &[
    Lint {
        code: "api-deprecated",
        summary: "an object of an API version that a later Kubernetes removes",
    },
    Lint {
        code: "description-missing",
        summary: "no `metadata.description`",
    },
    Lint {
        code: "export-undefined",
        summary: "an export of a value that `values.yaml` does not have",
    },
    Lint {
        code: "host-access",
        summary: "a container that is privileged or shares the host's namespaces",
    },
    Lint {
        code: "image-tag-mutable",
        summary: "an image without a tag, or with a tag such as `latest`",
    },
    Lint {
        code: "kubernetes-range-missing",
        summary: "no `constraints.kubernetes`",
    },
    Lint {
        code: "license-missing",
        summary: "no `metadata.license`",
    },
    Lint {
        code: "limits-missing",
        summary: "a container without a memory limit",
    },
    Lint {
        code: "logo-missing",
        summary: "no `logo.svg`",
    },
    Lint {
        code: "probe-missing",
        summary: "a container of a Deployment, DaemonSet or StatefulSet without a readiness or liveness probe",
    },
    Lint {
        code: "readme-missing",
        summary: "no `README.md`",
    },
    Lint {
        code: "requests-missing",
        summary: "a container without requests of processor and memory",
    },
    Lint {
        code: "root-user",
        summary: "a container that may run as root",
    },
    Lint {
        code: "schema-missing",
        summary: "values without `values.schema.json`",
    },
    Lint {
        code: "tests-missing",
        summary: "no pack tests",
    },
    Lint {
        code: "value-undescribed",
        summary: "a value that neither a comment nor the schema describes",
    },
    Lint {
        code: "value-unread",
        summary: "a value that no template reads: with the defaults, any preset, or any test",
    },
];

/// Checks a pack: reads it, renders it with its defaults, with every preset and as its tests do, and
/// applies the rules.
pub fn lint_pack(label: &str, tree: &FileTree) -> Session {
    let (mut session, pack) = load_alone(label, tree);
    let Some(pack) = pack else { return session };
    let mut found = Diagnostics::new();
    metadata::check(&pack, &session, &mut found);
    values::check(&pack, &session, &mut found);
    if !session.diagnostics.has_errors() {
        check_renders(&pack, &mut session, &mut found);
    }
    let allowed = allowances(&pack, &mut session);
    session
        .diagnostics
        .extend(found.into_iter().filter(|diagnostic| {
            diagnostic.severity == Severity::Error || !allowed.contains(&diagnostic.code.to_owned())
        }));
    session
}

fn check_renders(pack: &Pack, session: &mut Session, found: &mut Diagnostics) {
    let kubernetes = newest_kubernetes(pack);
    let output = render_pack(pack, &[], None, &kubernetes, session);
    let mut read = output.output.read.clone();
    check_output(pack, &output, session, found);
    for name in pack.presets.keys() {
        let presets = [(name.clone(), None)];
        let outside = std::mem::take(&mut session.diagnostics);
        let output = render_pack(pack, &presets, None, &kubernetes, session);
        let inside = std::mem::replace(&mut session.diagnostics, outside);
        for diagnostic in inside {
            // What is wrong without the preset, too, is reported already.
            if !is_known(&session.diagnostics, &diagnostic) {
                session.report(diagnostic.note(format!("with preset `{name}`, and no other")));
            }
        }
        check_output(pack, &output, session, found);
        read.extend(output.output.read);
    }
    if !session.diagnostics.has_errors() {
        read.extend(read_by_tests(pack, session));
        values::check_read(pack, &read, session, found);
    }
}

/// What templates read in the pack's tests, whose own findings are no business of the linter.
fn read_by_tests(pack: &Pack, session: &mut Session) -> BTreeSet<String> {
    let mut read = BTreeSet::new();
    let outside = std::mem::take(&mut session.diagnostics);
    for (_, test, node) in &pack.tests {
        let presets: Vec<_> = test
            .spec
            .presets
            .iter()
            .map(|preset| (preset.clone(), None))
            .collect();
        let kubernetes = test.spec.kubernetes.clone();
        let kubernetes = kubernetes.unwrap_or_else(|| newest_kubernetes(pack));
        let values = node.pointer("/spec/values");
        let output = render_pack(pack, &presets, values, &kubernetes, session);
        read.extend(output.output.read);
    }
    session.diagnostics = outside;
    read
}

/// Several renders show the same flaw; one finding is enough.
fn is_known(found: &Diagnostics, diagnostic: &Diagnostic) -> bool {
    found
        .iter()
        .any(|known| known.code == diagnostic.code && known.message == diagnostic.message)
}

fn check_output(pack: &Pack, output: &PackOutput, session: &Session, found: &mut Diagnostics) {
    let mut here = Diagnostics::new();
    for object in &output.objects {
        workload::check(object, session, &mut here);
        api::check(pack, object, session, &mut here);
    }
    for diagnostic in here {
        if !is_known(found, &diagnostic) {
            found.push(diagnostic);
        }
    }
}

/// The codes that the pack allows; those that do not exist are reported.
fn allowances(pack: &Pack, session: &mut Session) -> Vec<String> {
    let allow = &pack.manifest.spec.lint.allow;
    for (index, entry) in allow.iter().enumerate() {
        if !LINTS.iter().any(|lint| lint.code == entry.code) {
            let place = session.span_at(
                &pack.manifest_node,
                &format!("/spec/lint/allow/{index}/code"),
            );
            session.report(
                Diagnostic::error(
                    "lint-unknown",
                    format!("there is no lint `{}` that can be allowed", entry.code),
                )
                .at(place)
                .maybe_hint(suggest(&entry.code, LINTS.iter().map(|lint| lint.code))),
            );
        }
    }
    allow.iter().map(|entry| entry.code.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lints_are_sorted() {
        assert!(LINTS.windows(2).all(|pair| pair[0].code < pair[1].code));
    }
}
