//! Which value wins, and what merging refuses.

use insta::assert_snapshot;

use crate::world::values;

#[test]
fn the_nearest_writer_wins() {
    assert_snapshot!(values("\
=== profile
uses: [{path: base.yaml}]
layers:
- {name: web, values: {e: profile, f: profile, g: profile}, valuesFrom: [web.yaml]}
=== base.yaml
apiVersion: cairn.dev/v1
kind: Profile
metadata: {name: base, version: 2.0.0}
spec:
  type: addon
  registries: [{name: default, url: oci://one}]
  layers: [{name: web, pack: web, version: '*', presets: [b, a], values: {c: base, d: base, e: base, f: base, g: base}}]
=== web.yaml
{d: file, e: file, f: file, g: file}
=== cluster
overrides: [{layer: web, values: {f: cluster, g: null}}]
=== web@1.0.0/values.yaml
{a: pack, b: pack, c: pack, d: pack, e: pack, f: pack, g: pack, h: pack}
=== web@1.0.0/presets/a.yaml
{apiVersion: cairn.dev/v1, kind: Preset, metadata: {name: a}, spec: {group: late, values: {b: a late, c: a late}}}
=== web@1.0.0/presets/b.yaml
{apiVersion: cairn.dev/v1, kind: Preset, metadata: {name: b}, spec: {group: early, values: {a: b early, b: b early, c: b early}}}
"), @r#"web: {"a":"b early","b":"a late","c":"base","d":"file","e":"profile","f":"cluster","h":"pack"}"#);
}

#[test]
fn presets_exist_and_exclude_each_other() {
    assert_snapshot!(values("\
=== profile
layers:
- {name: web, pack: web, version: '*', presets: [small, large, smal]}
- {name: plain, manifests: [m.yaml], presets: [x]}
=== m.yaml
{apiVersion: v1, kind: ConfigMap, metadata: {name: m, namespace: m}}
=== web@1.0.0/presets/small.yaml
{apiVersion: cairn.dev/v1, kind: Preset, metadata: {name: small}, spec: {group: size, values: {num: 1}}}
=== web@1.0.0/presets/large.yaml
{apiVersion: cairn.dev/v1, kind: Preset, metadata: {name: large}, spec: {group: size, values: {num: 2}}}
"), @"
    error[preset-undefined] pack `web` has no preset `smal`
      at profile.yaml:6:66
      hint: did you mean `small`?
    error[preset-group] presets `large` and `small` are both of group `size`
      at profile.yaml:6:52
      at profile.yaml:6:59 the other one is here
      hint: choose one of the two
    error[preset-undefined] layer `plain` has no pack, so it has no preset `x`
      at profile.yaml:7:50
    ");
}

#[test]
fn nulls_delete_and_kept_nulls_stay() {
    assert_snapshot!(values("\
=== profile
layers:
- {name: web, pack: web, version: '*', values: {a: null, b: !null , new: {x: null, yy: !null , z: 1}, m: !replace {num: null, o: 1}}}
- {name: empty, pack: web, version: '*'}
=== web@1.0.0/values.yaml
{a: 1, b: 2, m: {p: 1}}
"), @r#"
    web: {"b":null,"m":{"o":1},"new":{"yy":null,"z":1}}
    empty: {"a":1,"b":2,"m":{"p":1}}
    "#);
}

#[test]
fn a_change_of_kind_names_both_places_and_nothing_follows_from_it() {
    assert_snapshot!(values("\
=== profile
layers:
- {name: web, pack: web, version: '*', values: {a: [1], c: !replace [1], d: {new: !apend [1]}}}
=== web@1.0.0/values.yaml
{a: {b: 1}, c: {d: 1}}
=== web@1.0.0/values.schema.json
{\"properties\": {\"a\": {\"type\": \"object\"}}}
"), @"
    error[values-kind-change] `a` is a map below and cannot become a list
      at profile.yaml:6:54 a list here
      at web@1.0.0/values.yaml:1:5 a map here
      hint: write a map, or tag the value `!replace` to mean it
    error[values-tag] the tag `!apend` has no meaning on a list
      at profile.yaml:6:92
      hint: known tags: `!replace`, and on lists `!append`, `!prepend`, `!union`, `!merge(KEY)`; `!null` keeps a null
    ");
}

#[test]
fn lists_merge_as_the_schema_or_a_tag_says() {
    assert_snapshot!(values("\
=== profile
layers:
- {name: web, pack: web, version: '*', values: {plain: [2], added: [2], keyed: [{name: a, yy: 2}, {name: b}], tagged: !prepend [2], over: !replace [2]}}
=== web@1.0.0/values.yaml
{plain: [1], added: [1], keyed: [{name: a, x: 1}], tagged: [1], over: [1]}
=== web@1.0.0/values.schema.json
{\"properties\": {\"added\": {\"x-merge\": {\"strategy\": \"append\"}}, \"keyed\": {\"x-merge\": {\"strategy\": \"byKey\", \"keys\": [\"name\"]}}, \"over\": {\"x-merge\": {\"strategy\": \"append\"}}}}
"), @r#"web: {"added":[1,2],"keyed":[{"name":"a","x":1,"yy":2},{"name":"b"}],"over":[2],"plain":[2],"tagged":[2,1]}"#);
}

#[test]
fn values_are_checked_against_the_schema_at_their_place() {
    assert_snapshot!(values("\
=== profile
layers:
- {name: web, pack: web, version: '*', values: {replicas: many, replcas: 1}}
- {name: other, pack: web, version: '*', values: {replicas: 0}}
=== web@1.0.0/values.yaml
{replicas: 1}
=== web@1.0.0/values.schema.json
{\"properties\": {\"replicas\": {\"type\": \"integer\", \"minimum\": 1}}, \"additionalProperties\": false}
"), @"
    error[values-schema] `replicas` must be an integer, not `many`
      at profile.yaml:6:61
    error[values-schema] unknown key `replcas`
      at profile.yaml:6:67
      hint: did you mean `replicas`?
    error[values-schema] `replicas` must be at least 1, not `0`
      at profile.yaml:7:63
    ");
}
