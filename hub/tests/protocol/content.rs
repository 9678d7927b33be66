//! Content: the bundles of an agent's own desired state, whole or in part, and nothing else.

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;
use cairn_hub::{ContentError, ContentSource};
use cairn_oci::{
    MemoryStore,
    keyring::seal_desired_state,
    store::{Fetch as _, Name, Resolve as _, fetch_manifest, push_artifact},
};
use cairn_spec::{Artifact, Descriptor, Manifest, agent::BundleSource};
use futures_util::{StreamExt as _, stream::BoxStream};
use http::{Method, StatusCode, header};
use tokio_util::io::ReaderStream;

use crate::{
    simulated::{Agent, read},
    world::{World, cluster},
};

/// Bundles in memory.
#[derive(Debug)]
struct InMemory(MemoryStore);

#[async_trait]
impl ContentSource for InMemory {
    async fn manifest(&self, bundle: &BundleSource) -> Result<Manifest, ContentError> {
        let failed = |source| ContentError {
            repository: bundle.repository.clone(),
            source,
        };
        let name = Name::Digest(bundle.digest.clone());
        let descriptor = self.0.resolve(&name).await;
        let descriptor = descriptor.map_err(|error| failed(error.into()))?;
        let read = fetch_manifest(&self.0, &descriptor).await;
        read.map_err(|error| failed(error.into()))
    }

    async fn blob(
        &self,
        bundle: &BundleSource,
        blob: &Descriptor,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, ContentError> {
        let reader = self.0.fetch(blob).await.map_err(|error| ContentError {
            repository: bundle.repository.clone(),
            source: error.into(),
        })?;
        Ok(ReaderStream::with_capacity(reader, 7).boxed())
    }
}

/// A GET of content, with a part that is wanted.
async fn get(agent: &mut Agent, digest: &str, range: Option<&str>) -> Result<(StatusCode, Bytes)> {
    let path = format!("/agent/v1/content/{digest}");
    let headers: Vec<_> = range
        .into_iter()
        .map(|range| (header::RANGE, range))
        .collect();
    let claims = agent.claims(&Method::GET, &path, b"");
    let proof = cairn_oci::request_token::Proof::Certificate(&agent.certificate);
    let token = cairn_oci::request_token::sign(&agent.key, &claims, proof)?;
    let sent = agent.send((Method::GET, &path), Bytes::new(), Some(token), &headers);
    read(sent.await?).await
}

fn bundle(content: &str) -> Result<Artifact> {
    Ok(Artifact::builder("application/vnd.cairn.bundle.v1+json")
        .layer("text/plain", content.as_bytes().to_vec())
        .build()?)
}

/// A hub whose registry has some bundles.
async fn stocked() -> Result<(World, [Artifact; 4])> {
    let store = MemoryStore::new();
    let bundles = [
        bundle("the first of them")?,
        bundle("the second")?,
        bundle("the third")?,
        bundle("not for you")?,
    ];
    for artifact in &bundles {
        push_artifact(&store, artifact).await?;
    }
    let world = World::with(|config| World::content(config, InMemory(store))).await?;
    Ok((world, bundles))
}

#[tokio::test]
async fn an_agent_fetches_what_its_desired_state_names_and_nothing_else() -> Result<()> {
    let (world, [first, second, third, foreign]) = stocked().await?;
    let mut agent = world.joined("cluster-1").await?;
    let offer = async |uid: &str, generation, artifact: &Artifact| -> Result<()> {
        let mut state = world.state(cluster(uid), generation);
        state.bundle.digest = artifact.digest().clone();
        world
            .hub
            .offer(seal_desired_state(&state, [&world.key])?)
            .await?;
        Ok(())
    };
    let layer = |artifact: &Artifact| artifact.manifest().layers()[0].digest.to_string();
    assert_eq!(
        get(&mut agent, &layer(&first), None).await?.0,
        StatusCode::NOT_FOUND
    );
    offer("cluster-1", 1, &first).await?;
    offer("cluster-2", 1, &foreign).await?;
    let manifest = get(&mut agent, first.digest().as_str(), None).await?;
    assert_eq!(
        manifest,
        (
            StatusCode::OK,
            Bytes::copy_from_slice(first.manifest().bytes())
        )
    );
    let whole = get(&mut agent, &layer(&first), None).await?;
    assert_eq!(
        whole,
        (StatusCode::OK, Bytes::from_static(b"the first of them"))
    );
    for (range, part) in [
        ("bytes=4-8", "first"),
        ("bytes=10-", "of them"),
        ("bytes=10-99", "of them"),
        ("bytes=0-0", "t"),
    ] {
        let found = get(&mut agent, &layer(&first), Some(range)).await?;
        assert_eq!(
            found,
            (
                StatusCode::PARTIAL_CONTENT,
                Bytes::from_static(part.as_bytes())
            ),
            "{range}"
        );
    }
    let beyond = get(&mut agent, &layer(&first), Some("bytes=17-")).await?;
    assert_eq!(beyond.0, StatusCode::RANGE_NOT_SATISFIABLE);
    for digest in [
        foreign.digest().as_str(),
        &layer(&foreign),
        "sha256:0",
        "..%2f..%2fsecret",
    ] {
        assert_eq!(
            get(&mut agent, digest, None).await?.0,
            StatusCode::NOT_FOUND,
            "{digest}"
        );
    }
    // The one before is served a while longer, for those who are at it still.
    offer("cluster-1", 2, &second).await?;
    for artifact in [&first, &second] {
        assert_eq!(
            get(&mut agent, &layer(artifact), None).await?.0,
            StatusCode::OK
        );
    }
    offer("cluster-1", 3, &third).await?;
    assert_eq!(
        get(&mut agent, first.digest().as_str(), None).await?.0,
        StatusCode::NOT_FOUND
    );
    world.stop().await
}
