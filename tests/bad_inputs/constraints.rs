//! Packs that do not go together, or not with the platform.

use insta::assert_snapshot;

use crate::case::{Case, INVALID_INPUT, PACK, PROFILE};

const SECOND: &str = "    - name: api\n      path: api\n      namespace: api\n";

/// The pack `web` and a second pack `api`, each with constraints.
fn two_packs(web: &str, api: &str) -> String {
    let constrained = |text: &str, constraints: &str| {
        if constraints.is_empty() {
            text.to_owned()
        } else {
            format!("{text}  constraints:\n    {constraints}\n")
        }
    };
    Case::profile_with(SECOND)
        .file("web/pack.yaml", constrained(PACK, web))
        .file(
            "api/pack.yaml",
            constrained(&PACK.replace("web", "api"), api),
        )
        .file(
            "api/templates/api.yaml.hbs",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: api}\n",
        )
        .refused("profile build", INVALID_INPUT)
}

#[test]
fn pack_that_is_missing() {
    assert_snapshot!(two_packs(
        "requires: [{pack: cert-manager, version: ^1.15}]",
        ""
    ));
}

#[test]
fn pack_that_is_too_old() {
    assert_snapshot!(two_packs("requires: [{pack: api, version: ^2}]", ""));
}

#[test]
fn capability_that_nobody_provides() {
    assert_snapshot!(two_packs("requires: [{capability: csi}]", ""));
}

#[test]
fn packs_in_conflict() {
    assert_snapshot!(two_packs("conflicts: [{pack: api}]", ""));
}

#[test]
fn pack_of_another_version_than_it_goes_with() {
    assert_snapshot!(two_packs("constrains: [{pack: api, version: \">=2\"}]", ""));
}

#[test]
fn capability_that_two_provide() {
    assert_snapshot!(two_packs(
        "provides: [{capability: ingress, exclusive: true}]",
        "provides: [{capability: ingress}]"
    ));
}

#[test]
fn kubernetes_that_is_too_new() {
    assert_snapshot!(two_packs("kubernetes: \">=1.28 <1.30\"", ""));
}

#[test]
fn packs_that_need_each_other() {
    assert_snapshot!(two_packs(
        "requires: [{pack: api}]",
        "requires: [{pack: web}]"
    ));
}

#[test]
fn operating_system_that_does_not_fit() {
    assert_snapshot!(
        Case::pack()
            .file(
                "profile.yaml",
                format!(
                    "{}{SECOND}",
                    PROFILE.replace("type: addon", "type: cluster")
                )
            )
            .file(
                "web/pack.yaml",
                format!("{PACK}  constraints:\n    platform: {{os: [flatcar]}}\n")
            )
            .file(
                "api/pack.yaml",
                PACK.replace("web", "ubuntu").replace("addon", "os")
            )
            .file("api/host/motd", "hi\n")
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn cluster_profile_without_an_operating_system() {
    assert_snapshot!(
        Case::pack()
            .file(
                "profile.yaml",
                PROFILE.replace("type: addon", "type: cluster")
            )
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn addon_profile_with_a_network() {
    assert_snapshot!(
        Case::profile()
            .file("web/pack.yaml", PACK.replace("addon", "cni"))
            .refused("profile build", INVALID_INPUT)
    );
}
