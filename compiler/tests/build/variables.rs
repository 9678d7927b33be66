//! Variables: typed, bound once, and secret when they say so.

use insta::assert_snapshot;

use crate::world::{World, findings, reported, shown_values, values};

const PACK: &str = "=== p@1.0.0/values.yaml\n{}\n";

#[test]
fn variables_keep_their_kind_and_the_command_line_wins() {
    let text = format!("\
=== profile
variables:
- {{name: num, schema: {{type: integer}}, default: 1}}
- {{name: m, schema: {{type: integer}}, default: 1}}
- {{name: o, schema: {{type: integer}}}}
layers: [{{name: a, pack: p, version: '*', values: {{num: \"${{var.num}}\", m: \"${{var.m}}\", o: \"${{var.o}}\"}}}}]
=== cluster
variables: {{m: 2, o: 2}}
{PACK}");
    assert_snapshot!(shown_values(&World::new(&text).var("o", "3").build()), @r#"a: {"m":2,"num":1,"o":3}"#);
}

#[test]
fn every_mistake_with_a_variable_is_one_finding() {
    let text = format!("\
=== profile
variables:
- {{name: kind, schema: {{type: integer}}}}
- {{name: choice, schema: {{enum: [eu, us]}}}}
- {{name: needed, required: true}}
- {{name: unset}}
- {{name: odd, schema: {{type: intger}}, default: 1}}
layers: [{{name: a, pack: p, version: '*', values: {{a: \"${{var.kind}}\", b: \"${{var.choice}}\", c: \"${{var.needed}}\", d: \"${{var.unset}}\", e: \"${{var.chioce}}\", f: \"${{var.odd}}\"}}}}]
=== cluster
variables: {{kind: many, choice: asia, knd: 1}}
{PACK}");
    assert_snapshot!(reported(&text), @r#"
    error[variable-undefined] the profile has no variable `knd`
      at cluster.yaml:6:41
      hint: did you mean `kind`?
    error[variable-schema] the variable `choice` cannot be `asia`
      at cluster.yaml:6:35
      at profile.yaml:7:12 declared here
      hint: expected one of `eu`, `us`
    error[variable-schema] the variable `kind` must be an integer, not `many`
      at cluster.yaml:6:21
      at profile.yaml:6:12 declared here
    error[variable-required] the variable `needed` must be set
      at cluster.yaml:6:14
      at profile.yaml:8:12 required here
      hint: add `needed: …` under `variables` of the cluster
    error[variable-schema] the schema of variable `odd` cannot be used: `"intger"` is not allowed here
      at profile.yaml:10:25
      hint: schemas are JSON Schema 2020-12
    error[variable-unset] the variable `unset` has no value
      at profile.yaml:11:116
      at profile.yaml:9:12 declared here, without a default
      hint: set it in the cluster's `variables`, or give it a default
    error[variable-undefined] there is no variable `chioce`
      at profile.yaml:11:135
      hint: did you mean `choice`?
    "#);
}

#[test]
fn a_secret_is_a_placeholder_everywhere() {
    let text = format!("\
=== profile
variables: [{{name: password, sensitive: true}}, {{name: region, default: eu}}]
layers: [{{name: a, pack: p, version: '*', values: {{url: \"user:${{var.password}}@${{var.region}}\"}}}}]
=== cluster
variables: {{password: {{secretRef: {{namespace: vault, name: shop, key: pw}}}}}}
{PACK}");
    assert_snapshot!(values(&text), @r#"a: {"url":"user:cairn.secret(password)@eu"}"#);
}

#[test]
fn a_secret_in_the_clear_is_refused_and_never_shown() {
    let profile = "\
=== profile
variables: [{name: password, sensitive: true}, {name: other, sensitive: true}, {name: third, sensitive: true, required: true}]
layers: [{name: a, pack: p, version: '*', values: {p: \"${var.password}\", o: \"${var.other}\"}}]
";
    let text = format!("{profile}=== cluster\nvariables:\n  password: hunter2\n{PACK}");
    let build = World::new(&text).var("other", "{hunter3").build();
    assert_snapshot!(findings(&build), @"
    error[variable-secret] the variable `other` is sensitive, so its value must not stand in --var other:1:1
      at profile.yaml:5:57 sensitive by this
      hint: write `other: {secretRef: {namespace: …, name: …, key: …}}` and keep the value in that Secret
    error[variable-secret] the variable `password` is sensitive, so its value must not stand in cluster.yaml:7:15
      at profile.yaml:5:22 sensitive by this
      hint: write `password: {secretRef: {namespace: …, name: …, key: …}}` and keep the value in that Secret
    error[variable-required] the sensitive variable `third` must be set
      at profile.yaml:5:89 required here
      hint: add `third: {secretRef: {namespace: …, name: …, key: …}}` under `variables` of the cluster
    ");
    assert!(build.bundle.is_none());
    let everything = format!("{:?} {:?}", build.session.diagnostics, build.lock);
    assert!(!everything.contains("hunter"), "{everything}");
}

#[test]
fn a_secret_that_a_template_swallows_is_reported() {
    assert_snapshot!(values("\
=== profile
variables: [{name: password, sensitive: true}]
layers: [{name: a, pack: p, version: '*', values: {p: \"${var.password}\"}}]
=== p@1.0.0/templates/x.yaml.hbs
{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: default}, data: {p: \"{{sha256 values.p}}\"}}
"), @r#"
        s: {"p":"1af69584c406bbda6f487fd2ed59be40bc3f69b2a9bb1220aa70662f1e01a8ad"}
        warning[secret-not-shown] no object holds the secret `password` as it is, so the agent cannot fill it in
          hint: a template hashes it, cuts it or changes its letters: have it print the value as it is, or in base64
        "#);
}
