//! Whose word an agent takes, and for what.

use anyhow::Result;
use cairn_agent::follow::{AUDIENCE, GENERATION};
use cairn_oci::key;
use cairn_spec::{Artifact, Descriptor, gzip, media_type};

use crate::{
    bundles::shop,
    world::{World, runs, until},
};

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn only_what_is_signed_for_this_cluster_and_newer_is_applied() -> Result<()> {
    World::with(async |world, _registry| {
        let uid = world.cluster_uid()?;
        let here = format!("cluster:{uid}");
        let bundle = |value: &str| shop("example.org/web:1", value);
        let good = world
            .publish(&bundle("a"), &[(AUDIENCE, &here), (GENERATION, "7")])
            .await?;
        let stranger = key::generate()?;
        world
            .agent(async |observed| {
                until(&observed, "the bundle", runs(&good)).await?;
                let refused = async |what: &str| {
                    until(&observed, what, |now| {
                        now.refusal.as_ref().is_some_and(|it| it.contains(what))
                    })
                    .await
                };
                // Replayed: signed for this cluster, once upon a time.
                world
                    .publish(&bundle("b"), &[(AUDIENCE, &here), (GENERATION, "6")])
                    .await?;
                refused("its generation is 6, and 7 was accepted before").await?;
                world
                    .publish(&bundle("c"), &[(AUDIENCE, &here), (GENERATION, "7")])
                    .await?;
                refused("its generation 7 was another bundle's before").await?;
                world.publish(&bundle("d"), &[]).await?;
                refused("no generation was signed with it").await?;
                world
                    .publish(
                        &bundle("e"),
                        &[(AUDIENCE, "cluster:other"), (GENERATION, "8")],
                    )
                    .await?;
                refused("it is for cluster other").await?;
                world.publish(&bundle("f"), &[(GENERATION, "next")]).await?;
                refused("expected a number of 1 or more").await?;
                let annotations = [(AUDIENCE, here.as_str()), (GENERATION, "9")];
                world
                    .publish_as(&bundle("g").artifact()?, Some(&stranger), &annotations)
                    .await?;
                refused("no trusted key has signed it").await?;
                world
                    .publish_as(&bundle("h").artifact()?, None, &[])
                    .await?;
                refused("no trusted key has signed it").await?;
                world
                    .publish_as(
                        &tampered(&bundle("i").artifact()?)?,
                        Some(&world.key),
                        &annotations,
                    )
                    .await?;
                refused("the file that `bundle.json` names").await?;
                world
                    .publish_as(
                        &bomb(&bundle("j").artifact()?)?,
                        Some(&world.key),
                        &annotations,
                    )
                    .await?;
                refused("the manifests of the bundle cannot be unpacked").await?;
                // Nothing of it all was even tried.
                assert_eq!(world.value()?, "a");
                assert_eq!(observed.now().journal.rejected, []);
                let next = world
                    .publish(&bundle("k"), &[(AUDIENCE, &here), (GENERATION, "8")])
                    .await?;
                until(&observed, "the next bundle", runs(&next)).await?;
                assert_eq!(world.value()?, "k");
                Ok(())
            })
            .await
    })
    .await
}

/// The artifact with other content for one of its layers.
fn with_layer(artifact: &Artifact, layer_type: &str, content: &[u8]) -> Result<Artifact> {
    let mut builder = Artifact::builder(media_type::BUNDLE).config(
        media_type::BUNDLE,
        artifact.config().unwrap_or_default().to_vec(),
    );
    for layer in artifact.manifest().layers() {
        let title = layer.annotations.get("org.opencontainers.image.title");
        let title = title.map_or("", String::as_str);
        let bytes = if layer.media_type == layer_type {
            content.to_vec()
        } else {
            artifact.blob(&layer.digest).unwrap_or_default().to_vec()
        };
        builder = builder.file_layer(&layer.media_type, bytes, title);
    }
    Ok(builder.build()?)
}

/// A bundle whose plan was changed after it was built.
fn tampered(artifact: &Artifact) -> Result<Artifact> {
    let plan: &Descriptor = artifact
        .manifest()
        .layers()
        .iter()
        .find(|layer| layer.media_type == media_type::PLAN)
        .expect("it has a plan");
    let text = String::from_utf8(artifact.blob(&plan.digest).unwrap_or_default().to_vec())?;
    with_layer(
        artifact,
        media_type::PLAN,
        text.replace("addon", "csi").as_bytes(),
    )
}

/// A bundle whose manifests are small until they are unpacked: a gigabyte of nothing.
fn bomb(artifact: &Artifact) -> Result<Artifact> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0_u8; 1 << 20];
    for _ in 0..1_024 {
        encoder.write_all(&zeros)?;
    }
    let bytes = encoder.finish()?;
    assert!(bytes.len() < 16 << 20 && !gzip(b"").is_empty());
    with_layer(artifact, media_type::OCI_LAYER_TAR_GZIP, &bytes)
}
