//! Desired states that would be refused by every agent, so that nobody signs them.

use insta::assert_snapshot;

use crate::case::{Case, INVALID_INPUT, NOT_FOUND, USAGE};

const BUNDLE: &str = "127.0.0.1:1/bundles/shop@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn desire(arguments: &str) -> String {
    format!("cluster desire {BUNDLE} {arguments}")
}

fn with_key() -> Case {
    Case::empty().given("key generate ci")
}

fn policy(text: &str) -> String {
    with_key().file("policy.yaml", text).refused(
        &desire("--cluster 5f0c-1 --generation 1 --key ci.key --policy policy.yaml"),
        INVALID_INPUT,
    )
}

#[test]
fn nobody_it_is_for() {
    assert_snapshot!(with_key().refused(&desire("--generation 1 --key ci.key"), USAGE));
}

#[test]
fn both_a_cluster_and_a_group() {
    let arguments = "--cluster 5f0c-1 --group edge --generation 1 --key ci.key";
    assert_snapshot!(with_key().refused(&desire(arguments), USAGE));
}

#[test]
fn cluster_that_is_no_uid() {
    let arguments = "--cluster berlin/1 --generation 1 --key ci.key";
    assert_snapshot!(with_key().refused(&desire(arguments), INVALID_INPUT));
}

#[test]
fn generation_that_is_not_one() {
    let arguments = "--cluster 5f0c-1 --generation 0 --key ci.key";
    assert_snapshot!(with_key().refused(&desire(arguments), INVALID_INPUT));
}

#[test]
fn no_key() {
    assert_snapshot!(Case::empty().refused(&desire("--cluster 5f0c-1 --generation 1"), USAGE));
}

#[test]
fn expired_when_it_is_signed() {
    let arguments = "--cluster 5f0c-1 --generation 1 --key ci.key --expires 1999-01-01T00:00:00Z";
    assert_snapshot!(with_key().refused(&desire(arguments), INVALID_INPUT));
}

#[test]
fn policy_that_is_not_there() {
    let arguments = "--cluster 5f0c-1 --generation 1 --key ci.key --policy policy.yaml";
    assert_snapshot!(with_key().refused(&desire(arguments), NOT_FOUND));
}

#[test]
fn policy_with_a_key_that_nobody_knows() {
    assert_snapshot!(policy("onFailure: rollback\nadopt: true\n"));
}

#[test]
fn policy_with_a_zone_that_nobody_knows() {
    assert_snapshot!(policy(
        "windows:\n  allow:\n    - {name: nights, start: '22:00', end: '04:00', timezone: Europe/Berlim}\n"
    ));
}

#[test]
fn policy_that_ignores_no_field() {
    assert_snapshot!(policy(
        "ignore:\n  - target: {kind: Deployment}\n    paths: [spec.replicas]\n"
    ));
}

#[test]
fn keyring_that_asks_for_more_than_there_are() {
    assert_snapshot!(with_key().refused("cluster keyring ci.pub --threshold 2", INVALID_INPUT));
}

#[test]
fn keyring_that_has_a_key_twice() {
    assert_snapshot!(with_key().refused("cluster keyring ci.pub ci.pub", INVALID_INPUT));
}

#[test]
fn keyring_that_follows_and_nobody_signs() {
    assert_snapshot!(with_key().refused("cluster keyring ci.pub --after old.json", USAGE));
}

#[test]
fn keyring_that_follows_something_else() {
    let case = with_key().file("old.json", "{\"kind\": \"Keyring\"}");
    assert_snapshot!(case.refused(
        "cluster keyring ci.pub --after old.json --key ci.key",
        INVALID_INPUT
    ));
}

#[test]
fn signature_of_what_is_no_envelope() {
    let case = with_key().file("wanted.json", "{}");
    assert_snapshot!(case.refused("cluster sign wanted.json --key ci.key", INVALID_INPUT));
}

#[test]
fn signature_of_something_else() {
    let envelope = r#"{"payload": "e30=", "payloadType": "text/plain", "signatures": []}"#;
    let case = with_key().file("wanted.json", envelope);
    assert_snapshot!(case.refused("cluster sign wanted.json --key ci.key", INVALID_INPUT));
}
