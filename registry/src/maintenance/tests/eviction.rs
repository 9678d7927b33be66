//! What came from an upstream leaves when nobody asks for it, and stays when a client pushed it.

use bytes::Bytes;
use cairn_spec::{Digest, RepositoryName};

use super::world::{GRACE_S, World, content, holds, image, index, name, push, push_blob};
use crate::{
    UntaggedManifests,
    service::{ManifestPush, Reference, Registry},
};

const TTL_S: u64 = 10 * GRACE_S;

fn world() -> World {
    let mut world = World::new();
    world.gc.untagged_manifests = UntaggedManifests::Keep;
    world.gc.upstream_ttl_s = TTL_S;
    world
}

/// Stores a manifest as one of an upstream, under a tag or none.
async fn pull(
    registry: &Registry,
    repository: &RepositoryName,
    bytes: &Bytes,
    tag: Option<&str>,
) -> Digest {
    let digest = Digest::sha256(bytes);
    let push = ManifestPush {
        repository: repository.clone(),
        reference: Reference::Digest(digest.clone()),
        tags: tag.map(|tag| tag.parse().unwrap()).into_iter().collect(),
        content_type: None,
        bytes: bytes.clone(),
        upstream: Some("hub".to_owned()),
    };
    registry.push_manifest(push).await.unwrap().digest
}

/// Passes of a collector while time goes by.
async fn spend(world: &World, seconds: u64) {
    for _ in 0..seconds.div_ceil(GRACE_S) {
        world.clock.advance(GRACE_S + 1);
        world.collect().await.unwrap();
    }
}

#[tokio::test]
async fn what_nobody_asks_for_goes_with_its_tags_and_its_blobs() {
    let world = world();
    let registry = world.registry();
    let (a, layer) = (name("a"), content("layer"));
    let (here, elsewhere) = (image(&layer, "1", None), image(&content("b"), "2", None));
    // Of an index, only what was asked for is here.
    let both = index(&[&here, &elsewhere]);
    let both = pull(&registry, &a, &both, Some("v1")).await;
    let here = pull(&registry, &a, &here, None).await;
    push_blob(&registry, &a, &layer).await.unwrap();
    let fixed = pull(&registry, &a, &image(&layer, "3", None), None).await;
    spend(&world, TTL_S / 2).await;
    assert!(holds(&registry, &a, &both).await);
    spend(&world, TTL_S - 2 * GRACE_S).await;
    // Asking for it was using it; nobody asked for the other one.
    let tag = Reference::Tag("v1".parse().unwrap());
    let stored = registry.manifest(&a, &tag).await.unwrap();
    assert_eq!(stored.digest, both);
    assert!(holds(&registry, &a, &here).await);
    assert!(!holds(&registry, &a, &fixed).await);
    spend(&world, 2 * TTL_S).await;
    assert!(registry.manifest(&a, &tag).await.is_err());
    spend(&world, 2 * TTL_S).await;
    assert!(!holds(&registry, &a, &both).await && !holds(&registry, &a, &here).await);
    spend(&world, 3 * GRACE_S).await;
    assert!(registry.blob(&a, &Digest::sha256(&layer)).await.is_err());
    world.assert_clean().await;
}

#[tokio::test]
async fn what_a_client_pushed_or_tagged_stays() {
    let world = world();
    let registry = world.registry();
    let (a, layer) = (name("a"), content("layer"));
    push_blob(&registry, &a, &layer).await.unwrap();
    let (pushed, tagged) = (image(&layer, "1", None), image(&layer, "2", None));
    pull(&registry, &a, &pushed, Some("theirs")).await;
    pull(&registry, &a, &tagged, Some("moved")).await;
    let pushed = push(&registry, &a, &pushed, None).await.unwrap();
    let tagged = push(&registry, &a, &tagged, Some("ours")).await.unwrap();
    spend(&world, 3 * TTL_S).await;
    assert!(holds(&registry, &a, &pushed).await && holds(&registry, &a, &tagged).await);
    let ours = Reference::Tag("ours".parse().unwrap());
    assert_eq!(registry.manifest(&a, &ours).await.unwrap().digest, tagged);
    assert!(registry.blob(&a, &Digest::sha256(&layer)).await.is_ok());
    world.assert_sound().await;
}
