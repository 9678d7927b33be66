//! A server in this process, and a client with the verbs of a registry.

use std::{net::SocketAddr, ops::Deref, path::Path, sync::OnceLock};

use crate::ON_S3;
use cairn_registry::{Config, FsckOptions, S3Config, S3Credentials, Secret, StorageConfig};
use cairn_spec::{Digest, DigestAlgorithm, Hasher};
use cairn_test_s3::{ACCESS_KEY_ID, BUCKET, S3Server, SECRET_ACCESS_KEY};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A running server, with a client that does not say who it is.
pub(crate) struct Server {
    api: Api,
    metrics_address: Option<SocketAddr>,
    shutdown: CancellationToken,
    running: JoinHandle<cairn_registry::Result<()>>,
    /// Ends with the server.
    _bucket: Option<S3Server>,
}

/// A client of one server.
pub(crate) struct Api {
    pub(crate) address: String,
    client: Client,
}

impl Deref for Server {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Server {
    /// A server over a storage of its own that ends with it.
    pub(crate) async fn start() -> Self {
        Self::with(in_memory()).await
    }

    /// A server over a directory.
    pub(crate) async fn open(directory: &Path) -> Self {
        let storage = StorageConfig::Directory(directory.to_owned());
        Self::with(Config {
            storage,
            ..Config::default()
        })
        .await
    }

    pub(crate) async fn with(mut config: Config) -> Self {
        let mut bucket = None;
        if ON_S3 && config.storage == StorageConfig::Memory {
            let started = S3Server::start().await;
            config.storage = in_bucket(&started);
            bucket = Some(started);
        }
        let app = config.build().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let metrics_address = app.metrics_address();
        let shutdown = CancellationToken::new();
        let running = TaskTracker::new().spawn(app.run(listener, shutdown.clone()));
        let client = builder().build().unwrap();
        Self {
            api: Api { address, client },
            metrics_address,
            shutdown,
            running,
            _bucket: bucket,
        }
    }

    /// Drains the server and closes its storage.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap().unwrap();
    }

    pub(crate) fn begin_shutdown(&self) {
        self.shutdown.cancel();
    }

    /// What a scraper gets.
    pub(crate) async fn metrics(&self) -> Response {
        let url = format!("http://{}/metrics", self.metrics_address.unwrap());
        self.client.get(url).send().await.unwrap()
    }

    /// A client that sends this with every request.
    pub(crate) fn signed_in(&self, authorization: &str) -> Api {
        let value = authorization.parse().unwrap();
        let headers = [(reqwest::header::AUTHORIZATION, value)].into_iter();
        let client = builder().default_headers(headers.collect()).build();
        Api {
            address: self.address.clone(),
            client: client.unwrap(),
        }
    }
}

impl Api {
    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("http://{}{path}", self.address);
        self.client.request(method, url)
    }

    pub(crate) async fn send(&self, method: &str, path: &str) -> Response {
        self.request(method, path).send().await.unwrap()
    }

    pub(crate) async fn status(&self, method: &str, path: &str) -> StatusCode {
        self.send(method, path).await.status()
    }

    pub(crate) async fn get_json(&self, path: &str) -> Value {
        let response = self.send("GET", path).await;
        assert_eq!(response.status(), 200, "{path}");
        json_of(response).await
    }

    /// Starts an upload and returns its location.
    pub(crate) async fn start_upload(&self, repository: &str) -> String {
        let response = self
            .send("POST", &format!("/v2/{repository}/blobs/uploads/"))
            .await;
        assert_eq!(response.status(), 202);
        header(&response, "location")
    }

    /// Pushes a blob as most clients do.
    pub(crate) async fn push_blob(&self, repository: &str, content: &[u8]) -> Digest {
        let digest = Digest::sha256(content);
        let location = self.start_upload(repository).await;
        let response = self
            .request("PUT", &format!("{location}?digest={digest}"))
            .body(content.to_vec())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 201);
        digest
    }

    pub(crate) async fn put_manifest(&self, path: &str, manifest: &Value) -> Response {
        let media_type = manifest["mediaType"].as_str().unwrap_or(OCI_MANIFEST);
        self.request("PUT", path)
            .header("content-type", media_type)
            .body(manifest.to_string())
            .send()
            .await
            .unwrap()
    }

    /// Pushes a manifest with its blobs under a tag.
    pub(crate) async fn push_tagged(&self, repository: &str, tag: &str, marker: &str) -> Digest {
        let manifest = self.image(repository, marker).await;
        let path = format!("/v2/{repository}/manifests/{tag}");
        let response = self.put_manifest(&path, &manifest).await;
        assert_eq!(response.status(), 201);
        digest_of(&manifest)
    }

    /// A manifest whose blobs are in the repository; `marker` makes it unlike others.
    pub(crate) async fn image(&self, repository: &str, marker: &str) -> Value {
        let config = self.push_blob(repository, b"{}").await;
        let layer = self.push_blob(repository, b"layer").await;
        json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": 5}],
            "annotations": {"marker": marker},
        })
    }
}

pub(crate) fn in_memory() -> Config {
    Config {
        storage: StorageConfig::Memory,
        immutable_tags: Vec::new(),
        ..Config::default()
    }
}

/// What a server that has stopped leaves is in order, to the last byte.
pub(crate) async fn assert_sound(config: Config) {
    let maintenance = config.maintain().await.unwrap();
    let mut findings = Vec::new();
    let options = FsckOptions {
        read_data: true,
        repair: false,
    };
    maintenance
        .fsck(options, &mut |finding| findings.push(finding))
        .await
        .unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
}

/// The bucket of a server of the tests; parts are small, so that few bytes make several.
pub(crate) fn in_bucket(server: &S3Server) -> StorageConfig {
    StorageConfig::S3(Box::new(S3Config {
        bucket: BUCKET.to_owned(),
        endpoint: Some(server.endpoint()),
        path_style: true,
        credentials: Some(S3Credentials {
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: Some(Secret::new(SECRET_ACCESS_KEY)),
            secret_access_key_file: None,
        }),
        part_bytes: 256 * 1024,
        request_timeout_s: 2,
        ..S3Config::default()
    }))
}

pub(crate) fn builder() -> ClientBuilder {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        // Even a client of plain HTTP wants one; another test may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder()
}

pub(crate) fn digest_of(manifest: &Value) -> Digest {
    Digest::sha256(manifest.to_string().as_bytes())
}

pub(crate) fn sha512(content: &[u8]) -> Digest {
    let mut hasher = Hasher::new(DigestAlgorithm::Sha512);
    hasher.update(content);
    hasher.finish()
}

pub(crate) fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    let value = value.unwrap_or_else(|| panic!("no header `{name}`"));
    value.to_str().unwrap().to_owned()
}

pub(crate) fn has_header(response: &Response, name: &str) -> bool {
    response.headers().contains_key(name)
}

pub(crate) async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// The status and the code of an error.
pub(crate) async fn error_of(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(header(&response, "content-type"), "application/json");
    let body = json_of(response).await;
    let code = body["errors"][0]["code"].as_str().unwrap().to_owned();
    assert!(body["errors"][0]["message"].is_string());
    (status, code)
}

/// Bytes that are the same on every run, and not compressible to one.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    })
    .take(length)
    .collect()
}
