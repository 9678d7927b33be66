//! Helm charts in packs and as layers: values, releases, hooks, definitions, locks and mistakes.

use cairn_compiler::LockMode;
use insta::assert_snapshot;

use crate::world::{
    World, files, findings, objects_of, reported, shown_files, shown_values, values,
};

/// A chart `web` of a repository that shows what it was given.
const WEB: &str = r#"
=== repo/web@1.2.0/Chart.yaml
apiVersion: v2
name: web
version: 1.2.0
kubeVersion: ">=1.25.0-0"
=== repo/web@1.2.0/values.yaml
replicas: 1
port: 80
image: nginx:1.27
labels: {team: web, tier: front}
=== repo/web@1.2.0/templates/NOTES.txt
Nobody sees this.
=== repo/web@1.2.0/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data:
  namespace: {{ .Release.Namespace | quote }}
  kubernetes: {{ .Capabilities.KubeVersion.Version | quote }}
  replicas: {{ .Values.replicas | quote }}
  port: {{ .Values.port | quote }}
  labels: {{ .Values.labels | toJson | quote }}
"#;

#[test]
fn a_layer_may_be_a_chart() {
    let world = format!(
        "=== profile\nvariables: [{{name: port, schema: {{type: integer}}, default: 8080}}]\nlayers: [{{name: front, namespace: shop, chart: {{repository: https://charts.example.com, name: web, version: ^1}}, values: {{replicas: 3, port: \"${{var.port}}\", labels: {{tier: null}}}}}}]\n{WEB}"
    );
    assert_snapshot!(values(&world), @r#"
        shop: 
        front: {"kubernetes":"v1.34.0","labels":"{\"team\":\"web\",\"tier\":\"front\"}","namespace":"shop","port":"8080","replicas":"3"}
        "#);
    assert_snapshot!(World::new(&world).build().lock.unwrap(), @"
        # Written by `cairn profile build`; commit it. Change it with `cairn profile update`.
        apiVersion: cairn.dev/v1
        kind: Lock
        charts:
        - digest: sha256:ff921d753be585dc38cef3d450b894640cf9b6f11c08892d8a581ca604079e31
          name: web
          range: ^1
          repository: https://charts.example.com
          requiredBy:
          - front
          version: 1.2.0
        packs: []
        profile: shop
        ");
}

#[test]
fn a_pack_may_hold_charts() {
    let world = "
=== shop@1.0.0/pack.yaml
layer: addon
namespace: shop
charts: [{name: api, release: backend}]
=== shop@1.0.0/values.yaml
charts: {web: {replicas: 2}, api: {}}
=== shop@1.0.0/presets/big.yaml
apiVersion: cairn.dev/v1
kind: Preset
metadata: {name: big}
spec: {values: {charts: {web: {replicas: 5, port: 81}}}}
=== shop@1.0.0/charts/web/Chart.yaml
{apiVersion: v2, name: web, version: 1.0.0}
=== shop@1.0.0/charts/web/values.yaml
{replicas: 1, port: 80, greeting: hello, extra: {a: 1, b: 2}}
=== shop@1.0.0/charts/web/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: \"{{ .Release.Name }}\"}
data: {all: {{ omit .Values \"global\" | toJson | quote }}, namespace: {{ .Release.Namespace }}}
=== shop@1.0.0/charts/api/Chart.yaml
{apiVersion: v2, name: api, version: 1.0.0}
=== shop@1.0.0/charts/api/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: \"{{ .Release.Name }}\"}
data: {chart: {{ .Chart.Name }}}
=== profile
layers: [{name: one, pack: shop, version: ^1, presets: [big], values: {charts: {web: {greeting: hi, extra: {a: null}}}}}]
=== cluster
overrides: [{layer: one, values: {charts: {web: {port: 82}}}}]
";
    assert_snapshot!(values(world), @r#"
        shop: 
        backend: {"chart":"api"}
        one-web: {"all":"{\"extra\":{\"a\":1,\"b\":2},\"greeting\":\"hi\",\"port\":82,\"replicas\":5}","namespace":"shop"}
        "#);
}

#[test]
fn hooks_run_before_and_after_the_layer() {
    let hook = |name: &str, annotations: &str| {
        format!(
            "=== repo/web@1.2.0/templates/{name}.yaml\napiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\nspec: {{template: {{spec: {{containers: [{{name: c, image: \"busybox:1\"}}]}}}}}}\n"
        )
    };
    let world = format!(
        "=== profile\nlayers: [{{name: front, namespace: shop, chart: {{repository: https://charts.example.com, name: web, version: 1.2.0}}}}]\n{WEB}{}{}{}{}{}{}",
        hook(
            "first",
            r#""helm.sh/hook": pre-install, "helm.sh/hook-weight": "-5""#
        ),
        hook(
            "before",
            r#""helm.sh/hook": "pre-install,pre-upgrade,post-install", "helm.sh/hook-delete-policy": "hook-succeeded,before-hook-creation""#
        ),
        hook("after", r#""helm.sh/hook": post-upgrade"#),
        hook("trial", r#""helm.sh/hook": test"#),
        hook("back", r#""helm.sh/hook": "pre-delete,post-rollback""#),
        hook("gone", r#""helm.sh/hook": "pre-delete,post-delete""#),
    );
    let build = World::new(&world).build();
    assert_snapshot!(shown_files(&build), @"
        010-front/1-namespace_shop.yaml
        010-front/2h-job_shop_before.yaml
        010-front/2h-job_shop_first.yaml
        010-front/5-configmap_shop_front.yaml
        010-front/9-job_shop_after.yaml
        010-front/9-job_shop_back.yaml
        ");
    let bundle = build.bundle.unwrap();
    let text = String::from_utf8_lossy(&bundle.get("plan.json").unwrap().bytes).into_owned();
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    let layer = &plan["layers"][0];
    let hooks: Vec<String> = layer["stages"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|stage| stage["objects"].as_array().unwrap())
        .filter(|object| object["hook"].is_object())
        .map(|object| format!("{} {}", object["name"], object["hook"]))
        .collect();
    assert_snapshot!(hooks.join("\n"), @r#"
        "first" {"deletePolicies":[],"events":["pre-install"],"weight":-5}
        "before" {"deletePolicies":["before-hook-creation","hook-succeeded"],"events":["post-install","pre-install","pre-upgrade"],"weight":0}
        "after" {"deletePolicies":[],"events":["post-upgrade"],"weight":0}
        "back" {"deletePolicies":[],"events":["post-rollback"],"weight":0}
        "#);
    assert_snapshot!(layer["leftOut"], @r#"[{"apiVersion":"batch/v1","events":["post-delete","pre-delete"],"kind":"Job","name":"gone"}]"#);
    assert_snapshot!(layer["gates"], @"[]");
    let images = String::from_utf8_lossy(&bundle.get("images.json").unwrap().bytes).into_owned();
    assert!(images.contains("busybox:1"), "{images}");
}

#[test]
fn definitions_come_first_and_are_apis_for_layers_above() {
    let world = "
=== repo/crds@1.0.0/Chart.yaml
{apiVersion: v2, name: crds, version: 1.0.0}
=== repo/crds@1.0.0/templates/role.yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader, namespace: idle}
=== repo/crds@1.0.0/crds/gauges.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gauges.example.com}
spec: {group: example.com, scope: Namespaced, names: {kind: Gauge, plural: gauges}, versions: [{name: v1, served: true, storage: true}, {name: v0, served: false, storage: false}]}
=== repo/web@1.0.0/Chart.yaml
{apiVersion: v2, name: web, version: 1.0.0}
=== repo/web@1.0.0/templates/all.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: apis}
data:
  v1: {{ .Capabilities.APIVersions.Has \"example.com/v1\" | quote }}
  gauge: {{ .Capabilities.APIVersions.Has \"example.com/v1/Gauge\" | quote }}
  v0: {{ .Capabilities.APIVersions.Has \"example.com/v0\" | quote }}
  apps: {{ .Capabilities.APIVersions.Has \"apps/v1\" | quote }}
=== profile
layers:
- {name: crds, chart: {repository: https://charts.example.com, name: crds, version: \"*\"}}
- {name: web, chart: {repository: https://charts.example.com, name: web, version: \"*\"}}
";
    assert_snapshot!(files(world), @"
        010-crds/2-customresourcedefinition_gauges.example.com.yaml
        010-crds/3-clusterrole_reader.yaml
        020-web/5-configmap_default_apis.yaml
        ");
    assert_snapshot!(values(world), @r#"
        gauges.example.com: 
        reader: 
        apis: {"apps":"true","gauge":"true","v0":"false","v1":"true"}
        "#);
}

#[test]
fn chance_is_refused_unless_somebody_chose_a_value() {
    let world = |generated: &str| {
        format!(
            "=== repo/web@1.0.0/Chart.yaml\n{{apiVersion: v2, name: web, version: 1.0.0}}\n=== repo/web@1.0.0/templates/secret.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: password}}\ndata: {{password: {{{{ randAlphaNum 8 | quote }}}}}}\n=== profile\nlayers: [{{name: web, chart: {{repository: https://charts.example.com, name: web, version: 1.0.0{generated}}}}}]\n"
        )
    };
    assert_snapshot!(reported(&world("")), @"
        error[template-nondeterministic] `randAlphaNum` gives another value at each render
          at web-1.0.0.tgz/templates/secret.yaml:4:21
          at profile.yaml:5:31 of this chart
          hint: choose a seed, a fixed value or an existing one for call 1 of `randAlphaNum` in `web/templates/secret.yaml`
        ");
    let fixed = world(", generated: {calls: [{function: randAlphaNum, value: \"abcd1234\"}]}");
    assert_snapshot!(values(&fixed), @r#"password: {"password":"abcd1234"}"#);
    let seeded = world(", generated: {calls: [{function: randAlphaNum, seeded: true}]}");
    let (once, twice) = (values(&seeded), values(&seeded));
    assert_eq!(once, twice);
    assert_snapshot!(once, @r#"password: {"password":"vBnzJnoi"}"#);
}

/// A chart `web` of a repository with these templates, as a layer with these values for chance.
fn generating(templates: &str, generated: &str) -> World {
    World::new(&format!(
        "=== repo/web@1.0.0/Chart.yaml\n{{apiVersion: v2, name: web, version: 1.0.0}}\n=== repo/web@1.0.0/templates/all.yaml\n{templates}\n=== profile\nlayers: [{{name: web, chart: {{repository: https://charts.example.com, name: web, version: 1.0.0, generated: {{calls: [{generated}]}}}}}}]\n"
    ))
}

#[test]
fn an_existing_secret_is_put_in_when_the_bundle_is_applied() {
    let templates = r#"{{- $cert := genCA "ca" 10 }}
{apiVersion: v1, kind: Secret, metadata: {name: s, annotations: {sum: {{ randAlphaNum 8 | sha256sum | trunc 8 | quote }}}}, data: {password: {{ randAlphaNum 8 | b64enc }}, tls.key: {{ $cert.Key | b64enc }}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {ca: {{ $cert.Cert | b64enc }}, salt: {{ uuidv4 }}}}
"#;
    let generated = "{function: randAlphaNum, secret: {namespace: vault, name: web, key: password}}, {function: genCA, secret: {namespace: vault, name: ca, key: tls.key}, certificateKey: tls.crt}, {function: uuidv4, secret: {namespace: vault, name: other, key: id}, value: fixed}";
    let build = generating(templates, generated).build();
    assert_snapshot!(shown_values(&build), @r#"
        c: {"ca":"Y2Fpcm4uc2VjcmV0KGV4aXN0aW5nY2NiZjg3NDlhYjM4NWMwYik=","salt":"fixed"}
        s: {"password":"Y2Fpcm4uc2VjcmV0KGV4aXN0aW5nYmFjOWUyZmRhNDdhNjNjMSk=","tls.key":"Y2Fpcm4uc2VjcmV0KGV4aXN0aW5nOTc1NWIxN2ZhMDFmZDYyMSk="}
        "#);
    let bundle = build.bundle.unwrap();
    let manifest = String::from_utf8_lossy(&bundle.get("bundle.json").unwrap().bytes).into_owned();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_snapshot!(serde_json::to_string_pretty(&manifest["secrets"]).unwrap(), @r#"
        {
          "existing9755b17fa01fd621": {
            "placeholder": "cairn.secret(existing9755b17fa01fd621)",
            "secretRef": {
              "key": "tls.key",
              "name": "ca",
              "namespace": "vault"
            }
          },
          "existingbac9e2fda47a63c1": {
            "placeholder": "cairn.secret(existingbac9e2fda47a63c1)",
            "secretRef": {
              "key": "password",
              "name": "web",
              "namespace": "vault"
            }
          },
          "existingccbf8749ab385c0b": {
            "placeholder": "cairn.secret(existingccbf8749ab385c0b)",
            "secretRef": {
              "key": "tls.crt",
              "name": "ca",
              "namespace": "vault"
            }
          }
        }
        "#);
}

#[test]
fn a_text_for_an_existing_secret_that_templates_change_is_an_error() {
    let secret = "secret: {namespace: vault, name: web, key: password}";
    let broken = |template: &str, generated: &str| {
        let templates = format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{a: {{{{ {template} | quote }}}}}}}}"
        );
        findings(&generating(&templates, generated).build())
    };
    assert_snapshot!(broken("randAlphaNum 8 | upper", &format!("{{function: randAlphaNum, {secret}}}")), @"
        error[chart-secret] the value `password` of the Secret `vault/web` is to be put in when the bundle is applied, but the templates hash it, cut it or change its letters
          at profile.yaml:5:31
          hint: give `value` or `seeded` for this call, or a value of the chart that names an existing Secret
        ");
    assert_snapshot!(broken("randInt 1 8", &format!("{{function: randInt, {secret}}}")), @"
        error[template-nondeterministic] `randInt` has no value: the Secret `vault/web` is read when the bundle is applied, and templates compute with this value: give `value` or `seeded` instead
          at web-1.0.0.tgz/templates/all.yaml:1:69
          at profile.yaml:5:31 of this chart
          hint: choose a seed, a fixed value or an existing one for call 1 of `randInt` in `web/templates/all.yaml`
        ");
    let pack = |namespace: &str| {
        let world = format!(
            "=== shop@1.0.0/pack.yaml\nlayer: addon\nnamespace: shop\ncharts: [{{name: web, generated: {{calls: [{{function: randAlphaNum, secret: {{namespace: {namespace}, name: web, key: password}}}}]}}}}]\n=== shop@1.0.0/charts/web/Chart.yaml\n{{apiVersion: v2, name: web, version: 1.0.0}}\n=== shop@1.0.0/charts/web/templates/all.yaml\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c}}, data: {{a: {{{{ randAlphaNum 8 }}}}}}}}\n=== profile\nlayers: [{{name: web, pack: shop, version: ^1}}]\n"
        );
        values(&world)
    };
    assert_snapshot!(pack("kube-system"), @"
        error[template-nondeterministic] `randAlphaNum` has no value: a pack may name Secrets of its layer's namespace, which is `shop`, and `kube-system/web` is of another
          at shop@1.0.0/charts/web/templates/all.yaml:1:69
          at shop@1.0.0/pack.yaml:7:19 of this chart
          hint: choose a seed, a fixed value or an existing one for call 1 of `randAlphaNum` in `web/templates/all.yaml`
        ");
    assert_snapshot!(pack("shop"), @r#"
        shop: 
        c: {"a":"cairn.secret(existingfef87cf1143caed2)"}
        "#);
}

#[test]
fn patches_and_mirrors_change_what_charts_render() {
    let world = "
=== repo/web@1.0.0/Chart.yaml
{apiVersion: v2, name: web, version: 1.0.0}
=== repo/web@1.0.0/templates/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: nginx:1, env: [{name: MODE, value: yes}]}], defaultMode: 0644}}
=== profile
layers: [{name: web, namespace: shop, chart: {repository: https://charts.example.com, name: web, version: 1.0.0}}]
patches: [{target: {kind: Deployment, name: web}, type: merge, patch: {spec: {replicas: 2}}}]
mirrors: [{from: docker.io, to: mirror.example.com}]
";
    let build = World::new(world).build();
    let deployment = objects_of(&build)
        .into_iter()
        .find(|object| object.get("kind").and_then(|kind| kind.as_str()) == Some("Deployment"));
    assert_snapshot!(deployment.unwrap().to_json(), @r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop"},"spec":{"replicas":2,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"env":[{"name":"MODE","value":true}],"image":"mirror.example.com/library/nginx:1","name":"c"}],"defaultMode":420}}}}"#);
    assert_snapshot!(findings(&build), @"");
}

#[test]
fn locked_charts_are_kept_until_asked_otherwise() {
    // Without the empty line, which would belong to the chart before it.
    let newer = WEB.trim_start().replace("1.2.0", "1.3.0");
    let profile = "=== profile\nlayers: [{name: front, chart: {repository: https://charts.example.com, name: web, version: ^1}}]\n";
    let lock = World::new(&format!("{profile}{WEB}")).build().lock.unwrap();
    let world = |extra: &str| World::new(&format!("{profile}{WEB}{newer}=== lock\n{lock}{extra}"));
    let version = |world: &World| {
        let lock = world.build().lock.unwrap_or_default();
        lock.lines()
            .find(|line| line.trim_start().starts_with("version:"))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    assert_eq!(version(&world("")), "version: 1.2.0");
    let update = |name: &str| LockMode::Update(vec![name.parse().unwrap()]);
    assert_eq!(version(&world("").locked(update("web"))), "version: 1.3.0");
    assert_eq!(
        version(&world("").locked(update("other"))),
        "version: 1.2.0"
    );
    let without = World::new(&format!("{profile}{WEB}")).locked(LockMode::Locked);
    assert_snapshot!(findings(&without.build()), @"
        error[lock-stale] the lock has no version of the chart `web` for `^1`
          at profile.yaml:5:33
          hint: run `cairn profile update` and commit `profile.lock`
        ");
}

#[test]
fn mistakes_are_told_at_their_places() {
    let chart = |spec: &str| {
        reported(&format!(
            "=== profile\nlayers: [{{name: front, chart: {{repository: https://charts.example.com, name: web, {spec}}}}}]\n{WEB}"
        ))
    };
    assert_snapshot!(chart("version: ^2"), @"
        error[chart-version] no version of the chart `web` at https://charts.example.com matches `^2`
          at profile.yaml:5:33
          hint: the newest are 1.2.0
        ");
    assert_snapshot!(chart("version: ^1, release: Web"), @"
        error[chart-release] `Web` cannot be the name of a release
          at profile.yaml:5:33
          hint: use 1 to 53 lower-case letters, digits, `-` and `.`, starting and ending with a letter or digit
        ");
    assert_snapshot!(chart("version: ^1, digest: \"sha256:0000000000000000000000000000000000000000000000000000000000000000\""), @"
        error[chart-digest] other content of web 1.2.0
          at profile.yaml:5:33
        ");
    assert_snapshot!(chart("version: ^1}, path: x, values: {a: 1"), @"
        error[layer-content] layer `front` has more than one of `pack`, `path`, `chart` and `manifests`
          at profile.yaml:5:19
          hint: make each a layer of its own
        ");
    let broken = |template: &str, values: &str| {
        reported(&format!(
            "=== profile\nlayers: [{{name: front, chart: {{repository: https://charts.example.com, name: web, version: ^1}}, values: {values}}}]\n{WEB}=== repo/web@1.2.0/templates/broken.yaml\n{template}\n"
        ))
    };
    assert_snapshot!(broken("{{ required \"say who\" .Values.who }}", "{}"), @"
        error[template-required] say who
          at web-1.2.0.tgz/templates/broken.yaml:1:23 this value is required
          at web-1.2.0.tgz/templates/broken.yaml:1:4 included here
          at profile.yaml:5:33 of this chart
        ");
    assert_snapshot!(broken("a: [", "{}"), @"
        error[chart-manifest] YAML parse error on web/templates/broken.yaml: error converting YAML to JSON: yaml: line 1: did not find expected node content
          at web/templates/broken.yaml (rendered):2:1 this is not valid
          at web-1.2.0.tgz/templates/broken.yaml:1:1 it was written here
          at profile.yaml:5:33 of this chart
        ");
    assert_snapshot!(broken("a: {{ .Values.labels.team.name }}", "{labels: {team: red}}"), @"
        error[template-execution] can't evaluate field name in type interface {}
          at web-1.2.0.tgz/templates/broken.yaml:1:7
          at profile.yaml:5:123 a string is written here
          at profile.yaml:5:33 of this chart
        ");
    assert_snapshot!(broken("just: text", "{}"), @"
        error[object-shape] the object lacks `apiVersion` and `kind` and `metadata.name`
          at web/templates/broken.yaml (rendered):1:1
          hint: every Kubernetes object needs `apiVersion`, `kind` and `metadata.name`, each a non-empty text
        ");
}

#[test]
fn texts_that_keep_line_breaks_have_those_of_helm() {
    let world = "
=== repo/web@1.0.0/Chart.yaml
{apiVersion: v2, name: web, version: 1.0.0}
=== repo/web@1.0.0/templates/all.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: first}
data:
  kept: |+
    a
---
apiVersion: v1
kind: ConfigMap
metadata: {name: last}
data:
  clipped: |
    a
  kept: |+
    a
=== repo/web@1.0.0/templates/hook.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: hook, annotations: {helm.sh/hook: pre-install}}
data:
  kept: |+
    a
=== profile
layers: [{name: web, chart: {repository: https://charts.example.com, name: web, version: 1.0.0}}]
";
    assert_snapshot!(values(world), @r#"
        hook: {"kept":"a\n"}
        first: {"kept":"a\n"}
        last: {"clipped":"a\n","kept":"a\n\n"}
        "#);
}

#[test]
fn charts_of_packs_must_be_what_the_manifest_says() {
    let pack = |charts: &str, files: &str| {
        reported(&format!(
            "=== profile\nlayers: [{{name: one, pack: shop, version: ^1}}]\n=== shop@1.0.0/pack.yaml\nlayer: addon\nnamespace: shop\ncharts: {charts}\n=== shop@1.0.0/charts/web/Chart.yaml\n{{apiVersion: v2, name: web, version: 1.0.0}}\n{files}"
        ))
    };
    assert_snapshot!(pack("[{name: api}]", ""), @"
        error[chart-missing] the chart `api` is not in `charts/`
          at shop@1.0.0/pack.yaml:7:19
          hint: put its folder or archive there, or add the `repository` it is fetched from
        ");
    assert_snapshot!(pack("[{name: api, repository: \"https://charts.example.com\", version: ^1}]", ""), @"
        error[chart-missing] the chart `api` is not in `charts/`
          at shop@1.0.0/pack.yaml:7:19
          hint: `cairn pack build` fetches it; `cairn pack push` does that too
        ");
    assert_snapshot!(pack("[{name: web, version: ^2}]", ""), @"
        error[chart-version] the chart `web` in `charts/` is of version 1.0.0
          at shop@1.0.0/pack.yaml:7:33
          hint: remove the chart from `charts/` to have it fetched, or correct the version
        ");
    assert_snapshot!(pack("[{name: web, digest: \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"}]", ""), @"
        error[chart-digest] the chart `web` in `charts/` is a folder, which has no digest
          at shop@1.0.0/pack.yaml:7:32
          hint: do not use it unless you know where it came from
        ");
    assert_snapshot!(pack("[]", "=== shop@1.0.0/charts/again/Chart.yaml\n{apiVersion: v2, name: web, version: 1.0.0}\n"), @"
        error[chart-duplicate] `shop@1.0.0` holds two charts called `web`
          hint: remove one of them from `charts/`
        ");
    assert_snapshot!(pack("[]", "=== shop@1.0.0/charts/odd/Chart.yaml\n{apiVersion: v2, name: odd}\n"), @"
        error[chart-metadata] chart.metadata.version is required
          at shop@1.0.0/charts/odd/Chart.yaml:1:1
          hint: correct `version` in `Chart.yaml`
        ");
    assert_snapshot!(pack("[]", "=== shop@1.0.0/charts/odd.tgz\nno archive\n"), @"
        error[chart-archive] `shop@1.0.0/charts/odd.tgz` is neither a chart's folder nor a packed chart
          hint: name the folder that `Chart.yaml` is in, or a `.tgz` of `helm package`
        ");
}

#[test]
fn the_last_line_of_a_document_ends() {
    // Helm cuts white space off what a template prints, and ends it with a line break again.
    let chart = |text: &str| {
        values(&format!(
            "=== profile\nlayers: [{{name: front, namespace: shop, chart: {{repository: https://charts.example.com, name: web, version: ^1}}}}]\n=== repo/web@1.0.0/Chart.yaml\n{{apiVersion: v2, name: web, version: 1.0.0}}\n=== repo/web@1.0.0/templates/config.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web}}\ndata:\n  text: {text}\n    one\n"
        ))
    };
    assert_snapshot!(chart("|"), @r#"
        shop: 
        web: {"text":"one\n"}
        "#);
    assert_snapshot!(chart("|-"), @r#"
        shop: 
        web: {"text":"one"}
        "#);
}

#[test]
fn go_templates_may_give_objects_of_the_cluster_a_namespace() {
    let world = World::new(
        "=== profile\nlayers: [{name: shop, pack: shop, version: ^1}]\n=== shop@1.0.0/templates/role.yaml.gotmpl\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: reader, namespace: {{ .Release.Name }}}\nrules: []\n",
    );
    let build = world.build();
    assert_eq!(findings(&build), "");
    let objects = objects_of(&build);
    let metadata = objects[0].at(&["metadata"]).unwrap().to_json();
    assert_eq!(metadata.to_string(), r#"{"name":"reader"}"#);
}
