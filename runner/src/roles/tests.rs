//! The rights that small bundles need.

use insta::assert_snapshot;

use super::{Plurals, Rights};
use crate::bundle::{
    BundleReader,
    tests::{Manifest, files},
};

/// The rights that a bundle of these objects needs, a line a rule.
fn rights(manifests: &[(&str, &str)]) -> String {
    let paths: Vec<String> = (0..manifests.len())
        .map(|it| format!("{it}.yaml"))
        .collect();
    let manifests: Vec<Manifest<'_>> = manifests
        .iter()
        .zip(&paths)
        .map(|((stage, text), path)| ("web", *stage, path.as_str(), (*text).to_owned()))
        .collect();
    let bundle = BundleReader::read(&files(&manifests, |_| {})).unwrap();
    let rights = Rights::of(&[bundle], &Plurals::default()).unwrap();
    let places = [("cluster".to_owned(), &rights.cluster)];
    let places = places.into_iter().chain(
        rights
            .namespaces
            .iter()
            .map(|(name, rules)| (name.clone(), rules)),
    );
    let mut lines = Vec::new();
    for (place, rules) in places {
        lines.extend(rules.iter().map(|rule| {
            format!(
                "{place}: {} {}/{} {:?}",
                rule.verbs.join(","),
                rule.api_groups.join(","),
                rule.resources.join(","),
                rule.resource_names,
            )
        }));
    }
    let brought: Vec<&String> = rights.brought.keys().collect();
    lines.push(format!("brought {brought:?}, guessed {:?}", rights.guessed));
    lines.join("\n")
}

const NAMESPACE: (&str, &str) = (
    "namespaces",
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
);

#[test]
fn objects_of_a_namespace_are_allowed_by_kind_and_those_of_the_cluster_by_name() {
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop}\n";
    assert_snapshot!(rights(&[NAMESPACE, ("configuration", config)]), @r#"
    cluster: list,watch /namespaces []
    cluster: create,delete,get,patch /namespaces ["shop"]
    shop: create,delete,get,list,patch,watch /configmaps []
    brought ["shop"], guessed {}
    "#);
}

#[test]
fn workloads_are_waited_for_by_their_pods() {
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n";
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: d, namespace: shop}\nspec: {storageClassName: fast}\n";
    assert_snapshot!(rights(&[("configuration", claim), ("workloads", web)]), @r#"
    cluster: get,list storage.k8s.io/storageclasses []
    shop: create,delete,get,list,patch,watch /persistentvolumeclaims []
    shop: get /pods/log []
    shop: list,watch /pods []
    shop: create,delete,get,list,patch,watch apps/deployments []
    shop: list,watch apps/controllerrevisions,replicasets []
    brought [], guessed {}
    "#);
}

#[test]
fn only_the_roles_of_the_bundle_may_be_more_than_the_agent_is() {
    let role =
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: reader}\n";
    let binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b, namespace: shop}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}\n";
    assert_snapshot!(rights(&[("cluster-scope", role), ("access", binding)]), @r#"
    cluster: list apiextensions.k8s.io/customresourcedefinitions []
    cluster: list,watch rbac.authorization.k8s.io/clusterroles []
    cluster: create,delete,escalate,get,patch rbac.authorization.k8s.io/clusterroles ["reader"]
    shop: create,delete,get,list,patch,watch rbac.authorization.k8s.io/rolebindings []
    shop: bind rbac.authorization.k8s.io/clusterroles ["view"]
    brought [], guessed {}
    "#);
}

#[test]
fn custom_resources_are_called_as_their_definitions_say() {
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gates.x.io}\nspec: {group: x.io, names: {kind: Gateway, plural: gates}}\n";
    let known = "apiVersion: x.io/v1\nkind: Gateway\nmetadata: {name: g, namespace: shop}\n";
    let unknown = "apiVersion: y.io/v1\nkind: Policy\nmetadata: {name: p}\n";
    assert_snapshot!(rights(&[
        ("custom-resource-definitions", definition),
        ("custom-resources", known),
        ("custom-resources", unknown),
    ]), @r#"
    cluster: list,watch apiextensions.k8s.io/customresourcedefinitions []
    cluster: create,delete,get,patch apiextensions.k8s.io/customresourcedefinitions ["gates.x.io"]
    cluster: get apiextensions.k8s.io/customresourcedefinitions ["policies.y.io"]
    cluster: list,watch y.io/policies []
    cluster: create,delete,get,patch y.io/policies ["p"]
    shop: create,delete,get,list,patch,watch x.io/gates []
    brought [], guessed {"Policy.y.io": "policies"}
    "#);
}
