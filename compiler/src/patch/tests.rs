//! What a patch selects, says and leaves behind; what it makes of an object is data in
//! `tests/testdata/patches`.

use cairn_spec::{SourceKind, Sources, yaml};

use super::*;

/// Objects as YAML documents; their layer is `base`, and their pack `demo`.
const OBJECTS: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web, tier: front}}
spec: {replicas: 1, paused: true}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker, namespace: shop, labels: {app: worker}}
spec: {replicas: 2}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  ports:
    - {port: 53, protocol: TCP}
    - {port: 53, protocol: UDP}
";

struct Run {
    sources: Sources,
    origins: Origins,
    objects: Vec<Node>,
    outcome: Outcome,
}

impl Run {
    /// Applies a patch, written as in a profile, to objects.
    fn new(objects: &str, patch: &str) -> Self {
        Self::with(objects, patch, &MergeKeys::new())
    }

    fn with(objects: &str, patch: &str, merge_keys: &MergeKeys) -> Self {
        let (mut sources, mut origins) = (Sources::new(), Origins::new());
        let mut read = |name: &str, text: &str| -> Vec<Node> {
            let id = sources.add(name, text.trim_start(), SourceKind::Other);
            let reading = yaml::read(&sources, id, &mut origins);
            assert!(reading.diagnostics.is_empty(), "{:?}", reading.diagnostics);
            reading
                .documents
                .into_iter()
                .map(|document| document.root)
                .collect()
        };
        let mut objects = read("objects.yaml", objects);
        let root = read("profile.yaml", patch).remove(0);
        let spec: PatchSpec = serde_json::from_value(root.to_json()).unwrap();
        let body = root.get("patch").unwrap().clone();
        let patch = Patch::new(&spec, body, root.origin);
        let mut references: Vec<_> = objects
            .iter_mut()
            .map(|node| ObjectRef {
                node,
                layer: "base",
                pack: Some("demo"),
            })
            .collect();
        let outcome = apply(&patch, &mut references, merge_keys, &mut origins);
        Self {
            sources,
            origins,
            objects,
            outcome,
        }
    }

    /// The diagnostics as text, with their places.
    fn report(&self) -> String {
        let mut lines = Vec::new();
        for found in self.outcome.diagnostics.iter() {
            lines.push(format!("{}: {}", found.code, found.message));
            for label in &found.labels {
                let place = self.sources.locate(label.span);
                lines.push(format!("  {place} {}", label.text).trim_end().to_owned());
            }
            lines.extend(found.notes.iter().map(|note| format!("  note: {note}")));
            lines.extend(found.hint.iter().map(|hint| format!("  hint: {hint}")));
        }
        lines.join("\n")
    }

    /// The places that wrote a value, newest first.
    fn history(&self, object: usize, pointer: &str) -> Vec<String> {
        let node = self.objects[object].pointer(pointer).unwrap();
        let spans = self
            .origins
            .history(node.origin)
            .filter_map(|origin| origin.span);
        spans.map(|span| self.sources.locate(span)).collect()
    }
}

fn report(patch: &str) -> String {
    Run::new(OBJECTS, patch).report()
}

fn matched(target: &str) -> Vec<usize> {
    let patch = format!("target: {target}\npatch: {{}}\nexpect: {{min: 0}}");
    let run = Run::new(OBJECTS, &patch);
    assert!(run.outcome.diagnostics.is_empty(), "{}", run.report());
    run.outcome.matched
}

#[test]
fn targets_select_objects() {
    let cases: [(&str, &[usize]); 12] = [
        ("{kind: Deployment}", &[0, 1]),
        ("{kind: '*'}", &[0, 1, 2]),
        ("{kind: D*, name: w?b}", &[0]),
        ("{name: web}", &[0, 2]),
        ("{group: apps}", &[0, 1]),
        ("{group: '', version: v1}", &[2]),
        ("{namespace: sh*}", &[0, 1, 2]),
        ("{namespace: ''}", &[]),
        ("{labelSelector: 'app in (web, worker),!tier'}", &[1]),
        ("{labelSelector: '!app'}", &[2]),
        ("{layer: base, pack: demo, kind: Service}", &[2]),
        ("{layer: other}", &[]),
    ];
    for (target, expected) in cases {
        assert_eq!(matched(target), expected, "{target}");
    }
}

#[test]
fn a_patch_that_matches_nothing_says_what_is_near() {
    let hint = |target: &str| {
        let text = report(&format!("target: {target}\npatch: {{}}"));
        assert!(text.starts_with("patch-matches: the patch matches no object, expected at least 1\n  profile.yaml:1:1\n"), "{text}");
        text.lines().last().unwrap().trim_start().to_owned()
    };
    let cases = [
        (
            "{kind: Deploymnet}",
            "hint: no object has `kind: Deploymnet`; did you mean `Deployment`?",
        ),
        (
            "{kind: Deployment, name: wbe}",
            "hint: of the 2 objects with `kind: Deployment`, none has `name: wbe`; did you mean `web`?",
        ),
        (
            "{kind: Deployment, name: database}",
            "hint: of the 2 objects with `kind: Deployment`, none has `name: database`; expected one of `web`, `worker`",
        ),
        (
            "{name: web, labelSelector: tier=back}",
            "hint: Deployment `shop/web`, Service `shop/web` would match without `labelSelector: tier=back`",
        ),
        (
            "{layer: bsae}",
            "hint: no object has `layer: bsae`; did you mean `base`?",
        ),
    ];
    for (target, expected) in cases {
        assert_eq!(hint(target), expected, "{target}");
    }
}

#[test]
fn expectations_and_targets_are_checked() {
    insta::assert_snapshot!(report("target: {kind: Deployment}\npatch: {}\nexpect: {max: 1}"), @"
    patch-matches: the patch matches 2 objects, expected 1
      profile.yaml:1:1
      note: it matches Deployment `shop/web`, Deployment `shop/worker`
    ");
    insta::assert_snapshot!(report("target: {kind: '*'}\npatch: {}\nexpect: {min: 4}"), @r"
    patch-matches: the patch matches 3 objects, expected at least 4
      profile.yaml:1:1
      note: it matches Deployment `shop/web`, Deployment `shop/worker`, Service `shop/web`
    ");
    insta::assert_snapshot!(report("target: {kind: x}\npatch: {}\nexpect: {min: 2, max: 1}"), @r"
    patch-expect: no number is at least 2 and at most 1
      profile.yaml:1:1
      hint: let `expect.min` be at most `expect.max`
    ");
    insta::assert_snapshot!(report("target: {}\npatch: {}"), @r#"
    patch-target: the patch's `target` selects nothing in particular
      profile.yaml:1:1
      hint: name at least a `kind`; `kind: "*"` stands for every object
    "#);
    insta::assert_snapshot!(report("target: {labelSelector: a b}\npatch: {}"), @r"
    patch-selector: `labelSelector: a b` is not a label selector: requirements are separated by `,`
      profile.yaml:1:1
    ");
}

#[test]
fn bodies_are_checked_before_objects() {
    insta::assert_snapshot!(report("target: {kind: Service}\npatch: [a]"), @r"
    patch-body: a patch of this type is a map, found a list
      profile.yaml:2:8
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

#[test]
fn whole_objects_can_be_removed() {
    let run = Run::new(OBJECTS, "target: {name: worker}\npatch: {$patch: delete}");
    let places: Vec<_> = run
        .outcome
        .removed
        .iter()
        .map(|&(index, origin)| (index, run.sources.locate(run.origins.span(origin).unwrap())))
        .collect();
    assert_eq!(places, [(1, "profile.yaml:2:17".to_owned())]);
    // Deleting every Deployment is not what this says.
    let patch =
        "target: {kind: Deployment}\npatch: {$patch: delete, metadata: {name: worker, labels: {}}}";
    insta::assert_snapshot!(report(patch), @"
    patch-directive: `$patch: delete` stands beside `labels`, which would have no effect
      profile.yaml:2:17
      note: in Deployment `shop/web` and one more object
      hint: delete the rest, or use `$patch: replace`
    patch-identity: a strategic patch must not change `apiVersion`, `kind`, name or namespace
      profile.yaml:2:42
      note: in Deployment `shop/web`
      hint: leave them out: `target` selects the objects
    ");
}

#[test]
fn changes_remember_who_wrote_them_and_what_was_there() {
    let run = Run::new(
        OBJECTS,
        "
target: {name: web}
patch:
  metadata: {labels: {tier: back, new: x, app: null}}
  spec:
    ports:
      - {port: 53, protocol: UDP, targetPort: 1053}
    replicas: 3",
    );
    assert!(run.outcome.diagnostics.is_empty(), "{}", run.report());
    assert_eq!(
        run.history(0, "/metadata/labels/tier"),
        ["profile.yaml:3:29", "objects.yaml:3:65"]
    );
    assert_eq!(
        run.history(0, "/metadata/labels/new"),
        ["profile.yaml:3:40"]
    );
    assert_eq!(
        run.history(0, "/spec/replicas"),
        ["profile.yaml:7:15", "objects.yaml:4:18"]
    );
    assert_eq!(run.history(0, "/spec/paused"), ["objects.yaml:4:29"]);
    assert_eq!(
        run.history(2, "/spec/ports/1/targetPort"),
        ["profile.yaml:6:47"]
    );
    let labels = run.objects[0]
        .at(&["metadata", "labels"])
        .unwrap()
        .as_map()
        .unwrap();
    let place = run.origins.span(labels.tombstone("app").unwrap()).unwrap();
    assert_eq!(run.sources.locate(place), "profile.yaml:3:48");
}

#[test]
fn bodies_without_places_have_the_patch_s() {
    let mut origins = Origins::new();
    let (mut sources, mut node) = (
        Sources::new(),
        Node::from(serde_json::json!({"kind": "A", "a": 1, "b": 2})),
    );
    let id = sources.add("p.yaml", "patch", SourceKind::Profile);
    let span = cairn_spec::Span {
        source: id,
        start: 0,
        end: 5,
    };
    let patch = Patch {
        target: PatchTarget {
            kind: Some("A".into()),
            ..PatchTarget::default()
        },
        body: PatchBody::Merge(Node::from(serde_json::json!({"a": {"c": [1]}, "b": null}))),
        expect: PatchExpect::default(),
        origin: origins.add_span(span),
    };
    let objects = &mut [ObjectRef {
        node: &mut node,
        layer: "",
        pack: None,
    }];
    apply(&patch, objects, &MergeKeys::new(), &mut origins);
    for pointer in ["/a", "/a/c", "/a/c/0"] {
        let origin = node.pointer(pointer).unwrap().origin;
        assert_eq!(origins.span(origin), Some(span), "{pointer}");
    }
    assert_eq!(node.as_map().unwrap().tombstone("b"), Some(patch.origin));
}

#[test]
fn moved_and_copied_values_refer_to_where_they_were() {
    let patch = "
target: {name: worker}
type: json6902
patch:
  - {op: copy, from: /spec/replicas, path: /spec/minReadySeconds}
  - {op: move, from: /metadata/labels/app, path: /metadata/name}";
    let run = Run::new(OBJECTS, patch);
    let places = |pointer: &str| {
        let origin = run
            .origins
            .get(run.objects[1].pointer(pointer).unwrap().origin);
        let source = origin.refers_to.and_then(|source| run.origins.span(source));
        [origin.span, source].map(|span| run.sources.locate(span.unwrap()))
    };
    assert_eq!(
        places("/spec/minReadySeconds"),
        ["profile.yaml:4:5", "objects.yaml:9:18"]
    );
    assert_eq!(
        run.history(1, "/metadata/name"),
        ["profile.yaml:5:5", "objects.yaml:8:18"]
    );
    let labels = run.objects[1]
        .at(&["metadata", "labels"])
        .unwrap()
        .as_map()
        .unwrap();
    assert!(labels.tombstone("app").is_some());
}

#[test]
fn predicates_reach_items_by_what_they_are() {
    let patch = "
target: {kind: Service}
type: json6902
patch:
  - {op: add, path: '/spec/ports/[port=53,protocol=UDP]/targetPort', value: 1053}
  - {op: remove, path: '/spec/ports/[protocol=TCP]'}
  - {op: test, path: '/spec/ports', value: [{port: 53.0, protocol: UDP, targetPort: 1053}]}";
    let run = Run::new(OBJECTS, patch);
    assert!(run.outcome.diagnostics.is_empty(), "{}", run.report());
    insta::assert_snapshot!(report("
target: {kind: Service}
type: json6902
patch: [{op: remove, path: '/spec/ports/[protocol=TPC]'}]"), @"
    patch-path: operation 1, `remove /spec/ports/[protocol=TPC]`: no item of `/spec/ports` has `[protocol=TPC]`
      profile.yaml:3:9
      note: in Service `shop/web`
      hint: did you mean `TCP`?
    ");
}

const CRD: &str = "
kind: CustomResourceDefinition
spec:
  group: example.com
  names: {kind: Widget}
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          properties:
            spec:
              properties:
                parts:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [name, side]
                  items:
                    properties:
                      side: {type: string, default: left}
                groups:
                  additionalProperties:
                    properties:
                      members:
                        type: array
                        x-kubernetes-list-map-keys: [id]
                        items: {type: object}
";

#[test]
fn definitions_of_custom_resources_teach_merge_keys() {
    let mut origins = Origins::new();
    let mut sources = Sources::new();
    let id = sources.add("crd.yaml", CRD, SourceKind::Other);
    let mut diagnostics = Diagnostics::new();
    let definition = yaml::read_one(&sources, id, &mut origins, &mut diagnostics).unwrap();
    let mut merge_keys = MergeKeys::new();
    merge_keys.learn(&definition);
    merge_keys.learn(&Node::from(
        serde_json::json!({"kind": "CustomResourceDefinition"}),
    ));
    let run = Run::with(
        "
apiVersion: example.com/v1
kind: Widget
metadata: {name: w, finalizers: [a]}
spec:
  parts: [{name: a, weight: 1}, {name: a, side: right, weight: 2}]
  groups: {x: {members: [{id: 1}, {id: 2}]}}
",
        "
target: {kind: Widget}
patch:
  metadata: {finalizers: [b]}
  spec:
    parts: [{name: a, side: left, weight: 5}]
    groups: {x: {members: [{id: 2, $patch: delete}]}}
",
        &merge_keys,
    );
    assert!(run.outcome.diagnostics.is_empty(), "{}", run.report());
    insta::assert_snapshot!(yaml::write_block(&run.objects[0].value), @"
    apiVersion: example.com/v1
    kind: Widget
    metadata:
      finalizers:
      - b
      - a
      name: w
    spec:
      groups:
        x:
          members:
          - id: 1
      parts:
      - name: a
        side: left
        weight: 5
      - name: a
        side: right
        weight: 2
    ");
}
