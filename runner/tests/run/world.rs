//! A cluster of a test's own, and bundles for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use cairn_runner::{
    bundle::{Bundle, BundleReader, Secrets},
    cluster::{Access, Cluster, Pace, id_of},
    inventory::Identity,
    run::{
        Adoption, Finish, IgnoreRule, OnFailure, Options, Outcome, Progress, RunError, apply,
        roll_back, store, uninstall,
    },
};
use cairn_spec::{Artifact, Digest, FileTree, bundle_artifact, unpack_bundle};
use cairn_test_kube::KubeServer;
use serde_json::{Value as Json, json};

pub(crate) struct World {
    pub(crate) server: KubeServer,
    pub(crate) cluster: Cluster,
    pub(crate) adoption: Adoption,
    pub(crate) approved: BTreeSet<Identity>,
    pub(crate) on_failure: OnFailure,
    pub(crate) deletion_timeout: Duration,
    pub(crate) ignore: Vec<IgnoreRule>,
    /// How long a layer may take.
    pub(crate) timeout: Duration,
}

/// A bundle under construction: layers of stages of objects.
#[derive(Default)]
pub(crate) struct Layers {
    objects: Vec<(&'static str, &'static str, Json)>,
    health: Vec<Json>,
    /// The event of those objects that are hooks, by their place.
    hooks: BTreeMap<usize, &'static str>,
}

impl Layers {
    pub(crate) fn with(mut self, layer: &'static str, stage: &'static str, object: Json) -> Self {
        self.objects.push((layer, stage, object));
        self
    }

    pub(crate) fn with_hook(
        mut self,
        event: &'static str,
        (layer, stage): (&'static str, &'static str),
        object: Json,
    ) -> Self {
        self.hooks.insert(self.objects.len(), event);
        self.with(layer, stage, object)
    }

    /// Judges objects by a rule, which comes with the first layer.
    pub(crate) fn judged_by(mut self, rule: Json) -> Self {
        self.health.push(rule);
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
        for (index, (layer, stage, object)) in self.objects.iter().enumerate() {
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
            if let Some(event) = self.hooks.get(&index) {
                planned["hook"] = json!({"events": [event], "weight": 0, "deletePolicies": []});
            }
            let objects = stages.last_mut().context("no stage")?["objects"].as_array_mut();
            objects.context("no objects")?.push(planned);
            tree.put(&format!("manifests/{path}"), text);
        }
        if let Some(first) = layers.first_mut() {
            first["health"] = json!(self.health);
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
            on_failure: OnFailure::Rollback,
            deletion_timeout: Duration::from_secs(30),
            ignore: Vec::new(),
            timeout: Duration::from_mins(1),
        })
    }

    pub(crate) fn options<'a>(&'a self, secrets: &'a Secrets) -> Options<'a> {
        Options {
            adoption: self.adoption,
            on_failure: self.on_failure,
            timeout: self.timeout,
            deletion_timeout: self.deletion_timeout,
            approved: &self.approved,
            approved_amount: true,
            ignore: &self.ignore,
            ..Options::new(secrets, "a test")
        }
    }

    /// Applies a bundle; what happened to each object, and to those that nobody wants any more.
    pub(crate) async fn apply(&self, layers: &Layers) -> Result<String, RunError> {
        self.try_apply(layers, false).await
    }

    /// The same, perhaps though it failed before.
    pub(crate) async fn try_apply(&self, layers: &Layers, again: bool) -> Result<String, RunError> {
        let artifact = layers.artifact().expect("the bundle can be built");
        store::keep(&self.cluster, &artifact).await?;
        let (bundle, digest) = layers.bundle().expect("the bundle is whole");
        let mut lines = Vec::new();
        let mut tell = |progress: Progress<'_>| lines.extend(line(&progress));
        let secrets = Secrets::default();
        let options = self.options(&secrets);
        let applied = apply(
            &self.cluster,
            &bundle,
            (&digest, again),
            &options,
            &mut tell,
        );
        assert_eq!(applied.await?, Finish::Done);
        Ok(lines.join("\n"))
    }

    pub(crate) async fn uninstall(&self) -> Result<String, RunError> {
        let mut lines = Vec::new();
        let mut tell = |progress: Progress<'_>| lines.extend(line(&progress));
        let secrets = Secrets::default();
        let options = self.options(&secrets);
        let gone = uninstall(&self.cluster, &options, &mut tell);
        assert_eq!(gone.await?, Finish::Done);
        Ok(lines.join("\n"))
    }

    /// Goes back; to which bundle, and what happened to objects.
    pub(crate) async fn roll_back(
        &self,
        to: Option<&Digest>,
    ) -> Result<(Digest, String), RunError> {
        let mut lines = Vec::new();
        let mut tell = |progress: Progress<'_>| lines.extend(line(&progress));
        let secrets = Secrets::default();
        let options = self.options(&secrets);
        let went = roll_back(&self.cluster, to, &options, &mut tell);
        let (digest, finish) = went.await?;
        assert_eq!(finish, Finish::Done);
        Ok((digest, lines.join("\n")))
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

/// What happened to an object, if anything did.
fn line(progress: &Progress<'_>) -> Option<String> {
    match progress {
        Progress::Applied {
            object, outcome, ..
        } if *outcome != Outcome::Unchanged => Some(format!("{outcome:?} {object}")),
        Progress::Pruned {
            object, decision, ..
        } => Some(format!("{object}: {decision}")),
        _ => None,
    }
}

pub(crate) fn definition(kind: &str, versions: &[&str]) -> Json {
    let plural = format!("{}s", kind.to_lowercase());
    let versions: Vec<Json> = versions
        .iter()
        .enumerate()
        .map(|(index, name)| {
            // Objects are stored in the newest one.
            json!({
                "name": name, "served": true, "storage": index + 1 == versions.len(),
                "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
            })
        })
        .collect();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.example.dev")},
        "spec": {
            "group": "example.dev", "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind},
            "versions": versions,
        },
    })
}

pub(crate) fn thing(name: &str, size: u32) -> Json {
    json!({
        "apiVersion": "example.dev/v1", "kind": "Thing",
        "metadata": {"name": name, "namespace": "shop"}, "spec": {"size": size},
    })
}
