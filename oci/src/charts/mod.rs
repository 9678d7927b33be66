//! Helm charts in their repositories: which versions there are, and their archives.
//!
//! A repository is either an `index.yaml` with archives, over HTTP(S), or an OCI registry with a
//! repository a chart. An archive is known by its SHA-256 digest, which is the same in both.

mod http;
mod registry;

use bytes::Bytes;
use cairn_spec::{ChartName, ChartRepository, ChartTransport, Digest, Version};

use crate::{Client, Error, trust::TrustPolicy};

#[cfg(test)]
mod tests;

/// The largest `index.yaml` that is read (64 MiB); the largest public ones have 20.
pub const MAX_INDEX_BYTES: usize = 64 * 1024 * 1024;
/// The largest archive of a chart that is read (64 MiB), as for packs.
pub const MAX_CHART_BYTES: usize = 64 * 1024 * 1024;

/// A version of a chart that a repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartVersion {
    /// The version.
    pub version: Version,
    /// The digest of its archive, where the repository tells it.
    pub digest: Option<Digest>,
    place: Place,
}

/// Where an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// At URLs, the first of which counts.
    Urls(Vec<String>),
    /// Under a tag.
    Tag(cairn_spec::Tag),
}

/// The versions of a chart, in the repository's order. What is no version is left out.
pub async fn versions(
    client: &Client,
    repository: &ChartRepository,
    chart: &ChartName,
) -> Result<Vec<ChartVersion>, Error> {
    match repository.transport() {
        ChartTransport::Http => http::versions(client, repository, chart).await,
        ChartTransport::Oci => registry::versions(client, repository, chart).await,
    }
}

/// The archive of a version. Its digest must be `digest`, if there is one, and what the repository
/// says of it.
pub async fn fetch(
    client: &Client,
    repository: &ChartRepository,
    chart: &ChartName,
    version: &ChartVersion,
    digest: Option<&Digest>,
) -> Result<Bytes, Error> {
    let bytes = match &version.place {
        Place::Urls(urls) => {
            let known = digest.or(version.digest.as_ref());
            http::fetch(client, repository, urls, known).await?
        }
        Place::Tag(tag) => registry::fetch(client, repository, chart, tag).await?,
    };
    for expected in digest.into_iter().chain(&version.digest) {
        check(expected, &bytes)?;
    }
    Ok(bytes)
}

/// The archive of a digest, from a repository that finds content by its digest; none elsewhere.
pub async fn fetch_by_digest(
    client: &Client,
    repository: &ChartRepository,
    chart: &ChartName,
    digest: &Digest,
) -> Result<Option<Bytes>, Error> {
    match repository.transport() {
        ChartTransport::Http => Ok(None),
        ChartTransport::Oci => registry::fetch_by_digest(client, repository, chart, digest).await,
    }
}

/// The digest of the archive that a signature is good for which the policy trusts. Only a registry has
/// signatures that can be verified.
pub async fn signed_digest(
    client: &Client,
    repository: &ChartRepository,
    chart: &ChartName,
    version: &ChartVersion,
    policy: &TrustPolicy,
) -> Result<Digest, Error> {
    match &version.place {
        Place::Tag(tag) => registry::signed_digest(client, repository, chart, tag, policy).await,
        Place::Urls(_) => Err(Error::Untrusted {
            what: format!("the chart `{chart}` {} of {repository}", version.version),
            reason: "a repository over HTTP has no signatures that the trust policy could ask for"
                .to_owned(),
            hint: "take it from an OCI registry (`--chart-mirror`) where it is signed".to_owned(),
        }),
    }
}

fn check(expected: &Digest, bytes: &[u8]) -> Result<(), Error> {
    if expected.matches(bytes) {
        return Ok(());
    }
    Err(Error::Content {
        digest: expected.clone(),
        source: std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            format!("the archive has the digest `{}`", Digest::sha256(bytes)),
        ),
    })
}
