//! What a patch selects, says and leaves behind; what it makes of an object is data in
//! `tests/testdata/patches`.

mod origins;
mod refusals;
mod targets;

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
