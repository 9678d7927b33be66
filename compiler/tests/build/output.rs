//! The bundle: plan, images, bill of materials, provenance; equal inputs give equal bytes.

use std::{fmt::Write as _, time::Instant};

use cairn_spec::write_tar;
use insta::assert_snapshot;
use serde_json::Value;

use crate::world::{World, findings};

const SHOP: &str = "\
=== profile
variables: [{name: num, schema: {type: integer}, default: 2}, {name: password, sensitive: true}]
layers:
- {name: web, pack: web, version: '*', values: {num: \"${var.num}\", p: \"${var.password}\"}}
- {name: again, pack: web, version: '*', namespace: two}
- {name: plain, manifests: [m.yaml]}
mirrors: [{from: docker.io, to: mirror.local}]
=== m.yaml
{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: two}, spec: {containers: [{name: c, image: quay.io/x/y@sha256:00}]}}
=== web@1.0.0/pack.yaml
layer: addon
namespace: web
=== web@1.0.0/values.yaml
{num: 1, p: ''}
=== web@1.0.0/templates/x.yaml.hbs
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: {{values.num}}
  template: {spec: {containers: [{name: c, image: 'nginx:1', env: [{name: P, value: '{{values.p}}'}]}]}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
=== web@1.0.0/host/x.conf
x
";

fn json(world: &World, path: &str) -> Value {
    let bundle = world.build().bundle.unwrap();
    serde_json::from_slice(&bundle.get(path).unwrap().bytes).unwrap()
}

#[test]
fn health_rules_of_packs_are_in_the_plan() {
    let with_rule = |expression: &str| {
        let rule = format!(
            "layer: addon\nhealth: [{{group: example.dev, kind: Thing, current: \"{expression}\"}}]\n"
        );
        World::new(&SHOP.replacen("layer: addon\n", &rule, 1))
    };
    let plan = json(&with_rule("status.phase == 'Ready'"), "plan.json");
    let layers = plan["layers"].as_array().unwrap();
    let health: Vec<String> = layers
        .iter()
        .map(|layer| layer["health"].to_string())
        .collect();
    let rule = r#"[{"current":"status.phase == 'Ready'","group":"example.dev","kind":"Thing"}]"#;
    assert_eq!(health, [rule, rule, "null"]);
    // Two layers are of this pack.
    assert_snapshot!(findings(&with_rule("status.phase ==").build()), @"
    error[schema] `status.phase ==` is not an expression of CEL: a value is missing at character 16
      at web@1.0.0/pack.yaml:6:55
    error[schema] `status.phase ==` is not an expression of CEL: a value is missing at character 16
      at web@1.0.0/pack.yaml:6:55
    ");
}

#[test]
fn the_plan_has_stages_gates_and_edges() {
    let plan = json(&World::new(SHOP), "plan.json");
    let mut out = String::new();
    for layer in plan["layers"].as_array().unwrap() {
        let _ = writeln!(out, "{}", layer["name"]);
        for stage in layer["stages"].as_array().unwrap() {
            for object in stage["objects"].as_array().unwrap() {
                let _ = writeln!(out, "  {} {}", stage["stage"], object["file"]);
            }
        }
        for gate in layer["gates"].as_array().unwrap() {
            let _ = writeln!(out, "  gate {}", gate["object"]);
        }
    }
    let _ = writeln!(out, "{}", plan["edges"]);
    assert_snapshot!(out, @r#"
    "web"
      "namespaces" "010-web/1-namespace_web.yaml"
      "access" "010-web/4-serviceaccount_web_web.yaml"
      "workloads" "010-web/6-deployment_web_web.yaml"
      gate null
    "again"
      "namespaces" "020-again/1-namespace_two.yaml"
      "access" "020-again/4-serviceaccount_two_web.yaml"
      "workloads" "020-again/6-deployment_two_web.yaml"
      gate null
    "plain"
      "workloads" "030-plain/6-pod_two_p.yaml"
    [{"from":"web","hard":false,"reason":"order of the profile","to":"again"},{"from":"again","hard":false,"reason":"order of the profile","to":"plain"}]
    "#);
}

#[test]
fn images_are_mirrored_and_billed_to_every_layer() {
    let world = World::new(SHOP);
    assert_snapshot!(json(&world, "images.json")["images"], @r#"[{"image":"mirror.local/library/nginx:1","mirrorOf":"nginx:1","usedBy":["Deployment two/web (container c)","Deployment web/web (container c)"]},{"image":"quay.io/x/y@sha256:00","usedBy":["Pod two/p (container c)"]}]"#);
    let sbom = json(&world, "sbom.cdx.json");
    assert_snapshot!(sbom["dependencies"], @r#"[{"dependsOn":["image:mirror.local/library/nginx:1"],"ref":"pack:web@1.0.0"},{"dependsOn":["pack:web@1.0.0","image:quay.io/x/y@sha256:00"],"ref":"profile:shop@1.0.0"}]"#);
    assert_snapshot!(sbom["components"], @r#"[{"bom-ref":"pack:web@1.0.0","hashes":[{"alg":"SHA-256","content":"8fb07daa01a657ffedb00f2b76b04071f1d449e105660f06fe18f86c38757c62"}],"name":"web","type":"application","version":"1.0.0"},{"bom-ref":"image:mirror.local/library/nginx:1","name":"mirror.local/library/nginx","purl":"pkg:oci/nginx?repository_url=mirror.local/library/nginx&tag=1","type":"container","version":"1"},{"bom-ref":"image:quay.io/x/y@sha256:00","name":"quay.io/x/y","purl":"pkg:oci/y@sha256%3A00?repository_url=quay.io/x/y","type":"container","version":"sha256:00"}]"#);
}

#[test]
fn provenance_and_manifest_say_what_went_in_but_no_secret() {
    let world = World::new(SHOP);
    let provenance = json(&world, "provenance.json");
    assert_snapshot!(provenance["predicate"]["buildDefinition"]["externalParameters"], @r#"{"cluster":null,"kubernetes":"1.34.0","profile":{"name":"shop","version":"1.0.0"},"variables":{"num":2}}"#);
    assert_snapshot!(json(&world, "bundle.json")["secrets"], @r#"{"password":{"placeholder":"cairn.secret(password)"}}"#);
}

#[test]
fn equal_inputs_give_equal_bytes() {
    let bytes = |text: &str| write_tar(&World::new(text).build().bundle.unwrap());
    let first = bytes(SHOP);
    assert_eq!(first, bytes(SHOP));
    let mut sections: Vec<&str> = SHOP.split("=== ").skip(1).collect();
    sections.reverse();
    let shuffled = sections
        .iter()
        .fold(String::new(), |text, section| text + "=== " + section);
    assert_eq!(first, bytes(&shuffled));
}

#[test]
fn five_thousand_objects_take_no_time() {
    let mut text = "=== profile\nlayers: [{name: a, manifests: [a.yaml], namespace: web}]\npatches: [{target: {name: 'p7*'}, patch: {metadata: {labels: {x: z}}}}]\n=== a.yaml\n".to_owned();
    for index in 0..5000 {
        let _ = writeln!(
            text,
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: p{index}}}, spec: {{containers: [{{name: c, image: nginx}}]}}}}"
        );
    }
    let start = Instant::now();
    let build = World::new(&text).build();
    assert!(build.bundle.is_some(), "{}", findings(&build));
    // Generous for a debug build on a busy machine; anything quadratic takes minutes.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
