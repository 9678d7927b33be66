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
    assert_snapshot!(explained("deploy/web", "spec.replicas"), @"
        Deployment/shop/web in web
        spec.replicas = 3: exact, from profile.yaml:7:126, by web-1.0.0.tgz/templates/web.yaml:5:16
        ");
    assert_snapshot!(explained("deploy/web", "spec.template.spec.containers[name=c].image"), @r#"
        Deployment/shop/web in web
        spec.template.spec.containers[0].image = "mirror.example.com/library/nginx:1": exact, from web-1.0.0.tgz/values.yaml:1:22, by web-1.0.0.tgz/templates/web.yaml:7:98, mirror of nginx:1
        "#);
    assert_snapshot!(explained("deploy/web", "metadata"), @r#"
        Deployment/shop/web in web
        metadata.labels.patched = "here": patch, patched at profile.yaml:11:95
        metadata.name = "web": template, by web-1.0.0.tgz/templates/web.yaml:1:1
        metadata.namespace = "shop": cairn
        "#);
}

#[test]
fn fields_of_packs_name_values_and_the_templates_of_either_language() {
    assert_snapshot!(explained("ConfigMap/shop/hbs", "data"), @r#"
        ConfigMap/shop/hbs in pack
        data.mode = "fast": exact, from profile.yaml:8:55, by p@1.0.0/templates/a.yaml.hbs:10:11
        data.port = "81": exact, from p@1.0.0/values.yaml:2:7, by p@1.0.0/templates/a.yaml.hbs:11:12, patched at profile.yaml:12:78
        "#);
    assert_snapshot!(explained("first", "data.fixed"), @r#"
        ConfigMap/shop/first in pack
        data.fixed = "yes": template, by p@1.0.0/templates/a.yaml.hbs:1:1
        "#);
    assert_snapshot!(explained("cm/go", "data.mode"), @r#"
        ConfigMap/shop/go in pack
        data.mode = "FAST": derived, from profile.yaml:8:55, by p@1.0.0/templates/b.yaml.gotmpl:9:32, because of p@1.0.0/templates/b.yaml.gotmpl:5:8
        "#);
}

#[test]
fn manifests_say_themselves_what_they_say() {
    assert_snapshot!(explained("plain", "data.a"), @r#"
        ConfigMap/shop/plain in pack
        data.a = "b": manifest, by p@1.0.0/manifests/c.yaml:1:70
        "#);
    assert_snapshot!(explained("extra", "data.a"), @r#"
        ConfigMap/shop/extra in extra
        data.a = "fast": manifest, by extra.yaml:1:87
        "#);
    assert_snapshot!(explained("ns/shop", "metadata.name"), @r#"
        Namespace/shop in web
        metadata.name = "shop": cairn
        "#);
}

#[test]
fn what_is_not_there_is_said_with_what_is_near() {
    assert_snapshot!(explained("Deployment/wep", ""), @"the profile renders no object `Deployment/wep` (did you mean `Deployment/shop/web`?)");
    assert_snapshot!(explained("ConfigMap", ""), @"`ConfigMap` may be any of 6 objects (name one: `ConfigMap/shop/extra` (layer extra), `ConfigMap/shop/first` (layer pack), `ConfigMap/shop/go` (layer pack), `ConfigMap/shop/gone` (layer pack), `ConfigMap/shop/hbs` (layer pack), `ConfigMap/shop/plain` (layer pack))");
    assert_snapshot!(explained("cm/hbs", "data.prt"), @"data has no key `prt` (did you mean `port`?)");
}
