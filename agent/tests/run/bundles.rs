//! Bundles for tests: layers of stages of objects, as artifacts.

use anyhow::{Context as _, Result};
use cairn_runner::cluster::id_of;
use cairn_spec::{Artifact, Digest, FileTree, bundle_artifact};
use serde_json::{Value as Json, json};

/// A bundle under construction.
#[derive(Clone, Default)]
pub(crate) struct Layers(Vec<(&'static str, &'static str, Json)>);

impl Layers {
    pub(crate) fn with(mut self, layer: &'static str, stage: &'static str, object: Json) -> Self {
        self.0.push((layer, stage, object));
        self
    }

    pub(crate) fn artifact(&self) -> Result<Artifact> {
        let mut tree = FileTree::new();
        let mut layers: Vec<Json> = Vec::new();
        for (index, (layer, stage, object)) in self.0.iter().enumerate() {
            let path = format!("{layer}/{index:03}.yaml");
            // JSON is YAML.
            let text = object.to_string();
            if layers.last().is_none_or(|last| last["name"] != *layer) {
                layers.push(json!({"name": layer, "kind": "addon", "stages": [], "gates": []}));
            }
            let stages = layers.last_mut().context("no layer")?["stages"].as_array_mut();
            let stages = stages.context("no stages")?;
            if stages.last().is_none_or(|last| last["stage"] != *stage) {
                stages.push(json!({"stage": stage, "objects": []}));
            }
            let mut planned = serde_json::to_value(id_of(object))?;
            planned["file"] = path.as_str().into();
            planned["digest"] = Digest::sha256(text.as_bytes()).to_string().into();
            let objects = stages.last_mut().context("no stage")?["objects"].as_array_mut();
            objects.context("no objects")?.push(planned);
            tree.put(&format!("manifests/{path}"), text);
        }
        let plan =
            json!({"apiVersion": "cairn.dev/v1", "kind": "Plan", "layers": layers, "edges": []});
        tree.put("plan.json", plan.to_string());
        for other in [
            "lock.yaml",
            "images.json",
            "sbom.cdx.json",
            "provenance.json",
        ] {
            tree.put(other, "{}");
        }
        let files: serde_json::Map<String, Json> = tree
            .iter()
            .map(|(path, file)| {
                let digest = Digest::sha256(&file.bytes);
                (path.to_string(), digest.to_string().into())
            })
            .collect();
        let manifest = json!({
            "apiVersion": "cairn.dev/v1", "kind": "Bundle", "compiler": "0.1.0",
            "profile": {"name": "edge", "version": "1.0.0"}, "kubernetes": "1.36.0",
            "layers": [], "objects": 0, "images": 0, "files": files,
        });
        tree.put("bundle.json", manifest.to_string());
        Ok(bundle_artifact(&tree, None)?)
    }
}

/// A shop: a namespace, its settings, and a deployment of an image.
pub(crate) fn shop(image: &str, value: &str) -> Layers {
    Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with("base", "configuration", config_map("settings", value))
        .with("web", "workloads", deployment("web", image))
}

/// The same with something large that does not compress to nothing, another one for each value.
pub(crate) fn heavy_shop(value: &str, bytes: usize) -> Layers {
    let mut noise = String::with_capacity(bytes);
    let mut digest = Digest::sha256(value.as_bytes());
    while noise.len() < bytes {
        noise.push_str(digest.hex());
        digest = Digest::sha256(digest.hex().as_bytes());
    }
    shop("example.org/web:1", value).with("web", "workloads", config_map("noise", &noise))
}

pub(crate) fn namespace(name: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

pub(crate) fn config_map(name: &str, value: &str) -> Json {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop"}, "data": {"value": value},
    })
}

pub(crate) fn deployment(name: &str, image: &str) -> Json {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    })
}
