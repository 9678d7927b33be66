//! Variables that are missing or wrong, and secrets, which no message may show.

use insta::assert_snapshot;

use crate::case::{Case, INVALID_INPUT, USAGE};

const VARIABLES: &str = "      values:
        image: ${var.image}
  variables:
    - name: image
      required: true
    - name: zone
      schema: {type: string, enum: [eu, us]}
      default: eu
    - name: adminPassword
      sensitive: true
";

const CLUSTER: &str = "\
apiVersion: cairn.dev/v1
kind: Cluster
metadata: {name: berlin}
spec:
  profile: {name: shop}
";

/// What no message may hold.
const SECRET: &str = "hunter2";

fn cluster(lines: &str) -> String {
    let shown = Case::profile_with(VARIABLES)
        .file("berlin.yaml", format!("{CLUSTER}{lines}"))
        .refused("profile build --cluster berlin.yaml", INVALID_INPUT);
    assert!(!shown.contains(SECRET), "the secret is shown:\n{shown}");
    shown
}

fn flags(flags: &str, code: i32) -> String {
    let case = Case::profile_with(VARIABLES);
    case.refused(&format!("profile build {flags}"), code)
}

#[test]
fn required_variable_without_a_cluster() {
    assert_snapshot!(flags("", INVALID_INPUT));
}

#[test]
fn required_variable_that_a_cluster_does_not_set() {
    assert_snapshot!(cluster("  variables:\n    zone: us\n"));
}

#[test]
fn value_that_is_not_allowed() {
    assert_snapshot!(cluster("  variables:\n    image: web:1\n    zone: mars\n"));
}

#[test]
fn value_of_another_type() {
    assert_snapshot!(cluster("  variables:\n    image: 17\n"));
}

#[test]
fn misspelt_variable() {
    assert_snapshot!(cluster("  variables:\n    imgae: web:1\n"));
}

#[test]
fn misspelt_variable_on_the_command_line() {
    assert_snapshot!(flags("--var imgae=web:1", INVALID_INPUT));
}

#[test]
fn command_line_without_a_value() {
    assert_snapshot!(flags("--var image", USAGE));
}

#[test]
fn command_line_with_an_impossible_name() {
    let shown = flags("--var admin-password=hunter2", USAGE);
    assert!(
        !shown.lines().skip(1).any(|line| line.contains(SECRET)),
        "{shown}"
    );
    assert_snapshot!(shown);
}

#[test]
fn command_line_value_that_is_not_yaml() {
    assert_snapshot!(flags("--var image=[web", INVALID_INPUT));
}

#[test]
fn variable_that_is_not_declared() {
    assert_snapshot!(
        Case::profile_with("      values:\n        image: ${var.image}\n")
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn variable_without_a_value() {
    assert_snapshot!(
        Case::profile_with(
            "      values:\n        image: ${var.image}\n  variables:\n    - name: image\n"
        )
        .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn default_that_breaks_its_schema() {
    assert_snapshot!(
        Case::profile_with(
            "  variables:\n    - {name: size, schema: {type: integer}, default: big}\n"
        )
        .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn schema_that_is_no_schema() {
    assert_snapshot!(
        Case::profile_with(
            "  variables:\n    - {name: size, schema: {type: integr}, default: 1}\n"
        )
        .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn secret_in_the_cluster_file() {
    assert_snapshot!(cluster(
        "  variables:\n    image: web:1\n    adminPassword: hunter2\n"
    ));
}

#[test]
fn secret_beside_another_mistake() {
    assert_snapshot!(cluster(
        "  variables: {image: web:1, adminPassword: hunter2, zone: mars}\n"
    ));
}

#[test]
fn secret_on_the_line_between_two_mistakes() {
    assert_snapshot!(cluster(
        "  variables:\n    image: web:1\n    imagee: a\n    adminPassword: hunter2\n    zonee: b\n"
    ));
}

#[test]
fn secret_in_a_file_that_is_not_yaml() {
    assert_snapshot!(cluster(
        "  variables: {image: web:1, adminPassword: hunter2, zone: [eu}\n"
    ));
}

#[test]
fn secret_in_a_file_that_breaks_its_schema() {
    assert_snapshot!(cluster(
        "  variables: {image: web:1, adminPassword: hunter2}\n  overides: []\n"
    ));
}

#[test]
fn secret_given_twice() {
    assert_snapshot!(cluster(
        "  variables:\n    image: web:1\n    adminPassword: hunter2\n    adminPassword: hunter2\n"
    ));
}

#[test]
fn secret_on_the_command_line() {
    let shown = flags(
        "--var image=web:1 --var adminPassword=hunter2",
        INVALID_INPUT,
    );
    // The command itself is part of the snapshot; what is printed is not to repeat it.
    assert!(
        !shown.lines().skip(1).any(|line| line.contains(SECRET)),
        "{shown}"
    );
    assert_snapshot!(shown);
}

#[test]
fn secret_on_the_command_line_that_is_not_yaml() {
    let shown = flags(
        "--var image=web:1 --var adminPassword=[hunter2",
        INVALID_INPUT,
    );
    assert!(
        !shown.lines().skip(1).any(|line| line.contains(SECRET)),
        "{shown}"
    );
    assert_snapshot!(shown);
}

#[test]
fn secret_as_a_default() {
    let shown = Case::profile_with(
        "  variables:\n    - {name: adminPassword, sensitive: true, default: hunter2}\n",
    )
    .refused("profile build", INVALID_INPUT);
    assert!(!shown.contains(SECRET), "{shown}");
    assert_snapshot!(shown);
}

#[test]
fn secret_reference_without_a_key() {
    assert_snapshot!(cluster(
        "  variables:\n    image: web:1\n    adminPassword: {secretRef: {namespace: web, name: admin}}\n"
    ));
}
