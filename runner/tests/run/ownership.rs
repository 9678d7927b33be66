//! What is Cairn's and what is not.

use anyhow::Result;
use cairn_runner::{
    inventory::Identity,
    run::{Adoption, RunError},
};
use insta::assert_snapshot;

use crate::world::{Layers, World, config_map, namespace};

fn one(layer: &'static str, value: &str) -> Layers {
    Layers::default()
        .with("base", "namespaces", namespace("shop"))
        .with(layer, "configuration", config_map("settings", value))
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn an_object_that_moves_between_layers_is_the_same_one() -> Result<()> {
    let world = World::new().await?;
    world.apply(&one("old", "a")).await?;
    let before = world.uid("configmap -n shop settings")?;
    assert_snapshot!(world.apply(&one("new", "a")).await?, @"Configured ConfigMap shop/settings");
    assert_eq!(world.uid("configmap -n shop settings")?, before);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn what_is_somebody_elses_is_left_or_taken_over_as_asked() -> Result<()> {
    let mut world = World::new().await?;
    world.kubectl("create namespace shop")?;
    world.kubectl("create configmap -n shop settings --from-literal=value=theirs")?;
    let error = world.apply(&one("base", "ours")).await.unwrap_err();
    assert!(matches!(error, RunError::Foreign { .. }), "{error}");
    world.adoption = Adoption::Skip;
    assert_snapshot!(world.apply(&one("base", "skipped")).await?, @"
    Skipped Namespace shop
    Skipped ConfigMap shop/settings
    ");
    assert!(
        world
            .kubectl("get configmap -n shop settings -o yaml")?
            .contains("theirs")
    );
    world.adoption = Adoption::Adopt;
    assert_snapshot!(world.apply(&one("base", "adopted")).await?, @"
    Configured Namespace shop
    Configured ConfigMap shop/settings
    ");
    assert!(
        world
            .kubectl("get configmap -n shop settings -o yaml")?
            .contains("adopted")
    );
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn nothing_is_pruned_by_an_inventory_that_was_lost_or_damaged() -> Result<()> {
    let world = World::new().await?;
    let two = one("base", "a").with("base", "configuration", config_map("second", "b"));
    for damage in [
        "delete configmap -n cairn-system cairn-inventory-base",
        "annotate configmap -n cairn-system cairn-inventory-base cairn.dev/inventory={} --overwrite",
        r#"patch configmap -n cairn-system cairn-inventory-base --patch={"binaryData":{"entries.jsonl.gz":"YQ=="}}"#,
    ] {
        world.apply(&two).await?;
        world.kubectl(damage)?;
        let kept = world.apply(&one("base", "a")).await?;
        let r8 = "ConfigMap shop/second: kept until approved: R8: the inventory was lost, and this was found by its label";
        assert!(kept.lines().any(|line| line == r8), "{damage}: {kept}");
        assert!(world.kubectl("get configmap -n shop second").is_ok());
        // What was found again is known for sure after a bundle was applied.
        let pruned = world.apply(&one("base", "a")).await?;
        assert_eq!(pruned, "ConfigMap shop/second: deleted", "{damage}");
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn layers_that_nobody_remembers_are_found_by_their_labels_and_asked_about() -> Result<()> {
    let mut world = World::new().await?;
    let both = one("base", "a").with("web", "configuration", config_map("extra", "b"));
    world.apply(&both).await?;
    // Who copies labels has objects of their own.
    let part_of = r"get configmap -n shop extra -o jsonpath={.metadata.labels.applyset\.kubernetes\.io/part-of}";
    let set = world.kubectl(part_of)?;
    world.kubectl("create configmap -n shop copied --from-literal=a=b")?;
    let label = format!("label configmap -n shop copied applyset.kubernetes.io/part-of={set}");
    world.kubectl(&label)?;

    // The inventory is gone, and the next bundle does not have the layer.
    world.kubectl("delete configmap -n cairn-system cairn-inventory-web")?;
    let asks = "kept until approved: R8: the inventory was lost, and this was found by its label";
    for _ in 0..2 {
        let asked = world.apply(&one("base", "a")).await?;
        assert_eq!(asked, format!("ConfigMap shop/extra: {asks}"));
    }
    world.approved = [config_map_of("extra")].into();
    assert_snapshot!(world.apply(&one("base", "a")).await?, @"ConfigMap shop/extra: deleted");
    assert_eq!(world.apply(&one("base", "a")).await?, "");

    // Everything is gone that Cairn remembered, even what the layers were called.
    world.approved.clear();
    world.kubectl("delete configmap -n cairn-system --all")?;
    for _ in 0..2 {
        let asked = world.uninstall().await?;
        assert_eq!(
            asked,
            format!("ConfigMap shop/settings: {asks}\nNamespace shop: {asks}")
        );
    }
    let namespace = Identity {
        kind: "Namespace".to_owned(),
        namespace: None,
        ..config_map_of("shop")
    };
    world.approved = [config_map_of("settings"), namespace].into();
    assert_snapshot!(world.uninstall().await?, @"
    ConfigMap shop/settings: deleted
    Namespace shop: kept: R4: the namespace holds objects of others
    ");
    world.kubectl("delete configmap -n shop copied")?;
    assert_snapshot!(world.uninstall().await?, @"Namespace shop: deleted");
    assert_eq!(world.uninstall().await?, "");
    Ok(())
}

fn config_map_of(name: &str) -> Identity {
    Identity {
        group: String::new(),
        kind: "ConfigMap".to_owned(),
        namespace: Some("shop".to_owned()),
        name: name.to_owned(),
    }
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn nothing_is_pruned_by_an_inventory_of_another_cluster() -> Result<()> {
    let world = World::new().await?;
    let two = one("base", "a").with("base", "configuration", config_map("second", "b"));
    world.apply(&two).await?;
    let get = "get configmap -n cairn-system cairn-inventory-base -o json";
    let mut brought: serde_json::Value = serde_json::from_str(&world.kubectl(get)?)?;
    let uid = world.uid("namespace kube-system")?;
    let header = &mut brought["metadata"]["annotations"]["cairn.dev/inventory"];
    let text = header.as_str().unwrap_or_default();
    assert!(text.contains(&uid));
    *header = text.replace(&uid, "another-cluster").into();
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(&file, brought.to_string())?;
    world.kubectl(&format!("replace -f {}", file.path().display()))?;
    for error in [
        world.apply(&one("base", "a")).await.unwrap_err(),
        world.uninstall().await.unwrap_err(),
    ] {
        let text = error.to_string();
        assert_eq!(text, "the inventory of layer `base` is another cluster's");
    }
    assert!(world.kubectl("get configmap -n shop second").is_ok());
    Ok(())
}
