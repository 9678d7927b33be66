//! Content that nobody trusted has signed, and trust policies that cannot be used.

use std::fs;

use insta::assert_snapshot;

use crate::{
    case::{Case, DENIED, INVALID_INPUT, NOT_FOUND},
    hostile::{pull, push},
};

const PULL: &str = "pack pull @/packs/web:1.0.0 --output pulled";

/// A registry with the pack `web`, unsigned; keys `ci` and `other`.
fn unsigned() -> Case {
    Case::pack()
        .registry()
        .given("key generate ci")
        .given("key generate other")
        .given("pack push web @/packs")
}

/// A trust policy with one rule.
fn trusting(case: Case, repositories: &str, keys: &str) -> Case {
    let repositories = repositories.replace("@/", &format!("{}/", case.address()));
    case.file(
        ".cairn/trust.yaml",
        format!(
            "apiVersion: cairn.dev/v1\nkind: TrustPolicy\nrules:\n  - repositories: [\"{repositories}\"]\n    {keys}\n"
        ),
    )
}

const CI: &str = "keys: [{name: ci, path: ../ci.pub}]";

#[test]
fn nobody_signed() {
    assert_snapshot!(trusting(unsigned(), "@/packs/**", CI).refused(PULL, DENIED));
}

#[test]
fn somebody_else_signed() {
    let case = unsigned().given("sign @/packs/web:1.0.0 --key other.key");
    assert_snapshot!(trusting(case, "@/packs/**", CI).refused(PULL, DENIED));
}

#[test]
fn one_of_two_signed() {
    let case = unsigned().given("sign @/packs/web:1.0.0 --key ci.key");
    let keys = "keys: [{name: ci, path: ../ci.pub}, {name: release, path: ../other.pub}]\n    threshold: 2";
    assert_snapshot!(trusting(case, "@/packs/**", keys).refused(PULL, DENIED));
}

#[test]
fn attestation_that_is_missing() {
    let case = unsigned().given("sign @/packs/web:1.0.0 --key ci.key");
    let keys = &format!("{CI}\n    attestations: [\"https://slsa.dev/provenance/v1\"]");
    assert_snapshot!(trusting(case, "@/packs/**", keys).refused(PULL, DENIED));
}

#[test]
fn repository_that_no_rule_covers() {
    let case = unsigned().given("sign @/packs/web:1.0.0 --key ci.key");
    assert_snapshot!(trusting(case, "registry.example.com/packs/**", CI).refused(PULL, DENIED));
}

#[test]
fn signature_of_another_pack() {
    let case = unsigned().given("sign @/packs/web:1.0.0 --key ci.key");
    let signed = pull(&format!("{}/packs/web:1.0.0", case.address()));
    let case = case
        .file("web/README.md", "# Something else\n")
        .file("web/pack.yaml", crate::case::PACK.replace("1.0.0", "2.0.0"))
        .given("pack push web @/packs");
    let other = pull(&format!("{}/packs/web:2.0.0", case.address()));
    let tag = |digest: &cairn_spec::Digest| {
        format!(
            "{}/packs/web:{}.sig",
            case.address(),
            digest.as_str().replace(':', "-")
        )
    };
    push(&tag(other.digest()), &pull(&tag(signed.digest())));
    assert_snapshot!(
        trusting(case, "@/packs/**", CI)
            .refused("pack pull @/packs/web:2.0.0 --output pulled", DENIED)
    );
}

#[test]
fn unsigned_pack_in_a_profile() {
    let case = unsigned();
    let profile = crate::case::PROFILE.replace("path: web", "pack: web\n      version: ^1")
        + &format!(
            "  registries:\n    - {{name: default, url: \"oci://{}/packs\"}}\n",
            case.address()
        );
    let case = trusting(case, "@/packs/**", CI).file("profile.yaml", profile);
    assert_snapshot!(case.refused("profile build", DENIED));
}

#[test]
fn no_policy_at_all() {
    assert_snapshot!(unsigned().refused(PULL, DENIED));
}

#[test]
fn no_policy_for_a_profile_with_registries() {
    let case = unsigned();
    let profile = crate::case::PROFILE.replace("path: web", "pack: web\n      version: ^1")
        + &format!(
            "  registries:\n    - {{name: default, url: \"oci://{}/packs\"}}\n",
            case.address()
        );
    assert_snapshot!(
        case.file("profile.yaml", profile)
            .refused("profile build", DENIED)
    );
}

#[test]
fn policy_that_is_named_but_not_there() {
    assert_snapshot!(unsigned().refused(&format!("{PULL} --trust prod-trust.yaml"), NOT_FOUND));
}

fn policy(text: &str) -> String {
    Case::empty()
        .file("trust.yaml", text)
        .file(
            "broken.pub",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        )
        .refused(
            "verify 127.0.0.1:1/packs/web:1.0.0 --trust trust.yaml",
            INVALID_INPUT,
        )
}

const HEAD: &str = "apiVersion: cairn.dev/v1\nkind: TrustPolicy\nrules:\n";

#[test]
fn policy_that_is_not_yaml() {
    assert_snapshot!(policy(&format!(
        "{HEAD}  - repositories: [\"**\"\n    keys: []\n"
    )));
}

#[test]
fn policy_with_an_unknown_key() {
    assert_snapshot!(policy(&format!(
        "{HEAD}  - repositories: [\"**\"]\n    kyes: []\n"
    )));
}

#[test]
fn policy_of_another_kind() {
    assert_snapshot!(policy("apiVersion: cairn.dev/v1\nkind: Pack\nrules: []\n"));
}

#[test]
fn policy_without_keys() {
    assert_snapshot!(policy(&format!(
        "{HEAD}  - repositories: [\"**\"]\n    keys: []\n"
    )));
}

#[test]
fn policy_with_a_key_that_is_not_there() {
    assert_snapshot!(policy(&format!(
        "{HEAD}  - repositories: [\"**\"]\n    keys: [{{name: ci, path: keys/ci.pub}}]\n"
    )));
}

#[test]
fn policy_with_a_broken_key() {
    assert_snapshot!(policy(&format!(
        "{HEAD}  - repositories: [\"**\"]\n    keys: [{{name: ci, path: broken.pub}}]\n"
    )));
}

#[test]
fn policy_with_a_broken_glob() {
    assert_snapshot!(policy(&format!(
        "{HEAD}  - repositories: [\"packs/[\"]\n    keys: [{{name: ci, path: broken.pub}}]\n"
    )));
}

#[test]
fn verify_with_the_wrong_key() {
    let case = unsigned().given("sign @/packs/web:1.0.0 --key ci.key");
    assert_snapshot!(case.refused("verify @/packs/web:1.0.0 --key other.pub", DENIED));
}

#[test]
fn bundle_that_was_changed() {
    let case = Case::profile().given("profile build --insecure-skip-verify");
    let manifests = case.path().join("out/manifests");
    let layer = fs::read_dir(manifests)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let file = fs::read_dir(layer).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("web", "evil")).unwrap();
    assert_snapshot!(case.refused("bundle verify", DENIED));
}

#[test]
fn bundle_that_is_not_there() {
    assert_snapshot!(Case::empty().refused("bundle verify", NOT_FOUND));
}

#[test]
fn folder_that_is_no_bundle() {
    assert_snapshot!(Case::pack().refused("bundle verify --bundle web", INVALID_INPUT));
}
