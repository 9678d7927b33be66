//! Profiles with wrong layers, wrong files or loops.

use insta::assert_snapshot;

use crate::case::{CONFLICT, Case, INVALID_INPUT, NOT_FOUND, PROFILE};

fn profile(text: &str) -> String {
    Case::pack()
        .file("profile.yaml", text)
        .refused("profile build", INVALID_INPUT)
}

#[test]
fn file_that_is_not_there() {
    assert_snapshot!(Case::empty().refused("profile build prod.yaml", NOT_FOUND));
}

#[test]
fn folder_in_place_of_the_file() {
    assert_snapshot!(Case::pack().refused("profile build web", INVALID_INPUT));
}

#[test]
fn kind_of_another_file() {
    assert_snapshot!(Case::pack().refused("profile build web/pack.yaml", INVALID_INPUT));
}

#[test]
fn unknown_key() {
    assert_snapshot!(profile(&PROFILE.replace("layers:", "layer:")));
}

#[test]
fn two_layers_of_a_name() {
    assert_snapshot!(profile(&format!(
        "{PROFILE}    - name: web\n      path: web\n"
    )));
}

#[test]
fn layer_without_content() {
    assert_snapshot!(profile(&format!("{PROFILE}    - name: extra\n")));
}

#[test]
fn layer_with_two_contents() {
    assert_snapshot!(profile(&format!(
        "{PROFILE}      manifests: [manifests/*.yaml]\n"
    )));
}

#[test]
fn pack_without_a_version() {
    assert_snapshot!(profile(&format!(
        "{PROFILE}    - name: dns\n      pack: coredns\n"
    )));
}

#[test]
fn registry_that_is_not_declared() {
    assert_snapshot!(profile(&format!(
        "{PROFILE}    - name: dns\n      pack: coredns\n      version: ^1\n      registry: defualt\n  registries:\n    - {{name: default, url: oci://127.0.0.1:5000/packs}}\n"
    )));
}

#[test]
fn registry_without_a_host() {
    assert_snapshot!(profile(&format!(
        "{PROFILE}    - name: dns\n      pack: coredns\n      version: ^1\n  registries:\n    - {{name: default, url: packs}}\n"
    )));
}

#[test]
fn registry_with_a_scheme_that_is_not_oci() {
    assert_snapshot!(profile(&format!(
        "{PROFILE}    - name: dns\n      pack: coredns\n      version: ^1\n  registries:\n    - {{name: default, url: \"https://127.0.0.1:5000/packs\"}}\n"
    )));
}

#[test]
fn pack_folder_that_is_not_there() {
    assert_snapshot!(profile(&PROFILE.replace("path: web", "path: ../packs/wbe")));
}

#[test]
fn manifests_that_match_nothing() {
    assert_snapshot!(profile(
        &PROFILE.replace("path: web", "manifests: [manifests/*.yml]")
    ));
}

#[test]
fn glob_that_is_malformed() {
    assert_snapshot!(profile(
        &PROFILE.replace("path: web", "manifests: [\"manifests/[a.yaml\"]")
    ));
}

#[test]
fn profile_that_uses_itself() {
    assert_snapshot!(profile(&format!(
        "{PROFILE}  uses:\n    - {{path: profile.yaml}}\n"
    )));
}

#[test]
fn profiles_that_use_each_other() {
    assert_snapshot!(
        Case::pack()
            .file(
                "profile.yaml",
                format!("{PROFILE}  uses:\n    - {{path: base/profile.yaml}}\n")
            )
            .file(
                "base/profile.yaml",
                format!(
                    "{}  uses:\n    - {{path: ../profile.yaml}}\n",
                    PROFILE.replace("path: web", "path: ../web")
                )
            )
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn used_profile_of_another_version() {
    assert_snapshot!(
        Case::pack()
            .file(
                "profile.yaml",
                format!("{PROFILE}  uses:\n    - {{path: base.yaml, version: ^2}}\n")
            )
            .file("base.yaml", PROFILE)
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn used_profile_that_is_not_there() {
    assert_snapshot!(profile(&format!(
        "{PROFILE}  uses:\n    - {{path: ../base/profile.yaml}}\n"
    )));
}

#[test]
fn no_kubernetes_version() {
    assert_snapshot!(profile(&PROFILE.replace("  kubernetes: 1.34.1\n", "")));
}

#[test]
fn output_folder_that_is_something_else() {
    assert_snapshot!(
        Case::profile()
            .file("out/holiday.jpg", "precious")
            .refused("profile build", CONFLICT)
    );
}

#[test]
fn output_folder_that_is_a_file() {
    assert_snapshot!(
        Case::profile()
            .file("out", "precious")
            .refused("profile build", CONFLICT)
    );
}

#[test]
fn output_folder_that_is_a_dangling_link() {
    let case = Case::profile();
    std::os::unix::fs::symlink("nowhere", case.path().join("out")).unwrap();
    assert_snapshot!(case.refused("profile build", CONFLICT));
}

#[test]
fn namespace_that_climbs() {
    assert_snapshot!(profile(&format!("{PROFILE}      namespace: ../../etc\n")));
}

#[test]
fn merge_conflict() {
    assert_snapshot!(profile(&PROFILE.replace(
        "  kubernetes: 1.34.1\n",
        "<<<<<<< HEAD\n  kubernetes: 1.34.1\n=======\n  kubernetes: 1.35.0\n>>>>>>> main\n"
    )));
}

#[test]
fn key_that_does_not_work_is_found_before_the_build_is_written() {
    assert_snapshot!(Case::profile().file("my.key", "nonsense").refused(
        "profile build --push 127.0.0.1:1/bundles/shop:1 --key my.key",
        INVALID_INPUT
    ));
}

#[test]
fn lint_reports_and_writes_nothing() {
    assert_snapshot!(
        Case::profile_with("      values: {replicas: many}\n")
            .refused("profile lint", INVALID_INPUT)
    );
}
