//! Command lines that make no sense, and an environment that does not.

use insta::assert_snapshot;

use crate::case::{Case, INVALID_INPUT, USAGE};

fn usage(arguments: &str) -> String {
    Case::pack().refused(arguments, USAGE)
}

#[test]
fn nothing() {
    assert_snapshot!(usage(""));
}

#[test]
fn misspelt_command() {
    assert_snapshot!(usage("pack biuld web"));
}

#[test]
fn misspelt_option() {
    assert_snapshot!(usage("pack build web --ouput out"));
}

#[test]
fn unknown_format() {
    assert_snapshot!(usage("pack inspect web -o xml"));
}

#[test]
fn option_without_the_one_it_needs() {
    assert_snapshot!(usage("profile build --key ci.key"));
}

#[test]
fn reference_that_is_none() {
    assert_snapshot!(usage("verify web"));
}

#[test]
fn reference_with_a_short_digest() {
    assert_snapshot!(usage("verify 127.0.0.1:5000/packs/web@sha256:abc"));
}

#[test]
fn reference_in_capitals() {
    assert_snapshot!(usage("verify 127.0.0.1:5000/Packs/Web:1"));
}

#[test]
fn pack_name_in_capitals() {
    assert_snapshot!(usage("pack new MyPack"));
}

#[test]
fn pack_name_that_climbs() {
    assert_snapshot!(usage("pack new ../evil"));
}

#[test]
fn address_without_a_port() {
    assert_snapshot!(usage("registry serve --listen localhost"));
}

#[test]
fn time_that_is_no_number() {
    assert_snapshot!(Case::pack().refused_with(
        "pack build web",
        INVALID_INPUT,
        &[("SOURCE_DATE_EPOCH", "yesterday")]
    ));
}
