//! Texts that are not YAML, or not the YAML that Cairn reads.

use insta::assert_snapshot;

use crate::case::{Case, INVALID_INPUT};

fn values(text: &str) -> String {
    Case::pack()
        .file("web/values.yaml", text)
        .refused("pack build web", INVALID_INPUT)
}

#[test]
fn tab_as_indentation() {
    assert_snapshot!(values("resources:\n\tlimits: 1\n"));
}

#[test]
fn bracket_never_closed() {
    assert_snapshot!(values("replicas: 1\nports: [80, 443\nimage: web\n"));
}

#[test]
fn quote_never_closed() {
    assert_snapshot!(values("replicas: 1\nimage: \"web:1.0\n"));
}

#[test]
fn key_given_twice() {
    assert_snapshot!(values("replicas: 1\nimage: web\nreplicas: 2\n"));
}

#[test]
fn wrong_indentation() {
    assert_snapshot!(values("replicas: 1\n  image: web\n"));
}

#[test]
fn colon_in_a_plain_text() {
    assert_snapshot!(values("image: web: latest\n"));
}

#[test]
fn text_that_is_a_boolean_elsewhere() {
    assert_snapshot!(values("replicas: 1\nimage: yes\n"));
}

#[test]
fn number_that_is_octal_elsewhere() {
    assert_snapshot!(values("mode: 0644\n"));
}

#[test]
fn number_beyond_64_bits() {
    assert_snapshot!(values("replicas: 99999999999999999999\n"));
}

#[test]
fn anchor_that_is_not_there() {
    assert_snapshot!(values("replicas: *count\n"));
}

#[test]
fn alias_inside_of_its_own_anchor() {
    assert_snapshot!(values("web: &web\n  again: *web\n"));
}

#[test]
fn merge_key_of_a_text() {
    assert_snapshot!(values("base: &base text\nweb:\n  <<: *base\n"));
}

#[test]
fn list_as_a_key() {
    assert_snapshot!(values("? [a, b]\n: 1\n"));
}

#[test]
fn template_braces_without_quotes() {
    assert_snapshot!(values("image: {{ .Values.image }}\n"));
}

#[test]
fn tag_that_does_not_fit() {
    assert_snapshot!(values("replicas: !!int many\n"));
}

#[test]
fn two_documents() {
    assert_snapshot!(values("replicas: 1\n---\nreplicas: 2\n"));
}

#[test]
fn values_that_are_a_list() {
    assert_snapshot!(values("- replicas\n- image\n"));
}

#[test]
fn bytes_that_are_no_text() {
    assert_snapshot!(
        Case::pack()
            .file("web/values.yaml", b"replicas: 1\nimage: \xff\xfe\n")
            .refused("pack build web", INVALID_INPUT)
    );
}

#[test]
fn nul_character() {
    assert_snapshot!(values("replicas: 1\0\n"));
}

#[test]
fn control_characters_are_not_sent_to_the_terminal() {
    assert_snapshot!(values("replicas: 1\nimage: \"\u{1b}[31mred\" again\n"));
}

#[test]
fn windows_line_ends_keep_the_place() {
    assert_snapshot!(values("replicas: 1\r\nimage: web\r\nreplicas: 2\r\n"));
}

#[test]
fn wide_characters_keep_the_place() {
    assert_snapshot!(values(
        "título: \"größe 日本\"\nreplicas: 1\nreplicas: 日\n"
    ));
}

#[test]
fn empty_manifest() {
    assert_snapshot!(
        Case::pack()
            .file("web/pack.yaml", "")
            .refused("pack build web", INVALID_INPUT)
    );
}

#[test]
fn json_schema_with_a_comma_too_many() {
    assert_snapshot!(
        Case::pack()
            .file(
                "web/values.schema.json",
                "{\n  \"type\": \"object\",\n  \"properties\": {,}\n}\n"
            )
            .refused("pack build web", INVALID_INPUT)
    );
}
