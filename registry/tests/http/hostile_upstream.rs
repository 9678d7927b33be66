//! Upstreams that lie, break off, lead elsewhere, ask for patience or never end.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    response::{IntoResponse as _, Response},
};
use cairn_spec::Digest;
use futures_util::{StreamExt as _, stream};
use http::{StatusCode, header};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::{
    harness::{OCI_MANIFEST, Server, assert_sound, digest_of, error_of, header, in_memory, noise},
    pull_through::{pulling_from, upstream},
};

const PASSWORD: &str = "correct horse battery staple";

/// A server that answers as a test says, and remembers what it was sent.
struct Hostile {
    address: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Hostile {
    async fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let app = Router::new().fallback(async move |request: Request| {
            let (method, uri) = (request.method(), request.uri());
            let headers = request.headers();
            log.lock()
                .unwrap()
                .push(format!("{method} {uri} {headers:?}"));
            answer(&request)
        });
        TaskTracker::new().spawn(async move { axum::serve(listener, app).await });
        Self { address, seen }
    }

    /// One that takes whatever it is sent.
    async fn thief() -> Self {
        Self::start(|_| r#"{"token":"x"}"#.into_response()).await
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn body(media_type: &'static str, length: usize, body: impl Into<Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    (headers, body.into()).into_response()
}

fn to(status: StatusCode, url: &str) -> Response {
    (status, [(header::LOCATION, url.to_owned())]).into_response()
}

fn manifest() -> serde_json::Value {
    json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "a/b", "digest": Digest::sha256(b""), "size": 0}, "layers": [],
    })
}

type Answer = Box<dyn Fn() -> Response + Send + Sync>;

/// Wrong bytes, too few, too many, a length that is none: nobody gets them whole, nothing is kept.
#[tokio::test]
async fn a_broken_blob_is_never_seen() {
    let content = noise(300_000);
    let digest = Digest::sha256(&content);
    let flipped = {
        let mut content = content.clone();
        content[299_999] ^= 1;
        content
    };
    let (short, whole) = (content[..200_000].to_vec(), content.len());
    let longer = [&content[..], b"more"].concat();
    let breaking_off = short.clone();
    let answers: Vec<(&str, Answer)> = vec![
        (
            "another",
            Box::new(move || body("a/b", whole, flipped.clone())),
        ),
        (
            "short",
            Box::new(move || body("a/b", 200_000, short.clone())),
        ),
        (
            "longer",
            Box::new(move || body("a/b", whole + 4, longer.clone())),
        ),
        (
            "breaking off",
            Box::new(move || {
                let first = Bytes::from(breaking_off.clone());
                let broken = std::io::Error::other("gone");
                let chunks = stream::iter([Ok(first), Err(broken)]);
                body("a/b", 300_000, Body::from_stream(chunks))
            }),
        ),
        ("nothing", Box::new(|| body("a/b", 0, ""))),
        (
            "no length",
            Box::new(|| {
                let chunks = stream::repeat(Ok::<_, Infallible>(Bytes::from_static(b"x")));
                Body::from_stream(chunks.take(10)).into_response()
            }),
        ),
    ];
    for (name, answer) in answers {
        let there = Hostile::start(move |_| answer()).await;
        let folder = tempfile::tempdir().unwrap();
        let config = cairn_registry::Config {
            storage: cairn_registry::StorageConfig::Directory(folder.path().to_owned()),
            upstreams: vec![upstream("hub", &there.address, &json!({}))],
            ..in_memory()
        };
        let here = Server::with(config.clone()).await;
        let path = format!("/v2/hub/a/blobs/{digest}");
        for _ in 0..2 {
            let answered = here.send("GET", &path).await;
            let is_refused = answered.status() == 502;
            let taken = answered.bytes().await;
            assert!(is_refused || taken.is_err(), "{name}");
        }
        let ranged = here.request("GET", &path).header("range", "bytes=0-1");
        if let Ok(ranged) = ranged.send().await {
            let is_refused = ranged.status() == 502 || ranged.status() == 416;
            assert!(is_refused || ranged.bytes().await.is_err(), "{name}");
        }
        here.stop().await;
        let offline = Server::open(folder.path()).await;
        assert_eq!(offline.status("GET", &path).await, 404, "{name}");
        offline.stop().await;
        assert_sound(config).await;
    }
}

#[tokio::test]
async fn a_manifest_that_is_another_or_none_is_refused() {
    let digest = digest_of(&manifest());
    for text in [
        manifest().to_string().replace("a/b", "a/c"),
        "not JSON".to_owned(),
        String::new(),
    ] {
        let told = digest.clone();
        let there = Hostile::start(move |request| {
            let mut response = body(OCI_MANIFEST, text.len(), text.clone());
            let headers = response.headers_mut();
            headers.insert("docker-content-digest", told.as_str().parse().unwrap());
            if request.method() == http::Method::HEAD {
                headers.insert(header::CONTENT_LENGTH, 300.into());
            }
            response
        })
        .await;
        let here = pulling_from(vec![upstream("hub", &there.address, &json!({}))]).await;
        for reference in ["v1", digest.as_str()] {
            let path = format!("/v2/hub/a/manifests/{reference}");
            let refused = here.send("GET", &path).await;
            assert_eq!(error_of(refused).await, (502, "UNAVAILABLE".to_owned()));
        }
    }
}

/// CVE lesson 21 (CVE-2026-33540): an upstream cannot have its credentials sent elsewhere, nor have
/// this registry ask who only it can reach.
#[tokio::test]
async fn lesson_21_credentials_of_an_upstream_go_nowhere_else() {
    type Trick = fn(&str, &Request) -> Response;
    let tricks: [(&str, Trick); 4] = [
        ("realm", |thief, _| {
            let realm = format!(r#"Bearer realm="http://{thief}/token",service="x""#);
            (
                StatusCode::UNAUTHORIZED,
                [(header::WWW_AUTHENTICATE, realm)],
            )
                .into_response()
        }),
        ("redirect", |thief, request| {
            to(
                StatusCode::TEMPORARY_REDIRECT,
                &format!("http://{thief}{}", request.uri()),
            )
        }),
        ("user info", |thief, _| {
            to(StatusCode::FOUND, &format!("http://ada:x@{thief}/"))
        }),
        ("link", |thief, _| {
            let link = format!(r#"<http://{thief}/next>; rel="next""#);
            let body = r#"{"tags":["a"],"schemaVersion":2,"manifests":[]}"#;
            ([(header::LINK, link)], body).into_response()
        }),
    ];
    for (name, trick) in tricks {
        let thief = Hostile::thief().await;
        let host = thief.address.clone();
        let there = Hostile::start(move |request| {
            if request.headers().contains_key(header::AUTHORIZATION) {
                return trick(&host, request);
            }
            let basic = [(header::WWW_AUTHENTICATE, "Basic realm=\"x\"")];
            (StatusCode::UNAUTHORIZED, basic).into_response()
        })
        .await;
        let password = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(password.path(), PASSWORD).unwrap();
        let registry = json!({
            "url": format!("http://{}", there.address),
            "username": "ada",
            "passwordFile": password.path(),
        });
        for allowed in [false, true] {
            let mut registry = registry.clone();
            registry["allowPrivateNetworks"] = json!(allowed);
            let change = json!({"registry": registry});
            let here = pulling_from(vec![upstream("hub", &there.address, &change)]).await;
            let digest = Digest::sha256(b"x");
            for path in [
                "manifests/v1".to_owned(),
                format!("manifests/{digest}"),
                format!("blobs/{digest}"),
                format!("referrers/{digest}"),
                "tags/list".to_owned(),
            ] {
                let answered = here.send("GET", &format!("/v2/hub/a/{path}")).await;
                let text = answered.text().await.unwrap();
                assert!(!text.contains("staple"), "{name}: {text}");
            }
            if !allowed {
                assert_eq!(thief.seen(), [""; 0], "{name}");
            }
        }
        for request in thief.seen() {
            let lower = request.to_lowercase();
            assert!(!lower.contains("authorization"), "{name}: {request}");
        }
        let was_signed_in = there.seen().iter().any(|it| it.contains("authorization"));
        assert!(was_signed_in, "{name}: the trick was never tried");
    }
}

/// CVE lesson 17 (CVE-2024-29893): an upstream's answers are read as far as they may be large.
#[tokio::test]
async fn lesson_17_an_upstream_without_end_is_cut_off() {
    let there = Hostile::start(|request| {
        let chunk = Bytes::from(vec![b' '; 64 * 1024]);
        let endless = stream::repeat(Ok::<_, Infallible>(chunk));
        let mut response = Body::from_stream(endless).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, OCI_MANIFEST.parse().unwrap());
        if request.uri().path().contains("/blobs/") {
            headers.insert(header::CONTENT_LENGTH, (1_u64 << 50).into());
        }
        response
    })
    .await;
    let mut config = in_memory();
    config.upstreams = vec![upstream("hub", &there.address, &json!({}))];
    config.limits.blob_bytes = 1024 * 1024;
    config.limits.upload_chunk_bytes = 1024 * 1024;
    let here = Server::with(config).await;
    let digest = Digest::sha256(b"x");
    for path in [
        "manifests/v1".to_owned(),
        format!("manifests/{digest}"),
        format!("blobs/{digest}"),
        "tags/list".to_owned(),
    ] {
        let answered = here.send("GET", &format!("/v2/hub/a/{path}")).await;
        assert_eq!(answered.status(), 502, "{path}");
    }
}

#[tokio::test]
async fn an_upstream_that_redirects_for_ever_is_given_up() {
    let there =
        Hostile::start(|request| to(StatusCode::FOUND, &format!("{}/x", request.uri()))).await;
    let here = pulling_from(vec![upstream("hub", &there.address, &json!({}))]).await;
    let path = format!("/v2/hub/a/blobs/{}", Digest::sha256(b"x"));
    assert_eq!(here.status("GET", &path).await, 502);
    assert_eq!(there.seen().len(), 4);
}

#[tokio::test]
async fn an_upstream_that_wants_fewer_requests_is_left_alone() {
    let there = Hostile::start(|_| {
        let wait = [(header::RETRY_AFTER, "600")];
        (StatusCode::TOO_MANY_REQUESTS, wait, "slow down").into_response()
    })
    .await;
    let here = pulling_from(vec![upstream("hub", &there.address, &json!({}))]).await;
    for _ in 0..3 {
        let refused = here.send("GET", "/v2/hub/a/manifests/v1").await;
        let wait: u64 = header(&refused, "retry-after").parse().unwrap();
        assert!((590..=600).contains(&wait), "{wait}");
        assert_eq!(error_of(refused).await, (429, "TOOMANYREQUESTS".to_owned()));
    }
    assert_eq!(there.seen().len(), 1);
}

#[tokio::test]
async fn what_an_upstream_lacks_is_remembered_for_a_while() {
    let there = Hostile::start(|_| StatusCode::NOT_FOUND.into_response()).await;
    let change = json!({"missingTtlS": 600});
    let here = pulling_from(vec![upstream("hub", &there.address, &change)]).await;
    for _ in 0..3 {
        let missing = here.send("GET", "/v2/hub/a/manifests/v1").await;
        assert_eq!(
            error_of(missing).await,
            (404, "MANIFEST_UNKNOWN".to_owned())
        );
    }
    assert_eq!(there.seen().len(), 1);
}

/// Neither silence nor single bytes hold anybody for long.
#[tokio::test]
async fn an_upstream_that_is_slow_is_not_waited_for() {
    let there = Hostile::start(|request| {
        let pause = if request.uri().path().contains("/blobs/") {
            Duration::from_millis(50)
        } else {
            Duration::from_hours(1)
        };
        let drip = stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
        });
        body(OCI_MANIFEST, 1000, Body::from_stream(drip))
    })
    .await;
    let registry = json!({"url": format!("http://{}", there.address), "timeoutS": 1});
    let change = json!({"registry": registry});
    let here = pulling_from(vec![upstream("hub", &there.address, &change)]).await;
    let path = format!("/v2/hub/a/blobs/{}", Digest::sha256(b"x"));
    let blob = here.send("GET", &path).await;
    assert!(blob.bytes().await.is_err());
    let path = format!("/v2/hub/a/manifests/{}", Digest::sha256(b"x"));
    assert_eq!(here.status("GET", &path).await, 502);
    // It is left alone then, and clients are told.
    let asked = there.seen().len();
    let busy = here.send("GET", &path).await;
    assert_eq!(busy.status(), 429);
    assert!(header(&busy, "retry-after").parse::<u64>().unwrap() <= 10);
    assert_eq!(there.seen().len(), asked);
}
