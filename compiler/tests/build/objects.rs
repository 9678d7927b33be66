//! Objects: namespaces, identities, definitions, lists, images.

use std::fmt::Write as _;

use insta::assert_snapshot;

use crate::world::{World, files, objects_of, reported};

#[test]
fn namespaces_are_made_once_and_never_the_systems() {
    let text = "\
=== profile
layers:
- {name: a, pack: a, version: '*'}
- {name: b, pack: a, version: '*', namespace: kube-system}
- {name: c, manifests: [c.yaml], namespace: web}
=== a@1.0.0/pack.yaml
layer: addon
namespace: web
namespaceLabels: {team: shop}
=== a@1.0.0/manifests/x.yaml
{apiVersion: v1, kind: Service, metadata: {name: s}}
=== c.yaml
{apiVersion: v1, kind: Service, metadata: {name: t}}
";
    assert_snapshot!(files(text), @"
    010-a/1-namespace_web.yaml
    010-a/6-service_web_s.yaml
    020-b/6-service_kube-system_s.yaml
    030-c/6-service_web_t.yaml
    ");
    let build = World::new(text).build();
    assert_snapshot!(objects_of(&build)[0].to_json(), @r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"labels":{"team":"shop"},"name":"web"}}"#);
}

#[test]
fn scopes_are_those_of_kubernetes_and_of_definitions() {
    assert_snapshot!(files("\
=== profile
layers:
- {name: a, manifests: [a.yaml], namespace: web}
- {name: b, pack: b, version: '*'}
=== a.yaml
{apiVersion: x.io/v1, kind: Wide, metadata: {name: wide}}
---
{apiVersion: x.io/v1, kind: Narrow, metadata: {name: narrow}}
---
{apiVersion: y.io/v1, kind: Unknown, metadata: {name: unknown}}
---
{apiVersion: y.io/v1, kind: AllowList, metadata: {name: not-a-list}, items: [1]}
---
{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Node, metadata: {name: num}}, {apiVersion: v1, kind: Pod, metadata: {name: p}}]}
=== b@1.0.0/crds/x.yaml
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: wides.x.io}, spec: {group: x.io, scope: Cluster, names: {kind: Wide}}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: narrows.x.io}, spec: {group: x.io, scope: Namespaced, names: {kind: Narrow}}}
"), @"
    010-a/1-namespace_web.yaml
    010-a/6-node_num.yaml
    010-a/6-pod_web_p.yaml
    010-a/7-allowlist.y.io_not-a-list.yaml
    010-a/7-narrow.x.io_web_narrow.yaml
    010-a/7-unknown.y.io_unknown.yaml
    010-a/7-wide.x.io_wide.yaml
    020-b/2-customresourcedefinition_narrows.x.io.yaml
    020-b/2-customresourcedefinition_wides.x.io.yaml
    ");
}

#[test]
fn an_object_has_a_name_a_place_and_no_twin() {
    assert_snapshot!(reported("\
=== profile
layers:
- {name: a, manifests: [a.yaml]}
- {name: b, manifests: [b.yaml], namespace: web}
- {name: c, manifests: [c.yaml]}
=== a.yaml
{apiVersion: v1, kind: Service, metadata: {name: s}}
---
{apiVersion: v1, kind: Node, metadata: {name: s, namespace: web}}
---
{apiVersion: v1, kind: Pod, metadata: {generateName: s-}}
---
[1]
=== b.yaml
{apiVersion: v1, kind: Service, metadata: {name: t}}
---
{apiVersion: v1, kind: Service, metadata: {name: t, namespace: web}}
=== c.yaml
{apiVersion: v1, kind: Namespace, metadata: {name: web}}
"), @"
    error[object-shape] the object lacks `metadata.name`
      at a.yaml:5:1
      hint: `generateName` makes a new object at every apply: give it a `name`
    error[object-shape] expected a Kubernetes object, found a list
      at a.yaml:7:1
      hint: write `apiVersion`, `kind` and `metadata.name`, or nothing at all
    error[object-namespace] this Service has no namespace, and neither has its layer
      at a.yaml:1:1
      hint: add `metadata.namespace`, or `namespace` to the layer or its pack
    error[object-namespace] a Node belongs to the cluster and cannot have a namespace
      at a.yaml:3:61
      hint: remove `metadata.namespace`
    error[object-duplicate] Service web/t is rendered twice
      at b.yaml:3:1 again here
      at b.yaml:1:1 first here
      hint: give one of them another name or namespace, or turn one off by a value
    error[object-duplicate] Namespace web is rendered twice
      at c.yaml:1:1 again here; an earlier layer needs it, so Cairn makes it
      hint: move it to the first layer that uses the namespace, or leave it out and give the pack `namespaceLabels`
    ");
}

#[test]
fn files_keep_names_apart_that_file_systems_do_not() {
    let mut text = "=== profile\nlayers: [{name: a, manifests: [a.yaml]}]\n=== a.yaml\n".to_owned();
    let long = "x".repeat(250);
    for name in ["system:a", "system-a", "Admin", "admin", "a_b", &long] {
        let _ = writeln!(
            text,
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: '{name}'}}"
        );
    }
    text += "---\n{apiVersion: v1, kind: Event, metadata: {name: e, namespace: default}}\n";
    text += "---\n{apiVersion: events.k8s.io/v1, kind: Event, metadata: {name: e, namespace: default}}\n";
    assert_snapshot!(files(&text), @"
    010-a/3-clusterrole_-dmin-d0f1dbef.yaml
    010-a/3-clusterrole_a_b-52b7a194.yaml
    010-a/3-clusterrole_admin.yaml
    010-a/3-clusterrole_system-a-5b46f826.yaml
    010-a/3-clusterrole_system-a.yaml
    010-a/3-clusterrole_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-839f0734.yaml
    010-a/6-event_default_e-16cfde20.yaml
    010-a/6-event_default_e.yaml
    ");
    assert_snapshot!(reported("\
=== profile
layers: [{name: a, manifests: [a.yaml]}]
=== a.yaml
{apiVersion: v1, kind: Node, metadata: {name: ../../etc}}
"), @r"
    error[object-name] `../../etc` cannot be a name: it must not be `.` or `..`, nor hold `/`, `\` or `%`
      at a.yaml:1:47
      hint: use lower-case letters, digits, `-` and `.`
    ");
}

#[test]
fn a_patch_that_makes_two_objects_one_is_refused() {
    assert_snapshot!(reported("\
=== profile
layers: [{name: a, manifests: [a.yaml], namespace: default}]
patches: [{target: {name: s}, type: json6902, patch: [{op: replace, path: /metadata/name, value: t}]}]
=== a.yaml
{apiVersion: v1, kind: Service, metadata: {name: s}}
---
{apiVersion: v1, kind: Service, metadata: {name: t}}
"), @"
    error[object-duplicate] Service default/t is rendered twice
      at a.yaml:3:1 again here
      at a.yaml:1:1 first here
      hint: give one of them another name or namespace, or turn one off by a value
    ");
}

#[test]
fn broken_layers_are_all_reported_in_one_run() {
    assert_snapshot!(reported("\
=== profile
layers:
- {name: a, pack: a, version: '*'}
- {name: b, pack: b, version: '*'}
- {name: c, pack: c, version: '*'}
- {name: d, manifests: [d.yaml]}
=== a@1.0.0/templates/x.yaml.hbs
{{values.absent}}
=== b@1.0.0/templates/x.yaml.hbs
{{#if}}
=== c@1.0.0/host/steps.yaml
apiVersion: cairn.dev/v1
kind: HostSteps
steps: [{name: a, module: x, unit: {name: yy}}, {name: a, file: {path: /x, source: z}}]
=== d.yaml
{kind: Pod}
"), @"
    error[template-helper] `if` takes 1 argument, found 0
      at b@1.0.0/templates/x.yaml.hbs:1:1
    error[template-syntax] `{{#if}}` is never closed
      at b@1.0.0/templates/x.yaml.hbs:1:1
      hint: add `{{/if}}` where the block ends
    error[template-undefined] `values` has no key `absent`
      at a@1.0.0/templates/x.yaml.hbs:1:10
      hint: name it in `values.yaml`, or read it with `get` if it may be absent
    error[host-step] host step `a` has 2 actions
      at c@1.0.0/host/steps.yaml:3:16
      hint: give it exactly one of `file`, `sysctl`, `module`, `package`, `unit` and `command`
    error[host-step] host step `a` puts `z` in place, which the pack does not have under `host/`
      at c@1.0.0/host/steps.yaml:3:84
    error[host-step] there are two host steps `a`
      at c@1.0.0/host/steps.yaml:3:56
      hint: give each step a name of its own
    error[object-shape] the object lacks `apiVersion` and `metadata.name`
      at d.yaml:1:1
      hint: every Kubernetes object needs `apiVersion`, `kind` and `metadata.name`, each a non-empty text
    ");
}
