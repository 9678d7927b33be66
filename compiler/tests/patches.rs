//! Patches against data: `testdata/patches/<type>-<case>/` has an object, a patch and what is
//! expected, and beside it what `kubectl` says where that differs (see the README there).

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cairn_compiler::patch::{MergeKeys, ObjectRef, Outcome, Patch, apply};
use cairn_spec::{
    Diagnostics, Node, OriginId, Origins, PatchExpect, PatchSpec, PatchTarget, PatchType,
    SourceKind, Sources, yaml,
};
use serde_json::{Value, json};

/// One folder of test data.
struct Case {
    folder: PathBuf,
    name: String,
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata/patches");
    let entries = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut cases: Vec<Case> = entries
        .filter(|folder| folder.is_dir())
        .map(|folder| Case {
            name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
            folder,
        })
        .collect();
    cases.sort_by(|left, right| left.name.cmp(&right.name));
    cases
}

impl Case {
    fn patch_type(&self) -> PatchType {
        let (name, _) = self.name.split_once('-').unwrap();
        serde_json::from_value(json!(name)).unwrap()
    }

    fn text(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(file)).ok()
    }

    fn node(&self, file: &str, origins: &mut Origins) -> Option<Node> {
        let text = self.text(file)?;
        let mut sources = Sources::new();
        let id = sources.add(file, text.as_str(), SourceKind::Other);
        let mut diagnostics = Diagnostics::new();
        let node = yaml::read_one(&sources, id, origins, &mut diagnostics);
        assert!(
            diagnostics.is_empty(),
            "{}/{file}: {diagnostics:?}",
            self.name
        );
        node
    }

    fn json(&self, file: &str) -> Option<Value> {
        Some(self.node(file, &mut Origins::new())?.to_json())
    }

    /// What the patch makes of the object: null when it removes it, or the problems.
    fn patched(&self, object: &mut Node, origins: &mut Origins) -> Result<Value, String> {
        let body = self.node("patch.yaml", origins).unwrap();
        let spec = PatchSpec {
            target: PatchTarget {
                kind: Some("*".to_owned()),
                ..PatchTarget::default()
            },
            patch_type: self.patch_type(),
            patch: Value::Null,
            expect: PatchExpect::default(),
        };
        let patch = Patch::new(&spec, body, OriginId::GENERATED);
        let mut objects = [ObjectRef {
            node: object,
            layer: "test",
            pack: None,
        }];
        let Outcome {
            diagnostics,
            removed,
            ..
        } = apply(&patch, &mut objects, &MergeKeys::new(), origins);
        if diagnostics.has_errors() {
            let lines = diagnostics.iter().map(|problem| match &problem.hint {
                Some(hint) => format!("{}: {}\n  hint: {hint}\n", problem.code, problem.message),
                None => format!("{}: {}\n", problem.code, problem.message),
            });
            return Err(lines.collect());
        }
        Ok(if removed.is_empty() {
            object.to_json()
        } else {
            Value::Null
        })
    }
}

#[test]
fn patches_give_what_is_expected() {
    let mut failures = Vec::new();
    for case in cases() {
        let mut origins = Origins::new();
        let mut object = case.node("object.yaml", &mut origins).unwrap();
        let found = case.patched(&mut object, &mut origins);
        let expected = match case.text("error.txt") {
            Some(problems) => Err(problems),
            None => Ok(case.json("expected.yaml").unwrap()),
        };
        if found != expected {
            failures.push(format!(
                "{}:\nfound    {found:?}\nexpected {expected:?}",
                case.name
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn patches_without_operations_can_be_applied_again() {
    for case in cases() {
        let mut origins = Origins::new();
        let mut object = case.node("object.yaml", &mut origins).unwrap();
        if case.patch_type() == PatchType::Json6902 {
            continue;
        }
        if let Ok(once) = case.patched(&mut object, &mut origins) {
            let twice = case.patched(&mut object, &mut origins);
            assert_eq!(twice, Ok(once), "{}", case.name);
        }
    }
}

/// What a tool says, in a folder of its own: null for no object, `{"error": "refused"}` for none.
fn run(case: &Case, prepare: impl FnOnce(&Case, &Path) -> Vec<String>) -> Option<Value> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("patch-{}", case.name));
    fs::create_dir_all(&folder).unwrap();
    let object = case.json("object.yaml").unwrap();
    fs::write(folder.join("object.json"), object.to_string()).unwrap();
    let arguments = prepare(case, &folder);
    let output = Command::new("kubectl").args(arguments).output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("is not supported for") {
        return None;
    }
    if !output.status.success() {
        return Some(json!({"error": "refused"}));
    }
    let mut sources = Sources::new();
    let text = String::from_utf8(output.stdout).unwrap();
    let id = sources.add("kubectl", text, SourceKind::Other);
    let mut diagnostics = Diagnostics::new();
    let node = yaml::read_one(&sources, id, &mut Origins::new(), &mut diagnostics).unwrap();
    Some(node.to_json())
}

/// `kubectl kustomize`, which knows strategic patches and JSON Patch.
fn kustomize(case: &Case) -> Option<Value> {
    if case.patch_type() == PatchType::Merge {
        return None;
    }
    run(case, |case, folder| {
        let object = case.json("object.yaml").unwrap();
        let mut patch = case.json("patch.yaml").unwrap();
        if let Some(map) = patch.as_object_mut() {
            // Without these, kustomize does not take it for a strategic patch.
            for key in ["apiVersion", "kind"] {
                map.entry(key).or_insert_with(|| object[key].clone());
            }
            let metadata = map.entry("metadata").or_insert_with(|| json!({}));
            let metadata = metadata.as_object_mut().unwrap();
            metadata
                .entry("name")
                .or_insert_with(|| object["metadata"]["name"].clone());
        }
        let target = json!({"kind": object["kind"], "name": object["metadata"]["name"]});
        let kustomization = json!({
            "resources": ["object.json"],
            "patches": [{"path": "patch.json", "target": target}],
        });
        fs::write(folder.join("patch.json"), patch.to_string()).unwrap();
        fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).unwrap();
        vec!["kustomize".to_owned(), folder.to_str().unwrap().to_owned()]
    })
}

/// `kubectl patch --local`, which runs the API server's code but knows no custom resources.
fn kubectl_patch(case: &Case) -> Option<Value> {
    run(case, |case, folder| {
        let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let patch = case.json("patch.yaml").unwrap();
        fs::write(file("patch.json"), patch.to_string()).unwrap();
        let patch_type = match case.patch_type() {
            PatchType::Strategic => "strategic",
            PatchType::Merge => "merge",
            PatchType::Json6902 => "json",
        };
        let (object, patch) = (file("object.json"), file("patch.json"));
        [
            "patch",
            "--local",
            "-o",
            "yaml",
            "--type",
            patch_type,
            "-f",
            &object,
            "--patch-file",
            &patch,
        ]
        .map(str::to_owned)
        .into()
    })
}

#[test]
#[ignore = "needs kubectl"]
fn kubectl_says_the_same_or_a_known_difference() {
    let mut failures = Vec::new();
    let (mut equal, mut different) = (0, 0);
    for case in cases() {
        for (file, found) in [
            ("kustomize.yaml", kustomize(&case)),
            ("kubectl.yaml", kubectl_patch(&case)),
        ] {
            let known = case.json(file);
            let expected = match case.text("error.txt") {
                Some(_) => Some(json!({"error": "refused"})),
                None => case.json("expected.yaml"),
            };
            match (found, known) {
                (None, None) => {}
                (Some(found), Some(known)) if found == known => different += 1,
                (Some(found), None) if Some(&found) == expected.as_ref() => equal += 1,
                (found, known) => failures.push(format!(
                    "{}/{file}:\nfound    {found:?}\nknown    {known:?}\nexpected {expected:?}",
                    case.name
                )),
            }
        }
    }
    println!("{equal} equal, {different} known differences");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
