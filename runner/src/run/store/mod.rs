//! The bundles that a cluster keeps, so that it can go back without anybody's help: the current one,
//! the last good one and the one before, and the candidate.

mod chunks;
mod kept;

use std::collections::BTreeSet;

use cairn_spec::{Artifact, Digest, ObjectId};

use super::{NAMESPACE, RunError, memory};
use crate::{
    bundle::{Bundle, BundleReader},
    cluster::{Cluster, Listed},
};

use chunks::{Head, LABEL, bundle_of, damaged, head_name, is_head, pack, read_chunk, read_head};
pub use chunks::{MAX_CHUNK_BYTES, MAX_KEPT_BYTES, StoreError};
pub use kept::Kept;

/// Keeps a bundle: its artifact as it is, manifest and blobs. One that is kept already is not written
/// again. A run that ends forgets all that the journal does not name.
pub async fn keep(cluster: &Cluster, artifact: &Artifact) -> Result<(), RunError> {
    memory::prepare(cluster).await?;
    let head = secret_id(&head_name(artifact.digest()));
    if is_whole(cluster, artifact.digest()).await? {
        return Ok(());
    }
    // A head that names what is not there would not let itself be changed.
    memory::delete(cluster, &head).await?;
    let mut packing = pack(artifact)?;
    while let Some(chunk) = packing.next_secret(NAMESPACE)? {
        memory::write(cluster, &chunk, "keep the bundle").await?;
    }
    memory::write(cluster, &packing.head(NAMESPACE), "keep the bundle").await
}

/// A bundle that is kept, checked by its digest; none if it is not kept.
pub async fn load(cluster: &Cluster, digest: &Digest) -> Result<Option<Kept>, RunError> {
    let Some(head) = head(cluster, digest).await? else {
        return Ok(None);
    };
    let mut chunks = Vec::new();
    for name in &head.chunks {
        let chunk = cluster.get(&secret_id(name)).await.map_err(reading)?;
        let chunk = chunk.ok_or_else(|| damaged(digest, "a chunk is missing"))?;
        chunks.push(read_chunk(digest, &chunk)?);
    }
    Ok(Some(kept::unpack(digest, &head, chunks)?))
}

/// A bundle that is kept, ready to apply; an error if it is not kept.
pub async fn load_bundle(cluster: &Cluster, digest: &Digest) -> Result<Bundle, RunError> {
    let kept = load(cluster, digest).await?;
    let kept = kept.ok_or_else(|| StoreError::NotKept(digest.clone()))?;
    Ok(BundleReader::read_artifact(kept.manifest(), &kept)?)
}

/// The bundles that are kept.
pub async fn kept(cluster: &Cluster) -> Result<BTreeSet<Digest>, RunError> {
    let secrets = list(cluster).await?;
    let heads = secrets.iter().filter(|secret| is_head(secret));
    Ok(heads.filter_map(bundle_of).collect())
}

/// Forgets all bundles but some, and what writing was cut short of.
pub async fn forget_all_but(cluster: &Cluster, kept: &BTreeSet<Digest>) -> Result<(), RunError> {
    let mut secrets = list(cluster).await?;
    secrets.retain(|secret| bundle_of(secret).is_none_or(|bundle| !kept.contains(&bundle)));
    // Heads go first: what has no head is not kept.
    secrets.sort_by_key(|secret| !is_head(secret));
    for secret in &secrets {
        let name = secret["metadata"]["name"].as_str().unwrap_or_default();
        memory::delete(cluster, &secret_id(name)).await?;
    }
    Ok(())
}

async fn is_whole(cluster: &Cluster, digest: &Digest) -> Result<bool, RunError> {
    let head = match head(cluster, digest).await {
        Ok(Some(head)) => head,
        Ok(None) | Err(RunError::Store(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    let secrets = list(cluster).await?;
    let names: BTreeSet<&str> = secrets
        .iter()
        .filter_map(|secret| secret["metadata"]["name"].as_str())
        .collect();
    Ok(head.chunks.iter().all(|name| names.contains(name.as_str())))
}

async fn head(cluster: &Cluster, digest: &Digest) -> Result<Option<Head>, RunError> {
    let secret = cluster.get(&secret_id(&head_name(digest))).await;
    match secret.map_err(reading)? {
        Some(secret) => Ok(Some(read_head(digest, &secret)?)),
        None => Ok(None),
    }
}

async fn list(cluster: &Cluster) -> Result<Vec<serde_json::Value>, RunError> {
    let resource = cluster.resource_of(&secret_id("")).await.map_err(reading)?;
    let listed = cluster.list(&resource, Some(NAMESPACE), LABEL, Listed::Metadata);
    listed.await.map_err(reading)
}

fn secret_id(name: &str) -> ObjectId {
    ObjectId {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: name.to_owned(),
    }
}

fn reading(source: crate::cluster::ClusterError) -> RunError {
    memory::remembering("read the bundles that are kept", source)
}
