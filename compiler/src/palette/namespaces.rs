//! The namespaces of a Palette pack: one is the pack's own, others become objects.

use std::collections::{BTreeMap, BTreeSet};

use cairn_spec::{Node, PackManifest, Value};
use serde_json::json;

use super::{Importer, values::has_macro};
use crate::object::SYSTEM_NAMESPACES;

/// Labels or annotations of namespaces.
type PerNamespace = BTreeMap<String, BTreeMap<String, String>>;

impl Importer<'_> {
    pub(super) fn namespaces(&mut self, manifest: &mut PackManifest) {
        let values = self.values;
        let own = values.pack("namespace").and_then(Node::as_str);
        let own = own.filter(|name| !name.is_empty()).map(str::to_owned);
        let own = match own {
            Some(name) if !is_label(&name) => {
                self.left(
                    "values.yaml: pack.namespace",
                    format!("`{name}` cannot be the name of a namespace: a profile sets `namespace` of the layer"),
                );
                None
            }
            own => own,
        };
        let mut labels = self.pairs("namespaceLabels");
        let mut annotations = self.pairs("namespaceAnnotations");
        let mut others = self.additional();
        others.extend(labels.keys().cloned());
        others.extend(annotations.keys().cloned());
        let mut objects = Vec::new();
        for name in others {
            let is_own = own.as_ref() == Some(&name);
            let has_annotations = annotations.contains_key(&name);
            if is_own && !has_annotations {
                continue;
            }
            if SYSTEM_NAMESPACES.contains(&name.as_str()) {
                self.left(
                    format!("values.yaml: labels of the namespace {name}"),
                    "every cluster has the namespace, and Cairn does not change it",
                );
                continue;
            }
            let mut object =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            if let Some(labels) = labels.remove(&name) {
                object["metadata"]["labels"] = json!(labels);
            }
            if let Some(annotations) = annotations.remove(&name) {
                object["metadata"]["annotations"] = json!(annotations);
            }
            objects.push(object);
        }
        if let Some(own) = &own
            && let Some(labels) = labels.remove(own)
        {
            manifest.spec.namespace_labels = labels;
        }
        if !objects.is_empty() {
            let texts: Vec<String> = objects
                .into_iter()
                .map(|object| cairn_spec::yaml::write_manifest(&Node::from(object).value))
                .collect();
            self.put("manifests/namespaces.yaml", texts.join("---\n"));
            self.changed(
                "values.yaml: further namespaces",
                "they are objects in `manifests/namespaces.yaml` now",
            );
        }
        manifest.spec.namespace = own;
    }

    /// `additionalNamespaces`: names, separated by commas.
    fn additional(&mut self) -> BTreeSet<String> {
        let Some(node) = self.values.pack("additionalNamespaces") else {
            return BTreeSet::new();
        };
        let names: Vec<String> = match &node.value {
            Value::String(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
            Value::List(items) => items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect(),
            Value::Map(map) => map.keys().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        let (good, bad): (Vec<_>, Vec<_>) = names
            .into_iter()
            .filter(|name| !name.is_empty())
            .partition(|name| is_label(name));
        if !bad.is_empty() {
            self.left(
                "values.yaml: pack.additionalNamespaces",
                format!("`{}` cannot be names of namespaces", bad.join("`, `")),
            );
        }
        good.into_iter().collect()
    }

    /// `KEY=VALUE,KEY=VALUE` by namespace.
    fn pairs(&mut self, key: &str) -> PerNamespace {
        let mut all = PerNamespace::new();
        let Some(map) = self.values.pack(key).and_then(Node::as_map) else {
            return all;
        };
        for (namespace, text) in map.iter() {
            let what = format!("values.yaml: pack.{key}.{namespace}");
            if !is_label(namespace) {
                self.left(what, "it cannot be the name of a namespace");
                continue;
            }
            let text = text.as_str().unwrap_or_default();
            for pair in text
                .split(',')
                .map(str::trim)
                .filter(|pair| !pair.is_empty())
            {
                match pair.split_once('=') {
                    _ if has_macro(pair) || pair.contains("{{") => self.left(
                        what.clone(),
                        format!("`{pair}` holds a macro: write the value into `namespaceLabels` of `pack.yaml`"),
                    ),
                    Some((name, value)) => {
                        all.entry(namespace.to_string())
                            .or_default()
                            .insert(name.trim().to_owned(), value.trim().to_owned());
                    }
                    None => self.left(what.clone(), format!("`{pair}` is not `KEY=VALUE`")),
                }
            }
        }
        all
    }
}

/// Whether a text can be the name of a namespace.
fn is_label(text: &str) -> bool {
    text.parse::<cairn_spec::LayerName>().is_ok()
}
