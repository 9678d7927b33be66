//! What packs say of each other, of Kubernetes and of the platform; the order that follows.

use insta::assert_snapshot;

use crate::world::{World, layers, reported};

#[test]
fn every_constraint_that_does_not_hold_is_reported() {
    assert_snapshot!(reported("\
=== profile
layers:
- {name: a, pack: a, version: '*'}
- {name: b, pack: b, version: '*'}
- {name: os, pack: os, version: '*'}
=== a@1.0.0/pack.yaml
layer: addon
constraints:
  kubernetes: '<1.30'
  requires: [{pack: b, version: ^2}, {pack: bb}, {capability: cni}, {capability: net, version: ^9}]
  constrains: [{pack: b, version: ^2}, {pack: absent, version: ^2}]
  conflicts: [{pack: b}, {pack: b, version: ^2}]
  provides: [{capability: net, exclusive: true}]
  platform: {os: [ubuntu]}
=== b@1.0.0/pack.yaml
layer: addon
constraints: {provides: [{capability: net}]}
=== os@1.0.0/pack.yaml
layer: os
"), @"
    error[layer-kind] a profile of type `addon` cannot have layer `os` of kind `os`
      at profile.yaml:8:12
      hint: make the type `cluster`, or move the layer to another profile
    error[constraint-exclusive] layers `a` and `b` both provide `net`, of which there can be only one
      at profile.yaml:7:12
      at profile.yaml:6:12 the other one is here
      hint: remove one of the two layers
    error[constraint-kubernetes] pack `a` 1.0.0 works on Kubernetes `<1.30`, not on 1.34.0
      at profile.yaml:6:12
      at a@1.0.0/pack.yaml:7:17 the pack says so here
      hint: choose another version of the pack, or another Kubernetes layer
    error[constraint-requires] pack `a` 1.0.0 needs pack `b` `^2`, but layer `b` has 1.0.0
      at profile.yaml:6:12
      at a@1.0.0/pack.yaml:8:16 the pack says so here
      hint: change the `version` of layer `b`
    error[constraint-requires] pack `a` 1.0.0 needs pack `bb`, which the profile does not have
      at profile.yaml:6:12
      at a@1.0.0/pack.yaml:8:40 the pack says so here
      hint: did you mean `b`?
    error[constraint-requires] pack `a` 1.0.0 needs the capability `cni`, which no pack of the profile provides
      at profile.yaml:6:12
      at a@1.0.0/pack.yaml:8:52 the pack says so here
      hint: add a layer whose pack provides `cni`
    error[constraint-requires] pack `a` 1.0.0 needs the capability `net` `^9`, which no pack of the profile provides
      at profile.yaml:6:12
      at a@1.0.0/pack.yaml:8:71 the pack says so here
      hint: add a layer whose pack provides `net`
    error[constraint-constrains] pack `a` 1.0.0 works with `b` `^2`, but layer `b` has 1.0.0
      at profile.yaml:6:12
      at a@1.0.0/pack.yaml:9:18 the pack says so here
      hint: change the `version` of layer `b`
    error[constraint-conflicts] pack `a` 1.0.0 does not go with `b` 1.0.0
      at profile.yaml:6:12
      at profile.yaml:7:12 `b` is here
      at a@1.0.0/pack.yaml:10:17 the pack says so here
      hint: remove one of the two layers
    error[constraint-platform] pack `a` 1.0.0 runs on `ubuntu`, not on `os`
      at profile.yaml:6:12
      at profile.yaml:8:12 the operating system is here
      hint: choose another operating system, or another pack
    ");
}

#[test]
fn a_profile_is_of_its_type() {
    assert_snapshot!(reported("\
=== profile
type: cluster
layers: [{name: a, pack: a, version: '*'}, {name: o1, pack: o, version: '*'}, {name: o2, pack: o, version: '*'}]
=== a@1.0.0/values.yaml
{}
=== o@1.0.0/pack.yaml
layer: os
"), @"
    error[profile-incomplete] a profile of type `cluster` needs a layer of kind `kubernetes`
      at profile.yaml:3:18
      hint: add the layer, or make the type `addon`
    error[layer-kind] there are two layers of kind `os`
      at profile.yaml:6:88
      at profile.yaml:6:53 the other one is here
      hint: remove one of the two layers
    ");
    assert_snapshot!(reported("=== profile\ntype: infra\nlayers: [{name: a, pack: a, version: '*'}]\n=== a@1.0.0/values.yaml\n{}\n"), @"
    error[layer-kind] a profile of type `infra` cannot have layer `a` of kind `addon`
      at profile.yaml:6:19
      hint: make the type `cluster`, or move the layer to another profile
    ");
}

#[test]
fn layers_come_by_kind_then_need() {
    let text = "\
=== profile
type: infra
layers:
- {name: net, pack: net, version: '*', values: {x: \"${layer.disk.x}\"}}
- {name: disk, pack: disk, version: '*'}
- {name: os, pack: os, version: '*'}
=== net@1.0.0/pack.yaml
layer: cni
constraints: {requires: [{pack: os}]}
=== disk@1.0.0/pack.yaml
layer: csi
exports: {x: {}}
=== disk@1.0.0/values.yaml
{x: 1}
=== os@1.0.0/pack.yaml
layer: os
";
    assert_snapshot!(layers(&World::new(text)), @"
    os (os) os 1.0.0
    net (cni) net 1.0.0, after os: requires pack os
    disk (csi) disk 1.0.0
    ");
    let looped = text.replace(
        "exports: {x: {}}",
        "exports: {x: {}}\nconstraints: {requires: [{pack: net}]}",
    );
    assert_snapshot!(layers(&World::new(&looped)), @"
    os (os) os 1.0.0
    net (cni) net 1.0.0, after os: requires pack os
    disk (csi) disk 1.0.0, after net: requires pack net
    ");
}

#[test]
fn a_layer_that_cannot_be_had_causes_no_other_finding() {
    assert_snapshot!(reported("\
=== profile
type: cluster
kubernetes: 1.34.0
layers:
- {name: a, pack: a, version: '*', values: {x: \"${layer.k.version}\"}}
- {name: k, pack: k, version: ^9}
- {name: o, pack: oo}
patches: [{target: {layer: k}, patch: {x: 1}}]
=== a@1.0.0/pack.yaml
layer: addon
constraints: {requires: [{pack: k}, {capability: net}]}
=== k@1.0.0/values.yaml
{}
"), @r#"
    error[layer-version] layer `o` does not say which versions of `oo` will do
      at profile.yaml:10:21
      hint: add `version: ^1.2` (or `"*"` for any)
    error[pack-version] no version of `k` in registry `default` matches `^9`
      at profile.yaml:9:33
      hint: the newest are 1.0.0
    "#);
}
