//! The URLs of the distribution API, built in one place.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints>

use cairn_spec::{Digest, DigestAlgorithm};
use reqwest::Url;

use crate::{
    Error, limits,
    store::{Name, Origin},
};

/// A resource of a repository.
#[derive(Debug, Clone, Copy)]
pub(super) enum Endpoint<'a> {
    /// A blob.
    Blob(&'a Digest),
    /// A new upload, for content of a digest algorithm.
    Upload(DigestAlgorithm),
    /// A mount of a blob from another repository.
    Mount(&'a Digest, &'a Origin),
    /// A manifest.
    Manifest(&'a Name),
    /// The first page of the tags.
    Tags,
    /// The first page of the referrers, of one artifact type or of all.
    Referrers(&'a Digest, Option<&'a str>),
}

impl Endpoint<'_> {
    /// The URL in a repository.
    pub(super) fn url(self, scheme: &str, origin: &Origin) -> Result<Url, Error> {
        let path = match self {
            Self::Blob(digest) => format!("blobs/{digest}"),
            Self::Upload(_) | Self::Mount(..) => "blobs/uploads/".to_owned(),
            Self::Manifest(name) => format!("manifests/{name}"),
            Self::Tags => "tags/list".to_owned(),
            Self::Referrers(digest, _) => format!("referrers/{digest}"),
        };
        let Origin {
            registry,
            repository,
        } = origin;
        let text = format!("{scheme}://{registry}/v2/{repository}/{path}");
        let mut url = Url::parse(&text).map_err(|error| Error::Malformed {
            what: text,
            reason: error.to_string(),
        })?;
        match self {
            // SHA-256 is what a registry assumes; older ones do not know the parameter.
            Self::Upload(DigestAlgorithm::Sha512) => {
                url.query_pairs_mut()
                    .append_pair("digest-algorithm", "sha512");
            }
            Self::Mount(digest, from) => {
                url.query_pairs_mut()
                    .append_pair("mount", digest.as_str())
                    .append_pair("from", from.repository.as_str());
            }
            Self::Tags => {
                url.query_pairs_mut()
                    .append_pair("n", &limits::TAG_PAGE_SIZE.to_string());
            }
            Self::Referrers(_, Some(artifact_type)) => {
                url.query_pairs_mut()
                    .append_pair("artifactType", artifact_type);
            }
            _ => {}
        }
        Ok(url)
    }
}

/// The URL of the next page in a `Link` header, which must lead to the same registry.
///
/// <https://www.rfc-editor.org/rfc/rfc8288#section-3>
pub(super) fn next_page(current: &Url, headers: &http::HeaderMap) -> Result<Option<Url>, Error> {
    let refuse = |reason: &str| Error::Answer {
        what: current.path().to_owned(),
        reason: reason.to_owned(),
    };
    for link in headers.get_all(http::header::LINK) {
        let link = link
            .to_str()
            .map_err(|_| refuse("the `Link` header is not text"))?;
        let Some((target, parameters)) = link
            .trim_start()
            .strip_prefix('<')
            .and_then(|rest| rest.split_once('>'))
        else {
            continue;
        };
        let is_next = parameters
            .split(';')
            .any(|parameter| matches!(parameter.trim(), r#"rel="next""# | "rel=next"));
        if !is_next {
            continue;
        }
        let next = current
            .join(target)
            .map_err(|_| refuse("the `Link` header holds no URL"))?;
        if next.origin() != current.origin() {
            return Err(refuse("the next page is on another host"));
        }
        return Ok(Some(next));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(link: &str) -> Result<Option<String>, Error> {
        let current = Url::parse("http://127.0.0.1:5000/v2/a/tags/list?n=2").unwrap();
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::LINK, link.parse().unwrap());
        Ok(next_page(&current, &headers)?.map(String::from))
    }

    #[test]
    fn pages_are_followed_on_the_same_registry_only() {
        assert_eq!(
            next(r#"</v2/a/tags/list?n=2&last=b>; rel="next""#)
                .unwrap()
                .as_deref(),
            Some("http://127.0.0.1:5000/v2/a/tags/list?n=2&last=b")
        );
        assert_eq!(next(r#"</v2/a>; rel="prev""#).unwrap(), None);
        assert_eq!(next("nonsense").unwrap(), None);
        assert!(next(r#"<http://example.com/>; rel="next""#).is_err());
    }
}
