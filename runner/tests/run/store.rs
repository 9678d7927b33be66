//! Bundles that a cluster keeps.

use std::{collections::BTreeSet, io::Read as _};

use anyhow::{Context as _, Result};
use cairn_runner::{
    bundle::Blobs as _,
    run::{RunError, store},
};
use serde_json::json;

use crate::world::{Layers, World, config_map};

/// A bundle that does not fit into one chunk: digests of digests cannot be made small.
fn large() -> Layers {
    let mut noise = String::new();
    while noise.len() < 3_000_000 {
        let last = noise.get(noise.len().saturating_sub(64)..).unwrap_or("");
        noise.push_str(cairn_spec::Digest::sha256(last.as_bytes()).hex());
    }
    Layers::default().with("base", "configuration", config_map("noise", &noise))
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn bundles_are_kept_whole_and_forgotten() -> Result<()> {
    let world = World::new().await?;
    let large = large().artifact()?;
    let other = Layers::default()
        .with("base", "configuration", config_map("other", "x"))
        .artifact()?;
    for _ in 0..2 {
        store::keep(&world.cluster, &large).await?;
        store::keep(&world.cluster, &other).await?;
    }
    let names = "get secrets -n cairn-system -o name";
    let secrets = world.kubectl(names)?.lines().count();
    assert!(secrets > 4, "{secrets} secrets");
    for artifact in [&large, &other] {
        let kept = store::load(&world.cluster, artifact.digest()).await?;
        let kept = kept.context("it is not kept")?;
        assert_eq!(kept.manifest(), artifact.manifest());
        for blob in artifact.blobs() {
            let mut bytes = Vec::new();
            kept.open(blob.descriptor())?.read_to_end(&mut bytes)?;
            assert!(bytes == blob.bytes(), "{:?}", blob.descriptor());
        }
    }
    assert_eq!(store::kept(&world.cluster).await?.len(), 2);

    // A chunk that was lost is noticed, and brought back.
    let all =
        world.kubectl("get secrets -n cairn-system -l cairn.dev/bundle-store=chunk -o name")?;
    let of_large = format!("cairn-bundle-{}", large.digest().short());
    let chunk = all.lines().find(|name| name.contains(&of_large));
    world.kubectl(&format!(
        "delete -n cairn-system {}",
        chunk.unwrap_or_default()
    ))?;
    let lost = store::load(&world.cluster, large.digest()).await;
    assert!(matches!(lost, Err(RunError::Store(_))), "{lost:?}");
    store::keep(&world.cluster, &large).await?;
    assert!(store::load(&world.cluster, large.digest()).await?.is_some());

    // Without its head, a bundle is not kept; what is left of it goes.
    let head = format!("cairn-bundle-{}", large.digest().hex());
    world.kubectl(&format!("delete secret -n cairn-system {head}"))?;
    assert!(store::load(&world.cluster, large.digest()).await?.is_none());
    let kept = BTreeSet::from([other.digest().clone()]);
    store::forget_all_but(&world.cluster, &kept).await?;
    assert_eq!(store::kept(&world.cluster).await?, kept);
    assert_eq!(world.kubectl(names)?.lines().count(), 2);

    // What is not the bundle that its digest names is not given out.
    let head = format!("cairn-bundle-{}", other.digest().hex());
    let of_large = json!({"metadata": {"annotations": {"cairn.dev/bundle": large.digest()}}});
    let patch = of_large.to_string();
    world.kubectl(&format!(
        "patch secret -n cairn-system {head} --patch={patch}"
    ))?;
    store::forget_all_but(&world.cluster, &kept).await?;
    assert!(store::load(&world.cluster, other.digest()).await?.is_none());
    Ok(())
}
