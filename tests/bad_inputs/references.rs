//! References from values to other values that lead nowhere, or in circles.

use insta::assert_snapshot;

use crate::case::{Case, INVALID_INPUT};

fn values(lines: &str) -> String {
    Case::profile_with(lines)
        .file("web/values.schema.json", "{}")
        .refused("profile build", INVALID_INPUT)
}

fn second_layer(first: &str, second: &str) -> String {
    values(&format!(
        "      values:\n        image: {first}\n    - name: api\n      path: web\n      namespace: api\n      values:\n        image: {second}\n"
    ))
}

#[test]
fn layer_that_does_not_exist() {
    assert_snapshot!(second_layer("web:1", "${layer.wbe.image}"));
}

#[test]
fn value_that_does_not_exist() {
    assert_snapshot!(second_layer("web:1", "${layer.web.imgae}"));
}

#[test]
fn value_that_refers_to_itself() {
    assert_snapshot!(values("      values:\n        image: ${layer.web.image}\n"));
}

#[test]
fn values_that_refer_to_each_other() {
    assert_snapshot!(second_layer("${layer.api.image}", "${layer.web.image}"));
}

#[test]
fn map_inside_of_a_text() {
    assert_snapshot!(second_layer("{name: web}", "x-${layer.web.image}"));
}

#[test]
fn cluster_where_there_is_none() {
    assert_snapshot!(values("      values:\n        image: ${cluster.name}\n"));
}

#[test]
fn field_that_a_profile_does_not_have() {
    assert_snapshot!(values("      values:\n        image: ${profile.nmae}\n"));
}

#[test]
fn reference_never_closed() {
    assert_snapshot!(values("      values:\n        image: ${var.image\n"));
}
