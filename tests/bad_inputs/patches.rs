//! Patches that match nothing, or ask for what cannot be.

use insta::assert_snapshot;

use crate::case::{Case, INVALID_INPUT};

fn patch(lines: &str) -> String {
    Case::profile_with(&format!("  patches:\n    - {lines}\n"))
        .refused("profile build", INVALID_INPUT)
}

#[test]
fn target_that_matches_nothing() {
    assert_snapshot!(patch(
        "target: {kind: ConfigMap, name: wbe}\n      patch: {data: {a: b}}"
    ));
}

#[test]
fn target_without_a_field() {
    assert_snapshot!(patch("target: {}\n      patch: {data: {a: b}}"));
}

#[test]
fn target_that_matches_too_much() {
    assert_snapshot!(patch(
        "target: {kind: ConfigMap}\n      patch: {data: {a: b}}\n      expect: {max: 0}"
    ));
}

#[test]
fn type_that_does_not_exist() {
    assert_snapshot!(patch(
        "target: {kind: ConfigMap}\n      type: json\n      patch: []"
    ));
}

#[test]
fn list_where_a_map_belongs() {
    assert_snapshot!(patch("target: {kind: ConfigMap}\n      patch: [1]"));
}

#[test]
fn change_of_the_name() {
    assert_snapshot!(patch(
        "target: {kind: ConfigMap}\n      patch: {metadata: {name: other}}"
    ));
}

#[test]
fn directive_that_does_not_exist() {
    assert_snapshot!(patch(
        "target: {kind: ConfigMap}\n      patch: {data: {$patch: remove}}"
    ));
}

#[test]
fn text_where_the_object_has_a_map() {
    assert_snapshot!(patch(
        "target: {kind: ConfigMap}\n      patch: {data: text}"
    ));
}

#[test]
fn json_patch_of_a_path_that_is_not_there() {
    assert_snapshot!(patch(
        "target: {kind: ConfigMap}\n      type: json6902\n      patch:\n        - {op: replace, path: /data/imgae, value: x}"
    ));
}

#[test]
fn json_patch_with_an_unknown_operation() {
    assert_snapshot!(patch(
        "target: {kind: ConfigMap}\n      type: json6902\n      patch:\n        - {op: delete, path: /data/image}"
    ));
}

#[test]
fn json_patch_with_a_test_that_fails() {
    assert_snapshot!(patch(
        "target: {kind: ConfigMap}\n      type: json6902\n      patch:\n        - {op: test, path: /data/replicas, value: \"9\"}"
    ));
}

#[test]
fn json_patch_with_a_broken_pointer() {
    assert_snapshot!(patch(
        "target: {kind: ConfigMap}\n      type: json6902\n      patch:\n        - {op: remove, path: data/image}"
    ));
}
