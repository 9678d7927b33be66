//! What a patch refuses, with the place and the way out.

use super::{OBJECTS, Run, report};

#[test]
fn bodies_are_checked_before_objects() {
    insta::assert_snapshot!(report("target: {kind: Service}\npatch: [a]"), @"
    patch-body: a patch of this type is a map, found a list
      profile.yaml:2:8
      hint: a list of operations is a patch of `type: json6902`
    ");
    insta::assert_snapshot!(report("target: {kind: Service}\npatch: {spec: {a: !append [b]}}"), @"
    patch-tag: the tag `!append` has no meaning in a patch
      profile.yaml:2:27
      hint: a strategic patch has directives, such as `$patch: replace`
    ");
    let operations = "
target: {kind: Service}
type: json6902
patch:
  - {op: ad, path: /a, value: 1}
  - {op: add, path: /a}
  - {op: remove, path: a.b}
  - {op: move, path: /a}
  - {op: remove, path: /a, value: 1}
  - {op: test, pth: /a, value: 1}
  - remove";
    insta::assert_snapshot!(report(operations), @"
    patch-operation: there is no operation `ad`
      profile.yaml:4:5
      hint: did you mean `add`?
    patch-operation: `add` needs a `value`
      profile.yaml:5:5
    patch-path: `a.b` is not a JSON Pointer, which starts with `/`
      profile.yaml:6:24
      hint: write `/a/b`
    patch-operation: an operation needs `from`
      profile.yaml:7:5
    patch-operation: `remove` has no `value`
      profile.yaml:8:28
    patch-operation: an operation has no `pth`
      profile.yaml:9:16
      hint: did you mean `path`?
    patch-operation: an operation needs `path`
      profile.yaml:9:5
    patch-operation: an operation is a map, found a string
      profile.yaml:10:5
    ");
    insta::assert_snapshot!(report("target: {kind: Service}\ntype: json6902\npatch: {a: b}"), @"
    patch-body: a patch of `type: json6902` is a list of operations, found a map
      profile.yaml:3:8
      hint: write a map with `type: strategic` or `type: merge`
    ");
    insta::assert_snapshot!(report("target: {kind: Service}\ntype: merge\npatch: {spec: {$patch: replace}}"), @"
    patch-directive: `$patch` is a directive of strategic patches, which a merge patch would write as data
      profile.yaml:3:16
      note: in Service `shop/web`
      hint: use `type: strategic`
    ");
}

#[test]
fn the_same_problem_in_many_objects_is_said_once() {
    insta::assert_snapshot!(report("target: {kind: Deployment}\npatch: {spec: {replicas: [1]}}"), @"
    patch-kind-change: `spec.replicas` is a number, the patch writes a list
      profile.yaml:2:26
      objects.yaml:4:18 it is written here
      note: in Deployment `shop/web` and one more object
      hint: a patch of `type: merge` replaces whatever is there
    ");
}

#[test]
fn ambiguous_items_are_shown() {
    let patch = "
target: {kind: Service}
patch:
  spec:
    ports:
      - {port: 53, protocol: SCTP, targetPort: 1}
      - {port: 53, targetPort: 2}
      - {port: 53, targetPort: 3}
      - {targetPort: 4}
      - 5";
    insta::assert_snapshot!(report(patch), @"
    patch-item: the patch has `spec.ports[port=53]` twice
      profile.yaml:7:9
      note: in Service `shop/web`
    patch-item: an item of `spec.ports` has no `port`, `protocol`, by which this list merges
      profile.yaml:8:9
      note: in Service `shop/web`
      hint: name the item by `port`, `protocol`
    patch-item: items of `spec.ports` are maps with `port`, `protocol`, found a number
      profile.yaml:9:9
      note: in Service `shop/web`
    ");
    let objects = OBJECTS.replace("protocol: TCP", "protocol: SCTP");
    let patch = "target: {kind: Service}\npatch: {spec: {ports: [{port: 53, targetPort: 1}]}}";
    insta::assert_snapshot!(Run::new(&objects, patch).report(), @"
    patch-item: `spec.ports[port=53]` means `protocol: TCP`, which no item has
      profile.yaml:2:24
      objects.yaml:16:7 it could be this one
      objects.yaml:17:7 it could be this one
      note: in Service `shop/web`
      hint: say which one by adding `protocol`
    ");
}

#[test]
fn directives_are_checked() {
    let patch = "
target: {name: web, kind: Deployment}
patch:
  $retainKeys: metadata
  $deleteFromPrimitiveList: [a]
  $setElementOrder/spec: [a]
  metadata:
    labels: {$patch: drop, $retainKeys/x: []}
    finalizers:
      - {$patch: merge}
      - {$patch: delete}
      - a
    annotations: {$patch: delete, a: b}
  spec: {replicas: 1}";
    insta::assert_snapshot!(report(patch), @"
    patch-directive: unknown directive `$deleteFromPrimitiveList`
      profile.yaml:4:3
      note: in Deployment `shop/web`
      hint: name the list: `$deleteFromPrimitiveList/<field>`
    patch-directive: `$retainKeys` is a list of keys
      profile.yaml:3:16
      note: in Deployment `shop/web`
    patch-directive: `$patch: delete` stands beside `a`, which would have no effect
      profile.yaml:12:18
      note: in Deployment `shop/web`
      hint: delete the rest, or use `$patch: replace`
    patch-directive: a list has at most one `$patch` of its own
      profile.yaml:10:9
      note: in Deployment `shop/web`
    patch-directive: `$patch` is `merge`, `replace` or `delete`, found `drop`
      profile.yaml:7:22
      note: in Deployment `shop/web`
      hint: expected one of `delete`, `merge`, `replace`
    patch-directive: unknown directive `$retainKeys/x`
      profile.yaml:7:28
      note: in Deployment `shop/web`
      hint: write `$retainKeys` without `/x`
    patch-directive: a list directive names `spec`, which the patch writes as something else
      profile.yaml:5:3
      note: in Deployment `shop/web`
    ");
    let patch = "
target: {name: web, kind: Deployment}
patch:
  metadata:
    finalizers: [a, b]
    $setElementOrder/finalizers: [b, c]";
    insta::assert_snapshot!(report(patch), @"
    patch-directive: `$setElementOrder` names an item that `metadata.finalizers` does not have
      profile.yaml:5:38
      note: in Deployment `shop/web`
    patch-directive: `$setElementOrder` leaves out an item of `metadata.finalizers` that the patch writes
      profile.yaml:5:34
      note: in Deployment `shop/web`
    ");
}

#[test]
fn directives_without_effect_are_refused() {
    let patch = "
target: {name: web, kind: Deployment}
patch:
  metadata:
    finalizers: [{$patch: delete}]
    $setElementOrder/finalizers: []
  spec:
    list: [a]
    $deleteFromPrimitiveList/list: [b]";
    insta::assert_snapshot!(report(patch), @"
    patch-directive: the patch replaces or deletes `metadata.finalizers`, so that this has no effect
      profile.yaml:5:5
      note: in Deployment `shop/web`
    patch-directive: the patch replaces or deletes `spec.list`, so that this has no effect
      profile.yaml:8:5
      note: in Deployment `shop/web`
    ");
}

#[test]
fn deletions_that_never_find_anything_are_reported() {
    // `paused` is there in one of the two.
    insta::assert_snapshot!(report("target: {kind: Deployment}\npatch: {spec: {paused: null, pausd: null}}"), @"
    patch-deletes-nothing: the patch deletes `spec.pausd`, which no matched object has
      profile.yaml:2:37
    ");
    insta::assert_snapshot!(report("target: {kind: Service}\npatch: {spec: {ports: [{port: 80, $patch: delete}]}}"), @"
    patch-deletes-nothing: the patch deletes `spec.ports[port=80]`, which no matched object has
      profile.yaml:2:24
    ");
    insta::assert_snapshot!(report("target: {kind: Service}\ntype: merge\npatch: {spec: {clusterIP: null}}"), @"
    patch-deletes-nothing: the patch deletes `spec.clusterIP`, which no matched object has
      profile.yaml:3:27
    ");
}

#[test]
fn a_failing_patch_changes_nothing() {
    let patch = "
target: {kind: Deployment}
type: json6902
patch:
  - {op: replace, path: /spec/replicas, value: 9}
  - {op: test, path: /spec/paused, value: true}";
    let run = Run::new(OBJECTS, patch);
    let replicas = |index: usize| {
        run.objects[index]
            .pointer("/spec/replicas")
            .unwrap()
            .to_json()
    };
    assert_eq!((replicas(0), replicas(1)), (9.into(), 2.into()));
    insta::assert_snapshot!(run.report(), @"
    patch-test: operation 2, `test /spec/paused`: `/spec` has no `paused`
      profile.yaml:5:5
      note: in Deployment `shop/worker`
      hint: there is `replicas`
    ");
}
