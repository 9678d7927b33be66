//! Inputs that are too large, too many or too deep.

use std::{fmt::Write as _, fs::File};

use insta::assert_snapshot;

use crate::case::{Case, INVALID_INPUT, PROFILE};

fn values(text: &str) -> String {
    Case::pack()
        .file("web/values.yaml", text)
        .refused("pack build web", INVALID_INPUT)
}

/// A file of zeros that takes no room.
fn grow(case: &Case, path: &str, size_bytes: u64) {
    File::create(case.path().join(path))
        .unwrap()
        .set_len(size_bytes)
        .unwrap();
}

#[test]
fn billion_laughs() {
    let mut text = String::from("a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n");
    for level in 1..9 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{below}]").unwrap();
    }
    assert_snapshot!(values(&text));
}

#[test]
fn values_nested_too_deep() {
    assert_snapshot!(values(&format!(
        "a: {}{}\n",
        "[".repeat(2_000),
        "]".repeat(2_000)
    )));
}

#[test]
fn json_schema_nested_too_deep() {
    let schema = format!("{}1{}", "{\"a\": ".repeat(2_000), "}".repeat(2_000));
    assert_snapshot!(
        Case::pack()
            .file("web/values.schema.json", schema)
            .refused("pack build web", INVALID_INPUT)
    );
}

#[test]
fn line_of_a_megabyte() {
    assert_snapshot!(values(&format!(
        "image: \"{}\"\nimage: {}\n",
        "x".repeat(1 << 20),
        "y".repeat(1 << 20)
    )));
}

#[test]
fn a_thousand_mistakes() {
    let lines = (0..1_000).fold(String::new(), |lines, n| lines + &format!("key{n}: yes\n"));
    assert_snapshot!(values(&lines));
}

#[test]
fn file_too_large_for_a_pack() {
    let case = Case::pack();
    grow(&case, "web/README.md", (32 << 20) + 1);
    assert_snapshot!(case.refused("pack build web", INVALID_INPUT));
}

#[test]
fn files_too_large_together() {
    let case = Case::pack().file("web/host/a/x", "");
    for index in 0..9 {
        grow(&case, &format!("web/host/a/{index}"), 30 << 20);
    }
    assert_snapshot!(case.refused("pack build web", INVALID_INPUT));
}

#[test]
fn too_many_files() {
    let case = Case::pack().file("web/host/a/x", "");
    for index in 0..10_000 {
        grow(&case, &format!("web/host/a/{index}"), 0);
    }
    assert_snapshot!(case.refused("pack build web", INVALID_INPUT));
}

#[test]
fn path_too_long() {
    let name = format!("web/host/{}/{}", "a".repeat(120), "b".repeat(120));
    assert_snapshot!(
        Case::pack()
            .file(&name, "x")
            .refused("pack build web", INVALID_INPUT)
    );
}

#[test]
fn profile_too_large() {
    let case = Case::pack();
    grow(&case, "profile.yaml", (8 << 20) + 1);
    assert_snapshot!(case.refused("profile build", INVALID_INPUT));
}

#[test]
fn values_file_that_never_ends() {
    let case = Case::profile_with("      valuesFrom: [/dev/zero]\n");
    assert_snapshot!(case.refused("profile build", INVALID_INPUT));
}

#[test]
fn profiles_stacked_too_deep() {
    let mut case = Case::pack();
    for level in 0..20 {
        case = case.file(
            &format!("p{level}.yaml"),
            format!("{PROFILE}  uses:\n    - {{path: p{}.yaml}}\n", level + 1),
        );
    }
    assert_snapshot!(
        case.file("p20.yaml", PROFILE)
            .refused("profile build p0.yaml", INVALID_INPUT)
    );
}

#[test]
fn template_that_loops_too_long() {
    let open = "{{#each (fromJson \"[0,1,2,3,4,5,6,7,8,9]\")}}".repeat(9);
    let close = "{{/each}}".repeat(9);
    assert_snapshot!(
        Case::profile()
            .file("web/templates/web.yaml.hbs", format!("{open}x{close}\n"))
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn template_nested_too_deep() {
    let open = "{{#if true}}".repeat(5_000);
    let close = "{{/if}}".repeat(5_000);
    assert_snapshot!(
        Case::profile()
            .file("web/templates/web.yaml.hbs", format!("{open}x{close}\n"))
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn expression_nested_too_deep() {
    let open = "(add 1 ".repeat(5_000);
    let close = ")".repeat(5_000);
    assert_snapshot!(
        Case::profile()
            .file(
                "web/templates/web.yaml.hbs",
                format!("{{{{add 1 {open}1{close}}}}}\n")
            )
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn trust_policy_too_large() {
    let case = Case::empty();
    grow(&case, "trust.yaml", (1 << 20) + 1);
    assert_snapshot!(case.refused(
        "verify 127.0.0.1:1/packs/web:1.0.0 --trust trust.yaml",
        INVALID_INPUT
    ));
}

#[test]
fn key_that_never_ends() {
    assert_snapshot!(Case::empty().refused(
        "sign 127.0.0.1:1/packs/web:1.0.0 --key /dev/zero",
        INVALID_INPUT
    ));
}

#[test]
fn trust_policy_that_never_ends() {
    assert_snapshot!(Case::empty().refused(
        "verify 127.0.0.1:1/packs/web:1.0.0 --trust /dev/zero",
        INVALID_INPUT
    ));
}

#[test]
fn object_name_too_long() {
    assert_snapshot!(
        Case::profile()
            .file(
                "web/templates/web.yaml.hbs",
                format!(
                    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n",
                    "x".repeat(300)
                )
            )
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn host_path_too_long_for_a_bundle() {
    let path = format!("web/host/{}/{}", "a".repeat(110), "b".repeat(110));
    let layer = "l".repeat(60);
    assert_snapshot!(
        Case::pack()
            .file(
                "profile.yaml",
                PROFILE.replace("name: web", &format!("name: {layer}"))
            )
            .file(&path, "x")
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn key_too_large() {
    let case = Case::empty();
    grow(&case, "my.key", (1 << 20) + 1);
    assert_snapshot!(case.refused(
        "sign 127.0.0.1:1/packs/web:1.0.0 --key my.key",
        INVALID_INPUT
    ));
}
