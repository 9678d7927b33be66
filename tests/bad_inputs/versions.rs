//! Versions and version ranges.

use insta::assert_snapshot;

use crate::case::{Case, INVALID_INPUT, PACK, PROFILE};

fn version(text: &str) -> String {
    Case::pack()
        .file(
            "web/pack.yaml",
            PACK.replace("version: 1.0.0", &format!("version: {text}")),
        )
        .refused("pack build web", INVALID_INPUT)
}

fn range(text: &str) -> String {
    Case::pack()
        .file(
            "profile.yaml",
            format!("{PROFILE}    - name: dns\n      pack: coredns\n      version: {text}\n"),
        )
        .refused("profile build", INVALID_INPUT)
}

#[test]
fn number_without_quotes() {
    assert_snapshot!(version("1.10"));
}

#[test]
fn leading_zero() {
    assert_snapshot!(version("1.02.0"));
}

#[test]
fn no_version_at_all() {
    assert_snapshot!(version("latest"));
}

#[test]
fn number_too_large() {
    assert_snapshot!(version("1.0.99999999999999999999999"));
}

#[test]
fn range_that_is_no_range() {
    assert_snapshot!(range("\">>1.0\""));
}

#[test]
fn range_that_is_a_number() {
    assert_snapshot!(range("1"));
}

#[test]
fn range_without_a_version() {
    assert_snapshot!(range("latest"));
}

#[test]
fn range_that_is_empty() {
    assert_snapshot!(range("\"\""));
}
