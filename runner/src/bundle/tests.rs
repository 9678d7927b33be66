//! Bundles that are read, and those that are refused.

use std::collections::BTreeMap;

use cairn_spec::{Digest, FileTree};
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

use super::{BundleError, BundleReader, MAX_OBJECTS, Secrets};

/// A file of a bundle: layer, stage, path below `manifests/`, and text.
pub(crate) type Manifest<'a> = (&'a str, &'a str, &'a str, String);

pub(super) fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\n")
}

fn planned(path: &str, text: &str) -> Json {
    let object = super::object::read(path, text.as_bytes()).unwrap();
    let mut planned = serde_json::to_value(super::object::identity(&object).unwrap()).unwrap();
    planned["file"] = path.into();
    planned["digest"] = Digest::sha256(text.as_bytes()).to_string().into();
    planned
}

/// The files of a bundle with these manifests, whose plan `change` may spoil.
pub(crate) fn files(manifests: &[Manifest<'_>], change: impl Fn(&mut Json)) -> FileTree {
    let mut layers: Vec<Json> = Vec::new();
    for (layer, stage, path, text) in manifests {
        if layers.last().is_none_or(|last| last["name"] != *layer) {
            layers.push(json!({"name": layer, "kind": "addon", "stages": [], "gates": []}));
        }
        let stages = layers.last_mut().unwrap()["stages"].as_array_mut().unwrap();
        if stages.last().is_none_or(|last| last["stage"] != *stage) {
            stages.push(json!({"stage": stage, "objects": []}));
        }
        let objects = stages.last_mut().unwrap()["objects"].as_array_mut();
        objects.unwrap().push(planned(path, text));
    }
    let mut plan =
        json!({"apiVersion": "cairn.dev/v1", "kind": "Plan", "layers": layers, "edges": []});
    change(&mut plan);
    let mut tree = FileTree::new();
    tree.put("plan.json", plan.to_string());
    for (_, _, path, text) in manifests {
        tree.put(&format!("manifests/{path}"), text.as_str());
    }
    sealed(tree)
}

/// Adds the `bundle.json` that names all files.
pub(super) fn sealed(mut tree: FileTree) -> FileTree {
    let digests: BTreeMap<String, String> = tree
        .iter()
        .map(|(path, file)| (path.to_string(), Digest::sha256(&file.bytes).to_string()))
        .collect();
    let manifest = json!({
        "apiVersion": "cairn.dev/v1", "kind": "Bundle", "compiler": "0.1.0",
        "profile": {"name": "edge", "version": "1.0.0"}, "kubernetes": "1.34.0",
        "layers": [], "objects": 0, "images": 0, "files": digests,
        "secrets": {"password": {"placeholder": "cairn.secret(password)"}},
    });
    tree.put("bundle.json", manifest.to_string());
    tree
}

fn refusal(files: &FileTree) -> String {
    BundleReader::read(files).unwrap_err().to_string()
}

#[test]
fn objects_come_by_layer_and_stage() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: shop}\nstringData: {p: cairn.secret(password)}\n";
    let files = files(
        &[
            (
                "dns",
                "namespaces",
                "010-dns/1-namespace_shop.yaml",
                "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n".into(),
            ),
            (
                "dns",
                "configuration",
                "010-dns/5-configmap_b.yaml",
                config_map("b"),
            ),
            (
                "dns",
                "configuration",
                "010-dns/5-configmap_a.yaml",
                config_map("a"),
            ),
            (
                "web",
                "configuration",
                "020-web/5-secret_s.yaml",
                secret.into(),
            ),
        ],
        |_| {},
    );
    let bundle = BundleReader::read(&files).unwrap();
    let values = [("password".parse().unwrap(), "hunter2".to_owned())].into();
    let secrets = Secrets::new(&bundle.manifest, &values);
    let mut lines = Vec::new();
    for layer in &bundle.layers {
        for stage in &layer.stages {
            for batch in stage.batches(&secrets) {
                for manifest in batch.unwrap() {
                    let id = &stage.planned[manifest.index].id;
                    let data = &manifest.object["data"];
                    lines.push(format!("{} {:?} {id}: {data}", layer.name, stage.stage));
                }
            }
        }
    }
    assert_snapshot!(lines.join("\n"), @r#"
    dns Namespaces Namespace shop: null
    dns Configuration ConfigMap shop/b: null
    dns Configuration ConfigMap shop/a: null
    web Configuration Secret shop/s: {"p":"aHVudGVyMg=="}
    "#);
    let unknown = Secrets::new(&bundle.manifest, &BTreeMap::new());
    let read: Result<Vec<_>, _> = bundle.layers[1].stages[0].batches(&unknown).collect();
    assert!(matches!(read, Err(BundleError::SecretMissing(_))));
}

#[test]
fn a_large_stage_comes_in_several_batches() {
    let text = |index: usize| {
        let filling = "x".repeat(40_000);
        format!(
            "{}data: {{a: {filling}}}\n",
            config_map(&format!("c{index}"))
        )
    };
    let paths: Vec<String> = (0..20)
        .map(|index| format!("010-a/5-{index:02}.yaml"))
        .collect();
    let manifests: Vec<Manifest<'_>> = paths
        .iter()
        .enumerate()
        .map(|(index, path)| ("a", "configuration", path.as_str(), text(index)))
        .collect();
    let bundle = BundleReader::read(&files(&manifests, |_| {})).unwrap();
    let secrets = Secrets::default();
    let batches: Vec<Vec<usize>> = bundle.layers[0].stages[0]
        .batches(&secrets)
        .map(|batch| batch.unwrap().iter().map(|it| it.index).collect())
        .collect();
    assert_eq!(batches.concat(), (0..20).collect::<Vec<_>>());
    assert!(batches.len() >= 3, "{batches:?}");
    assert!(batches.iter().all(|batch| batch.len() <= 7), "{batches:?}");
}

#[test]
fn files_that_were_changed_are_refused() {
    let whole = files(
        &[("a", "configuration", "010-a/5-a.yaml", config_map("a"))],
        |_| {},
    );
    let with = |path: &str, text: Option<&str>| {
        let mut changed = FileTree::new();
        for (known, file) in whole.iter().filter(|(known, _)| known.as_str() != path) {
            changed.put(known.as_str(), file.bytes.to_vec());
        }
        if let Some(text) = text {
            changed.put(path, text);
        }
        refusal(&changed)
    };
    assert_snapshot!(with("manifests/010-a/5-a.yaml", Some(&config_map("b"))), @"`manifests/010-a/5-a.yaml` is not the file that `bundle.json` names");
    assert_snapshot!(with("manifests/010-a/5-a.yaml", None), @"the bundle has no `manifests/010-a/5-a.yaml`, which `bundle.json` names");
    assert_snapshot!(with("manifests/010-a/5-b.yaml", Some(&config_map("b"))), @"`manifests/010-a/5-b.yaml` is not the file that `bundle.json` names");
    assert_snapshot!(with("plan.json", None), @"the bundle has no `plan.json`, which `bundle.json` names");
    assert_snapshot!(with("bundle.json", Some("{}")), @"`bundle.json` of the bundle cannot be read");
}

#[test]
fn a_file_comes_once() {
    let files = files(
        &[("a", "configuration", "010-a/5-a.yaml", config_map("a"))],
        |_| {},
    );
    let bytes = |path: &str| &*files.get(path).unwrap().bytes;
    let mut reader = BundleReader::new(bytes("bundle.json"), bytes("plan.json")).unwrap();
    let path = "manifests/010-a/5-a.yaml";
    reader.add(path, bytes(path)).unwrap();
    assert_snapshot!(reader.add(path, bytes(path)).unwrap_err(), @"the bundle holds `manifests/010-a/5-a.yaml` twice");
}

#[test]
fn an_object_comes_once_whatever_its_version() {
    let hpa = |version: &str| {
        format!(
            "apiVersion: autoscaling/{version}\nkind: HorizontalPodAutoscaler\nmetadata: {{name: a, namespace: shop}}\n"
        )
    };
    let twice = [
        ("a", "workloads", "010-a/6-a.yaml", hpa("v1")),
        ("b", "workloads", "020-b/6-a.yaml", hpa("v2")),
    ];
    assert_snapshot!(refusal(&files(&twice, |_| {})), @"the bundle holds HorizontalPodAutoscaler shop/a of autoscaling/v2 twice, whatever the version");
    // A hook may have the name of another object.
    let hook = json!({"events": ["pre-install"], "weight": 0, "deletePolicies": []});
    let files = files(&twice, |plan| {
        plan["layers"][1]["stages"][0]["objects"][0]["hook"] = hook.clone();
    });
    assert!(BundleReader::read(&files).is_ok());
}

#[test]
fn plans_that_are_out_of_order_are_refused() {
    let two = [
        ("a", "configuration", "010-a/5-a.yaml", config_map("a")),
        ("a", "workloads", "010-a/6-b.yaml", config_map("b")),
        ("b", "configuration", "020-b/5-c.yaml", config_map("c")),
    ];
    let edge =
        |from: &str, to: &str| json!([{"from": from, "to": to, "reason": "it is", "hard": true}]);
    let with_edge = |from, to| refusal(&files(&two, |plan| plan["edges"] = edge(from, to)));
    assert!(BundleReader::read(&files(&two, |plan| plan["edges"] = edge("a", "b"))).is_ok());
    assert_snapshot!(with_edge("b", "a"), @"the plan applies layer `b` before `a`, but its layers are not in that order");
    assert_snapshot!(with_edge("a", "a"), @"the plan applies layer `a` before `a`, but its layers are not in that order");
    assert_snapshot!(with_edge("a", "c"), @"the plan applies layer `a` before `c`, but its layers are not in that order");
    let reversed = files(&two, |plan| {
        plan["layers"][0]["stages"]
            .as_array_mut()
            .unwrap()
            .reverse();
    });
    assert_snapshot!(refusal(&reversed), @"the stages of layer `a` are not in order");
}

#[test]
fn a_plan_that_is_not_about_the_files_is_refused() {
    let one = [("a", "configuration", "010-a/5-a.yaml", config_map("a"))];
    let object = "/layers/0/stages/0/objects/0";
    let spoilt = |field: &str, value: Json| {
        refusal(&files(&one, |plan| {
            plan.pointer_mut(object).unwrap()[field] = value.clone();
        }))
    };
    assert_snapshot!(spoilt("name", "b".into()), @"`manifests/010-a/5-a.yaml` holds ConfigMap shop/a of v1, but the plan says ConfigMap shop/b of v1");
    assert_snapshot!(spoilt("namespace", Json::Null), @"`manifests/010-a/5-a.yaml` holds ConfigMap shop/a of v1, but the plan says ConfigMap a of v1");
    assert_snapshot!(spoilt("file", "010-a/5-b.yaml".into()), @"`bundle.json` and `plan.json` do not agree on `manifests/010-a/5-b.yaml`");
    assert_snapshot!(spoilt("digest", Digest::sha256(b"").to_string().into()), @"`bundle.json` and `plan.json` do not agree on `manifests/010-a/5-a.yaml`");
    let none = files(&one, |plan| plan["layers"] = json!([]));
    assert_snapshot!(refusal(&none), @"`bundle.json` and `plan.json` do not agree on `manifests/010-a/5-a.yaml`");
    let twice = files(&one, |plan| {
        let mut again = plan.pointer(object).unwrap().clone();
        again["name"] = "b".into();
        plan.pointer_mut("/layers/0/stages/0/objects")
            .unwrap()
            .as_array_mut()
            .unwrap()
            .push(again);
    });
    assert_snapshot!(refusal(&twice), @"`bundle.json` and `plan.json` do not agree on `manifests/010-a/5-a.yaml`");
}

#[test]
fn too_many_objects_are_refused_before_any_is_read() {
    let one = [("a", "configuration", "010-a/5-a.yaml", config_map("a"))];
    let files = files(&one, |plan| {
        let objects = plan
            .pointer_mut("/layers/0/stages/0/objects")
            .unwrap()
            .as_array_mut()
            .unwrap();
        let first = objects[0].clone();
        for index in 0..MAX_OBJECTS {
            let mut object = first.clone();
            object["name"] = format!("b{index}").into();
            objects.push(object);
        }
    });
    assert_snapshot!(refusal(&files), @"the bundle holds more than 20000 objects");
}
