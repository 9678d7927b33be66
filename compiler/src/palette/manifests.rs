//! Manifests: those with templates become Go templates of the pack, the others stay plain.

use cairn_spec::{Node, PackManifest, SourceKind, yaml::quote_double};
use cairn_template::go::Templates;

use super::{
    Importer,
    values::{has_macro, is_strict_yaml},
};
use crate::{Session, charts::DEFAULT_NAMESPACE};

/// What Palette's macros are in a manifest, as far as a pack knows.
const MACROS: &str = r#"{{- $_ := set . "spectro" (dict "system" (dict "cluster" (dict "name" .Cluster.Name) "clusterprofile" (dict "name" .Profile.Name "version" .Profile.Version) "kubernetes" (dict "version" .Capabilities.KubeVersion.Version))) }}
"#;

/// What prints two braces.
const BRACES: &str = "{{ `{{` }}";

/// Whether a text is a Go template with the functions that there are.
fn parses(text: &str) -> bool {
    let mut session = Session::default();
    let source = session.sources.add("manifest", text, SourceKind::Other);
    Templates::default()
        .add("manifest", &session.sources, source)
        .is_ok()
}

impl Importer<'_> {
    /// Objects of manifests that name no namespace are in `default`, if the pack has none.
    pub(super) fn home_of_manifests(&mut self, manifest: &mut PackManifest) {
        if manifest.spec.namespace.is_none() && !self.pack.kube_manifests.is_empty() {
            manifest.spec.namespace = Some(DEFAULT_NAMESPACE.to_owned());
            self.changed(
                "values.yaml: pack.namespace",
                "it is not set: the namespace of the pack is `default`, as it is for `kubectl`",
            );
        }
    }

    pub(super) fn manifests(&mut self) {
        let pack = self.pack;
        let mut names = Vec::new();
        for path in &pack.kube_manifests {
            if names.contains(&path) {
                self.left(path.clone(), "`pack.json` names it twice");
                continue;
            }
            names.push(path);
            let Some(text) = self.text(path).map(str::to_owned) else {
                let reason = if self.source.get(path).is_some() {
                    "it is not UTF-8 text"
                } else {
                    "`pack.json` names the manifest, but the file is not there"
                };
                self.left(path.clone(), reason);
                continue;
            };
            let below = path.strip_prefix("manifests/").unwrap_or(path);
            let stem = below
                .strip_suffix(".yaml")
                .or_else(|| below.strip_suffix(".yml"))
                .unwrap_or(below);
            let is_template = text.contains("{{") && parses(&text);
            if !is_template && is_strict_yaml(&text) {
                self.put(&format!("manifests/{stem}.yaml"), text);
                continue;
            }
            let target = format!("templates/{stem}.yaml.gotmpl");
            let (reason, text) = if is_template {
                let prelude = self.prelude(stem.rsplit('/').next().unwrap_or(stem), &text);
                ("it is a Go template", prelude + &text)
            } else if text.contains("{{") {
                (
                    "its braces are no Go template, so they are printed as they are",
                    text.replace("{{", BRACES),
                )
            } else {
                (
                    "Cairn reads plain YAML more strictly than Helm does, and what templates render as Helm does",
                    text,
                )
            };
            self.changed(path.clone(), format!("it is `{target}` now: {reason}"));
            self.put(&target, text);
        }
        self.values_without_manifest();
    }

    /// Gives a template the values that Palette gives it: those below `manifests.NAME`.
    fn prelude(&self, name: &str, text: &str) -> String {
        let has_values = self.values.kept.at(&["manifests", name]).is_some();
        let values = if has_values {
            format!("(index .Values \"manifests\" {})", quote_double(name))
        } else {
            "(dict)".to_owned()
        };
        let mut prelude = format!("{{{{- $_ := set . \"Values\" {values} }}}}\n");
        if has_macro(text) {
            prelude.push_str(MACROS);
        }
        prelude
    }

    fn values_without_manifest(&mut self) {
        let values = self.values;
        let manifests = values.kept.get("manifests").and_then(Node::as_map);
        for (name, _) in manifests.into_iter().flat_map(cairn_spec::Map::iter) {
            let is_known = self.pack.kube_manifests.iter().any(|path| {
                let file = path.rsplit('/').next().unwrap_or(path);
                file.rsplit_once('.').map_or(file, |(stem, _)| stem) == &**name
            });
            if !is_known {
                self.left(
                    format!("values.yaml: manifests.{name}"),
                    "the pack has no manifest of this name, so nothing reads the values",
                );
            }
        }
    }
}
