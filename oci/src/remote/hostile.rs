//! The client against registries that want what is not theirs: passwords, memory, time, or to
//! have it ask who only it can reach.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use cairn_spec::{Descriptor, Digest, RegistryHost, media_type};
use futures_util::{StreamExt as _, stream};
use tokio::{net::TcpListener, task::JoinSet};

use super::{Client, Credential, Credentials, Options, Repository};
use crate::{
    Error, Name, limits,
    store::{Fetch as _, Push as _, Resolve as _, VerifyReader, conformance},
};

const PASSWORD: &str = "correct horse battery staple";

/// A server that answers as a test says, and remembers what it was sent.
struct Server {
    host: RegistryHost,
    seen: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Server {
    async fn start(
        answer: impl Fn(&Method, &Uri, &HeaderMap) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string().parse().unwrap();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let app = Router::new().fallback(
            async move |method: Method, uri: Uri, headers: HeaderMap, _body: Bytes| {
                log.lock()
                    .unwrap()
                    .push(format!("{method} {uri} {headers:?}"));
                answer(&method, &uri, &headers)
            },
        );
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            host,
            seen,
            _serving: serving,
        }
    }

    /// One that takes whatever it is sent.
    async fn thief() -> Self {
        Self::start(|_, _, _| r#"{"token":"x"}"#.into_response()).await
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// It was never told who the client is, in no header and no URL.
    fn saw_no_credentials(&self) {
        for request in self.seen() {
            let lower = request.to_lowercase();
            assert!(
                !lower.contains("authorization") && !lower.contains("staple"),
                "{request}"
            );
        }
    }

    fn repository(&self, change: impl FnOnce(&mut Options)) -> Repository {
        let mut options = Options {
            credentials: Credentials::none().with(&self.host, Credential::basic("ada", PASSWORD)),
            first_backoff: Duration::from_millis(1),
            ..Options::default()
        };
        change(&mut options);
        let client = Client::new(options).unwrap();
        client.repository(&self.host, &"a/b".parse().unwrap())
    }
}

fn challenge(text: String) -> Response {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, text)]).into_response()
}

fn to(status: StatusCode, url: &str) -> Response {
    (status, [(header::LOCATION, url.to_owned())]).into_response()
}

/// Everything that a client does with a repository; how it ends does not matter.
async fn use_all(repository: &Repository) {
    let blob = Descriptor::of("text/plain", b"hello");
    let manifest = conformance::artifact("a").manifest().clone();
    let _ = repository.resolve(&Name::Tag("1".parse().unwrap())).await;
    let _ = repository
        .read_manifest(&Name::Tag("1".parse().unwrap()))
        .await;
    let _ = repository.open_blob(&blob.digest).await;
    let _ = repository.exists(&blob).await;
    let _ = repository.tags().await;
    let _ = repository.referrers_of(&blob.digest, None).await;
    let content = VerifyReader::of_bytes(&blob, &b"hello"[..]);
    let _ = repository.push(&blob, content).await;
    let bytes = manifest.bytes().to_vec();
    let content = VerifyReader::of_bytes(&manifest.descriptor(), bytes);
    let _ = repository.push(&manifest.descriptor(), content).await;
    let _ = repository.delete_manifest(&Name::Digest(blob.digest)).await;
}

/// CVE lesson 21 (CVE-2021-32690, CVE-2026-33540, CVE-2026-48978): a registry cannot have
/// credentials sent to another host, by realm, redirect, location or link.
#[tokio::test]
async fn lesson_21_credentials_never_go_to_another_host() {
    type Trick = fn(&str, &Method, &Uri) -> Response;
    let signed_in = |headers: &HeaderMap| headers.contains_key(header::AUTHORIZATION);
    let basic = || challenge(r#"Basic realm="x""#.to_owned());
    let tricks: [(&str, Trick); 6] = [
        ("moved", |thief, _, uri| {
            to(
                StatusCode::TEMPORARY_REDIRECT,
                &format!("http://{thief}{uri}"),
            )
        }),
        ("found", |thief, _, _| {
            to(StatusCode::FOUND, &format!("http://{thief}/blob"))
        }),
        ("user info", |thief, _, _| {
            to(StatusCode::FOUND, &format!("http://ada:x@{thief}/"))
        }),
        ("location", |thief, _, _| {
            to(StatusCode::ACCEPTED, &format!("http://{thief}/upload?x=1"))
        }),
        ("link", |thief, _, _| {
            let link = format!(r#"<http://{thief}/next>; rel="next""#);
            let body = r#"{"tags":["a"],"schemaVersion":2,"manifests":[]}"#;
            ([(header::LINK, link)], body).into_response()
        }),
        ("second challenge", |thief, _, _| {
            challenge(format!(
                r#"Bearer realm="http://{thief}/token",service="x""#
            ))
        }),
    ];
    for (name, trick) in tricks {
        let thief = Server::thief().await;
        let host = thief.host.to_string();
        let registry = Server::start(move |method, uri, headers| {
            if signed_in(headers) {
                trick(&host, method, uri)
            } else {
                basic()
            }
        })
        .await;
        use_all(&registry.repository(|_| ())).await;
        thief.saw_no_credentials();
        let was_signed_in = registry
            .seen()
            .iter()
            .any(|it| it.contains("authorization"));
        assert!(was_signed_in, "{name}: the trick was never tried");
    }
}

/// The same for realms: without being named, another host is not even asked.
#[tokio::test]
async fn lesson_21_token_services_elsewhere_must_be_named() {
    for realm in [
        "http://THIEF/token",
        "http://THIEF/token?service=REGISTRY",
        "http://REGISTRY@THIEF/token",
        "http://ada:x@THIEF/token",
        "ftp://REGISTRY/token",
        "not a URL",
        "/token",
    ] {
        let thief = Server::thief().await;
        let host = thief.host.to_string();
        let registry = Server::start(move |_, _, headers| {
            let own = headers[header::HOST].to_str().unwrap();
            let realm = realm.replace("THIEF", &host).replace("REGISTRY", own);
            challenge(format!(r#"Bearer realm="{realm}",service="x""#))
        })
        .await;
        let tag = Name::Tag("1".parse().unwrap());
        let error = registry.repository(|_| ()).resolve(&tag).await.unwrap_err();
        assert!(matches!(error, Error::Unauthenticated { .. }), "{error:?}");
        assert!(error.hint().is_some() && !error.to_string().contains("staple"));
        assert_eq!(thief.seen(), [""; 0], "{realm}");

        // Whoever runs the client may name it.
        let named = thief.host.clone();
        let trusting = registry.repository(|options| options.token_services = vec![named]);
        let _ = trusting.resolve(&tag).await;
        let is_plain = realm.starts_with("http://THIEF");
        let was_told = thief.seen().iter().any(|it| it.contains("authorization"));
        assert_eq!(was_told, is_plain, "{realm}");
    }
}

/// A token service of the registry's own cannot pass the password on either.
#[tokio::test]
async fn lesson_21_token_services_lead_nowhere() {
    let thief = Server::thief().await;
    let host = thief.host.to_string();
    let registry = Server::start(move |_, uri, headers| {
        if uri.path() == "/token" {
            return to(
                StatusCode::TEMPORARY_REDIRECT,
                &format!("http://{host}/token"),
            );
        }
        let own = headers[header::HOST].to_str().unwrap();
        challenge(format!(r#"Bearer realm="http://{own}/token",service="x""#))
    })
    .await;
    use_all(&registry.repository(|_| ())).await;
    assert_eq!(thief.seen(), [""; 0]);
    assert!(
        registry
            .seen()
            .iter()
            .any(|it| it.starts_with("GET /token"))
    );
}

/// Whoever is led into a private network does not go there, signed in or not.
#[tokio::test]
async fn private_networks_are_asked_only_if_they_were_named() {
    let inside = Server::thief().await;
    let host = inside.host.to_string();
    let registry = Server::start(move |method, uri, _| match method.as_str() {
        "POST" => to(StatusCode::ACCEPTED, &format!("http://{host}/upload")),
        "HEAD" => challenge(format!(r#"Bearer realm="http://{host}/token""#)),
        _ => to(StatusCode::FOUND, &format!("http://{host}{uri}")),
    })
    .await;
    let own = registry.host.clone();
    let careful = |options: &mut Options| {
        options.credentials = Credentials::none();
        options.private_hosts = Some(vec![own]);
    };
    let repository = registry.repository(careful);
    use_all(&repository).await;
    assert_eq!(inside.seen(), [""; 0]);
    let error = repository
        .open_blob(&Digest::sha256(b""))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Request { source, .. } if source.is_redirect()),
        "{error:?}"
    );
    use_all(&registry.repository(|options| options.credentials = Credentials::none())).await;
    assert!(!inside.seen().is_empty());
}

/// A body that never ends, and how much of it was taken.
fn endless() -> (Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let chunk = Bytes::from(vec![b' '; 64 * 1024]);
    let chunks = stream::repeat_with(move || {
        count.fetch_add(chunk.len(), Ordering::Relaxed);
        Ok::<_, std::convert::Infallible>(chunk.clone())
    });
    (Body::from_stream(chunks), taken)
}

/// CVE lesson 17 (CVE-2024-29893, CVE-2025-32386): whatever a registry answers, only so much of it
/// is read.
#[tokio::test]
async fn lesson_17_what_a_registry_answers_is_bounded() {
    /// What connections hold besides, on both sides.
    const IN_BETWEEN_BYTES: usize = 16 * 1024 * 1024;
    for (name, status, content_type) in [
        ("content", 200, media_type::OCI_MANIFEST),
        ("error", 500, "text/html"),
        ("token", 200, "application/json"),
    ] {
        let taken: Arc<Mutex<Vec<Arc<AtomicUsize>>>> = Arc::default();
        let counts = Arc::clone(&taken);
        let registry = Server::start(move |_, uri, headers| {
            if name == "token" && uri.path() != "/token" {
                let own = headers[header::HOST].to_str().unwrap();
                return challenge(format!(r#"Bearer realm="http://{own}/token""#));
            }
            let (body, count) = endless();
            counts.lock().unwrap().push(count);
            let mut response = Response::new(body);
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let content_type = content_type.parse().unwrap();
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, content_type);
            response
        })
        .await;
        let repository = registry.repository(|options| options.max_attempts = 1);
        let tag = Name::Tag("1".parse().unwrap());
        assert!(repository.read_manifest(&tag).await.is_err(), "{name}");
        assert!(repository.tags().await.is_err(), "{name}");
        assert!(
            repository
                .referrers_of(&Digest::sha256(b""), None)
                .await
                .is_err(),
            "{name}"
        );
        // Of a blob the size is announced, or it is not read at all.
        assert!(
            repository.open_blob(&Digest::sha256(b"")).await.is_err(),
            "{name}"
        );
        let bodies = taken.lock().unwrap();
        assert!(!bodies.is_empty(), "{name}");
        for body in bodies.iter() {
            let taken_bytes = body.load(Ordering::Relaxed);
            let limit = limits::MAX_MANIFEST_BYTES + IN_BETWEEN_BYTES;
            assert!(taken_bytes <= limit, "{name}: {taken_bytes}");
        }
    }
}

#[tokio::test]
async fn redirects_end() {
    let registry = Server::start(|_, uri, _| to(StatusCode::FOUND, &format!("{uri}/x"))).await;
    let repository = registry.repository(|_| ());
    let error = repository
        .open_blob(&Digest::sha256(b""))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Request { source, .. } if source.is_redirect()),
        "{error:?}"
    );
    assert_eq!(registry.seen().len(), limits::MAX_REDIRECTS + 1);
}

#[tokio::test]
async fn who_is_asked_to_wait_for_long_is_told_and_does_not_ask_again() {
    let registry = Server::start(|_, _, _| {
        let wait = [(header::RETRY_AFTER, "3600")];
        (StatusCode::TOO_MANY_REQUESTS, wait, "slow down").into_response()
    })
    .await;
    let tag = Name::Tag("1".parse().unwrap());
    let error = registry.repository(|_| ()).resolve(&tag).await.unwrap_err();
    assert!(
        matches!(error, Error::TooManyRequests { retry_after: Some(wait), .. } if wait.as_secs() == 3600),
        "{error:?}"
    );
    assert_eq!(registry.seen().len(), 1);
}

/// The first answer breaks off in the middle, and the next one says that it goes on.
#[tokio::test]
async fn the_rest_of_a_blob_is_believed_no_more_than_its_beginning() {
    const HALF: usize = 20_000;
    let content: Vec<u8> = (0..=u8::MAX).cycle().take(2 * HALF).collect();
    let blob = Descriptor::of("text/plain", &content);
    let (first, rest) = content.split_at(HALF);
    let (first, rest) = (Bytes::copy_from_slice(first), Bytes::copy_from_slice(rest));
    let range = |from: usize| Some(format!("bytes {from}-{}/{}", 2 * HALF - 1, 2 * HALF));
    let other = Bytes::from(vec![7; HALF]);
    for (status, range, rest, is_good) in [
        (206, range(HALF), rest.clone(), true),
        (206, range(HALF), other, false),
        (206, range(0), rest.clone(), false),
        (206, None, rest.clone(), false),
        (200, None, rest, false),
        (416, None, Bytes::new(), false),
    ] {
        let first = first.clone();
        let said = (status, range.clone());
        let server = Server::start(move |_, _, headers| {
            if headers.get(header::RANGE).is_none() {
                let first = first.clone();
                let end = async {
                    // What was written before is on its way then.
                    tokio::task::yield_now().await;
                    Err(std::io::Error::other("it breaks off"))
                };
                let pieces = stream::once(async { Ok(first) }).chain(stream::once(end));
                let length = [(header::CONTENT_LENGTH, (2 * HALF).to_string())];
                return (length, Body::from_stream(pieces)).into_response();
            }
            assert_eq!(headers[header::RANGE], format!("bytes={HALF}-"));
            let mut response = rest.clone().into_response();
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(range) = &range {
                let range = range.parse().unwrap();
                response.headers_mut().insert(header::CONTENT_RANGE, range);
            }
            response
        })
        .await;
        let repository = server.repository(|_| {});
        let reader = repository.fetch(&blob).await.unwrap();
        let read = reader.read_all(blob.size).await;
        assert_eq!(read.is_ok(), is_good, "{said:?}: {read:?}");
        assert!(read.is_err() || read.unwrap() == content);
        assert_eq!(server.seen().len(), 2, "{said:?}");
    }
}
