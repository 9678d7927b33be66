//! Clusters that do not fit their profile.

use insta::assert_snapshot;

use crate::case::{Case, INVALID_INPUT, NOT_FOUND};

const CLUSTER: &str = "\
apiVersion: cairn.dev/v1
kind: Cluster
metadata:
  name: berlin
spec:
  profile: {name: shop}
";

fn cluster(text: &str) -> String {
    Case::profile()
        .file("berlin.yaml", text)
        .refused("profile build --cluster berlin.yaml", INVALID_INPUT)
}

#[test]
fn file_that_is_not_there() {
    assert_snapshot!(Case::profile().refused("profile build --cluster berlin.yaml", NOT_FOUND));
}

#[test]
fn another_profile() {
    assert_snapshot!(cluster(&CLUSTER.replace("shop", "warehouse")));
}

#[test]
fn another_version_of_the_profile() {
    assert_snapshot!(cluster(
        &CLUSTER.replace("{name: shop}", "{name: shop, version: ^2}")
    ));
}

#[test]
fn override_of_a_layer_that_does_not_exist() {
    assert_snapshot!(cluster(&format!(
        "{CLUSTER}  overrides:\n    - layer: wbe\n      values: {{replicas: 2}}\n"
    )));
}

#[test]
fn override_of_a_value_that_does_not_exist() {
    assert_snapshot!(cluster(&format!(
        "{CLUSTER}  overrides:\n    - layer: web\n      values: {{replica: 2}}\n"
    )));
}

#[test]
fn variable_that_the_profile_does_not_have() {
    assert_snapshot!(cluster(&format!("{CLUSTER}  variables: {{region: eu}}\n")));
}

#[test]
fn labels_that_are_numbers() {
    assert_snapshot!(cluster(
        &CLUSTER.replace("name: berlin", "name: berlin\n  labels: {rack: 17}")
    ));
}
