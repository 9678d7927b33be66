//! A cluster of a test's own, and bundles for it.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result, ensure};
use cairn_runner::{
    bundle::{Bundle, BundleReader, Secrets},
    cluster::{Access, Cluster, Pace, id_of},
    inventory::Identity,
    run::{Adoption, IgnoreRule, Options, Outcome, Progress, RunError, apply, uninstall},
};
use cairn_spec::{Artifact, Digest, FileTree, bundle_artifact, unpack_bundle};
use cairn_test_kube::KubeServer;
use serde_json::{Value as Json, json};

pub(crate) struct World {
    pub(crate) server: KubeServer,
    pub(crate) cluster: Cluster,
    pub(crate) adoption: Adoption,
    pub(crate) approved: BTreeSet<Identity>,
    pub(crate) ignore: Vec<IgnoreRule>,
}

/// A bundle under construction: layers of stages of objects.
#[derive(Default)]
pub(crate) struct Layers(Vec<(&'static str, &'static str, Json)>);

impl Layers {
    pub(crate) fn with(mut self, layer: &'static str, stage: &'static str, object: Json) -> Self {
        self.0.push((layer, stage, object));
        self
    }

    pub(crate) fn bundle(&self) -> Result<(Bundle, Digest)> {
        let artifact = self.artifact()?;
        let bundle = BundleReader::read(&unpack_bundle(&artifact)?)?;
        Ok((bundle, artifact.digest().clone()))
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
            let id = id_of(object);
            let mut planned = serde_json::to_value(&id)?;
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
                (
                    path.to_string(),
                    Digest::sha256(&file.bytes).to_string().into(),
                )
            })
            .collect();
        let manifest = json!({
            "apiVersion": "cairn.dev/v1", "kind": "Bundle", "compiler": "0.1.0",
            "profile": {"name": "edge", "version": "1.0.0"}, "kubernetes": "1.36.0",
            "layers": [], "objects": 0, "images": 0, "files": files,
        })
        .to_string();
        tree.put("bundle.json", manifest);
        Ok(bundle_artifact(&tree, None)?)
    }
}

impl World {
    pub(crate) async fn new() -> Result<Self> {
        let server = KubeServer::private()?;
        let access = Access {
            kubeconfigs: vec![server.kubeconfig().to_owned()],
            ..Access::default()
        };
        Ok(Self {
            cluster: Cluster::connect(&access, Pace::default()).await?,
            server,
            adoption: Adoption::Refuse,
            approved: BTreeSet::new(),
            ignore: Vec::new(),
        })
    }

    pub(crate) fn options<'a>(&'a self, secrets: &'a Secrets) -> Options<'a> {
        Options {
            secrets,
            adoption: self.adoption,
            timeout: Duration::from_mins(1),
            load_balancer_address: false,
            approved: &self.approved,
            approved_amount: true,
            ignore: &self.ignore,
        }
    }

    /// Applies a bundle; what happened to each object, and to those that nobody wants any more.
    pub(crate) async fn apply(&self, layers: &Layers) -> Result<String, RunError> {
        let (bundle, digest) = layers.bundle().expect("the bundle is whole");
        let mut lines = Vec::new();
        let mut tell = |progress: Progress<'_>| match progress {
            Progress::Applied {
                object, outcome, ..
            } if outcome != Outcome::Unchanged => {
                lines.push(format!("{outcome:?} {object}"));
            }
            Progress::Pruned {
                object, decision, ..
            } => lines.push(format!("{object}: {decision}")),
            _ => {}
        };
        let secrets = Secrets::default();
        let options = self.options(&secrets);
        apply(
            &self.cluster,
            &bundle,
            (&digest, false),
            &options,
            &mut tell,
        )
        .await?;
        Ok(lines.join("\n"))
    }

    pub(crate) async fn uninstall(&self) -> Result<String, RunError> {
        let mut lines = Vec::new();
        let mut tell = |progress: Progress<'_>| {
            if let Progress::Pruned {
                object, decision, ..
            } = progress
            {
                lines.push(format!("{object}: {decision}"));
            }
        };
        let secrets = Secrets::default();
        uninstall(&self.cluster, &self.options(&secrets), &mut tell).await?;
        Ok(lines.join("\n"))
    }

    pub(crate) fn kubectl(&self, arguments: &str) -> Result<String> {
        let mut command = self.server.kubectl();
        let output = command.args(arguments.split_whitespace()).output()?;
        ensure!(
            output.status.success(),
            "`kubectl {arguments}`: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The server's own name for an object.
    pub(crate) fn uid(&self, arguments: &str) -> Result<String> {
        self.kubectl(&format!("get {arguments} -o jsonpath={{.metadata.uid}}"))
    }
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
