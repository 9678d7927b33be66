//! Values that do not fit: each other, or the pack's schema.

use insta::assert_snapshot;

use crate::case::{Case, INVALID_INPUT};

fn layer(lines: &str) -> String {
    Case::profile_with(lines).refused("profile build", INVALID_INPUT)
}

#[test]
fn unknown_value() {
    assert_snapshot!(layer("      values:\n        replcas: 2\n"));
}

#[test]
fn value_of_another_type() {
    assert_snapshot!(layer("      values:\n        replicas: two\n"));
}

#[test]
fn value_below_the_minimum() {
    assert_snapshot!(layer("      values: {replicas: 0}\n"));
}

#[test]
fn map_over_a_text() {
    assert_snapshot!(layer(
        "      values:\n        image:\n          name: web\n"
    ));
}

#[test]
fn merge_tag_that_does_not_exist() {
    assert_snapshot!(layer("      values:\n        ports: !add [80]\n"));
}

#[test]
fn append_to_a_text() {
    assert_snapshot!(layer("      values:\n        image: !append [80]\n"));
}

#[test]
fn list_item_without_its_key() {
    assert_snapshot!(
        Case::profile_with("      values:\n        ports: !merge(name)\n          - {port: 80}\n")
            .file(
                "web/values.yaml",
                "replicas: 1\nimage: web:1\nports:\n  - {name: http, port: 8080}\n"
            )
            .file("web/values.schema.json", "{}")
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn values_file_that_is_not_there() {
    assert_snapshot!(layer("      valuesFrom: [values/web.yaml]\n"));
}

#[test]
fn values_file_that_is_a_list() {
    assert_snapshot!(
        Case::profile_with("      valuesFrom: [web-values.yaml]\n")
            .file("web-values.yaml", "- replicas: 2\n")
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn preset_that_does_not_exist() {
    assert_snapshot!(
        Case::profile_with("      presets: [hight-availability]\n")
            .file(
                "web/presets/high-availability.yaml",
                preset("high-availability", "")
            )
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn two_presets_of_a_group() {
    assert_snapshot!(
        Case::profile_with("      presets: [small, large]\n")
            .file("web/presets/small.yaml", preset("small", "size"))
            .file("web/presets/large.yaml", preset("large", "size"))
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn defaults_that_break_their_own_schema() {
    assert_snapshot!(
        Case::profile()
            .file("web/values.yaml", "replicas: none\nimage: web:1\n")
            .refused("profile build", INVALID_INPUT)
    );
}

fn preset(name: &str, group: &str) -> String {
    let group = if group.is_empty() {
        String::new()
    } else {
        format!("  group: {group}\n")
    };
    format!(
        "apiVersion: cairn.dev/v1\nkind: Preset\nmetadata: {{name: {name}}}\nspec:\n{group}  values: {{replicas: 3}}\n"
    )
}
