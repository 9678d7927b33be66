//! Immutable tags: the first push wins, whoever comes with it.

use std::collections::BTreeSet;

use crate::harness::{Server, digest_of, error_of, header, in_memory, json_of};

async fn server(patterns: &[&str]) -> Server {
    let mut config = in_memory();
    config.immutable_tags = patterns.iter().map(ToString::to_string).collect();
    Server::with(config).await
}

#[tokio::test]
async fn an_immutable_tag_keeps_its_content() {
    let server = server(&["packs/**", "apps/*:v*"]).await;
    for (repository, tag, immutable) in [
        ("packs/a", "1.0.0", true),
        ("packs/a/b", "latest", true),
        ("apps/a", "v1", true),
        ("apps/a", "latest", false),
        ("other", "v1", false),
    ] {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let first = server.push_tagged(repository, tag, "1").await;
        // The same content again changes nothing.
        assert_eq!(server.push_tagged(repository, tag, "1").await, first);
        let other = server.image(repository, "2").await;
        let second = server.put_manifest(&path, &other).await;
        if immutable {
            assert_eq!(second.status(), 403);
            let body = json_of(second).await;
            assert_eq!(body["errors"][0]["code"], "DENIED");
            let message = body["errors"][0]["message"].as_str().unwrap();
            assert!(
                message.contains("is immutable and already names"),
                "{message}"
            );
            // By digest with a tag, too, and nothing of the push is left.
            let digest = digest_of(&other);
            let by_digest = format!("/v2/{repository}/manifests/{digest}");
            let tagged = format!("{by_digest}?tag=new&tag={tag}");
            let refused = server.put_manifest(&tagged, &other).await;
            assert_eq!(error_of(refused).await.0, 403);
            assert_eq!(server.status("HEAD", &by_digest).await, 404);
            let new = format!("/v2/{repository}/manifests/new");
            assert_eq!(server.status("HEAD", &new).await, 404);
        } else {
            assert_eq!(second.status(), 201);
        }
        let head = server.send("HEAD", &path).await;
        let expected = if immutable { first } else { digest_of(&other) };
        assert_eq!(header(&head, "docker-content-digest"), expected.as_str());
    }
}

#[tokio::test]
async fn tags_computed_from_a_digest_stay_mutable() {
    let server = server(&["**"]).await;
    let digest = server.push_tagged("packs/a", "v1", "1").await;
    let hex = digest.hex();
    for tag in [format!("sha256-{hex}.sig"), format!("sha256-{hex}")] {
        server.push_tagged("packs/a", &tag, "1").await;
        server.push_tagged("packs/a", &tag, "2").await;
    }
}

#[tokio::test]
async fn of_64_writers_one_wins() {
    let server = server(&["packs/**"]).await;
    let mut manifests = Vec::new();
    for n in 0..64 {
        manifests.push(server.image("packs/a", &n.to_string()).await);
    }
    let path = "/v2/packs/a/manifests/v1";
    let pushes = manifests
        .iter()
        .map(|manifest| server.put_manifest(path, manifest));
    let outcomes = futures_util::future::join_all(pushes).await;
    let statuses: Vec<u16> = outcomes.iter().map(|o| o.status().as_u16()).collect();
    let winners: Vec<usize> = (0..64).filter(|n| statuses[*n] == 201).collect();
    assert_eq!(winners.len(), 1, "{statuses:?}");
    assert_eq!(BTreeSet::from_iter(statuses), BTreeSet::from([201, 403]));
    let head = server.send("HEAD", path).await;
    let expected = digest_of(&manifests[winners[0]]);
    assert_eq!(header(&head, "docker-content-digest"), expected.as_str());
}

#[tokio::test]
async fn a_malformed_pattern_is_named() {
    let mut config = in_memory();
    config.immutable_tags = vec!["packs/[".to_owned()];
    let error = config.build().await.unwrap_err().to_string();
    assert_eq!(error, "the setting `immutableTags` is invalid: `packs/[`");
}
