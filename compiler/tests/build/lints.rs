//! Every lint has a pack that it finds, and lint codes can be allowed.

use std::collections::{BTreeMap, BTreeSet};

use cairn_compiler::{LINTS, lint_pack, test_pack};
use insta::assert_snapshot;

use crate::world::{finding, pack_tree};

fn tree(text: &str) -> cairn_spec::FileTree {
    let files: BTreeMap<String, String> = text
        .split("=== ")
        .skip(1)
        .map(|part| part.split_once('\n').unwrap())
        .map(|(path, content)| (path.to_owned(), content.to_owned()))
        .collect();
    pack_tree("p", "1.0.0", &files)
}

fn linted(text: &str) -> String {
    let session = lint_pack("p", &tree(text));
    let shown = session
        .diagnostics
        .iter()
        .map(|one| finding(one, &session.sources));
    shown.collect()
}

fn codes(text: &str) -> BTreeSet<&'static str> {
    let session = lint_pack("p", &tree(text));
    session.diagnostics.iter().map(|one| one.code).collect()
}

const BAD: &str = "\
=== pack.yaml
layer: addon
namespace: web
exports: {nothing: {}}
=== values.yaml
unread: 1
map: {read: 1, unread: 2}
=== templates/x.yaml.hbs
apiVersion: apps/v1
kind: Deployment
metadata: {name: 'x{{values.map.read}}'}
spec: {template: {spec: {hostNetwork: true, containers: [{name: c, image: 'nginx:latest', securityContext: {privileged: true}}]}}}
---
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {name: x}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1beta3
kind: FlowSchema
metadata: {name: x}
";

#[test]
fn one_bad_pack_shows_most_lints() {
    assert_snapshot!(linted(BAD), @r#"
    warning[description-missing] the pack does not say what it is
      at p/pack.yaml:3:11
      hint: add `metadata.description`: one sentence
    warning[license-missing] the pack does not say under which licence it is
      at p/pack.yaml:3:11
      hint: add `metadata.license`: an SPDX expression such as `Apache-2.0`
    warning[readme-missing] the pack has no `README.md`
      hint: catalogs show it
    warning[logo-missing] the pack has no `logo.svg`
      hint: catalogs show it
    warning[tests-missing] the pack has no tests
      hint: add `tests/default.yaml`; see `cairn pack test --help`
    warning[kubernetes-range-missing] the pack does not say which Kubernetes versions it works on
      at p/pack.yaml:5:3
      hint: add `constraints: {kubernetes: ">=1.28 <1.37"}`
    warning[schema-missing] the pack has values but no `values.schema.json`, so mistyped values pass unnoticed
      at p/values.yaml:1:1
    warning[value-undescribed] nothing says what `map` is for
      at p/values.yaml:2:1
      hint: put a comment above it, or a `description` into the schema
    warning[value-undescribed] nothing says what `unread` is for
      at p/values.yaml:1:1
      hint: put a comment above it, or a `description` into the schema
    warning[export-undefined] the pack exports `nothing`, which `values.yaml` does not have
      at p/pack.yaml:7:13
    warning[host-access] Deployment web/x1 shares the host's namespace: `hostNetwork`
      at p/templates/x.yaml.hbs (rendered):4:39
    warning[image-tag-mutable] container `c` of Deployment web/x1 uses `nginx:latest`, whose tag `latest` moves
      at p/templates/x.yaml.hbs (rendered):4:75
      hint: name a version, best with a digest
    warning[host-access] container `c` of Deployment web/x1 is privileged
      at p/templates/x.yaml.hbs (rendered):4:121
    warning[root-user] container `c` of Deployment web/x1 may run as root
      at p/templates/x.yaml.hbs (rendered):4:58
      hint: set `securityContext.runAsNonRoot: true`, and `runAsUser` if the image names none
    warning[requests-missing] container `c` of Deployment web/x1 requests no cpu and no memory
      at p/templates/x.yaml.hbs (rendered):4:58
      hint: set `resources.requests`, so that the scheduler knows what it needs
    warning[limits-missing] container `c` of Deployment web/x1 has no memory limit
      at p/templates/x.yaml.hbs (rendered):4:58
      hint: set `resources.limits.memory`
    warning[probe-missing] container `c` of Deployment web/x1 has no readiness or liveness probe, so nobody notices when it hangs
      at p/templates/x.yaml.hbs (rendered):4:58
    error[api-removed] FlowSchema x is of `flowcontrol.apiserver.k8s.io/v1beta3`, which Kubernetes 1.32 no longer has, and the pack claims to work on 1.32.0
      at p/templates/x.yaml.hbs (rendered):10:13
      hint: use `flowcontrol.apiserver.k8s.io/v1`
    error[api-removed] PodDisruptionBudget web/x is of `policy/v1beta1`, which Kubernetes 1.25 no longer has, and the pack claims to work on 1.25.0
      at p/templates/x.yaml.hbs (rendered):6:13
      hint: use `policy/v1`
    warning[value-unread] no template reads `map.unread`
      at p/values.yaml:2:16
      hint: remove it, or add a preset or a test in which a template reads it
    warning[value-unread] no template reads `unread`
      at p/values.yaml:1:1
      hint: remove it, or add a preset or a test in which a template reads it
    "#);
}

#[test]
fn every_lint_is_found_by_some_pack() {
    let old = "=== pack.yaml\nlayer: addon\nconstraints: {kubernetes: '<1.25'}\n=== manifests/x.yaml\n{apiVersion: policy/v1beta1, kind: PodSecurityPolicy, metadata: {name: x}}\n";
    let mut found = codes(BAD);
    found.extend(codes(old));
    let silent: Vec<&str> = LINTS
        .iter()
        .map(|lint| lint.code)
        .filter(|code| !found.contains(code))
        .collect();
    assert!(silent.is_empty(), "no pack shows {silent:?}");
}

#[test]
fn warnings_can_be_allowed_and_errors_cannot() {
    let all: Vec<String> = LINTS
        .iter()
        .map(|lint| format!("{{code: {}, reason: x}}", lint.code))
        .collect();
    let allowed = BAD.replace(
        "namespace: web",
        &format!("namespace: web\nlint: {{allow: [{}]}}", all.join(", ")),
    );
    assert_snapshot!(linted(&allowed), @"
    error[api-removed] FlowSchema x is of `flowcontrol.apiserver.k8s.io/v1beta3`, which Kubernetes 1.32 no longer has, and the pack claims to work on 1.32.0
      at p/templates/x.yaml.hbs (rendered):10:13
      hint: use `flowcontrol.apiserver.k8s.io/v1`
    error[api-removed] PodDisruptionBudget web/x is of `policy/v1beta1`, which Kubernetes 1.25 no longer has, and the pack claims to work on 1.25.0
      at p/templates/x.yaml.hbs (rendered):6:13
      hint: use `policy/v1`
    ");
    assert_snapshot!(linted("=== pack.yaml\nlayer: addon\nlint: {allow: [{code: api-removed, reason: x}, {code: logo-mising, reason: x}]}\n").lines().filter(|line| line.contains("lint")).collect::<Vec<_>>().join("\n"), @"
    error[lint-unknown] there is no lint `api-removed` that can be allowed
    error[lint-unknown] there is no lint `logo-mising` that can be allowed
    ");
}

#[test]
fn a_preset_that_fails_says_so() {
    assert_snapshot!(linted("\
=== presets/bad.yaml
{apiVersion: cairn.dev/v1, kind: Preset, metadata: {name: bad}, spec: {values: {num: many}}}
=== values.yaml
num: 1 # how many
=== values.schema.json
{\"properties\": {\"num\": {\"type\": \"integer\"}}}
").split("error").skip(1).collect::<Vec<_>>().concat(), @r#"
    [values-schema] `num` must be an integer, not `many`
      at p/presets/bad.yaml:1:86
      note: with preset `bad`, and no other
    warning[description-missing] the pack does not say what it is
      at p/pack.yaml:3:11
      hint: add `metadata.description`: one sentence
    warning[license-missing] the pack does not say under which licence it is
      at p/pack.yaml:3:11
      hint: add `metadata.license`: an SPDX expression such as `Apache-2.0`
    warning[readme-missing] the pack has no `README.md`
      hint: catalogs show it
    warning[logo-missing] the pack has no `logo.svg`
      hint: catalogs show it
    warning[tests-missing] the pack has no tests
      hint: add `tests/default.yaml`; see `cairn pack test --help`
    warning[kubernetes-range-missing] the pack does not say which Kubernetes versions it works on
      at p/pack.yaml:5:3
      hint: add `constraints: {kubernetes: ">=1.28 <1.37"}`
    "#);
}

#[test]
fn pack_errors_have_their_codes() {
    assert_snapshot!(linted("\
=== pack.yaml
layer: kubernetes
=== install.sh
x
=== presets/a.yaml
{apiVersion: cairn.dev/v1, kind: Preset, metadata: {name: b}, spec: {values: {}}}
=== values.yaml
[1]
=== values.schema.json
{\"$ref\": \"https://example.com\"}
=== templates/x.yaml.hbs
{{> absent}}
").lines().filter(|line| line.starts_with("error")).collect::<Vec<_>>().join("\n"), @"
    error[pack-layout] `p/install.sh` does not belong in a pack
    error[pack-preset] the preset is called `b` but its file `a.yaml`
    error[pack-schema] the values schema cannot be used: a `$ref` must stay inside the file: copy the schema it names under `$defs`
    error[pack-values] the values of a pack must be a map
    error[template-undefined] there is no partial `absent`
    error[kubernetes-version] `kubernetesVersion` belongs in packs of layer `kubernetes`, and only there
    ");
}

#[test]
fn pack_tests_see_steps_and_namespaces() {
    let report = test_pack(
        "p",
        &tree(
            "\
=== host/steps.yaml.hbs
apiVersion: cairn.dev/v1
kind: HostSteps
steps: [{name: \"{{profile.name}}-{{cluster.name}}\", module: overlay}]
=== manifests/x.yaml
{apiVersion: v1, kind: Service, metadata: {name: s, namespace: web}}
=== tests/a.yaml
apiVersion: cairn.dev/v1
kind: PackTest
metadata: {name: a}
spec:
  expect:
    absent: [{kind: Service, namespace: other}, {kind: Service, name: s, namespace: web}]
    host: [steps.yaml, absent.conf]
    hostContains: {steps.yaml: [test-test, nothing], absent.conf: [x]}
    count: 2
    objects: [{kind: Service, name: s, fields: {/metadata/name: t}}, {kind: Pod, name: s}]
    diagnostics: [{code: values-schema, contains: x}]
",
        ),
    );
    let shown: String = report.tests[0]
        .failures
        .iter()
        .map(|one| finding(one, &report.session.sources))
        .collect();
    assert_snapshot!(shown, @"
    error[pack-test] expected a finding `values-schema` that says `x`, which was not reported
      at p/tests/a.yaml:11:19
    error[pack-test] expected 2 objects, found 1: Service web/s
      at p/tests/a.yaml:9:12
    error[pack-test] Service web/s: `/metadata/name` should be `t`, is `s`
      at p/tests/a.yaml:10:65
    error[pack-test] expected a Pod `s`, which is not rendered (rendered: none of that kind)
      at p/tests/a.yaml:10:70
    error[pack-test] expected no Service, found Service web/s
      at p/tests/a.yaml:6:49
    error[pack-test] expected the host file `absent.conf`; there are steps.yaml
      at p/tests/a.yaml:7:24
    error[pack-test] expected the host file `absent.conf`; there are steps.yaml
      at p/tests/a.yaml:8:67
    error[pack-test] the host file `steps.yaml` does not hold `nothing`
      at p/tests/a.yaml:8:44
    ");
}
