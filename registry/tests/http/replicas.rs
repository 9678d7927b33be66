//! Several registries over one bucket: clients may go to any of them with every request.

use std::collections::BTreeSet;

use cairn_registry::{Config, StorageConfig};
use cairn_spec::Digest;
use cairn_test_s3::{Fault, Operation, S3Server};
use futures_util::future::join_all;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Server, assert_sound, digest_of, error_of, header, in_bucket, noise};

/// How often a client tries; with a fifth of all requests failing, the last one is never needed.
const TRIES: usize = 12;

struct Replicas {
    store: S3Server,
    servers: Vec<Server>,
    asked: usize,
}

fn config(store: &S3Server) -> Config {
    Config {
        storage: in_bucket(store),
        immutable_tags: vec!["frozen/**".to_owned()],
        ..Config::default()
    }
}

impl Replicas {
    async fn start() -> Self {
        let store = S3Server::start().await;
        let config = config(&store);
        Self::over(store, config).await
    }

    /// Replicas that ask the store once, and tell the client when that failed.
    async fn start_impatient() -> Self {
        let store = S3Server::start().await;
        let mut config = config(&store);
        if let StorageConfig::S3(s3) = &mut config.storage {
            s3.attempts = 1;
        }
        Self::over(store, config).await
    }

    async fn over(store: S3Server, config: Config) -> Self {
        let mut servers = Vec::new();
        for _ in 0..2 {
            servers.push(Server::with(config.clone()).await);
        }
        Self {
            store,
            servers,
            asked: 0,
        }
    }

    /// Each request goes to another one than the request before.
    fn next(&mut self) -> &Server {
        self.asked += 1;
        &self.servers[self.asked % self.servers.len()]
    }

    async fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Response {
        let request = self.next().request(method, path).body(body.to_vec());
        request.send().await.unwrap()
    }

    /// Sends until the answer is not that the server has a problem, but not for ever.
    async fn settled(&mut self, method: &str, path: &str, body: &[u8]) -> Response {
        for _ in 0..TRIES {
            let request = self.next().request(method, path).body(body.to_vec());
            if let Ok(response) = request.send().await
                && !response.status().is_server_error()
            {
                return response;
            }
        }
        panic!("{method} {path} failed {TRIES} times");
    }

    /// Pushes a blob in chunks as a client does that starts anew when its upload is lost.
    async fn push_chunked(&mut self, repository: &str, content: &[u8], chunk: usize) -> Digest {
        let digest = Digest::sha256(content);
        'upload: for _ in 0..TRIES {
            let path = format!("/v2/{repository}/blobs/uploads/");
            let started = self.settled("POST", &path, b"").await;
            let location = header(&started, "location");
            for piece in content.chunks(chunk) {
                let sent = self.send("PATCH", &location, piece).await;
                if sent.status() != 202 {
                    continue 'upload;
                }
            }
            let closing = format!("{location}?digest={digest}");
            let finished = self.settled("PUT", &closing, b"").await;
            // The answer to one that succeeded may have been lost.
            let blob = format!("/v2/{repository}/blobs/{digest}");
            if finished.status() == 201 || self.settled("HEAD", &blob, b"").await.status() == 200 {
                return digest;
            }
        }
        panic!("the blob did not arrive");
    }

    /// Starts an upload and sends all of it but its end.
    async fn send_chunk(&mut self, content: &[u8]) -> String {
        let started = self.send("POST", "/v2/a/blobs/uploads/", b"").await;
        let location = header(&started, "location");
        let sent = self.send("PATCH", &location, content).await;
        assert_eq!(sent.status(), 202);
        location
    }

    async fn put_manifest(&mut self, path: &str, manifest: &Value) {
        let put = self
            .settled("PUT", path, manifest.to_string().as_bytes())
            .await;
        assert_eq!(put.status(), 201, "{path}");
    }

    async fn assert_sound(&self) {
        assert_sound(config(&self.store)).await;
    }
}

#[tokio::test]
async fn an_upload_goes_on_with_any_replica() {
    let mut replicas = Replicas::start().await;
    for (length, chunk) in [
        (3000, 1000),
        (9000, 2500),
        (900_000, 100_000),
        (900_000, 400_001),
    ] {
        let content = noise(length);
        let digest = replicas.push_chunked("a", &content, chunk).await;
        for _ in 0..2 {
            let blob = replicas
                .send("GET", &format!("/v2/a/blobs/{digest}"), b"")
                .await;
            assert!(blob.bytes().await.unwrap() == content);
        }
        let deleted = replicas
            .send("DELETE", &format!("/v2/a/blobs/{digest}"), b"")
            .await;
        assert_eq!(deleted.status(), 202);
    }
    replicas.assert_sound().await;
}

#[tokio::test]
async fn an_upload_that_is_over_is_over_everywhere() {
    let mut replicas = Replicas::start().await;
    for content in [noise(100), noise(300_000)] {
        let started = replicas.send("POST", "/v2/a/blobs/uploads/", b"").await;
        let location = header(&started, "location");
        let closing = format!("{location}?digest={}", Digest::sha256(&content));
        assert_eq!(replicas.send("PUT", &closing, &content).await.status(), 201);
        let started = replicas.send("POST", "/v2/a/blobs/uploads/", b"").await;
        let cancelled = header(&started, "location");
        assert_eq!(replicas.send("DELETE", &cancelled, b"").await.status(), 204);
        for over in [&location, &cancelled] {
            for method in ["GET", "PATCH", "DELETE", "GET", "PATCH", "DELETE"] {
                assert_eq!(replicas.send(method, over, b"").await.status(), 404);
            }
        }
    }
}

/// As when a registry dies after the store made the content whole, and before it said so.
#[tokio::test]
async fn a_closing_request_may_be_repeated_after_its_content_was_made_whole() {
    let mut replicas = Replicas::start_impatient().await;
    // With a rest that is the last part, and without one.
    for (length, end) in [(700_000, 0), (512 * 1024, 0), (600_000, 1000)] {
        let content = noise(length);
        let digest = Digest::sha256(&content);
        let (begin, end) = content.split_at(length - end);
        let location = replicas.send_chunk(begin).await;
        let closing = format!("{location}?digest={digest}");
        let store = &replicas.store;
        store.fail_next(Operation::CompleteMultipartUpload, Fault::BrokenAfter);
        assert_eq!(replicas.send("PUT", &closing, end).await.status(), 503);
        assert_eq!(replicas.send("PUT", &closing, end).await.status(), 201);
        let path = format!("/v2/a/blobs/{digest}");
        let blob = replicas.send("GET", &path, b"").await;
        assert!(blob.bytes().await.unwrap() == content);
        assert_eq!(replicas.send("DELETE", &path, b"").await.status(), 202);
    }
    replicas.assert_sound().await;
}

/// The content that was made whole must not pass for other content.
#[tokio::test]
async fn an_upload_that_was_to_be_one_blob_becomes_no_other() {
    let mut replicas = Replicas::start_impatient().await;
    let content = noise(700_000);
    let location = replicas.send_chunk(&content[..600_000]).await;
    let closing = |content| format!("{location}?digest={}", Digest::sha256(content));
    let store = &replicas.store;
    store.fail_next(Operation::CompleteMultipartUpload, Fault::BrokenAfter);
    let whole = replicas
        .send("PUT", &closing(&content), &content[600_000..])
        .await;
    assert_eq!(whole.status(), 503);
    let other = replicas
        .send("PUT", &closing(&content[..600_000]), b"")
        .await;
    assert_eq!(
        error_of(other).await,
        (404, "BLOB_UPLOAD_UNKNOWN".to_owned())
    );
    // Other bytes under the same digest end the upload, as they always do.
    let other = replicas.send("PUT", &closing(&content), b"other").await;
    assert_eq!(error_of(other).await, (400, "DIGEST_INVALID".to_owned()));
    replicas.push_chunked("a", &content, 200_000).await;
    replicas.assert_sound().await;
}

#[tokio::test]
async fn an_upload_whose_parts_the_store_names_wrongly_is_to_be_started_anew() {
    let mut replicas = Replicas::start_impatient().await;
    let content = noise(700_000);
    let store = &replicas.store;
    store.fail_next(Operation::UploadPart, Fault::WrongEtag);
    let location = replicas.send_chunk(&content).await;
    let closing = format!("{location}?digest={}", Digest::sha256(&content));
    for _ in 0..2 {
        let lost = replicas.send("PUT", &closing, b"").await;
        assert_eq!(
            error_of(lost).await,
            (404, "BLOB_UPLOAD_UNKNOWN".to_owned())
        );
    }
    assert!(replicas.store.multipart_uploads().is_empty());
    replicas.push_chunked("a", &content, 700_000).await;
    replicas.assert_sound().await;
}

#[tokio::test]
async fn an_immutable_tag_has_one_winner() {
    let replicas = Replicas::start().await;
    let server = &replicas.servers[0];
    let mut manifests = Vec::new();
    for n in 0..64 {
        manifests.push(server.image("frozen/a", &n.to_string()).await);
    }
    let path = "/v2/frozen/a/manifests/v1";
    let pushes = manifests.iter().enumerate().map(|(n, manifest)| {
        let server = &replicas.servers[n % 2];
        async move {
            loop {
                let response = server.put_manifest(path, manifest).await;
                // Too many at once: the next attempt finds the tag taken.
                if response.status() != 503 {
                    return response.status();
                }
            }
        }
    });
    let statuses = join_all(pushes).await;
    let won: Vec<usize> = (0..64).filter(|n| statuses[*n] == 201).collect();
    assert_eq!(won.len(), 1, "{statuses:?}");
    let lost = statuses
        .iter()
        .filter(|status| **status == StatusCode::FORBIDDEN);
    assert_eq!(lost.count(), 63, "{statuses:?}");
    for server in &replicas.servers {
        let head = server.send("HEAD", path).await;
        let digest = header(&head, "docker-content-digest");
        assert_eq!(digest, digest_of(&manifests[won[0]]).as_str());
    }
}

/// Pushes artifacts with tags and referrers while requests to the store fail, then looks whether
/// everything is there once. Returns how many requests the store got meanwhile.
async fn push_among_faults(artifacts: usize, seed: u64) -> usize {
    let mut replicas = Replicas::start().await;
    let kinds: Vec<Fault> = Fault::ALL
        .iter()
        .copied()
        // Silence costs a timeout each time.
        .filter(|fault| *fault != Fault::Silence)
        .collect();
    replicas.store.fail(seed, 0.2, &kinds);
    let config = replicas.push_chunked("a", b"{}", 10).await;
    let mut pushed = Vec::new();
    let mut subject = None;
    for n in 0..artifacts {
        let mut layer = noise(if n % 10 == 0 { 600_000 } else { 6000 });
        layer.extend_from_slice(n.to_string().as_bytes());
        let size = layer.len();
        let digest = replicas.push_chunked("a", &layer, size / 3 + 1).await;
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": crate::harness::OCI_MANIFEST,
            "config": {"mediaType": "a/config", "digest": config, "size": 2},
            "layers": [{"mediaType": "a/layer", "digest": digest, "size": size}],
        });
        if let Some(subject) = &subject {
            manifest["subject"] = json!({"mediaType": "a/b", "digest": subject, "size": 1});
        }
        let path = format!("/v2/a/manifests/t{n:05}");
        replicas.put_manifest(&path, &manifest).await;
        let digest = digest_of(&manifest);
        subject.get_or_insert(digest.clone());
        pushed.push((path, digest, layer));
    }
    replicas.store.fail(0, 0.0, &[]);
    let requests = replicas.store.take_requests().len();

    let tags = replicas.servers[0].get_json("/v2/a/tags/list").await;
    assert_eq!(tags["tags"].as_array().unwrap().len(), artifacts);
    for (path, digest, layer) in &pushed {
        let manifest = replicas.send("GET", path, b"").await;
        assert_eq!(header(&manifest, "docker-content-digest"), digest.as_str());
        let manifest: Value = serde_json::from_slice(&manifest.bytes().await.unwrap()).unwrap();
        let blob = manifest["layers"][0]["digest"].as_str().unwrap();
        let blob = replicas
            .send("GET", &format!("/v2/a/blobs/{blob}"), b"")
            .await;
        assert!(blob.bytes().await.unwrap() == *layer);
    }
    let path = format!("/v2/a/referrers/{}", subject.unwrap());
    let referrers = replicas.servers[1].get_json(&path).await;
    let listed = referrers["manifests"].as_array().unwrap();
    let distinct: BTreeSet<&str> = listed
        .iter()
        .filter_map(|one| one["digest"].as_str())
        .collect();
    assert_eq!(
        (listed.len(), distinct.len()),
        (artifacts - 1, artifacts - 1)
    );
    replicas.assert_sound().await;
    requests
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_although_a_fifth_of_all_requests_fails() {
    push_among_faults(12, 20).await;
}

/// Each artifact is a start, three chunks, an end, a manifest and their repetitions, each of them
/// several requests to the store.
#[tokio::test]
#[ignore = "takes minutes"]
async fn nothing_is_lost_or_doubled_in_ten_thousand_requests_to_the_store() {
    let requests = push_among_faults(400, 21).await;
    assert!(requests >= 10_000, "{requests}");
}
