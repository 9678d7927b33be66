//! The trust policy where it is enforced: on pulls, on tags, or as a warning.

use std::path::PathBuf;

use cairn_oci::{
    Client, Options, PrivateKey, key,
    sign::{self, Form, SignOptions},
};
use cairn_registry::{Config, EnforceConfig, StorageConfig, TrustConfig, TrustMode};
use cairn_spec::{Digest, Reference};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::auth_harness::{Guarded, basic};
use crate::harness::{OCI_INDEX, Server, digest_of, error_of, has_header, header, json_of};

/// A folder with a policy that trusts one key, and a registry over it.
struct Site {
    folder: TempDir,
    trusted: PrivateKey,
}

impl Site {
    fn new() -> Self {
        let trusted = key::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder, trusted };
        site.trust(&site.trusted);
        site
    }

    /// Writes the policy anew.
    fn trust(&self, key: &PrivateKey) {
        let pem = key.public_key().unwrap().to_pem().unwrap();
        let policy = json!({
            "apiVersion": "cairn.dev/v1",
            "kind": "TrustPolicy",
            "rules": [{"repositories": ["r.example/**"], "keys": [{"name": "ci", "pem": pem}]}],
        });
        std::fs::write(self.policy(), policy.to_string()).unwrap();
    }

    fn policy(&self) -> PathBuf {
        self.folder.path().join("trust.yaml")
    }

    async fn start(&self, mode: TrustMode, tags: &str) -> Server {
        Server::with(Config {
            storage: StorageConfig::Directory(self.folder.path().join("data")),
            immutable_tags: Vec::new(),
            trust: Some(TrustConfig {
                policy: self.policy(),
                host: "r.example".to_owned(),
                enforce: vec![EnforceConfig {
                    repositories: "guarded/**".to_owned(),
                    tags: tags.to_owned(),
                    mode,
                }],
            }),
            ..Config::default()
        })
        .await
    }
}

async fn sign(server: &Server, repository: &str, digest: &Digest, key: &PrivateKey, form: Form) {
    let client = Client::new(Options::default()).unwrap();
    let reference: Reference = format!("{}/{repository}@{digest}", server.address)
        .parse()
        .unwrap();
    let options = SignOptions {
        forms: vec![form],
        ..SignOptions::default()
    };
    sign::sign(&client, &reference, key, &options)
        .await
        .unwrap();
}

fn manifest_path(repository: &str, reference: impl std::fmt::Display) -> String {
    format!("/v2/{repository}/manifests/{reference}")
}

#[tokio::test]
async fn content_is_pulled_once_it_is_signed_and_no_longer_when_it_is_not() {
    for form in [Form::Bundle, Form::Simple] {
        let site = Site::new();
        let server = site.start(TrustMode::Pull, "**").await;
        let free = server.push_tagged("free/a", "v1", "1").await;
        assert_eq!(
            server.status("GET", &manifest_path("free/a", &free)).await,
            200
        );

        let digest = server.push_tagged("guarded/a", "v1", "1").await;
        let by_tag = manifest_path("guarded/a", "v1");
        let by_digest = manifest_path("guarded/a", &digest);
        let refused = server.send("GET", &by_tag).await;
        assert_eq!(refused.status(), 403);
        let body = json_of(refused).await;
        assert_eq!(body["errors"][0]["code"], "DENIED");
        let message = body["errors"][0]["message"].as_str().unwrap();
        let expected = "is not trusted: no trusted key has signed it; have it signed with `ci`";
        assert!(message.contains(expected), "{message}");
        assert_eq!(server.status("GET", &by_digest).await, 403);
        // Whoever signs needs its digest.
        let head = server.send("HEAD", &by_tag).await;
        assert_eq!(head.status(), 200);
        assert!(header(&head, "warning").starts_with("299 - \"not trusted: "));

        let stranger = key::generate().unwrap();
        sign(&server, "guarded/a", &digest, &stranger, form).await;
        assert_eq!(server.status("GET", &by_tag).await, 403);
        sign(&server, "guarded/a", &digest, &site.trusted, form).await;
        assert_eq!(server.status("GET", &by_tag).await, 200);
        assert_eq!(server.status("GET", &by_digest).await, 200);
        let path = "/v2/guarded/a/_cairn/trust/v1";
        let verdict = server.get_json(path).await;
        assert_eq!(verdict["verdict"], "trusted");
        assert_eq!(verdict["signers"], json!(["ci"]));

        for signature in signatures(&server, "guarded/a", &digest).await {
            let path = manifest_path("guarded/a", &signature);
            // Signatures are served, or nobody could verify.
            assert_eq!(server.status("GET", &path).await, 200);
            assert_eq!(server.status("DELETE", &path).await, 202);
        }
        assert_eq!(server.status("GET", &by_tag).await, 403, "{form:?}");
        server.stop().await;
    }
}

/// The manifests that hold signatures on a digest, in either form.
async fn signatures(server: &Server, repository: &str, digest: &Digest) -> Vec<String> {
    let referrers = server
        .get_json(&format!("/v2/{repository}/referrers/{digest}"))
        .await;
    let referrers = referrers["manifests"].as_array().unwrap().iter();
    let mut found: Vec<String> = referrers
        .map(|entry| entry["digest"].as_str().unwrap().to_owned())
        .collect();
    let tag = format!("sha256-{}.sig", digest.hex());
    let head = server.send("HEAD", &manifest_path(repository, tag)).await;
    if head.status() == 200 {
        found.push(header(&head, "docker-content-digest"));
    }
    assert!(!found.is_empty());
    found
}

#[tokio::test]
async fn another_policy_makes_verdicts_void() {
    let site = Site::new();
    let server = site.start(TrustMode::Pull, "**").await;
    let digest = server.push_tagged("guarded/a", "v1", "1").await;
    sign(&server, "guarded/a", &digest, &site.trusted, Form::Bundle).await;
    let path = manifest_path("guarded/a", "v1");
    assert_eq!(server.status("GET", &path).await, 200);
    server.stop().await;

    site.trust(&key::generate().unwrap());
    let server = site.start(TrustMode::Pull, "**").await;
    assert_eq!(server.status("GET", &path).await, 403);
    server.stop().await;
}

#[tokio::test]
async fn the_entries_of_a_signed_index_are_trusted_with_it() {
    let site = Site::new();
    let server = site.start(TrustMode::Pull, "**").await;
    let entry = server.push_tagged("guarded/a", "part", "1").await;
    let other = server.push_tagged("guarded/a", "other", "2").await;
    let index = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": entry, "size": 1}],
    });
    let path = manifest_path("guarded/a", "v1");
    assert_eq!(server.put_manifest(&path, &index).await.status(), 201);
    let index = digest_of(&index);
    let entry_path = manifest_path("guarded/a", &entry);
    assert_eq!(server.status("GET", &entry_path).await, 403);
    sign(&server, "guarded/a", &index, &site.trusted, Form::Bundle).await;
    assert_eq!(server.status("GET", &entry_path).await, 200);
    let other_path = manifest_path("guarded/a", &other);
    assert_eq!(server.status("GET", &other_path).await, 403);
    // With the index goes the trust.
    let index_path = manifest_path("guarded/a", &index);
    assert_eq!(server.status("DELETE", &index_path).await, 202);
    assert_eq!(server.status("GET", &entry_path).await, 403);
    server.stop().await;
}

#[tokio::test]
async fn naming_a_subject_evades_nothing() {
    let site = Site::new();
    let server = site.start(TrustMode::Pull, "**").await;
    let subject = server.push_tagged("guarded/a", "v1", "1").await;
    let mut image = server.image("guarded/a", "2").await;
    image["subject"] = json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": 1,
    });
    let path = manifest_path("guarded/a", "evil");
    assert_eq!(server.put_manifest(&path, &image).await.status(), 201);
    assert_eq!(server.status("GET", &path).await, 403);

    let mut document: Value = image.clone();
    document["layers"][0]["mediaType"] = json!("application/vnd.cyclonedx+json");
    let path = manifest_path("guarded/a", "sbom");
    assert_eq!(server.put_manifest(&path, &document).await.status(), 201);
    assert_eq!(server.status("GET", &path).await, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_guarded_tag_moves_only_to_what_is_signed() {
    let site = Site::new();
    let server = site.start(TrustMode::Tag, "v*").await;
    let image = server.image("guarded/a", "1").await;
    let digest = digest_of(&image);
    let release = manifest_path("guarded/a", "v1");
    let refused = server.put_manifest(&release, &image).await;
    assert_eq!(error_of(refused).await, (403, "DENIED".to_owned()));
    let by_digest = manifest_path("guarded/a", &digest);
    let tagged = format!("{by_digest}?tag=v2");
    assert_eq!(server.put_manifest(&tagged, &image).await.status(), 403);
    assert_eq!(server.status("HEAD", &by_digest).await, 404);

    // Other tags are free, and so is the digest.
    let latest = manifest_path("guarded/a", "latest");
    assert_eq!(server.put_manifest(&latest, &image).await.status(), 201);
    assert_eq!(server.put_manifest(&by_digest, &image).await.status(), 201);
    sign(&server, "guarded/a", &digest, &site.trusted, Form::Bundle).await;
    assert_eq!(server.put_manifest(&release, &image).await.status(), 201);
    assert_eq!(server.put_manifest(&tagged, &image).await.status(), 201);
    assert_eq!(server.status("GET", &release).await, 200);

    let unsigned = server.image("guarded/a", "2").await;
    let moved = server.put_manifest(&release, &unsigned).await;
    assert_eq!(moved.status(), 403);
    let head = server.send("HEAD", &release).await;
    assert_eq!(header(&head, "docker-content-digest"), digest.as_str());
    server.stop().await;
}

#[tokio::test]
async fn a_report_warns_and_serves() {
    let site = Site::new();
    let server = site.start(TrustMode::Report, "**").await;
    let digest = server.push_tagged("guarded/a", "v1", "1").await;
    let path = manifest_path("guarded/a", "v1");
    let answer = server.send("GET", &path).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        header(&answer, "warning"),
        "299 - \"not trusted: no trusted key has signed it\""
    );
    let verdict = server.get_json("/v2/guarded/a/_cairn/trust/v1").await;
    assert_eq!(verdict["verdict"], "refused");
    assert_eq!(verdict["hint"], "have it signed with `ci`");
    sign(&server, "guarded/a", &digest, &site.trusted, Form::Bundle).await;
    assert!(!has_header(&server.send("GET", &path).await, "warning"));
    server.stop().await;

    let open = Server::start().await;
    open.push_tagged("guarded/a", "v1", "1").await;
    let verdict = open.get_json("/v2/guarded/a/_cairn/trust/v1").await;
    assert_eq!(verdict["verdict"], "none");
    open.stop().await;
}

#[tokio::test]
async fn whoever_may_push_reads_what_is_not_signed_yet() {
    let site = Site::new();
    let guarded = Guarded::with(|config| {
        config.trust = Some(TrustConfig {
            policy: site.policy(),
            host: "r.example".to_owned(),
            enforce: vec![EnforceConfig {
                repositories: "apps/**".to_owned(),
                tags: "**".to_owned(),
                mode: TrustMode::Pull,
            }],
        });
    })
    .await;
    let sign_in = |user: &str| {
        let password = format!("{user}-password");
        guarded.server.signed_in(&basic(user, &password))
    };
    let (ada, bob) = (sign_in("ada"), sign_in("bob"));
    ada.push_tagged("apps/a", "v1", "1").await;
    let path = manifest_path("apps/a", "v1");
    let answer = ada.send("GET", &path).await;
    assert_eq!(answer.status(), 200);
    assert!(has_header(&answer, "warning"));
    assert_eq!(bob.status("GET", &path).await, 403);
    assert_eq!(bob.status("HEAD", &path).await, 200);
}
