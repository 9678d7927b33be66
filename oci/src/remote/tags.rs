//! The tags of a repository, page by page.

use cairn_spec::Tag;
use http::Method;
use serde::Deserialize;

use super::{
    Repository,
    auth::Access,
    endpoint::{Endpoint, next_page},
    transport::{check, read_limited},
};
use crate::{Error, limits};

#[derive(Deserialize)]
struct Page {
    /// Some registries write an empty list as `null`.
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Repository {
    /// All tags, in the registry's order. Names that are not tags are left out.
    pub async fn tags(&self) -> Result<Vec<Tag>, Error> {
        let call = self.call(Access::Pull, "");
        let mut next = Some(self.url(Endpoint::Tags)?);
        let mut tags = Vec::new();
        for _ in 0..limits::MAX_TAG_PAGES {
            let Some(url) = next else {
                return Ok(tags);
            };
            let response = self.client.send(call, |http| http.get(url.clone())).await?;
            let response = check(call, Method::GET, response).await?;
            next = next_page(&url, response.headers())?;
            let body = read_limited(call, response, limits::MAX_PAGE_BYTES).await?;
            let page: Page = serde_json::from_slice(&body)
                .map_err(|error| call.bad_answer(format!("the tag list is not JSON ({error})")))?;
            let names = page.tags.unwrap_or_default();
            tags.extend(names.iter().filter_map(|name| name.parse::<Tag>().ok()));
        }
        match next {
            None => Ok(tags),
            Some(_) => Err(Error::Limit {
                what: format!("tags of {}", self.origin),
                limit: limits::MAX_TAG_PAGES as u64,
                unit: "pages",
            }),
        }
    }
}
