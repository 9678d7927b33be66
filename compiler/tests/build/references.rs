//! References between layers, to variables, to the cluster and to the profile.

use insta::assert_snapshot;

use crate::world::{World, layers, reported, values};

#[test]
fn references_chain_across_layers_in_both_directions() {
    let text = "\
=== profile
layers:
- {name: a, pack: p, version: '*', values: {x: \"${layer.b.yy}\", w: from a, list: \"${layer.b.list}\", deep: \"${layer.b.alias.k}\"}}
- {name: b, pack: p, version: '*', values: {yy: \"${layer.c.z}\", z: \"${layer.a.w}\", list: [1, \"${layer.c.z}\"], alias: \"${layer.c.map}\"}}
- {name: c, pack: p, version: '*', values: {z: 7, map: {k: \"$${var.raw}\"}}}
=== p@1.0.0/pack.yaml
layer: addon
exports: {x: {}, yy: {}, z: {}, w: {}, list: {}, alias: {}, map: {}}
";
    assert_snapshot!(values(text), @r#"
    c: {"map":{"k":"${var.raw}"},"z":7}
    b: {"alias":{"k":"${var.raw}"},"list":[1,7],"yy":7,"z":"from a"}
    a: {"deep":"${var.raw}","list":[1,7],"w":"from a","x":7}
    "#);
}

#[test]
fn what_is_not_ours_is_left_alone() {
    assert_snapshot!(values("\
=== profile
layers:
- {name: a, pack: p, version: '*', values: {home: \"${HOME}\", helm: \"{{ .Values.x }}\", escaped: \"$${var.x}\", text: \"on ${cluster.name} of ${cluster.labels.env}, ${profile.name} ${profile.version}\"}}
=== cluster
overrides: []
=== p@1.0.0/values.yaml
{packs: \"${var.are.not.searched}\"}
"), @r#"a: {"escaped":"${var.x}","helm":"{{ .Values.x }}","home":"${HOME}","packs":"${var.are.not.searched}","text":"on c1 of prod, shop 1.0.0"}"#);
    assert_snapshot!(reported("\
=== profile
layers: [{name: a, pack: p, version: '*', values: {open: \"${var.x\"}}]
=== p@1.0.0/values.yaml
{}
"), @"
    error[reference-syntax] the reference `${var.x` is never closed
      at profile.yaml:5:61
      hint: add the `}`, or write `$${` to mean the text
    ");
}

#[test]
fn a_loop_names_all_its_places_once() {
    assert_snapshot!(reported("\
=== profile
layers:
- {name: a, pack: p, version: '*', values: {x: \"${layer.b.yy}\"}}
- {name: b, pack: p, version: '*', values: {yy: \"${layer.c.z}\"}}
- {name: c, pack: p, version: '*', values: {z: \"${layer.a.x}\"}}
=== p@1.0.0/pack.yaml
layer: addon
exports: {x: {}, yy: {}, z: {}}
"), @"
    error[reference-cycle] values refer to each other in a loop: a.x → b.yy → c.z → a.x
      at profile.yaml:6:50
      at profile.yaml:7:51 `b.yy` refers on from here
      at profile.yaml:8:50 `c.z` refers on from here
      hint: give one of them a value of its own
    ");
}

#[test]
fn a_path_that_is_not_there_is_reported_once() {
    assert_snapshot!(reported("\
=== profile
layers:
- {name: a, pack: p, version: '*', values: {x: \"${layer.b.replcas}\", yy: \"${layer.b.gone.deep}\", z: \"${layer.bb.x}\", c: \"${cluster.name}\", p: \"${profile.nme}\", t: \"is ${layer.b.map}\"}}
- {name: b, pack: p, version: '*', values: {gone: null, yy: \"${layer.a.x}\"}}
=== p@1.0.0/values.yaml
{replicas: 1, gone: {deep: 1}, map: {}}
=== p@1.0.0/values.schema.json
{\"properties\": {\"x\": {\"type\": \"integer\"}, \"yy\": {\"type\": \"integer\"}}}
=== p@1.0.0/pack.yaml
layer: addon
exports: {replcas: {}, gone: {}, bb: {}, map: {}, x: {}}
"), @"
    error[reference-undefined] `${cluster.name}` needs a cluster
      at profile.yaml:6:124
      hint: build with `--cluster FILE`
    error[reference-undefined] `profile` has no `nme`
      at profile.yaml:6:146
      hint: did you mean `name`?
    error[reference-kind] `${layer.b.map}` is a map and cannot stand inside a text
      at profile.yaml:6:170
      hint: let the reference be the whole value
    error[reference-undefined] layer `b` has no value `replcas`
      at profile.yaml:6:51
      hint: did you mean `replicas`?
    error[reference-undefined] layer `b` has no value `gone.deep`
      at profile.yaml:6:77
      at profile.yaml:7:53 deleted here
      hint: expected one of `map`, `replicas`, `yy`
    error[reference-undefined] there is no layer `bb`
      at profile.yaml:6:104
      hint: did you mean `b`?
    ");
}

#[test]
fn reading_what_a_pack_does_not_export_is_a_warning() {
    assert_snapshot!(layers(&World::new("\
=== profile
layers:
- {name: a, pack: p, version: '*', values: {x: \"${layer.b.port.http}\", yy: \"${layer.b.ports}\"}}
- {name: b, pack: p, version: '*'}
=== p@1.0.0/values.yaml
{port: {http: 80}, ports: 1}
=== p@1.0.0/pack.yaml
layer: addon
exports: {port: {}}
")), @"
    b (addon) p 1.0.0
    a (addon) p 1.0.0, after b: reads its values
    warning[reference-not-exported] the pack of layer `b` does not export `ports`, so it may change without notice
      at profile.yaml:6:79
      hint: did you mean `port`?
    ");
}

#[test]
fn manifests_and_patches_may_refer_too() {
    assert_snapshot!(values("\
=== profile
variables: [{name: num, schema: {type: integer}, default: 3}]
layers:
- {name: plain, manifests: [m.yaml], namespace: default}
patches:
- {target: {kind: ConfigMap}, patch: {data: {patched: \"${var.num}\", text: \"num=${var.num}\"}}}
=== m.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: m}
data: {num: \"${var.num}\"}
"), @r#"m: {"num":3,"patched":3,"text":"num=3"}"#);
    assert_snapshot!(reported("\
=== profile
layers:
- {name: plain, manifests: [m.yaml, none/*.yaml]}
=== m.yaml
{apiVersion: v1, kind: ConfigMap, metadata: {name: \"${var.nme}\"}}
"), @"
    error[variable-undefined] there is no variable `nme`
      at m.yaml:1:53
      hint: declare it: `variables: [{name: nme}]`
    error[manifests-none] no file matches `none/*.yaml`
      at profile.yaml:6:39
      hint: globs are relative to the file they stand in; `*` stays within a folder, `**` crosses folders
    ");
}
