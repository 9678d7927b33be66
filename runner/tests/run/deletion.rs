//! What is being deleted, and what that holds up.

use std::time::Duration;

use anyhow::Result;
use cairn_runner::{
    bundle::Secrets,
    health::Status,
    inventory::Identity,
    run::{Outcome, Progress, RunError, apply},
};
use cairn_spec::ObjectId;
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

use crate::world::{Layers, World, config_map, definition, deployment, namespace, thing};

/// So long what is stuck is waited for where it is known to be stuck.
const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(30);
const HOLD: &str = r#"--patch={"metadata":{"finalizers":["example.dev/hold"]}}"#;
const RELEASE: &str = r#"--patch={"metadata":{"finalizers":null}}"#;

fn identity(object: &Json) -> Identity {
    let text = |pointer: &str| object.pointer(pointer).and_then(Json::as_str);
    Identity::from(&ObjectId {
        api_version: text("/apiVersion").unwrap_or_default().to_owned(),
        kind: text("/kind").unwrap_or_default().to_owned(),
        namespace: None,
        name: text("/metadata/name").unwrap_or_default().to_owned(),
    })
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn what_is_needed_by_finalizers_goes_last() -> Result<()> {
    let mut world = World::new().await?;
    let things = definition("Thing", &["v1"]);
    let layers = Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with("base", "custom-resource-definitions", things.clone())
        .with("web", "configuration", config_map("settings", "a"))
        .with("web", "custom-resources", thing("one", 1));
    world.apply(&layers).await?;
    world.approved = [identity(&namespace("shop")), identity(&things)].into();
    world.kubectl(&format!("patch things -n shop one --type=merge {HOLD}"))?;
    world.deletion_timeout = SHORT;
    assert_snapshot!(world.uninstall().await?, @"
    Thing shop/one: being deleted
    ConfigMap shop/settings: deleted
    CustomResourceDefinition things.example.dev: kept: R4: Thing shop/one is still there
    Namespace shop: kept: R4: there are still objects in the namespace
    ");
    world.kubectl(&format!("patch things -n shop one --type=merge {RELEASE}"))?;
    world.deletion_timeout = LONG;
    assert_snapshot!(world.uninstall().await?, @"
    Thing shop/one: let go: it is gone already
    CustomResourceDefinition things.example.dev: deleted
    Namespace shop: deleted
    ");
    assert!(world.kubectl("get namespace shop").is_err());
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_namespace_that_is_being_deleted_is_waited_for_and_made_anew() -> Result<()> {
    let mut world = World::new().await?;
    let layers = Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with("base", "configuration", config_map("settings", "a"));
    world.apply(&layers).await?;
    world.kubectl(&format!(
        "patch configmap -n shop settings --type=merge {HOLD}"
    ))?;
    let before = world.uid("namespace shop")?;
    world.kubectl("delete namespace shop --wait=false")?;
    world.deletion_timeout = SHORT;
    let error = world.apply(&layers).await.unwrap_err();
    assert_snapshot!(error, @"Namespace shop is being deleted and does not go: something must finish what its finalizers ask for");
    world.kubectl(&format!(
        "patch configmap -n shop settings --type=merge {RELEASE}"
    ))?;
    world.deletion_timeout = LONG;
    world.apply(&layers).await?;
    assert_ne!(world.uid("namespace shop")?, before);
    assert!(world.kubectl("get configmap -n shop settings").is_ok());
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn nothing_is_decided_while_somebody_deletes_the_definition() -> Result<()> {
    let world = World::new().await?;
    let theirs = tempfile::NamedTempFile::new()?;
    std::fs::write(&theirs, definition("Thing", &["v1"]).to_string())?;
    world.kubectl(&format!("create -f {}", theirs.path().display()))?;
    world.kubectl("wait crd things.example.dev --for=condition=Established --timeout=30s")?;
    let base = || Layers::default().with("base", "namespaces", namespace("shop"));
    let layers = base().with("base", "custom-resources", thing("one", 1));
    world.apply(&layers).await?;
    world.kubectl(&format!("patch things -n shop one --type=merge {HOLD}"))?;
    world.kubectl("delete crd things.example.dev --wait=false")?;
    assert_snapshot!(world.apply(&base()).await?, @"Thing shop/one: kept: R6: its API group cannot be read");
    world.kubectl(&format!("patch things -n shop one --type=merge {RELEASE}"))?;
    world.kubectl("wait crd things.example.dev --for=delete --timeout=30s")?;
    assert_snapshot!(world.apply(&base()).await?, @"Thing shop/one: let go: it is gone already");
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_webhook_comes_when_its_backend_is_ready() -> Result<()> {
    let world = World::new().await?;
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "shop"},
        "webhooks": [{
            "name": "shop.example.dev", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "failurePolicy": "Ignore",
            "clientConfig": {"service": {"name": "web", "namespace": "shop"}},
            "rules": [{
                "apiGroups": ["example.dev"], "apiVersions": ["*"], "operations": ["CREATE"],
                "resources": ["things"],
            }],
        }],
    });
    let layers = Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with(
            "web",
            "workloads",
            deployment("web", "example.org/web:1-slow"),
        )
        .with("web", "admission", webhook);
    let (bundle, digest) = layers.bundle()?;
    let mut events = Vec::new();
    let mut tell = |progress: Progress<'_>| match progress {
        Progress::Applied {
            object,
            outcome: Outcome::Created,
            ..
        } => events.push(format!("{} is there", object.kind)),
        Progress::Health {
            object, verdict, ..
        } if verdict.status == Status::Current => {
            events.push(format!("{} is healthy", object.kind));
        }
        _ => {}
    };
    let secrets = Secrets::default();
    let options = world.options(&secrets);
    let _ = apply(
        &world.cluster,
        &bundle,
        (&digest, false),
        &options,
        &mut tell,
    )
    .await?;
    let of_web: Vec<String> = events
        .into_iter()
        .skip_while(|it| it.contains("Namespace"))
        .collect();
    assert_snapshot!(of_web.join("\n"), @"
    Deployment is there
    Deployment is healthy
    ValidatingWebhookConfiguration is there
    ");
    // Nobody may see a conflict where there is none.
    let again = apply(
        &world.cluster,
        &bundle,
        (&digest, false),
        &options,
        &mut |_| {},
    )
    .await;
    assert!(!matches!(again, Err(RunError::Foreign { .. })), "{again:?}");
    Ok(())
}
