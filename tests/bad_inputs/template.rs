//! Templates that cannot be read, cannot be rendered, or render something else than objects.

use insta::assert_snapshot;

use crate::case::{Case, INVALID_INPUT};

const HEAD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n";

fn template(text: &str) -> String {
    Case::profile()
        .file("web/templates/web.yaml.hbs", text)
        .refused("profile build", INVALID_INPUT)
}

fn linted(text: &str) -> String {
    Case::pack()
        .file("web/templates/web.yaml.hbs", text)
        .refused("pack lint web --quiet", INVALID_INPUT)
}

fn data(line: &str) -> String {
    template(&format!("{HEAD}  {line}\n"))
}

#[test]
fn value_that_is_not_there() {
    assert_snapshot!(data("image: {{values.imgae}}"));
}

#[test]
fn block_never_closed() {
    assert_snapshot!(data("{{#if values.image}}\n  image: x"));
}

#[test]
fn block_closed_by_another_name() {
    assert_snapshot!(data("{{#if values.image}}a{{/each}}"));
}

#[test]
fn tag_never_closed() {
    assert_snapshot!(data("image: {{values.image"));
}

#[test]
fn helper_that_does_not_exist() {
    assert_snapshot!(data("image: {{toYml values.image}}"));
}

#[test]
fn helper_with_too_few_arguments() {
    assert_snapshot!(data("image: {{indent 4}}"));
}

#[test]
fn partial_that_does_not_exist() {
    assert_snapshot!(data("{{> lables}}"));
}

#[test]
fn map_printed_as_a_text() {
    assert_snapshot!(data("all: {{values}}"));
}

#[test]
fn partial_that_includes_itself() {
    assert_snapshot!(
        Case::profile()
            .file("web/templates/_loop.hbs", "{{> loop}}\n")
            .file("web/templates/web.yaml.hbs", "{{> loop}}\n")
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn fail_helper() {
    assert_snapshot!(data("{{fail \"choose `image` or `chart`\"}}"));
}

#[test]
fn required_value_that_is_empty() {
    assert_snapshot!(
        Case::profile_with("      values: {image: \"\"}\n")
            .file(
                "web/templates/web.yaml.hbs",
                format!(
                    "{HEAD}  image: {{{{required \"`image` names what runs\" values.image}}}}\n"
                )
            )
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn division_by_zero() {
    assert_snapshot!(data("share: {{div 100 (sub values.replicas 1)}}"));
}

#[test]
fn output_that_is_not_yaml() {
    assert_snapshot!(data("image: {{values.image}}: latest"));
}

#[test]
fn output_without_a_kind() {
    assert_snapshot!(template("apiVersion: v1\nmetadata:\n  name: web\n"));
}

#[test]
fn output_that_is_a_text() {
    assert_snapshot!(template("just {{values.image}}\n"));
}

#[test]
fn same_object_twice() {
    assert_snapshot!(
        Case::profile()
            .file("web/manifests/again.yaml", format!("{HEAD}  a: b\n"))
            .refused("profile build", INVALID_INPUT)
    );
}

#[test]
fn object_of_an_api_that_is_gone() {
    assert_snapshot!(linted(
        "apiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata:\n  name: web\nspec: {}\n"
    ));
}

#[test]
fn object_with_an_impossible_name() {
    assert_snapshot!(template(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ../../etc/cron.d/evil\n"
    ));
}
