//! `cairn pack new`: a pack to start from, which passes its own lint and tests.

use std::path::PathBuf;

use anyhow::anyhow;
use cairn_spec::{FileTree, LayerKind, PackName};
use clap::{Args, ValueEnum};

use crate::{
    exit::{ExitCode, Failure, Outcome},
    files::replace_folder,
    output::Output,
};

/// Start a new pack
///
/// Creates a folder with a small working pack: manifest, values with schema, a template, a test.
#[derive(Debug, Args)]
pub(crate) struct PackNew {
    /// The name of the pack
    name: PackName,
    /// The folder to create [default: NAME]
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
    /// The layer it belongs to
    #[arg(long, value_enum, default_value_t = Layer::Addon)]
    layer: Layer,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Layer {
    Os,
    Kubernetes,
    Cni,
    Csi,
    Addon,
}

impl From<Layer> for LayerKind {
    fn from(layer: Layer) -> Self {
        match layer {
            Layer::Os => Self::Os,
            Layer::Kubernetes => Self::Kubernetes,
            Layer::Cni => Self::Cni,
            Layer::Csi => Self::Csi,
            Layer::Addon => Self::Addon,
        }
    }
}

impl PackNew {
    pub(crate) fn run(self, output: &Output) -> Outcome {
        let folder = self
            .path
            .clone()
            .unwrap_or_else(|| PathBuf::from(self.name.as_str()));
        if folder.exists() {
            return Err(Failure::new(
                ExitCode::Conflict,
                anyhow!("`{}` is there already", folder.display()),
            )
            .hint("name another folder with --path"));
        }
        let tree = skeleton(&self.name, self.layer.into());
        replace_folder(&folder, &tree, "pack.yaml")?;
        output.message(&format!(
            "created {} with {} files",
            folder.display(),
            tree.len()
        ));
        output.message(&format!(
            "next: edit it, then `cairn pack lint {0}` and `cairn pack test {0}`",
            folder.display()
        ));
        Ok(())
    }
}

/// The files of a new pack.
fn skeleton(name: &PackName, layer: LayerKind) -> FileTree {
    let mut tree = FileTree::new();
    let on_nodes = matches!(layer, LayerKind::Os | LayerKind::Kubernetes);
    let fill = |text: &str| {
        text.replace("@NAME@", name.as_str())
            .replace("@LAYER@", layer.as_str())
    };
    tree.put("README.md", fill(README));
    tree.put("logo.svg", fill(LOGO));
    tree.put(
        "values.schema.json",
        fill(if on_nodes { NODE_SCHEMA } else { SCHEMA }),
    );
    if on_nodes {
        let version = if layer == LayerKind::Kubernetes {
            "\n  kubernetesVersion: \"1.34.1\""
        } else {
            ""
        };
        tree.put(
            "pack.yaml",
            fill(NODE_MANIFEST).replace("@KUBERNETES_VERSION@", version),
        );
        tree.put("values.yaml", fill(NODE_VALUES));
        tree.put("host/motd.hbs", fill(NODE_FILE));
        tree.put("host/steps.yaml", fill(NODE_STEPS));
        tree.put("tests/default.yaml", fill(NODE_TEST));
    } else {
        tree.put("pack.yaml", fill(MANIFEST));
        tree.put("values.yaml", fill(VALUES));
        tree.put("templates/deployment.yaml.hbs", fill(TEMPLATE));
        tree.put("templates/_labels.hbs", fill(LABELS));
        tree.put("tests/default.yaml", fill(TEST));
    }
    tree
}

const MANIFEST: &str = r#"apiVersion: cairn.dev/v1
kind: Pack
metadata:
  name: @NAME@
  version: 0.1.0
  displayName: @NAME@
  description: What @NAME@ does, in one sentence.
  license: Apache-2.0
spec:
  layer: @LAYER@
  namespace: @NAME@
  constraints:
    kubernetes: ">=1.28"
"#;

const VALUES: &str = r"# How many copies run.
replicas: 1

# The image, with a tag that does not move.
image: registry.k8s.io/pause:3.10

# What each copy may use.
resources:
  requests: {cpu: 10m, memory: 16Mi}
  limits: {memory: 32Mi}
";

const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "replicas": {"type": "integer", "minimum": 1, "description": "How many copies run."},
    "image": {"type": "string", "minLength": 1, "description": "The image."},
    "resources": {"type": "object", "description": "What each copy may use."}
  }
}
"#;

const TEMPLATE: &str = r"apiVersion: apps/v1
kind: Deployment
metadata:
  name: @NAME@
  labels:
    {{> labels}}
spec:
  replicas: {{values.replicas}}
  selector:
    matchLabels:
      app.kubernetes.io/name: {{pack.name}}
      app.kubernetes.io/instance: {{layer.name}}
  template:
    metadata:
      labels:
        {{> labels}}
    spec:
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        seccompProfile: {type: RuntimeDefault}
      containers:
      - name: @NAME@
        image: {{quote values.image}}
        readinessProbe:
          exec: {command: [/pause, -v]}
        resources: {{nindent 10 (toYaml values.resources)}}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
";

const LABELS: &str = r"app.kubernetes.io/name: {{pack.name}}
app.kubernetes.io/instance: {{layer.name}}
app.kubernetes.io/version: {{quote pack.version}}
app.kubernetes.io/managed-by: cairn
";

const TEST: &str = r"apiVersion: cairn.dev/v1
kind: PackTest
metadata: {name: default}
spec:
  values: {replicas: 2}
  expect:
    count: 2
    objects:
    - kind: Deployment
      name: @NAME@
      fields:
        /spec/replicas: 2
";

const NODE_MANIFEST: &str = r"apiVersion: cairn.dev/v1
kind: Pack
metadata:
  name: @NAME@
  version: 0.1.0
  displayName: @NAME@
  description: What @NAME@ does, in one sentence.
  license: Apache-2.0
spec:
  layer: @LAYER@@KUBERNETES_VERSION@
";

const NODE_VALUES: &str = r"# What people see when they log in to a node.
greeting: Managed by Cairn.
";

const NODE_SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "greeting": {"type": "string", "description": "What people see when they log in to a node."}
  }
}
"#;

const NODE_FILE: &str = "{{values.greeting}} Cluster {{cluster.name}}.\n";

const NODE_STEPS: &str = r"apiVersion: cairn.dev/v1
kind: HostSteps
steps:
- name: greeting
  file: {path: /etc/motd, source: motd}
";

const NODE_TEST: &str = r#"apiVersion: cairn.dev/v1
kind: PackTest
metadata: {name: default}
spec:
  expect:
    count: 0
    host: [motd]
    hostContains:
      motd: ["Managed by Cairn. Cluster test."]
"#;

const README: &str = r"# @NAME@

What it is, what it needs, and what to know before an upgrade.

Values are documented in `values.yaml`.
";

const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" role="img" aria-label="@NAME@">
  <rect x="10" y="40" width="44" height="14" rx="7" fill="#475569"/>
  <rect x="16" y="25" width="32" height="13" rx="6.5" fill="#64748b"/>
  <rect x="22" y="11" width="20" height="12" rx="6" fill="#94a3b8"/>
</svg>
"##;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pack_passes_its_own_lint_and_tests() {
        for layer in [
            LayerKind::Os,
            LayerKind::Kubernetes,
            LayerKind::Cni,
            LayerKind::Csi,
            LayerKind::Addon,
        ] {
            let tree = skeleton(&"fresh".parse().unwrap(), layer);
            let session = cairn_compiler::lint_pack("fresh", &tree);
            assert!(
                session.diagnostics.is_empty(),
                "{layer}: {:#?}",
                session.diagnostics
            );
            let report = cairn_compiler::test_pack("fresh", &tree);
            assert!(
                report.passed() && report.tests.len() == 1,
                "{layer}: {:#?}",
                report.tests
            );
        }
    }
}
