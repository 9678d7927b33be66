//! Where fields of built objects came from: values, templates of every kind, manifests, patches,
//! mirrors, or nobody.

use std::fmt::Write as _;

use cairn_chart::explain::FieldPath;
use cairn_compiler::{BuiltField, Maker, Session};
use insta::assert_snapshot;

use crate::world::World;

const SHOP: &str = r#"
=== repo/web@1.0.0/Chart.yaml
{apiVersion: v2, name: web, version: 1.0.0}
=== repo/web@1.0.0/values.yaml
{replicas: 1, image: "nginx:1"}
=== repo/web@1.0.0/templates/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: {{ .Values.image | quote }}}]}}
=== p@1.0.0/pack.yaml
layer: addon
namespace: shop
=== p@1.0.0/values.yaml
mode: slow
port: 80
=== p@1.0.0/templates/a.yaml.hbs
apiVersion: v1
kind: ConfigMap
metadata: {name: first}
data: {fixed: "yes"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: hbs}
data:
  mode: {{values.mode}}
  port: "{{values.port}}"
=== p@1.0.0/templates/b.yaml.gotmpl
apiVersion: v1
kind: ConfigMap
metadata: {name: gone}
---
{{- if .Values.port }}
apiVersion: v1
kind: ConfigMap
metadata: {name: go}
data: {mode: {{ .Values.mode | upper }}}
{{- end }}
=== p@1.0.0/manifests/c.yaml
{apiVersion: v1, kind: ConfigMap, metadata: {name: plain}, data: {a: b}}
=== extra.yaml
{apiVersion: v1, kind: ConfigMap, metadata: {name: extra, namespace: shop}, data: {a: "${var.mode}"}}
=== profile
variables: [{name: mode, default: fast}]
layers:
- {name: web, namespace: shop, chart: {repository: https://charts.example.com, name: web, version: ^1}, values: {replicas: 3}}
- {name: pack, pack: p, version: ^1, values: {mode: "${var.mode}"}}
- {name: extra, manifests: [extra.yaml]}
patches:
- {target: {kind: Deployment, name: web}, type: merge, patch: {metadata: {labels: {patched: here}}}}
- {target: {kind: ConfigMap, name: hbs}, type: merge, patch: {data: {port: "81"}}}
mirrors: [{from: docker.io, to: mirror.example.com}]
"#;

fn shown(field: &BuiltField<'_>, session: &Session) -> String {
    let place = |span| session.sources.locate(span);
    let mut line = format!("{} = {}:", field.path, field.value.to_json());
    match &field.maker {
        Maker::Template(explanation) => {
            let _ = write!(line, " {}", explanation.kind);
            for &origin in &explanation.origins {
                let from = session.origins.span(origin).map(place);
                let _ = write!(line, ", from {}", from.unwrap_or_default());
            }
            for written in &explanation.written {
                let _ = write!(line, ", by {}", place(written.place));
            }
            for cause in &explanation.because {
                let _ = write!(line, ", because of {}", place(cause.place));
            }
        }
        Maker::Manifest(span) => {
            let _ = write!(line, " manifest, by {}", place(*span));
        }
        Maker::Patch => line.push_str(" patch"),
        Maker::Cairn => line.push_str(" cairn"),
    }
    for span in &field.patches {
        let _ = write!(line, ", patched at {}", place(*span));
    }
    if let Some(image) = field.mirror_of {
        let _ = write!(line, ", mirror of {image}");
    }
    line
}

fn explained(object: &str, path: &str) -> String {
    let build = World::new(SHOP).build();
    assert_eq!(crate::world::findings(&build), "");
    let session = &build.session;
    let object = match build.explainable.object(object, session) {
        Ok(object) => object,
        Err(error) => return format!("{} ({})", error.message, error.hint.unwrap_or_default()),
    };
    let path = FieldPath::parse(path).unwrap();
    let found = match object.find(&path) {
        Ok(found) => found,
        Err(error) => return format!("{} ({})", error.message, error.hint.unwrap_or_default()),
    };
    let fields = object.explain(found, session);
    let lines: Vec<String> = fields.iter().map(|field| shown(field, session)).collect();
    format!("{} in {}\n{}", object.name, object.layer, lines.join("\n"))
}

#[test]
fn fields_of_charts_name_values_templates_patches_and_mirrors() {
    assert_snapshot!(explained("deploy/web", "spec.replicas"), @"");
    assert_snapshot!(explained("deploy/web", "spec.template.spec.containers[name=c].image"), @"");
    assert_snapshot!(explained("deploy/web", "metadata"), @"");
}

#[test]
fn fields_of_packs_name_values_and_the_templates_of_either_language() {
    assert_snapshot!(explained("ConfigMap/shop/hbs", "data"), @"");
    assert_snapshot!(explained("first", "data.fixed"), @"");
    assert_snapshot!(explained("cm/go", "data.mode"), @"");
}

#[test]
fn manifests_say_themselves_what_they_say() {
    assert_snapshot!(explained("plain", "data.a"), @"");
    assert_snapshot!(explained("extra", "data.a"), @"");
    assert_snapshot!(explained("ns/shop", "metadata.name"), @"");
}

#[test]
fn what_is_not_there_is_said_with_what_is_near() {
    assert_snapshot!(explained("Deployment/wep", ""), @"");
    assert_snapshot!(explained("ConfigMap", ""), @"");
    assert_snapshot!(explained("cm/hbs", "data.prt"), @"");
}
