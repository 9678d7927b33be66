//! A repository of charts over HTTP: `index.yaml`, and archives that it names.
//!
//! <https://helm.sh/docs/topics/chart_repository/>

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use cairn_spec::{ChartName, ChartRepository, Digest, RegistryHost, Version};
use http::HeaderValue;
use reqwest::Url;
use serde::Deserialize;

use super::{ChartVersion, MAX_CHART_BYTES, MAX_INDEX_BYTES, Place};
use crate::{Client, Credential, Error};

/// The most versions of one chart that are looked at.
const MAX_VERSIONS: usize = 20_000;

/// What is read of `index.yaml`.
#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    entries: BTreeMap<String, serde_yaml::Value>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    version: String,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    urls: Vec<String>,
}

pub(super) async fn versions(
    client: &Client,
    repository: &ChartRepository,
    chart: &ChartName,
) -> Result<Vec<ChartVersion>, Error> {
    let url = parse(&format!("{repository}/index.yaml"))?;
    let authorization = authorization(client, &url);
    let bytes = client
        .read_document(&url, authorization.as_ref(), MAX_INDEX_BYTES)
        .await?;
    let malformed = |reason: String| Error::Answer {
        what: url.to_string(),
        reason,
    };
    let mut index: Index = serde_yaml::from_slice(&bytes)
        .map_err(|error| malformed(format!("it is not the index of a repository ({error})")))?;
    let Some(entries) = index.entries.remove(chart.as_str()) else {
        return Ok(Vec::new());
    };
    let entries: Vec<serde_yaml::Value> = serde_yaml::from_value(entries)
        .map_err(|error| malformed(format!("the entries of `{chart}` are no list ({error})")))?;
    // As Helm, passes over single entries that make no sense.
    Ok(entries
        .into_iter()
        .take(MAX_VERSIONS)
        .filter_map(|entry| serde_yaml::from_value(entry).ok())
        .filter_map(version_of)
        .collect())
}

fn version_of(entry: Entry) -> Option<ChartVersion> {
    let version: Version = entry.version.parse().ok()?;
    let digest = entry.digest.and_then(|text| {
        let text = text.trim().to_lowercase();
        let text = if text.contains(':') {
            text
        } else {
            format!("sha256:{text}")
        };
        text.parse::<Digest>().ok()
    });
    (!entry.urls.is_empty()).then_some(ChartVersion {
        version,
        digest,
        place: Place::Urls(entry.urls),
    })
}

/// Fetches an archive; `known` is the digest it must have, if anybody said so.
pub(super) async fn fetch(
    client: &Client,
    repository: &ChartRepository,
    urls: &[String],
    known: Option<&Digest>,
) -> Result<Bytes, Error> {
    let base = parse(&format!("{repository}/"))?;
    let named = urls.first().map(String::as_str).unwrap_or_default();
    let url = base.join(named).map_err(|error| Error::Answer {
        what: format!("{repository}/index.yaml"),
        reason: format!("`{}` is not a URL ({error})", named.escape_debug()),
    })?;
    let refuse = |reason: &str| Error::Answer {
        what: format!("{repository}/index.yaml"),
        reason: format!("it names the archive `{}`, {reason}", shown(&url)),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("which is not at an HTTP address"));
    }
    if base.scheme() == "https" && url.scheme() == "http" && known.is_none() {
        return Err(refuse(
            "which leads from HTTPS to plain HTTP, and no digest to check it by",
        ));
    }
    let authorization = (url.origin() == base.origin())
        .then(|| authorization(client, &base))
        .flatten();
    client
        .read_document(&url, authorization.as_ref(), MAX_CHART_BYTES)
        .await
}

/// The login for the host of a URL. It is sent in plain text to this machine only.
fn authorization(client: &Client, url: &Url) -> Option<HeaderValue> {
    let host = url.host_str()?;
    let host: RegistryHost = match url.port() {
        Some(port) => format!("{host}:{port}").parse().ok()?,
        None => host.parse().ok()?,
    };
    if url.scheme() != "https" && !host.is_loopback() {
        return None;
    }
    let text = match client.credential_of(&host)? {
        Credential::Basic { username, password } => {
            let login = STANDARD.encode(format!("{username}:{}", password.as_str()));
            format!("Basic {login}")
        }
        Credential::Bearer(token) => format!("Bearer {}", token.as_str()),
    };
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn parse(url: &str) -> Result<Url, Error> {
    Url::parse(url).map_err(|error| Error::Malformed {
        what: url.to_owned(),
        reason: format!("it is not a URL ({error})"),
    })
}

/// A URL without its query, which may hold a token.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}
