//! A client that sends each request to another replica than the one before, and tries again.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use cairn_spec::Digest;
use reqwest::{ClientBuilder, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// How often a request, or an upload, is tried. A killed replica is back after a few.
const TRIES: usize = 40;
/// How long to wait before the next attempt, in milliseconds.
const PAUSE_MS: u64 = 50;

/// Where the replicas listen: elsewhere after each start.
#[derive(Debug)]
pub(crate) struct Addresses(Mutex<[String; 2]>);

impl Addresses {
    pub(crate) fn new(addresses: [String; 2]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(addresses)))
    }

    pub(crate) fn set(&self, index: usize, address: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[index] = address;
    }

    fn get(&self, index: usize) -> String {
        let addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        addresses[index % addresses.len()].clone()
    }
}

/// An artifact that was acknowledged.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) repository: String,
    pub(crate) tag: String,
    manifest: Digest,
    layer: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Client {
    addresses: Arc<Addresses>,
    http: reqwest::Client,
    asked: usize,
}

/// A client to be built.
pub(crate) fn http_client() -> ClientBuilder {
    // Even one of plain HTTP wants a provider; another client may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// One attempt; `None` if the server has a problem or is gone.
async fn answered(request: RequestBuilder) -> Option<Response> {
    let response = request.send().await.ok();
    response.filter(|response| !response.status().is_server_error())
}

impl Client {
    pub(crate) fn new(addresses: Arc<Addresses>) -> Result<Self> {
        Ok(Self {
            addresses,
            http: http_client().build()?,
            asked: 0,
        })
    }

    /// A request to another replica than the one before.
    fn request(&mut self, method: &Method, path: &str, body: &[u8]) -> RequestBuilder {
        self.asked += 1;
        let url = format!("http://{}{path}", self.addresses.get(self.asked));
        self.http.request(method.clone(), url).body(body.to_vec())
    }

    async fn pause(&self) {
        tokio::time::sleep(std::time::Duration::from_millis(PAUSE_MS)).await;
    }

    async fn settled(&mut self, method: Method, path: &str, body: &[u8]) -> Result<Response> {
        for _ in 0..TRIES {
            if let Some(response) = answered(self.request(&method, path, body)).await {
                return Ok(response);
            }
            self.pause().await;
        }
        bail!("{method} {path} failed {TRIES} times")
    }

    /// What is at a path.
    pub(crate) async fn bytes(&mut self, path: &str) -> Result<Vec<u8>> {
        for _ in 0..TRIES {
            let response = self.settled(Method::GET, path, b"").await?;
            ensure!(
                response.status() == 200,
                "GET {path}: {}",
                response.status()
            );
            // A body that breaks off is asked for again.
            if let Ok(bytes) = response.bytes().await {
                return Ok(bytes.into());
            }
        }
        bail!("GET {path} broke off {TRIES} times")
    }

    /// Pushes an artifact with one layer, which goes up in chunks.
    pub(crate) async fn push(
        &mut self,
        repository: &str,
        tag: &str,
        layer: Vec<u8>,
        chunk: usize,
    ) -> Result<Pushed> {
        let config = self.push_blob(repository, b"{}", chunk).await?;
        let digest = self.push_blob(repository, &layer, chunk).await?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "a/config", "digest": config, "size": 2},
            "layers": [{"mediaType": "a/layer", "digest": digest, "size": layer.len()}],
        })
        .to_string();
        let path = format!("/v2/{repository}/manifests/{tag}");
        let put = self
            .settled(Method::PUT, &path, manifest.as_bytes())
            .await?;
        let status = put.status();
        ensure!(status == 201, "PUT {path}: {status} {}", put.text().await?);
        Ok(Pushed {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            manifest: Digest::sha256(manifest.as_bytes()),
            layer,
        })
    }

    async fn push_blob(
        &mut self,
        repository: &str,
        content: &[u8],
        chunk: usize,
    ) -> Result<Digest> {
        let digest = Digest::sha256(content);
        for _ in 0..TRIES {
            if self.try_blob(repository, content, chunk, &digest).await? {
                return Ok(digest);
            }
            // Not in step with a replica that is away.
            self.asked += 1;
            self.pause().await;
        }
        bail!("{digest} did not arrive in {TRIES} uploads")
    }

    /// One upload; false if it has to be started anew.
    async fn try_blob(
        &mut self,
        repository: &str,
        content: &[u8],
        chunk: usize,
        digest: &Digest,
    ) -> Result<bool> {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let started = self.settled(Method::POST, &path, b"").await?;
        let location = started.headers().get("location");
        let location = location.context("no location")?.to_str()?.to_owned();
        let mut sent = 0;
        for _ in 0..TRIES + content.len() / chunk {
            if sent == content.len() {
                break;
            }
            let piece = &content[sent..content.len().min(sent + chunk)];
            let range = format!("{sent}-{}", sent + piece.len() - 1);
            let request = self.request(&Method::PATCH, &location, piece);
            match answered(request.header("content-range", range)).await {
                Some(response) if response.status() == StatusCode::ACCEPTED => sent += piece.len(),
                Some(response) if response.status() == StatusCode::NOT_FOUND => return Ok(false),
                // Whether a chunk arrived whose answer was lost is worth asking.
                _ => {
                    let Some(received) = self.received(&location).await? else {
                        return Ok(false);
                    };
                    sent = received;
                    // Not in step with a replica that is away.
                    self.asked += 1;
                    self.pause().await;
                }
            }
        }
        ensure!(sent == content.len(), "{location} does not get on");
        let closing = format!("{location}?digest={digest}");
        let closed = self.settled(Method::PUT, &closing, b"").await?;
        if closed.status() == 201 {
            return Ok(true);
        }
        // It may have succeeded before, without an answer.
        let blob = format!("/v2/{repository}/blobs/{digest}");
        let head = self.settled(Method::HEAD, &blob, b"").await?;
        Ok(head.status() == StatusCode::OK)
    }

    /// How many bytes of an upload have arrived; `None` if it has to be started anew.
    async fn received(&mut self, location: &str) -> Result<Option<usize>> {
        let status = self.settled(Method::GET, location, b"").await?;
        if status.status() != StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let range = status.headers().get("range").context("no range")?;
        let last = range.to_str()?.strip_prefix("0-").context("no range")?;
        // Nothing arrived is told like one byte, and no chunk is that short.
        Ok(Some(match last.parse()? {
            0 => 0,
            last => last + 1,
        }))
    }

    /// The artifact is there with all of its bytes.
    pub(crate) async fn check(&mut self, pushed: &Pushed) -> Result<()> {
        let Pushed {
            repository, tag, ..
        } = pushed;
        let manifest = self
            .bytes(&format!("/v2/{repository}/manifests/{tag}"))
            .await?;
        ensure!(
            pushed.manifest.matches(&manifest),
            "{repository}:{tag} is another manifest"
        );
        let manifest: Value = serde_json::from_slice(&manifest)?;
        let digest = manifest["layers"][0]["digest"].as_str();
        let digest = digest.context("no layer")?;
        let layer = self
            .bytes(&format!("/v2/{repository}/blobs/{digest}"))
            .await?;
        ensure!(
            layer == pushed.layer,
            "{repository}:{tag} has another layer"
        );
        Ok(())
    }

    pub(crate) async fn tags(&mut self, repository: &str) -> Result<Vec<String>> {
        let list = self.bytes(&format!("/v2/{repository}/tags/list")).await?;
        let list: Value = serde_json::from_slice(&list)?;
        Ok(serde_json::from_value(list["tags"].clone())?)
    }
}
