//! What refers to a manifest: the referrers API with its pages, and, for registries without it,
//! the referrers tag.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>

use cairn_spec::{Descriptor, Digest, Manifest, Tag, media_type};
use http::{Method, StatusCode};
use reqwest::Url;
use serde::Serialize;

use super::{
    Repository,
    auth::Access,
    endpoint::{Endpoint, next_page},
    transport::{check, read_limited},
};
use crate::{Error, limits, store::Name};

/// The index under the referrers tag.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: &'a [Descriptor],
}

impl Repository {
    /// The manifests that refer to `digest`, only those of an artifact type if one is given.
    pub async fn referrers_of(
        &self,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        let url = self.url(Endpoint::Referrers(digest, artifact_type))?;
        let mut referrers = match self.referrer_pages(digest, url).await? {
            Some(referrers) => referrers,
            None => match self.read_manifest(&Name::Tag(referrers_tag(digest)?)).await {
                Ok((_, index)) => index.manifests().to_vec(),
                Err(error) if error.is_not_found() => Vec::new(),
                Err(error) => return Err(error),
            },
        };
        // A registry need not filter.
        if artifact_type.is_some() {
            referrers.retain(|referrer| referrer.artifact_type.as_deref() == artifact_type);
        }
        Ok(referrers)
    }

    /// All pages, or `None` when the registry has no referrers API.
    async fn referrer_pages(
        &self,
        digest: &Digest,
        first: Url,
    ) -> Result<Option<Vec<Descriptor>>, Error> {
        let call = self.call(Access::Pull, digest.as_str());
        let mut referrers = Vec::new();
        let mut next = Some(first);
        for page in 0..limits::MAX_REFERRER_PAGES {
            let Some(url) = next else {
                return Ok(Some(referrers));
            };
            let request = |http: &reqwest::Client| {
                http.get(url.clone())
                    .header(http::header::ACCEPT, media_type::OCI_INDEX)
            };
            let response = self.client.send(call, request).await?;
            if page == 0 && lacks_api(response.status()) {
                return Ok(None);
            }
            let response = check(call, Method::GET, response).await?;
            next = next_page(&url, response.headers())?;
            let body = read_limited(call, response, limits::MAX_PAGE_BYTES).await?;
            let Ok(index) = Manifest::parse(body.into(), Some(media_type::OCI_INDEX)) else {
                // A page of HTML from something that is not a referrers API.
                if page == 0 {
                    return Ok(None);
                }
                return Err(call.bad_answer("a page of referrers is not an index"));
            };
            referrers.extend_from_slice(index.manifests());
        }
        match next {
            None => Ok(Some(referrers)),
            Some(_) => Err(Error::Limit {
                what: format!("referrers of {digest}"),
                limit: limits::MAX_REFERRER_PAGES as u64,
                unit: "pages",
            }),
        }
    }

    /// Adds a referrer to the list under the referrers tag. Two writers at the same time may lose
    /// an entry, as the specification admits; a later push of the same referrer adds it again.
    pub(super) async fn add_to_referrers_tag(
        &self,
        subject: &Digest,
        referrer: &Descriptor,
    ) -> Result<(), Error> {
        let name = Name::Tag(referrers_tag(subject)?);
        let mut manifests = match self.read_manifest(&name).await {
            Ok((_, index)) => index.manifests().to_vec(),
            Err(error) if error.is_not_found() => Vec::new(),
            Err(error) => return Err(error),
        };
        if manifests
            .iter()
            .any(|known| known.digest == referrer.digest)
        {
            return Ok(());
        }
        manifests.push(referrer.clone());
        let index = Index {
            schema_version: 2,
            media_type: media_type::OCI_INDEX,
            manifests: &manifests,
        };
        let bytes = serde_json::to_vec(&index).map_err(|error| Error::Malformed {
            what: name.to_string(),
            reason: error.to_string(),
        })?;
        let index = Manifest::parse(bytes, None).map_err(Error::artifact(&name))?;
        self.put_manifest(&name, &index).await?;
        Ok(())
    }
}

/// What registries without the API answer; distribution says 404, some proxies 405 or 400.
fn lacks_api(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST
    )
}

/// `sha256-<hex>`, the hash cut to 64 digits.
pub(super) fn referrers_tag(digest: &Digest) -> Result<Tag, Error> {
    let hex = &digest.hex()[..64];
    Ok(format!("{}-{hex}", digest.algorithm().as_str()).parse()?)
}
