//! What may not be done is known before anything is done.

use anyhow::{Context as _, Result, ensure};
use insta::assert_snapshot;

use crate::world::{DENIED, World};

const SHOP: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {a: b}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: example.org/web:1}]
";

/// A role that may do all that the bundle needs, but for what is to do with Deployments.
const ROLES: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: memory}
rules:
- {apiGroups: [''], resources: [namespaces], verbs: [get, patch, create], resourceNames: [kube-system, cairn-system]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: memory}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: memory}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: all, namespace: cairn-system}
rules:
- {apiGroups: ['', coordination.k8s.io], resources: [configmaps, secrets, leases], verbs: ['*']}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: all, namespace: cairn-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: all}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: settings, namespace: shop}
rules:
- {apiGroups: [''], resources: [configmaps], verbs: [get, list, watch, create, patch]}
- {apiGroups: [''], resources: [pods], verbs: [list, watch]}
- {apiGroups: [apps], resources: [replicasets, controllerrevisions], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: settings, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: settings}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}]
";

const DEPLOYMENTS: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: web, namespace: shop}
rules:
- {apiGroups: [apps], resources: [deployments], verbs: [list, watch]}
- {apiGroups: [apps], resources: [deployments], verbs: [get, patch, create], resourceNames: [web]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ann}]
";

impl World {
    /// A kubeconfig of somebody who may do only what they are given.
    pub(crate) fn kubeconfig_of(&self, user: &str) -> Result<String> {
        let admin = std::fs::read_to_string(self.server.kubeconfig())?;
        let mut config: serde_json::Value = serde_yaml::from_str(&admin)?;
        config["users"][0]["user"]["as"] = user.into();
        let name = format!("{user}.kubeconfig");
        self.sandbox.write(&name, config.to_string())?;
        Ok(name)
    }

    fn grant(&self, roles: &str) -> Result<()> {
        self.sandbox.write("roles.yaml", roles)?;
        let path = self.sandbox.path().join("roles.yaml");
        self.kubectl(&format!("apply -f {}", path.display()))?;
        Ok(())
    }
}

#[test]
#[ignore = "needs kube, kubectl"]
fn missing_rights_are_in_the_plan_and_nothing_is_applied_without_them() -> Result<()> {
    let world = World::new()?;
    world.kubectl("create namespace shop")?;
    world.kubectl("create namespace cairn-system")?;
    let ann = world.kubeconfig_of("ann")?;
    let bundle = world.bundle("shop", &[("web", SHOP)])?;
    let nothing = world.ends(&format!("plan {bundle} --kubeconfig {ann}"), DENIED)?;
    ensure!(
        nothing.stdout.contains("! get namespaces: kube-system\n")
            && nothing
                .stdout
                .contains("! patch deployments.apps in namespace shop: web\n"),
        "{}",
        nothing.stdout
    );

    world.grant(ROLES)?;
    let plan = world.ends(&format!("plan {bundle} --kubeconfig {ann}"), DENIED)?;
    assert_snapshot!(plan.stdout, @r#"
    web
      + ConfigMap shop/settings
      ! Deployment shop/web: deployments.apps is forbidden: User "ann" cannot list resource "deployments" in API group "apps" in the namespace "shop"
    rights that are missing
      ! create deployments.apps in namespace shop: web
      ! get deployments.apps in namespace shop: web
      ! list deployments.apps in namespace shop
      ! patch deployments.apps in namespace shop: web
      ! watch deployments.apps in namespace shop
    1 to create, 0 to change, 0 to recreate, 0 to delete, 0 unchanged
    1 refused: the run would fail
    "#);
    let events = world.events(&format!("apply {bundle} --kubeconfig {ann}"), DENIED)?;
    let failed = events.last().context("no events")?;
    assert_eq!(events.len(), 1);
    assert_eq!(failed["missingRights"].as_array().map(Vec::len), Some(5));
    ensure!(world.kubectl("get configmap -n shop settings").is_err());

    world.grant(DEPLOYMENTS)?;
    world.ok(&format!("apply {bundle} --kubeconfig {ann}"))?;
    let status = world.ok(&format!("status --kubeconfig {ann}"))?;
    ensure!(status.contains("2/2"), "{status}");
    let denied = world.ends(&format!("uninstall --kubeconfig {ann}"), DENIED)?;
    assert_snapshot!(denied.stderr, @r"
      delete configmaps in namespace shop: settings
      delete deployments.apps in namespace shop: web
    error: 2 rights are missing
    hint: nothing was begun
    ");
    world.kubectl("get deployment -n shop web")?;
    Ok(())
}
