//! What installs the agent: the manifest that the command prints, its signature, and the pack with the same objects.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cairn_oci::PublicKey;
use cairn_tests::{Sandbox, files_below, repository_root};
use serde_yaml::Value;

const SHOP: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: 'example.org/web:1'}]
";
const CA: &str = "-----BEGIN CERTIFICATE-----\n";
const MANIFEST: &str = "agent manifest --image registry.example.com/cairn-agent:0.1.0 --hub https://hub.example.com --hub-ca ca.pem --network-policy";

/// A folder with a bundle in `out`.
fn sandbox() -> Result<Sandbox> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    sandbox.write("web.yaml", SHOP)?;
    sandbox.write(
        "profile.yaml",
        "apiVersion: cairn.dev/v1\nkind: Profile\nmetadata: {name: shop, version: 1.0.0}\nspec: {type: addon, kubernetes: 1.34.1, layers: [{name: web, manifests: [web.yaml]}]}\n",
    )?;
    sandbox.write("ca.pem", CA)?;
    sandbox.ok("profile build profile.yaml --output out")?;
    Ok(sandbox)
}

/// Objects by kind, namespace and name, without what only one of the two says about itself.
fn objects(texts: impl IntoIterator<Item = String>) -> Result<BTreeMap<String, Value>> {
    let mut objects = BTreeMap::new();
    for text in texts {
        for document in text.split("\n---\n") {
            let mut object: Value = serde_yaml::from_str(&format!("{document}\n"))?;
            if object.is_null() {
                continue;
            }
            forget(&mut object);
            let name = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
            let kind = object["kind"].as_str().context("no kind")?;
            let key = format!("{kind} {}/{}", name("namespace"), name("name"));
            objects.insert(key, object);
        }
    }
    Ok(objects)
}

/// Labels name the layer and the pack, or neither.
fn forget(value: &mut Value) {
    match value {
        Value::Mapping(fields) => {
            fields.remove("labels");
            fields.values_mut().for_each(forget);
        }
        Value::Sequence(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}

#[test]
fn a_manifest_is_the_same_each_time_and_signed() -> Result<()> {
    let sandbox = sandbox()?;
    sandbox.ok("key generate ops")?;
    let arguments = format!("{MANIFEST} --bundle out");
    let printed = sandbox.ok(&arguments)?.stdout;
    sandbox.ok(&format!(
        "{arguments} --output agent.yaml --sign-key ops.key"
    ))?;
    let read = |name: &str| fs::read_to_string(sandbox.path().join(name));
    assert_eq!(read("agent.yaml")?, printed);
    let key = PublicKey::from_pem(&read("ops.pub")?)?;
    let signature = BASE64.decode(read("agent.yaml.sig")?)?;
    assert!(key.verify(printed.as_bytes(), &signature));
    assert!(!key.verify(printed.replace("shop", "other").as_bytes(), &signature));
    Ok(())
}

#[test]
fn rights_follow_from_the_bundle_or_must_be_asked_for() -> Result<()> {
    let sandbox = sandbox()?;
    let refused = sandbox.run(MANIFEST)?;
    assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
    ensure!(
        refused.stderr.contains("--cluster-admin"),
        "{}",
        refused.stderr
    );
    let all = sandbox.ok(&format!("{MANIFEST} --cluster-admin"))?;
    ensure!(all.stdout.contains("name: cluster-admin"), "{}", all.stdout);
    ensure!(all.stderr.contains("everything"), "{}", all.stderr);
    let rights = sandbox.ok("agent rights --bundle out")?;
    insta::assert_snapshot!(rights.stdout, @"
    NAMESPACE  GROUP  RESOURCES                        NAMES  VERBS
    (cluster)         namespaces                              list,watch
    (cluster)         namespaces                       shop   create,delete,get,patch
    shop              pods/log                                get
    shop              pods                                    list,watch
    shop       apps   deployments                             create,delete,get,list,patch,watch
    shop       apps   controllerrevisions,replicasets         list,watch
    ");
    Ok(())
}

#[test]
fn an_agent_without_a_hub_takes_the_keys_of_its_trust_policy_along() -> Result<()> {
    let sandbox = sandbox()?;
    sandbox.ok("key generate us")?;
    sandbox.write(
        "trust.yaml",
        "apiVersion: cairn.dev/v1\nkind: TrustPolicy\nrules:\n- repositories: ['**']\n  keys: [{name: us, path: us.pub}]\n",
    )?;
    let printed = sandbox
        .ok("agent manifest --image registry.example.com/cairn-agent:0.1.0 --follow registry.example.com/bundles/shop:stable --trust trust.yaml --cluster-admin")?
        .stdout;
    let objects = objects([printed])?;
    let trust = objects["ConfigMap cairn-system/cairn-agent"]["data"]["trust.yaml"]
        .as_str()
        .context("no trust policy")?;
    ensure!(trust.contains("BEGIN PUBLIC KEY"), "{trust}");
    ensure!(!trust.contains("us.pub"), "{trust}");
    Ok(())
}

#[test]
fn the_pack_makes_the_objects_of_the_manifest() -> Result<()> {
    let sandbox = sandbox()?;
    let printed = sandbox.ok(&format!("{MANIFEST} --bundle out"))?.stdout;
    let mut manifest = objects([printed])?;
    // The pack leaves the namespaces of the bundle to the bundle.
    manifest.remove("Namespace /shop");
    let rights = sandbox.ok("agent rights --bundle out -o yaml")?.stdout;
    let values = rights.replace('\n', "\n        ");
    let pack = repository_root().join("packs/addon/cairn-agent");
    sandbox.write(
        "agent.yaml",
        format!(
            "apiVersion: cairn.dev/v1\nkind: Profile\nmetadata: {{name: p, version: 1.0.0}}\nspec:\n  type: addon\n  \
             kubernetes: 1.34.1\n  layers:\n    - name: agent\n      path: {}\n      values:\n        hub: {{ca: {CA:?}}}\n        {values}\n",
            pack.display()
        ),
    )?;
    sandbox.ok("profile build agent.yaml --output agent")?;
    let folder = sandbox.path().join("agent/manifests");
    let paths = files_below(&folder)?.into_iter();
    let texts: Vec<String> = paths
        .map(|path| fs::read_to_string(folder.join(path)))
        .collect::<Result<_, _>>()?;
    let mut made = objects(texts)?;
    let names = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&made), names(&manifest));
    for (name, object) in &mut made {
        if name.starts_with("Deployment") {
            let container = &mut object["spec"]["template"]["spec"]["containers"][0];
            let fields = container.as_mapping_mut().context("no container")?;
            fields.remove("imagePullPolicy");
        }
        if name.starts_with("ConfigMap") {
            let text = object["data"]["config.json"]
                .as_str()
                .context("no config")?;
            let config: serde_json::Value = serde_json::from_str(text)?;
            object["data"]["config.json"] = format!("{config:#}\n").into();
        }
        assert_eq!(*object, manifest[name], "{name}");
    }
    Ok(())
}
