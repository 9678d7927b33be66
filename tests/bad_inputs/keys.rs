//! Keys: files that are no keys, and keys that must not be lost.

use std::fs;

use insta::assert_snapshot;

use crate::case::{CONFLICT, Case, ERROR, INVALID_INPUT, NOT_FOUND};

const SIGN: &str = "sign 127.0.0.1:1/packs/web:1.0.0 --key my.key";

fn sign_with(key: impl AsRef<[u8]>) -> String {
    Case::empty()
        .file("my.key", key)
        .refused(SIGN, INVALID_INPUT)
}

fn cosign_key() -> Vec<u8> {
    let path = cairn_tests::repository_root().join("spec/vectors/signing/test.cosign.key");
    fs::read(path).unwrap()
}

#[test]
fn private_key_that_is_there_already() {
    assert_snapshot!(
        Case::empty()
            .given("key generate ci")
            .refused("key generate ci", CONFLICT)
    );
}

#[test]
fn public_key_that_is_there_already() {
    assert_snapshot!(
        Case::empty()
            .file("ci.pub", "precious")
            .refused("key generate ci", CONFLICT)
    );
}

#[test]
fn folder_that_cannot_be_made() {
    assert_snapshot!(
        Case::empty()
            .file("keys", "a file")
            .refused("key generate keys/ci", ERROR)
    );
}

#[test]
fn key_that_is_not_there() {
    assert_snapshot!(Case::empty().refused(SIGN, NOT_FOUND));
}

#[test]
fn key_that_is_no_pem() {
    assert_snapshot!(sign_with("my secret key"));
}

#[test]
fn key_that_is_no_text() {
    assert_snapshot!(sign_with(b"\x30\x81\xff\xfe"));
}

#[test]
fn key_that_is_cut_short() {
    assert_snapshot!(sign_with(
        "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n"
    ));
}

#[test]
fn rsa_key() {
    assert_snapshot!(sign_with(
        "-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy\n-----END RSA PRIVATE KEY-----\n"
    ));
}

#[test]
fn public_key_to_sign_with() {
    let case = Case::empty().given("key generate ci");
    assert_snapshot!(case.refused(
        "sign 127.0.0.1:1/packs/web:1.0.0 --key ci.pub",
        INVALID_INPUT
    ));
}

#[test]
fn private_key_to_verify_with() {
    let case = Case::empty().given("key generate ci");
    assert_snapshot!(case.refused(
        "verify 127.0.0.1:1/packs/web:1.0.0 --key ci.key",
        INVALID_INPUT
    ));
}

#[test]
fn encrypted_key_without_a_password() {
    assert_snapshot!(sign_with(cosign_key()));
}

#[test]
fn encrypted_key_with_another_password() {
    let shown = Case::empty().file("my.key", cosign_key()).refused_with(
        SIGN,
        INVALID_INPUT,
        &[("CAIRN_KEY_PASSWORD", "hunter2")],
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_snapshot!(shown);
}

#[test]
fn nothing_is_pushed_with_a_key_that_does_not_work() {
    let case = Case::pack().registry().file("my.key", "nonsense");
    assert_snapshot!(case.refused("pack push web @/packs --key my.key", INVALID_INPUT));
    assert_snapshot!(
        "nothing_is_pushed",
        case.refused("pack inspect @/packs/web:1.0.0", NOT_FOUND)
    );
}
