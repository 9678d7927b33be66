//! The linter of packs: what pushing and building would refuse, and what a careful author would mend.
//!
//! One file a family of rules. A rule's code can be allowed in `pack.yaml` under `spec.lint.allow`,
//! with a reason; errors cannot.

mod api;
mod metadata;
mod values;
mod workload;

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
];

/// Checks a pack: reads it, renders it with its defaults and with every preset, and applies the rules.
pub fn lint_pack(label: &str, tree: &FileTree) -> Session {
    let (mut session, pack) = load_alone(label, tree);
    let Some(pack) = pack else { return session };
    let kubernetes = newest_kubernetes(&pack);
    let mut found = Diagnostics::new();
    metadata::check(&pack, &session, &mut found);
    values::check(&pack, &session, &mut found);
    if !session.diagnostics.has_errors() {
        let output = render_pack(&pack, &[], None, &kubernetes, &mut session);
        check_output(&pack, &output, &session, &mut found);
        for name in pack.presets.keys() {
            let output = render_pack(
                &pack,
                &[(name.clone(), None)],
                None,
                &kubernetes,
                &mut session,
            );
            check_output(&pack, &output, &session, &mut found);
        }
    }
    let allowed = allowances(&pack, &mut session);
    session
        .diagnostics
        .extend(found.into_iter().filter(|diagnostic| {
            diagnostic.severity == Severity::Error || !allowed.contains(&diagnostic.code.to_owned())
        }));
    session
}

fn check_output(pack: &Pack, output: &PackOutput, session: &Session, found: &mut Diagnostics) {
    for object in &output.objects {
        workload::check(object, session, found);
        api::check(pack, object, session, found);
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
