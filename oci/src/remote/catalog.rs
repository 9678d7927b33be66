//! The repositories of a registry, page by page.
//!
//! No part of the specification, but what Docker's registry began and most registries offer.

use cairn_spec::{RegistryHost, RepositoryName};
use http::Method;
use reqwest::Url;
use serde::Deserialize;

use super::{
    Client,
    auth::Access,
    endpoint::next_page,
    transport::{Call, check, read_limited},
};
use crate::{Error, limits, store::Origin};

#[derive(Deserialize)]
struct Page {
    /// Some registries write an empty list as `null`.
    #[serde(default)]
    repositories: Option<Vec<String>>,
}

impl Client {
    /// All repositories that the registry shows. Names that no repository can have are left out.
    pub async fn repositories(
        &self,
        registry: &RegistryHost,
    ) -> Result<Vec<RepositoryName>, Error> {
        // The scope of the list names no repository; this one is for messages.
        let origin = Origin {
            registry: registry.clone(),
            repository: "catalog".parse()?,
        };
        let call = Call {
            origin: &origin,
            access: Access::List,
            subject: "",
        };
        let text = format!(
            "{}://{registry}/v2/_catalog?n={}",
            self.scheme(registry),
            limits::TAG_PAGE_SIZE
        );
        let first = Url::parse(&text).map_err(|error| Error::Malformed {
            what: text,
            reason: error.to_string(),
        })?;
        let mut next = Some(first);
        let mut repositories = Vec::new();
        for _ in 0..limits::MAX_CATALOG_PAGES {
            let Some(url) = next else {
                return Ok(repositories);
            };
            let response = self.send(call, |http| http.get(url.clone())).await?;
            let response = check(call, Method::GET, response).await?;
            next = next_page(&url, response.headers())?;
            let body = read_limited(call, response, limits::MAX_PAGE_BYTES).await?;
            let page: Page = serde_json::from_slice(&body)
                .map_err(|error| call.bad_answer(format!("the catalog is not JSON ({error})")))?;
            let names = page.repositories.unwrap_or_default();
            repositories.extend(names.iter().filter_map(|name| name.parse().ok()));
        }
        match next {
            None => Ok(repositories),
            Some(_) => Err(Error::Limit {
                what: format!("repositories of {registry}"),
                limit: limits::MAX_CATALOG_PAGES as u64,
                unit: "pages",
            }),
        }
    }
}
