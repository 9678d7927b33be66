//! Packs with a wrong manifest, wrong files or a wrong layout.

use insta::assert_snapshot;

use crate::case::{CONFLICT, Case, ERROR, INVALID_INPUT, NOT_FOUND, PACK};

fn manifest(text: &str) -> String {
    Case::pack()
        .file("web/pack.yaml", text)
        .refused("pack build web", INVALID_INPUT)
}

fn with_file(path: &str, text: &str) -> String {
    Case::pack()
        .file(&format!("web/{path}"), text)
        .refused("pack build web", INVALID_INPUT)
}

#[test]
fn folder_that_is_not_there() {
    assert_snapshot!(Case::empty().refused("pack build nowhere", NOT_FOUND));
}

#[test]
fn folder_without_a_manifest() {
    assert_snapshot!(
        Case::empty()
            .file("web/values.yaml", "a: 1\n")
            .refused("pack build web", INVALID_INPUT)
    );
}

#[test]
fn unknown_key() {
    assert_snapshot!(manifest(&PACK.replace("namespace:", "namespce:")));
}

#[test]
fn missing_version() {
    assert_snapshot!(manifest(&PACK.replace("  version: 1.0.0\n", "")));
}

#[test]
fn wrong_kind() {
    assert_snapshot!(manifest(&PACK.replace("kind: Pack", "kind: Profile")));
}

#[test]
fn wrong_api_version() {
    assert_snapshot!(manifest(&PACK.replace("cairn.dev/v1", "cairn.dev/v2")));
}

#[test]
fn name_with_capitals() {
    assert_snapshot!(manifest(&PACK.replace("name: web", "name: My_Web")));
}

#[test]
fn unknown_layer() {
    assert_snapshot!(manifest(&PACK.replace("layer: addon", "layer: addons")));
}

#[test]
fn map_where_a_list_belongs() {
    assert_snapshot!(manifest(&PACK.replace(
        "spec:\n",
        "spec:\n  constraints:\n    requires: {pack: cert-manager}\n"
    )));
}

#[test]
fn requirement_of_nothing() {
    assert_snapshot!(manifest(&PACK.replace(
        "spec:\n",
        "spec:\n  constraints:\n    requires:\n      - {version: ^1}\n"
    )));
}

#[test]
fn every_mistake_is_told_at_once() {
    assert_snapshot!(manifest(
        "apiVersion: cairn.dev/v1\nkind: Pack\nmetadata:\n  name: Web\n  version: one\n  titel: x\nspec:\n  layer: 3\n"
    ));
}

#[test]
fn file_that_does_not_belong() {
    assert_snapshot!(with_file("Makefile", "all:\n"));
}

#[test]
fn template_without_its_suffix() {
    assert_snapshot!(with_file("templates/extra.yaml", "kind: ConfigMap\n"));
}

#[test]
fn files_that_differ_in_letter_case() {
    assert_snapshot!(
        Case::pack()
            .file("web/manifests/Web.yaml", "")
            .file("web/manifests/web.yaml", "")
            .refused("pack build web", INVALID_INPUT)
    );
}

#[test]
fn symbolic_link() {
    let case = Case::pack();
    std::os::unix::fs::symlink("/etc/passwd", case.path().join("web/README.md")).unwrap();
    assert_snapshot!(case.refused("pack build web", INVALID_INPUT));
}

#[test]
fn schema_that_is_no_schema() {
    assert_snapshot!(with_file(
        "values.schema.json",
        "{\n  \"type\": \"objekt\"\n}\n"
    ));
}

#[test]
fn schema_that_refers_to_the_network() {
    assert_snapshot!(with_file(
        "values.schema.json",
        "{\n  \"properties\": {\n    \"a\": {\"$ref\": \"https://example.com/a.json\"}\n  }\n}\n"
    ));
}

#[test]
fn schema_with_a_broken_pattern() {
    assert_snapshot!(with_file(
        "values.schema.json",
        "{\n  \"properties\": {\n    \"image\": {\"type\": \"string\", \"pattern\": \"([a-z\"}\n  }\n}\n"
    ));
}

#[test]
fn preset_in_a_file_of_another_name() {
    assert_snapshot!(with_file(
        "presets/ha.yaml",
        "apiVersion: cairn.dev/v1\nkind: Preset\nmetadata: {name: highly-available}\nspec:\n  values: {replicas: 3}\n"
    ));
}

#[test]
fn host_file_twice() {
    assert_snapshot!(
        Case::pack()
            .file("web/host/motd", "hi\n")
            .file("web/host/motd.hbs", "hi\n")
            .refused("pack build web", INVALID_INPUT)
    );
}

#[test]
fn host_step_of_an_unknown_file() {
    assert_snapshot!(
        Case::profile()
            .file("web/pack.yaml", PACK.replace("addon", "os"))
            .file("profile.yaml", crate::case::PROFILE.replace("type: addon", "type: infra"))
            .file("web/host/motd", "hi\n")
            .file(
                "web/host/steps.yaml",
                "apiVersion: cairn.dev/v1\nkind: HostSteps\nsteps:\n- name: greet\n  file: {path: /etc/motd, source: modt}\n"
            )
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn host_step_that_does_two_things() {
    assert_snapshot!(
        Case::profile()
            .file("web/pack.yaml", PACK.replace("addon", "os"))
            .file("profile.yaml", crate::case::PROFILE.replace("type: addon", "type: infra"))
            .file(
                "web/host/steps.yaml",
                "apiVersion: cairn.dev/v1\nkind: HostSteps\nsteps:\n- name: both\n  module: overlay\n  sysctl: {net.ipv4.ip_forward: \"1\"}\n"
            )
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn lint_code_that_does_not_exist() {
    assert_snapshot!(
        Case::pack()
            .file(
                "web/pack.yaml",
                format!("{PACK}  lint:\n    allow:\n      - {{code: image-tag-mutabel, reason: because}}\n")
            )
            .refused("pack lint web --strict --quiet", INVALID_INPUT)
    );
}

#[test]
fn test_that_fails() {
    assert_snapshot!(
        Case::pack()
            .file(
                "web/tests/default.yaml",
                "apiVersion: cairn.dev/v1\nkind: PackTest\nmetadata: {name: default}\nspec:\n  values: {replicas: 2}\n  expect:\n    objects:\n    - {kind: ConfigMap, name: web, fields: {/data/replicas: \"3\"}}\n    - {kind: Deployment, name: web}\n"
            )
            .refused("pack test web", INVALID_INPUT)
    );
}

#[test]
fn new_pack_over_a_folder() {
    assert_snapshot!(Case::pack().refused("pack new web", CONFLICT));
}

#[test]
fn layout_over_a_file() {
    assert_snapshot!(
        Case::pack()
            .file("out", "precious\n")
            .refused("pack build web --output out", ERROR)
    );
}
