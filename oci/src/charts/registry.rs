//! Charts in OCI registries: a repository a chart, a tag a version.
//!
//! <https://helm.sh/docs/topics/registries/>

use bytes::Bytes;
use cairn_spec::{ChartName, ChartRepository, Digest, Reference, Tag, Version};

use super::{ChartVersion, MAX_CHART_BYTES, Place};
use crate::{
    Client, Error,
    remote::name_of,
    trust::{TrustPolicy, verify_trust},
};

/// The media type of a chart's archive.
pub(crate) const CHART_LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// The media type that early versions of Helm gave to it.
const OLD_CHART_LAYER: &str = "application/tar+gzip";

/// The repository of a chart.
fn repository_of(
    client: &Client,
    repository: &ChartRepository,
    chart: &ChartName,
) -> Result<(Reference, crate::Repository), Error> {
    let bare = repository.as_str().trim_start_matches("oci://");
    let reference: Reference = format!("{bare}/{chart}").parse()?;
    let repository = client.repository_of(&reference);
    Ok((reference, repository))
}

pub(super) async fn versions(
    client: &Client,
    repository: &ChartRepository,
    chart: &ChartName,
) -> Result<Vec<ChartVersion>, Error> {
    let (_, repository) = repository_of(client, repository, chart)?;
    let tags = match repository.tags().await {
        Ok(tags) => tags,
        Err(Error::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(tags.into_iter().filter_map(version_of).collect())
}

/// Tags that are versions; `_` stands for `+`.
fn version_of(tag: Tag) -> Option<ChartVersion> {
    let text = tag.as_str().replace('_', "+");
    let bare = text.strip_prefix('v').unwrap_or(&text);
    let is_whole = bare.split(['-', '+']).next()?.matches('.').count() == 2;
    let version: Version = is_whole.then(|| text.parse().ok())??;
    Some(ChartVersion {
        version,
        digest: None,
        place: Place::Tag(tag),
    })
}

pub(super) async fn fetch(
    client: &Client,
    repository: &ChartRepository,
    chart: &ChartName,
    tag: &Tag,
) -> Result<Bytes, Error> {
    let (reference, repository) = repository_of(client, repository, chart)?;
    let digest = archive_of(&repository, &reference.with_tag(tag.clone())).await?;
    let (_, content) = repository.open_blob(&digest).await?;
    let bytes = content.read_all(MAX_CHART_BYTES as u64).await?;
    Ok(bytes.into())
}

/// The digest of the archive in what a tag names, once the policy trusts that.
pub(super) async fn signed_digest(
    client: &Client,
    repository: &ChartRepository,
    chart: &ChartName,
    tag: &Tag,
    policy: &TrustPolicy,
) -> Result<Digest, Error> {
    let (reference, repository) = repository_of(client, repository, chart)?;
    let trusted = verify_trust(client, &reference.with_tag(tag.clone()), policy).await?;
    archive_of(&repository, &reference.with_digest(trusted.digest)).await
}

/// The digest of the archive of a chart's manifest.
async fn archive_of(
    repository: &crate::Repository,
    reference: &Reference,
) -> Result<Digest, Error> {
    let (_, manifest) = repository.read_manifest(&name_of(reference)?).await?;
    let layer = manifest
        .children()
        .find(|child| [CHART_LAYER, OLD_CHART_LAYER].contains(&child.media_type.as_str()));
    let Some(layer) = layer else {
        return Err(Error::Incomplete {
            reference: reference.to_string(),
            reason: "is not a Helm chart: it has no layer with an archive of one",
        });
    };
    Ok(layer.digest.clone())
}

pub(super) async fn fetch_by_digest(
    client: &Client,
    repository: &ChartRepository,
    chart: &ChartName,
    digest: &Digest,
) -> Result<Option<Bytes>, Error> {
    let (_, repository) = repository_of(client, repository, chart)?;
    match repository.open_blob(digest).await {
        Ok((_, content)) => {
            let bytes = content.read_all(MAX_CHART_BYTES as u64).await?;
            Ok(Some(bytes.into()))
        }
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
