//! What a patch leaves behind for those who ask who wrote a value.

use cairn_spec::Span;

use super::*;

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
    let span = Span {
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
