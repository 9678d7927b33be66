//! What must hold for every patch, whatever it says.

use cairn_compiler::patch::{MergeKeys, ObjectRef, Outcome, Patch, PatchBody, apply};
use cairn_spec::{Node, OriginId, Origins, PatchExpect, PatchTarget};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Applies a patch to an object of any kind.
fn patched(object: &Value, body: PatchBody) -> (Value, Outcome) {
    let mut node = Node::from(object.clone());
    let patch = Patch {
        target: PatchTarget {
            kind: Some("*".to_owned()),
            ..PatchTarget::default()
        },
        body,
        expect: PatchExpect::default(),
        origin: OriginId::GENERATED,
    };
    let mut objects = [ObjectRef {
        node: &mut node,
        layer: "test",
        pack: None,
    }];
    let outcome = apply(&patch, &mut objects, &MergeKeys::new(), &mut Origins::new());
    (node.to_json(), outcome)
}

fn strategic(body: &Value) -> PatchBody {
    PatchBody::Strategic(Node::from(body.clone()))
}

fn merge(body: &Value) -> PatchBody {
    PatchBody::Merge(Node::from(body.clone()))
}

/// Field names that mean something in a pod, so that lists with keys come up often.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "spec", "metadata", "containers", "ports", "name", "containerPort", "protocol", "env",
            "volumes", "finalizers", "tolerations", "topologySpreadConstraints", "topologyKey",
            "whenUnsatisfiable", "labels", "a",
        ]).prop_map(str::to_owned),
        1 => "[a-z~/$]{0,3}",
    ]
}

fn directive() -> impl Strategy<Value = (String, Value)> {
    prop_oneof![
        prop::sample::select(vec!["delete", "replace", "merge", "x"])
            .prop_map(|text| ("$patch".to_owned(), json!(text))),
        prop::collection::vec(key(), 0..3).prop_map(|keys| ("$retainKeys".to_owned(), json!(keys))),
        (key(), prop::collection::vec(scalar(), 0..3))
            .prop_map(|(key, items)| (format!("$deleteFromPrimitiveList/{key}"), json!(items))),
        (key(), prop::collection::vec(scalar(), 0..3))
            .prop_map(|(key, items)| (format!("$setElementOrder/{key}"), json!(items))),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        prop::sample::select(vec!["a", "b", "TCP", "UDP", ""]).prop_map(Value::from),
        any::<f64>()
            .prop_filter_map("finite", serde_json::Number::from_f64)
            .prop_map(Value::from),
    ]
}

fn any_json(with_directives: bool) -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 40, 4, move |inner| {
        let fields = prop::collection::vec((key(), inner.clone()), 0..4);
        let directives = prop::collection::vec(directive(), 0..usize::from(with_directives) + 1);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            (fields, directives)
                .prop_map(|(fields, more)| Value::Object(fields.into_iter().chain(more).collect())),
        ]
    })
}

/// A pod whose lists are well formed, so that patches of it often succeed.
fn pod() -> impl Strategy<Value = Value> {
    let items = |key: &'static str| {
        prop::collection::btree_map(
            prop::sample::select(vec!["a", "b", "c"]),
            scalar().prop_filter("a null is a deletion", |value| !value.is_null()),
            0..3,
        )
        .prop_map(move |items| {
            let item = |(name, value)| json!({key: name, "value": value});
            items.into_iter().map(item).collect::<Vec<_>>()
        })
    };
    (
        items("name"),
        items("name"),
        items("topologyKey"),
        items("key"),
    )
        .prop_map(|(env, containers, spread, tolerations)| {
            let mut containers: Vec<Value> = containers;
            if let Some(first) = containers.first_mut() {
                first["env"] = json!(env);
            }
            json!({"spec": {
                "containers": containers,
                "topologySpreadConstraints": spread,
                "tolerations": tolerations,
            }})
        })
}

fn with_identity(mut object: Value) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.insert("apiVersion".into(), json!("v1"));
        map.insert("kind".into(), json!("Pod"));
    }
    object
}

fn object(any: Value) -> Value {
    with_identity(if any.is_object() {
        any
    } else {
        Value::Object(Map::new())
    })
}

fn assert_twice_is_once(object: &Value, body: impl Fn() -> PatchBody) -> Result<(), TestCaseError> {
    let (once, outcome) = patched(object, body());
    if outcome.diagnostics.has_errors() || !outcome.removed.is_empty() {
        prop_assert_eq!(&once, object, "a failing patch changes nothing");
        return Ok(());
    }
    let (twice, again) = patched(&once, body());
    prop_assert!(!again.diagnostics.has_errors(), "{:?}", again.diagnostics);
    prop_assert_eq!(twice, once);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn an_empty_patch_changes_nothing(any in any_json(false)) {
        let object = object(any);
        for body in [strategic(&json!({})), merge(&json!({})), PatchBody::Json6902(Node::from(json!([])))] {
            prop_assert_eq!(&patched(&object, body).0, &object);
        }
    }

    #[test]
    fn strategic_twice_is_once(object in pod(), patch in pod()) {
        assert_twice_is_once(&with_identity(object), || strategic(&patch))?;
    }

    #[test]
    fn strategic_twice_is_once_for_anything(any in any_json(false), patch in any_json(true)) {
        assert_twice_is_once(&object(any), || strategic(&patch))?;
    }

    #[test]
    fn merge_twice_is_once(any in any_json(false), patch in any_json(false)) {
        assert_twice_is_once(&object(any), || merge(&patch))?;
    }

    #[test]
    fn a_merge_patch_does_what_the_rfc_s_pseudocode_does(any in any_json(false), patch in any_json(false)) {
        let object = object(any);
        let (found, outcome) = patched(&object, merge(&patch));
        if !outcome.diagnostics.has_errors() {
            prop_assert_eq!(found, rfc_7396(object, patch));
        }
    }

    #[test]
    fn operations_never_panic(
        any in any_json(false),
        operations in prop::collection::vec(operation(), 0..5),
    ) {
        let object = object(any);
        let (found, outcome) = patched(&object, PatchBody::Json6902(Node::from(Value::from(operations))));
        if outcome.diagnostics.has_errors() {
            prop_assert_eq!(found, object);
        }
    }

    #[test]
    fn any_operations_never_panic(any in any_json(false), operations in any_json(true)) {
        patched(&object(any), PatchBody::Json6902(Node::from(operations)));
    }
}

fn operation() -> impl Strategy<Value = Value> {
    let token = prop_oneof![
        4 => key(),
        2 => (0..3_u8).prop_map(|index| index.to_string()),
        1 => Just("-".to_owned()),
        1 => Just("[name=a]".to_owned()),
        1 => "[\\[\\]=\",.~/a]{0,6}",
    ];
    let pointer = prop::collection::vec(token, 0..4).prop_map(|tokens| {
        let tokens = tokens.iter().flat_map(|token| ["/", token]);
        tokens.collect::<String>()
    });
    let name = prop::sample::select(vec!["add", "remove", "replace", "move", "copy", "test"]);
    (name, pointer.clone(), pointer, scalar()).prop_map(|(name, path, from, value)| match name {
        "remove" => json!({"op": name, "path": path}),
        "move" | "copy" => json!({"op": name, "path": path, "from": from}),
        _ => json!({"op": name, "path": path, "value": value}),
    })
}

/// The pseudocode of RFC 7396 §2.
fn rfc_7396(target: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch;
    };
    let mut target = match target {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            let old = target.remove(&key).unwrap_or_default();
            target.insert(key, rfc_7396(old, value));
        }
    }
    Value::Object(target)
}
