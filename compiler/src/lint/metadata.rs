//! What a catalog and a reader need: description, licence, README, logo, tests, range of Kubernetes.

use cairn_spec::{Diagnostic, Diagnostics, LayerKind};

use crate::{Session, pack::Pack};

pub(super) fn check(pack: &Pack, session: &Session, found: &mut Diagnostics) {
    let at = |pointer: &str| session.span_at(&pack.manifest_node, pointer);
    let metadata = &pack.manifest.metadata;
    if metadata.description.is_none() {
        found.push(
            Diagnostic::warning("description-missing", "the pack does not say what it is")
                .at(at("/metadata"))
                .hint("add `metadata.description`: one sentence"),
        );
    }
    if metadata.license.is_none() {
        found.push(
            Diagnostic::warning(
                "license-missing",
                "the pack does not say under which licence it is",
            )
            .at(at("/metadata"))
            .hint("add `metadata.license`: an SPDX expression such as `Apache-2.0`"),
        );
    }
    for (file, code) in [
        ("README.md", "readme-missing"),
        ("logo.svg", "logo-missing"),
    ] {
        if pack.tree.get(file).is_none() {
            found.push(
                Diagnostic::warning(code, format!("the pack has no `{file}`"))
                    .hint("catalogs show it"),
            );
        }
    }
    if pack.tests.is_empty() {
        found.push(
            Diagnostic::warning("tests-missing", "the pack has no tests")
                .hint("add `tests/default.yaml`; see `cairn pack test --help`"),
        );
    }
    let spec = &pack.manifest.spec;
    let range_expected = !matches!(spec.layer, LayerKind::Os | LayerKind::Kubernetes);
    if range_expected && spec.constraints.kubernetes.is_none() {
        found.push(
            Diagnostic::warning(
                "kubernetes-range-missing",
                "the pack does not say which Kubernetes versions it works on",
            )
            .at(at("/spec"))
            .hint("add `constraints: {kubernetes: \">=1.28 <1.37\"}`"),
        );
    }
    if spec.kubernetes_version.is_some() != (spec.layer == LayerKind::Kubernetes) {
        found.push(
            Diagnostic::error(
                "kubernetes-version",
                "`kubernetesVersion` belongs in packs of layer `kubernetes`, and only there",
            )
            .at(at("/spec/layer")),
        );
    }
    if !pack.renders_something() {
        found.push(Diagnostic::error("pack-empty", "the pack has no templates, manifests, definitions or host files, so it does nothing").at(at("")));
    }
}
