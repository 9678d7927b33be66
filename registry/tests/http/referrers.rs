//! Referrers (end-12).

use std::collections::BTreeSet;

use cairn_spec::Digest;
use serde_json::{Value, json};

use crate::harness::{
    OCI_INDEX, OCI_MANIFEST, Server, digest_of, has_header, header, in_memory, json_of,
};

fn descriptor(manifest: &Value) -> Value {
    json!({
        "mediaType": manifest["mediaType"],
        "digest": digest_of(manifest),
        "size": manifest.to_string().len(),
    })
}

async fn referrer(server: &Server, subject: &Value, artifact_type: &str, marker: &str) -> Value {
    let mut manifest = server.image("a", marker).await;
    manifest["artifactType"] = json!(artifact_type);
    manifest["subject"] = descriptor(subject);
    let path = format!("/v2/a/manifests/{}", digest_of(&manifest));
    let pushed = server.put_manifest(&path, &manifest).await;
    assert_eq!(pushed.status(), 201);
    let expected = digest_of(subject);
    assert_eq!(header(&pushed, "oci-subject"), expected.as_str());
    manifest
}

async fn listed(server: &Server, path: &str) -> BTreeSet<String> {
    let index = server.get_json(path).await;
    let manifests = index["manifests"].as_array().unwrap();
    let digests = manifests.iter().map(|entry| entry["digest"].as_str());
    digests.map(|digest| digest.unwrap().to_owned()).collect()
}

#[tokio::test]
async fn unknown_subjects_have_no_referrers() {
    let server = Server::start().await;
    let path = format!("/v2/nowhere/referrers/{}", Digest::sha256(b""));
    let response = server.send("GET", &path).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), OCI_INDEX);
    let body = json_of(response).await;
    assert_eq!(
        body,
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
    );
    assert_eq!(
        server.status("GET", "/v2/a/referrers/sha256:bad").await,
        400
    );
}

#[tokio::test]
async fn referrers_are_described_and_filtered() {
    let server = Server::start().await;
    let subject = server.image("a", "subject").await;
    // The subject may come after its referrers.
    let signature = referrer(&server, &subject, "x/signature+json", "1").await;
    let sbom = referrer(&server, &subject, "x/sbom", "2").await;
    let mut untyped = server.image("a", "3").await;
    untyped["subject"] = descriptor(&subject);
    let path = format!("/v2/a/manifests/{}", digest_of(&untyped));
    server.put_manifest(&path, &untyped).await;
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "subject": descriptor(&subject)});
    server.put_manifest("/v2/a/manifests/index", &index).await;
    server
        .put_manifest("/v2/a/manifests/subject", &subject)
        .await;

    let path = format!("/v2/a/referrers/{}", digest_of(&subject));
    let all = server.get_json(&path).await;
    let entry = |manifest: &Value| {
        let digest = json!(digest_of(manifest));
        let mut entries = all["manifests"].as_array().unwrap().iter();
        entries
            .find(|entry| entry["digest"] == digest)
            .cloned()
            .unwrap()
    };
    assert_eq!(all["manifests"].as_array().unwrap().len(), 4);
    let mut expected = descriptor(&signature);
    expected["artifactType"] = json!("x/signature+json");
    expected["annotations"] = signature["annotations"].clone();
    assert_eq!(entry(&signature), expected);
    // Without an artifact type of its own, an image is of its configuration's type; an index is not.
    assert_eq!(
        entry(&untyped)["artifactType"],
        untyped["config"]["mediaType"]
    );
    assert_eq!(entry(&index), descriptor(&index));

    let filtered = server
        .send("GET", &format!("{path}?artifactType=x%2Fsignature%2Bjson"))
        .await;
    assert_eq!(header(&filtered, "oci-filters-applied"), "artifactType");
    let filtered = json_of(filtered).await;
    assert_eq!(filtered["manifests"], json!([expected]));
    let unfiltered = server.send("GET", &path).await;
    assert!(!has_header(&unfiltered, "oci-filters-applied"));

    // Pushing again adds nothing, deleting removes.
    referrer(&server, &subject, "x/sbom", "2").await;
    let manifest = format!("/v2/a/manifests/{}", digest_of(&sbom));
    assert_eq!(server.status("DELETE", &manifest).await, 202);
    let left = listed(&server, &path).await;
    assert_eq!(left.len(), 3);
    assert!(!left.contains(digest_of(&sbom).as_str()));
}

#[tokio::test]
async fn concurrent_referrers_are_all_listed() {
    let server = Server::start().await;
    let subject = server.image("a", "subject").await;
    let pushes = (0..24).map(|n| {
        let (server, subject) = (&server, &subject);
        async move { referrer(server, subject, "x/y", &n.to_string()).await }
    });
    futures_util::future::join_all(pushes).await;
    let path = format!("/v2/a/referrers/{}", digest_of(&subject));
    assert_eq!(listed(&server, &path).await.len(), 24);
}

#[tokio::test]
async fn pages_follow_one_another() {
    let mut config = in_memory();
    config.limits.referrers_page_bytes = 1000;
    let server = Server::with(config).await;
    let subject = server.image("a", "subject").await;
    let mut expected = BTreeSet::new();
    for n in 0..9 {
        let artifact_type = if n % 3 == 0 { "x/other" } else { "x/y+z" };
        let manifest = referrer(&server, &subject, artifact_type, &n.to_string()).await;
        if n % 3 != 0 {
            expected.insert(digest_of(&manifest).to_string());
        }
    }
    let mut found = BTreeSet::new();
    let mut next = format!(
        "/v2/a/referrers/{}?artifactType=x/y%2Bz",
        digest_of(&subject)
    );
    let mut pages = 0;
    loop {
        let response = server.send("GET", &next).await;
        assert_eq!(header(&response, "oci-filters-applied"), "artifactType");
        let link = has_header(&response, "link").then(|| header(&response, "link"));
        let body = json_of(response).await;
        assert!(body["manifests"].to_string().len() < 1100);
        for entry in body["manifests"].as_array().unwrap() {
            found.insert(entry["digest"].as_str().unwrap().to_owned());
        }
        pages += 1;
        let Some(link) = link else { break };
        next = link
            .strip_prefix('<')
            .unwrap()
            .strip_suffix(">; rel=\"next\"")
            .unwrap()
            .to_owned();
    }
    assert!(pages > 1);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn fallback_tags_are_taken_in() {
    let server = Server::start().await;
    let subject = server.image("a", "subject").await;
    // A client without referrers support keeps an index of them under a tag.
    let plain = server.image("a", "signature").await;
    server
        .put_manifest(&format!("/v2/a/manifests/{}", digest_of(&plain)), &plain)
        .await;
    let mut entry = descriptor(&plain);
    entry["artifactType"] = json!("x/y");
    let fallback = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]});
    let tag = digest_of(&subject).to_string().replace(':', "-");
    let pushed = server
        .put_manifest(&format!("/v2/a/manifests/{tag}"), &fallback)
        .await;
    assert_eq!(pushed.status(), 201);
    let known = referrer(&server, &subject, "x/y", "1").await;

    let path = format!("/v2/a/referrers/{}", digest_of(&subject));
    let expected = [&plain, &known].map(|manifest| digest_of(manifest).to_string());
    assert_eq!(listed(&server, &path).await, BTreeSet::from(expected));
    let manifest = format!("/v2/a/manifests/{}", digest_of(&plain));
    assert_eq!(server.status("DELETE", &manifest).await, 202);
    assert_eq!(listed(&server, &path).await.len(), 1);
    assert_eq!(OCI_MANIFEST, known["mediaType"]);
}
