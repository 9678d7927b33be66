//! What is Cairn's and what is not.

use anyhow::Result;
use cairn_runner::run::{Adoption, RunError};
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
        world.apply(&one("base", "a")).await?;
        assert!(
            world.kubectl("get configmap -n shop second").is_ok(),
            "{damage}"
        );
    }
    Ok(())
}
